"""One judgement explained: what it costs, what an interrupt leaves, what is compared with what."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganexplain import Critic, Explainer, Explanation, Plan, explain
from ganexplain.attribution import METHODS
from ganexplain.attribution import players as groups
from ganexplain.attribution.domains.region import segments
from ganexplain.evaluation.trust import NONE
from ganexplain.explanation import describe, region_totals, suited
from ganexplain.models import footprint
from tests._critics import NETWORKS, Linear, Net, Seen, Spy, critic, images

QUICK = Plan(max_evaluations=60, n_orders=20, n_randomised=2, n_others=3, light=60)
NINE = torch.arange(8)[:, None] * 3 // 8 * 3 + torch.arange(8)[None] * 3 // 8


def quick(**given: Any) -> Plan:
    return Plan(**{**{f: getattr(QUICK, f) for f in QUICK.__dataclass_fields__}, **given})


def on(reals: int = 6, variant: str = "plain") -> tuple[Critic, Seen]:
    spy = Spy(NETWORKS[variant]())
    made = Critic(spy)
    return (made.with_reference(images(reals, seed=50)) if reals else made), spy.seen


GRADIENTS, CALLS = ("kernel_shap", "integrated_gradients"), ("lime", "saliency", "occlusion")


@pytest.mark.parametrize(
    ("variant", "methods", "given"),
    [
        ("plain", GRADIENTS, {}),
        ("batchnorm", CALLS, {}),
        ("new_spectral", GRADIENTS, {"mask": NINE}),
        ("batchnorm", GRADIENTS, {"mask": NINE % 3}),
        ("plain", CALLS, {"mask": NINE % 3}),
        ("old_spectral", GRADIENTS, {"n_segments": 13}),
    ],
)
def test_the_cost_is_known_before(variant: str, methods: tuple[str, ...], given: dict[str, Any]) -> None:
    known, seen = on(variant=variant)
    run = Explainer(known, quick(methods=methods, **given))
    for row in range(2):  # what is shared is paid with the first
        image = images(3)[row : row + 1]
        seen.batches.clear()
        promised = run.planned(image)
        assert not seen.batches
        run.explain(image)
        assert seen.rows <= promised <= 1.5 * seen.rows


def test_the_cost_of_a_callable_without_reals() -> None:
    net, seen = Net().eval(), Seen()

    def called(x: Tensor) -> Tensor:
        seen.batches.append(len(x))
        return net(x)

    run = Explainer(Critic(called), QUICK)
    promised = run.planned(images(1))
    run.explain(images(1))
    assert seen.rows <= promised <= 1.5 * seen.rows
    assert run.seconds(images(1)) > 0


@pytest.mark.parametrize("size", [3, 64])
def test_no_batch_is_larger_than_asked_for(size: int) -> None:
    known, seen = on(variant="batchnorm")
    seen.batches.clear()
    explain(known, images(1), plan=quick(batch_size=size))
    assert max(seen.batches) <= size


def interrupted(after: str) -> Explanation:
    def progress(what: str, done: float) -> None:
        assert 0 <= done <= 1
        if what == after:
            raise KeyboardInterrupt

    return Explainer(on()[0], QUICK).explain(images(1), progress=progress)


def test_an_interrupt_leaves_what_is_finished() -> None:
    whole = Explainer(on()[0], QUICK).explain(images(1))
    assert not whole.interrupted
    assert list(whole.attributions) == list(whole.trusts) == ["kernel_shap", "integrated_gradients"]
    early = interrupted("integrated_gradients")
    assert early.interrupted
    assert list(early.attributions) == ["kernel_shap"]
    assert not early.trusts
    assert early.word == "CHECK"
    assert torch.equal(early.primary.values, whole.primary.values)
    late = interrupted("checks of integrated_gradients")
    assert list(late.attributions) == list(whole.attributions)
    assert late.trusts == {"kernel_shap": whole.trusts["kernel_shap"]}
    assert late.word in ("CHECK", "NOT RELIABLE")


def test_an_interrupt_before_anything_is_finished_is_an_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted("kernel_shap")


def test_a_word_of_an_interrupted_explanation_is_never_reliable() -> None:
    whole = Explainer(on()[0], QUICK).explain(images(1))
    good = type(next(iter(whole.trusts.values())))(())
    assert good.word == "CHECK"
    fields = {**vars(whole), "trusts": {"kernel_shap": Reliable()}}
    assert Explanation(**fields).word == "RELIABLE"
    assert Explanation(**{**fields, "interrupted": True}).word == "CHECK"


class Reliable:
    word = "RELIABLE"


def test_the_image_itself_is_no_other_image() -> None:
    reals = images(4, seed=50)
    known = critic("plain").with_reference(images(6, seed=60))
    for others, expected in ((reals, 3), (torch.cat([images(1), reals[:2]]), 2)):
        run = Explainer(known, QUICK, others=others)
        found = run.explain(images(1))
        assert f"{expected} other" in found.trusts["kernel_shap"]["specificity"].sentence
    alone = Explainer(critic("plain"), QUICK, others=images(1)).explain(images(1))
    assert alone.trusts["kernel_shap"]["specificity"].status == NONE


def test_others_are_the_reals_unless_others_are_given() -> None:
    known, _ = on()
    assert torch.equal(Explainer(known).others, images(6, seed=50))
    assert Explainer(critic("plain")).others is None
    assert torch.equal(Explainer(known, others=images(2)).others, images(2))


def test_notes_are_carried_and_said_once() -> None:
    bright = Critic(Linear(torch.full((1, 1, 8, 8), 1 / 64), 0.0)).with_reference(images(6, seed=1).abs() * 0.1)
    found = explain(bright, images(1), plan=quick(baseline="black"))
    blind, outside = found.notes
    assert "it calls white (1.00) more real than 100% of the known reals" in blind
    assert found.critic["probes"]["above"]["white"] == 1
    assert "outside the range of the reals" in outside
    assert outside in found.primary.notes


def test_the_side_is_that_of_the_verdict_and_decides_the_baseline() -> None:
    weight = torch.full((1, 1, 8, 8), 1 / 64)
    known = Critic(Linear(weight, 0.0)).with_reference(images(6, seed=1).abs())
    fake, real = explain(known, -images(1).abs(), plan=QUICK), explain(known, images(1).abs(), plan=QUICK)
    assert (fake.side, fake.primary.baseline) == ("fake", "nearest_real")
    assert (real.side, real.primary.baseline) == ("real", "black")  # the blurred image is judged real as well
    assert real.trusts["kernel_shap"]["contrast"].status == "pass"
    same = explain(known, images(1).abs(), plan=quick(baseline="blur"))
    assert same.trusts["kernel_shap"]["contrast"].status == "fail"
    assert same.word != "RELIABLE"
    assert explain(known, images(1).abs(), side="fake", plan=QUICK).side == "fake"
    assert "judged fake" in repr(fake)
    assert "judged real" in repr(real)


def test_a_right_explanation_is_reliable_and_a_blind_critic_is_not() -> None:
    made = torch.Generator().manual_seed(5)
    weight = torch.randn(1, 1, 8, 8, generator=made)
    mask = torch.arange(8)[:, None] // 2 * 4 + torch.arange(8)[None] // 2
    known = Critic(Linear(weight)).with_reference(images(12, seed=3))
    found = explain(known, images(1), plan=quick(mask=mask, n_randomised=5, n_others=10, n_orders=100))
    exact = groups.totals((weight * (found.image - found.primary.origins))[:, 0], mask[None])[0]
    sign = -1 if found.side == "fake" else 1
    assert torch.allclose(found.totals().float(), sign * exact, atol=1e-4)
    assert torch.allclose(found.totals("integrated_gradients").float(), sign * exact, atol=1e-4)
    assert {c.name: c.status for c in found.trusts["kernel_shap"].checks}["deletion"] == "pass"
    assert found.word == "RELIABLE"
    blind = explain(Critic(Dead()), images(1), plan=QUICK)
    assert blind.word == "NOT RELIABLE"


class Dead(nn.Module):
    """Says the same of every image."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(64, 1)
        nn.init.zeros_(self.last.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 8, 8) to (N, 1)."""
        return self.last(x.flatten(1))


@pytest.mark.parametrize("regions", [2, 3])
def test_few_regions_are_explained_and_not_judged(regions: int) -> None:
    mask = torch.arange(8)[:, None].expand(8, 8) * regions // 8
    found = explain(on()[0], images(1), plan=quick(mask=mask))
    statuses = {c.name: c.status for c in found.trusts["kernel_shap"].checks}
    assert [statuses[n] for n in ("deletion", "agreement", "randomisation", "specificity")] == [NONE] * 4
    assert found.word == "CHECK"


def test_regions_are_shared_by_all_methods() -> None:
    found = explain(on()[0], images(1), plan=quick(methods=METHODS.names()))
    assert torch.equal(found.regions, groups.canonical(segments(images(1)))[0])
    for name, attribution in found.attributions.items():
        assert torch.equal(found.totals(name), region_totals(attribution, found.regions))
        assert found.totals(name).shape == (int(found.regions.max()) + 1,)


def test_the_same_seed_gives_the_same_explanation_in_any_order() -> None:
    known, _ = on()
    run = Explainer(known, QUICK)
    x = images(3)
    run.explain(x[1:2])
    later, first = run.explain(x[:1]), Explainer(known, QUICK).explain(x[:1])
    for name in first.attributions:
        assert torch.equal(first.attributions[name].values, later.attributions[name].values)
    assert first.trusts == later.trusts


def test_what_is_known_of_the_critic_is_plain_data() -> None:
    import json

    facts = describe(on()[0])
    assert json.loads(json.dumps(facts)) == facts
    assert facts["reals"] == 6
    assert facts["polarity"] == "real"


def test_bad_input_is_named() -> None:
    known, _ = on()
    with pytest.raises(ValueError, match="one image .* at a time, got 2"):
        explain(known, images(2))
    with pytest.raises(ValueError, match=r"mask must have the image's size \(8, 8\), got \(5, 5\)"):
        explain(known, images(1), plan=quick(mask=torch.arange(25).view(5, 5)))
    with pytest.raises(TypeError, match="mask must be integer labels"):
        explain(known, images(1), plan=quick(mask=torch.rand(8, 8)))
    with pytest.raises(ValueError, match="did you mean 'lime'"):
        Plan(methods=("lame",))
    with pytest.raises(ValueError, match="at least one attribution method"):
        Plan(methods=())
    with pytest.raises(ValueError, match="unknown side"):
        explain(known, images(1), side="left")
    with pytest.raises(ValueError, match="the other images have 3 channels and the images 1"):
        Explainer(critic("plain"), QUICK, others=images(3, channels=3)).explain(images(1))


def test_a_critic_without_gradients_is_explained_by_calls_alone() -> None:
    blind = Critic(lambda x: x.detach().mean((1, 2, 3)))
    blind.differentiable = False
    image = torch.linspace(-1, 1, 144).view(1, 1, 12, 12)
    light = quick(methods=suited(blind))
    assert Explainer(blind).plan.methods == light.methods == ("kernel_shap", "lime")
    assert set(Explainer(blind, light).explain(image).attributions) == {"kernel_shap", "lime"}
    assert Explainer(critic("plain")).plan.methods == Plan().methods


def test_batches_of_large_images_are_measured_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "per_image", lambda critic, image: footprint.BUDGET // 3)
    for side, wanted in ((12, 64), (256, 3)):
        explainer = Explainer(Critic(nn.Flatten()))
        assert explainer._bounded(torch.zeros(1, 1, side, side)).batch_size == wanted
