"""What the doctor finds by trying: every wiring is broken on purpose, and the truth is known."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import nn

from ganexplain import tensors
from ganexplain.evaluation.doctor import Finding, methods, ranges
from ganexplain.evaluation.doctor.case import Case
from ganexplain.evaluation.doctor.examination import CHECKS, Examination, examined, spec_of
from ganexplain.evaluation.doctor.fingerprint import Fingerprint, certainty, fingerprint, refuted, watching
from ganexplain.evaluation.doctor.repair import repair, repaired
from ganexplain.evaluation.doctor.weights import initialisation
from ganexplain.models.critic import Critic
from ganexplain.models.preprocess import Preprocess
from ganexplain.models.spec import Spec
from ganexplain.models.verdict import auc

SIDE = 16
MEAN, STD = ranges.IMAGENET


def pictures(n: int, fake: bool, seed: int, channels: int = 3) -> torch.Tensor:
    """Soft coloured blobs; fakes are flatter, bluer and grainier."""
    low = tensors.normal(seed, "blobs", fake, shape=(n, channels, 8, 8))
    smooth = nn.functional.interpolate(low, (SIDE, SIDE), mode="bilinear")
    tint = torch.tensor([0.35, 0.0, -0.35] if channels == 3 else [0.1]).view(1, -1, 1, 1)
    grain = tensors.normal(seed, "grain", fake, shape=(n, channels, SIDE, SIDE))
    return (smooth * 0.45 + tint * (0.5 if fake else 1.0) - 0.2 + grain * (0.14 if fake else 0.03)).clamp(-1, 1)


REAL, FAKE = pictures(64, False, 9), pictures(64, True, 9)


def build(slope: float = 0.2, norm: bool = True) -> nn.Sequential:
    def block(before: int, after: int) -> list[nn.Module]:
        layers: list[nn.Module] = [nn.Conv2d(before, after, 4, 2, 1, bias=not norm)]
        return layers + ([nn.BatchNorm2d(after)] if norm else []) + [nn.LeakyReLU(slope)]

    return nn.Sequential(
        nn.Conv2d(3, 12, 4, 2, 1), nn.LeakyReLU(slope), *block(12, 16), *block(16, 24), nn.Flatten(), nn.Linear(96, 1)
    )


@cache
def trained(slope: float = 0.2, norm: bool = True, reads: Preprocess | None = None) -> nn.Sequential:
    """A critic that learned to tell the pictures apart, with a low rate at the end so that BatchNorm keeps up."""
    real, fake, reads = pictures(512, False, 1), pictures(512, True, 1), reads or Preprocess()
    with tensors.isolated(3):
        network = build(slope, norm)
        steps = torch.optim.Adam(network.parameters(), 4e-3, betas=(0.5, 0.9))
        for step in range(70):
            steps.param_groups[0]["lr"] = 4e-3 if step < 35 else 2e-4
            part = slice(step % 8 * 64, step % 8 * 64 + 64)
            logits = network(reads(torch.cat([real[part], fake[part]])))[:, 0]
            loss = nn.functional.softplus(torch.cat([-logits[:64], logits[64:]])).mean()
            steps.zero_grad()
            loss.backward()
            steps.step()
    return network.eval().requires_grad_(False)


def looked(critic: Critic, real: torch.Tensor | None = REAL, fake: torch.Tensor | None = FAKE) -> Examination:
    return examined(Case(critic, real, fake), CHECKS)


def found(critic: Critic, name: str, real: torch.Tensor | None = REAL, fake: torch.Tensor | None = FAKE) -> Finding:
    """One finding, without the evidence for figures of all the others."""
    with torch.no_grad():
        return CHECKS[name](Case(critic, real, fake))


@pytest.fixture(scope="module")
def healthy() -> Examination:
    return looked(Critic(trained()))


def test_a_right_wiring_gives_no_alarm_and_no_proposal(healthy: Examination) -> None:
    assert healthy["polarity"].value > 0.9
    assert healthy.failed == ()
    assert healthy.proposals == {}
    assert healthy["BatchNorm fit"].value < 0.15
    assert healthy.spec(Spec.of({"label": 3})) == Spec.of({"label": 3})


# what BatchNorm remembers


def test_the_fingerprint_is_the_distance_of_moments() -> None:
    """The oracle is torch's own running mean and variance, with momentum 1, and a shift of known size."""
    network = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5, momentum=1.0, eps=1e-9)).requires_grad_(False)
    x = tensors.normal(0, "x", shape=(40, 3, 8, 8))
    network(x)
    network.eval()
    with watching(network) as fed:
        network(x[:20])
        network(x[20:])
    found = fingerprint(network, fed, {})
    assert found is not None
    assert found.layers == ("1",)
    assert found.distance < 1e-3  # the unbiased variance is larger by 1 / 1440
    norm = network[1]
    norm.running_mean += 0.5 * norm.running_var.sqrt()  # half a running deviation in every channel
    moved = fingerprint(network, fed, {})
    assert moved is not None
    assert moved.distance == pytest.approx(0.5, abs=2e-3)
    norm.running_mean -= 0.5 * norm.running_var.sqrt()
    norm.running_var *= 4.0  # log 2 of the deviation
    stretched = fingerprint(network, fed, {})
    assert stretched is not None
    assert stretched.distance == pytest.approx(0.6931, abs=2e-3)


@pytest.mark.parametrize("mixed", [False, True])
def test_the_mix_of_reals_and_fakes_is_found(mixed: bool) -> None:
    network = nn.Sequential(nn.BatchNorm1d(4, momentum=None, eps=1e-9))
    real, fake = tensors.normal(0, "r", shape=(400, 4)) + 2, tensors.normal(0, "f", shape=(400, 4)) - 2
    batches = (real, fake, fake, fake)  # the cumulative average: a quarter of reals
    for batch in (torch.cat(batches),) if mixed else batches:  # the spread between kinds is seen in mixed batches alone
        network(batch)
    network.eval()
    moments = []
    for batch in (real, fake):
        with watching(network) as fed:
            network(batch)
        moments.append(fed)
    found = fingerprint(network, *moments)
    assert found is not None
    assert found.share == 0.25
    assert found.distance < 0.01


def test_certainty_by_fit_grows_with_the_ratio() -> None:
    def at(*distances: float) -> Fingerprint:
        return Fingerprint(tuple("abcd"[: len(distances)]), distances)

    assert certainty(at(0.6, 0.6), at(0.05, 0.05)) == "certain"
    assert certainty(at(0.4, 0.4), at(0.22, 0.22)) == "likely"
    assert certainty(at(2.4, 2.4), at(1.5, 1.5)) == "undecided"
    assert certainty(at(0.06, 0.06), at(0.01, 0.01)) == ""  # what fits is not to be mended
    assert certainty(at(0.2, 1.0), at(0.3, 0.1)) == ""  # half of the layers disagree
    assert certainty(None, at(0.1)) == ""
    assert refuted(at(0.1), at(0.2))
    assert not refuted(at(0.1), at(0.12))


@pytest.mark.parametrize("fake", [FAKE, None])
@pytest.mark.parametrize("word", ["[0, 1]", "[0, 255]", "ImageNet mean and std"])
def test_the_range_is_found_with_reals_alone(word: str, fake: torch.Tensor | None) -> None:
    declared = ranges.ranges(Preprocess(), 3)[word]
    seen = found(Critic(trained(), preprocess=declared), "declared range", fake=fake)
    assert seen.status in ("warn", "fail")
    assert seen.accepted["images.range"] == (-1.0, 1.0)
    assert fake is None or seen.certainty == "certain"
    assert torch.allclose(ranges.reads(declared, seen.proposal)(REAL), REAL, atol=1e-6)


def test_the_order_of_channels_is_found_in_the_right_range() -> None:
    both = looked(Critic(trained(), preprocess=Preprocess(value_range=(0, 1), order="bgr")))
    assert both["channel order"].accepted == {"images.order": "rgb"}
    assert both["declared range"].accepted == {"images.range": (-1.0, 1.0)}
    assert both["BatchNorm fit"].status == "ok"


@pytest.mark.parametrize(("slope", "said"), [(0.01, "LeakyReLU 0.2"), (0.0, "LeakyReLU 0.2"), (0.3, "LeakyReLU 0.2")])
def test_the_slope_is_found(slope: float, said: str) -> None:
    network = build(slope)
    network.load_state_dict(trained().state_dict())
    seen = found(Critic(network.eval()), "architecture")
    assert seen.status in ("warn", "fail")
    assert seen.accepted == {"architecture.slope": 0.2}
    assert said in seen.sentence
    mended = repaired(Critic(network), seen.proposal)
    assert torch.allclose(mended.logits(REAL), Critic(trained()).logits(REAL), atol=1e-5)


def test_relu_modules_are_replaced() -> None:
    network = build()
    network.load_state_dict(trained().state_dict())
    for i in (1, 4, 7):
        network[i] = nn.ReLU()
    seen = found(Critic(network.eval()), "architecture")
    assert seen.accepted == {"architecture.slope": 0.2}


def test_a_slope_is_undecided_without_batchnorm() -> None:
    seen = found(Critic(trained(norm=False)), "architecture")
    assert seen.status == "ok"
    assert seen.sentence.startswith("undecided")


def test_weights_that_fit_nowhere_are_named_and_nothing_is_proposed() -> None:
    network = build()
    network.load_state_dict(trained().state_dict())
    for i in (2, 5):  # kernels of another network under the same names
        order = torch.from_numpy(tensors.rng(0, i).permutation(network[i].weight.numel()))
        network[i].weight.data = network[i].weight.data.flatten()[order].view_as(network[i].weight) * 4
    seen = looked(Critic(network.eval()))
    assert seen["BatchNorm fit"].status == "fail"
    assert "another architecture" in seen["BatchNorm fit"].advice
    assert not set(seen.proposals) & {"images.range", "images.order", "architecture.slope"}


# several faults at once


@pytest.fixture
def no_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attribution methods are tried elsewhere."""
    monkeypatch.setattr(methods, "tried", lambda: iter(()))


@pytest.mark.usefixtures("no_methods")
def test_three_faults_are_repaired() -> None:
    network = build(0.01)
    network.load_state_dict(trained().state_dict())
    broken = Critic(network.eval(), polarity="fake", preprocess=Preprocess(value_range=(0, 1)))
    mended = repair(broken, real=REAL, fake=FAKE)
    assert isinstance(mended.model, Critic)
    assert mended.proposal == {
        "images.range": (-1.0, 1.0),
        "architecture.slope": 0.2,
        "critic.polarity": "real",
    }
    assert mended.after.failed == ()
    assert mended.after["polarity"].value == pytest.approx(auc(*(Critic(trained()).logits(x) for x in (REAL, FAKE))))
    assert torch.allclose(mended.model.logits(REAL), Critic(trained()).logits(REAL), atol=1e-5)
    text = mended.spec(Spec()).toml(mended.comments)
    assert "range = [-1.0, 1.0]  # found by trying: BatchNorm" in text
    assert "before: AUC" in mended.sentence
    nothing = repair(Critic(trained()), real=REAL, fake=FAKE)
    assert nothing.after is nothing.before
    assert nothing.proposal == {}
    assert nothing.sentence == "nothing was found that a spec could say better"
    failed = Finding("constant output", "fail", "all images get one logit")
    broken = replace(nothing.before, findings=(failed,))
    assert replace(nothing, before=broken).sentence == "no change of the spec mends what fails: constant output"


@pytest.mark.usefixtures("no_methods")
def test_a_file_of_weights_is_opened_again_with_what_was_found(tmp_path) -> None:  # type: ignore[no-untyped-def]
    torch.save(trained().state_dict(), tmp_path / "netD.pth")
    said = {"images": {"range": [0, 1], "size": 16}, "architecture": {"slope": 0.01}}
    critic = Critic.from_checkpoint(tmp_path / "netD.pth", spec=Spec.of(said))
    mended = repair(critic, real=REAL, fake=FAKE)
    assert mended.proposal == {"images.range": (-1.0, 1.0), "architecture.slope": 0.2}
    again = mended.spec(critic.about.spec).write(tmp_path / "spec.toml", mended.comments)  # type: ignore[union-attr]
    opened = Critic.from_checkpoint(tmp_path / "netD.pth", spec=again)
    assert torch.allclose(opened.logits(REAL), Critic(trained()).logits(REAL), atol=1e-5)


# what the numbers are


def sigmoids(times: int) -> nn.Sequential:
    return nn.Sequential(trained(), *[nn.Sigmoid() for _ in range(times)])


@pytest.mark.parametrize(
    ("network", "how", "words", "proposal"),
    [
        (lambda: sigmoids(1), {}, "a probability, declared as logit", {"critic.output": "probability"}),
        (lambda: sigmoids(1), {"output": "score"}, "declared as score", {"critic.output": "probability"}),
        (lambda: sigmoids(2), {}, "a sigmoid of a sigmoid", {}),
        (lambda: sigmoids(2), {"output": "probability"}, "a sigmoid of a sigmoid", {}),
        (lambda: nn.Sequential(trained(), nn.Softmax(1)), {}, "a softmax over a single logit", {}),
    ],
)
def test_the_kind_of_output(network, how, words, proposal) -> None:  # type: ignore[no-untyped-def]
    seen = found(Critic(network(), **how), "output")
    assert seen.status == "fail"
    assert words in seen.sentence
    assert seen.proposal == proposal


def test_right_outputs_give_no_alarm() -> None:
    assert found(Critic(sigmoids(1), output="probability"), "output").status == "ok"
    least_squares = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIDE * SIDE, 1))  # trained towards 0 and 1, as LSGAN is
    with torch.no_grad():
        least_squares[1].weight.fill_(1e-3)
        least_squares[1].bias.fill_(0.5)
    assert float(Critic(least_squares).logits(REAL).min()) > 0
    assert found(Critic(least_squares, output="score"), "output").status == "ok"


class Pair(nn.Module):
    """Two classes of one logit, the real one first."""

    def __init__(self, softmaxes: int = 0) -> None:
        super().__init__()
        self.network, self.softmaxes = trained(), softmaxes

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = self.network(x)
        z = torch.cat([z, -z], 1) / 2
        for _ in range(self.softmaxes):
            z = torch.softmax(z, 1)
        return z


def test_classes() -> None:
    wrong = found(Critic(Pair(), output="classes", real_class=1), "polarity")
    assert wrong.accepted == {"critic.real_class": 0}
    twice = found(Critic(Pair(2), output="class_probabilities", real_class=0), "output")
    assert "a softmax of a softmax" in twice.sentence


@pytest.mark.parametrize(
    ("network", "how", "proposal"),
    [
        (trained, {"output": "probability"}, {"critic.output": "logit"}),
        (Pair, {}, {"critic.output": "classes"}),
        (lambda: Pair(1), {"output": "classes"}, {"critic.output": "class_probabilities"}),
        (lambda: trained()[:6], {}, {}),  # features at several places are no classes
        (lambda: nn.Conv2d(3, 1, 4, 4), {}, {"critic.pool": "mean"}),
        (trained, {"preprocess": Preprocess(size=28)}, {"images.size": 16}),
        (trained, {"preprocess": Preprocess(channels=1)}, {"images.channels": 3}),
    ],
)
def test_a_critic_that_cannot_judge_is_told_how_it_can(network, how, proposal) -> None:  # type: ignore[no-untyped-def]
    first = examined(Case(Critic(network(), **how), REAL, FAKE), {}).findings[0]
    assert first.status == "fail"
    assert first.accepted == proposal
    if not proposal:
        return
    case = Case(repaired(Critic(network(), **how), proposal), REAL, FAKE)
    assert len(case.logits) == 128


def test_a_patch_map_is_pooled_otherwise_where_that_tells_them_apart() -> None:
    """One cell decides; the mean drowns it, the maximum shows it."""

    class Spot(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            grain = (x[:, :, 1:, 1:] - x[:, :, :-1, :-1]).abs().mean((1, 2, 3)).view(-1, 1, 1, 1)
            noise = (x.sum((1, 2, 3)).mul(1e3).sin() * 40).view(-1, 1, 1, 1)
            return torch.cat([noise, -noise.abs() - 50, -noise.abs() - 50 - noise, 60 - 100 * grain], 3)

    seen = found(Critic(Spot(), pool="mean"), "pool")
    assert seen.accepted["critic.pool"] in ("max", "logsumexp")
    assert found(Critic(Spot(), pool="max"), "pool").status == "ok"
    assert found(Critic(trained()), "pool").status == "not applicable"


# inside the network


@pytest.mark.parametrize("kind", ["torch's default", "normal with deviation .02", "Kaiming normal", "Glorot uniform"])
def test_an_untrained_network_is_told_by_its_weights(kind: str) -> None:
    with tensors.isolated(5):
        network = build()
        for module in network.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                if kind.startswith("normal"):
                    nn.init.normal_(module.weight, 0, 0.02)
                elif kind.startswith("Kaiming"):
                    nn.init.kaiming_normal_(module.weight)
                elif kind.startswith("Glorot"):
                    nn.init.xavier_uniform_(module.weight)
    seen = found(Critic(network.eval()), "weights")
    assert seen.status == "fail"
    assert kind in seen.sentence
    with torch.no_grad():
        network[2].weight.pow_(3)
    assert initialisation(network[2].weight) == ""


def test_dead_units() -> None:
    network = build(0.0)
    network.load_state_dict(trained(0.2).state_dict())
    with torch.no_grad():
        network[6].bias[:22] = -100.0  # of 24 channels
    seen = found(Critic(network.eval()), "dead units")
    assert seen.status == "warn"
    assert seen.value == pytest.approx(22 / 24, abs=0.05)
    assert found(Critic(trained()), "dead units").value < 0.2


class Reuses(nn.Module):
    def __init__(self, in_place: bool) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3)
        self.act, self.in_place = nn.LeakyReLU(0.2), in_place

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        x = x.mul_(2) if self.in_place else self.act(x)
        return self.act(self.second(x)).mean((1, 2, 3))


def test_reuse_and_work_in_place_are_named() -> None:
    assert "LeakyReLU 'act' is used 2 times" in found(Critic(Reuses(False)), "reused and in place").sentence
    assert "what 'first' returns is overwritten" in found(Critic(Reuses(True)), "reused and in place").sentence
    assert found(Critic(trained()), "reused and in place").value == 0


# what is made of it


def test_proposals_of_basic_findings_win_and_undecided_ones_are_left_out() -> None:
    def finding(name: str, said: dict[str, object], certainty: str) -> Finding:
        return Finding(name, "fail", "s").proposing(said, certainty, "e")

    findings = (
        finding("polarity", {"critic.polarity": "fake"}, "certain"),
        finding("declared range", {"images.range": (0.0, 1.0), "critic.polarity": "real"}, "likely"),
        finding("channel order", {"images.order": "bgr"}, "undecided"),
    )
    result = Examination("m", 1, 1, 0, findings)
    assert result.spec(Spec()) == spec_of({"images.range": (0.0, 1.0), "critic.polarity": "real"})
    assert result.comments["images.range"] == "found by trying: e (likely)"
    assert result.to_dict()["proposal"] == {"critic": {"polarity": "real"}, "images": {"range": [0.0, 1.0]}}


@pytest.mark.parametrize(
    "other",
    [
        Preprocess(value_range=(0, 1), mean=MEAN, std=STD),
        Preprocess(value_range=(0, 255), order="bgr", size=(20, 24), resize="nearest", channels=3),
    ],
)
def test_a_proposal_says_what_it_takes(other: Preprocess) -> None:
    x = tensors.normal(0, "x", shape=(2, 3, 8, 8)).clamp(-1, 1)
    for before, after in ((Preprocess(), other), (other, Preprocess(size=(20, 24), channels=3))):
        said = ranges.proposal(before, after)
        assert torch.allclose(ranges.reads(before, said)(x), after(x), atol=1e-5)
        assert spec_of(said).over(Spec()).to_dict()["images"].keys() == {k.partition(".")[2] for k in said}
