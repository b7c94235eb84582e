"""The doctor: every illness is made on purpose, and a healthy critic has none."""

import copy
import itertools
import json
import random
from functools import cache

import numpy as np
import pytest
import torch
from torch import nn

from ganexplain import tensors
from ganexplain.evaluation.doctor import examine, methods
from ganexplain.evaluation.doctor.area import gain, interval, placements
from ganexplain.evaluation.doctor.case import Case
from ganexplain.evaluation.doctor.contest import correct, improvement
from ganexplain.evaluation.doctor.examination import CHECKS, examined
from ganexplain.evaluation.doctor.judgement import polarity, threshold
from ganexplain.evaluation.doctor.reading import declared_range
from ganexplain.models.critic import Critic
from ganexplain.models.gan import GAN, bundled
from ganexplain.models.preprocess import Preprocess
from ganexplain.models.verdict import auc


def pictures(mean, n=40, channels=1, side=12, spread=0.35, seed=0):
    """(n, channels, side, side) of pixels around a mean, a number or one a channel."""
    noise = tensors.normal(seed, "pictures", repr(mean), shape=(n, channels, side, side)) * spread
    shift = tensors.normal(seed, "shift", repr(mean), shape=(n, 1, 1, 1)) * 0.1
    return (torch.as_tensor(mean).float().view(1, -1, 1, 1) + shift + noise).clamp(-1, 1)


REAL, FAKE = pictures(0.3), pictures(-0.3, seed=1)


class Brightness(nn.Module):
    """Logit 5 tanh(mean), minus what high contrast costs: noise and plain images score below the reals."""

    def forward(self, x):
        mean, contrast = x.mean((1, 2, 3)), x.flatten(1).std(1)
        return 5 * torch.tanh(mean) - 8 * (contrast - 0.33).abs()


def found(network, name, real=REAL, fake=FAKE, **how):
    with torch.no_grad():
        return CHECKS[name](Case(Critic(network, **how), real, fake))


@pytest.fixture
def no_methods(monkeypatch):
    """Attribution methods are tried where they are what is tested."""
    monkeypatch.setattr(methods, "tried", lambda: iter(()))


@pytest.fixture(scope="module")
def healthy():
    """An examination, and what was told of its progress."""
    told = []
    critic = Critic(Brightness())
    return examine(critic, real=REAL, fake=FAKE, advance=lambda what, done: told.append((what, done))), told


def test_a_healthy_critic_has_no_failure_and_no_warning(healthy):
    result, _ = healthy
    assert [f for f in result.findings if f.status in ("warn", "fail")] == []
    assert result.summary.startswith("This critic can be explained (")
    assert [f.name for f in result.findings[1 : 1 + len(CHECKS)]] == list(CHECKS)
    assert sum(result.counts.values()) == len(result.findings)


def test_an_examination_is_json_and_repeats_itself(healthy):
    first, second = healthy[0].to_dict(), examine(Critic(Brightness()), real=REAL, fake=FAKE).to_dict()
    assert json.loads(json.dumps(first, allow_nan=False)) == first == second
    assert first["counts"]["ok"] == sum(f["status"] == "ok" for f in first["findings"])


def test_nothing_of_the_callers_is_changed():
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(), nn.LazyLinear(1)
    )
    network(REAL)
    state = {k: v.clone() for k, v in network.state_dict().items()}
    random.seed(1)
    before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    images = REAL.clone(), FAKE.clone()
    examine(Critic(network), real=REAL[:12], fake=FAKE[:12])
    assert random.getstate() == before[0]
    assert (np.random.get_state()[1] == before[1]).all()
    assert torch.equal(torch.get_rng_state(), before[2])
    assert all(torch.equal(v, network.state_dict()[k]) for k, v in state.items())
    assert network.training
    assert all(m._forward_hooks == {} for m in network.modules())
    assert torch.equal(REAL, images[0])
    assert torch.equal(FAKE, images[1])


# what a model may do


class Remembers(Brightness):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return super().forward(x) + 0.1 * self.calls


class DropsOut(Brightness):
    def forward(self, x):
        return super().forward(nn.functional.dropout(x, 0.5, training=True))


class Whispers(Brightness):
    def forward(self, x):
        return super().forward(x) + 0.001 * torch.randn(len(x))


class Compares(Brightness):
    def forward(self, x):
        return super().forward(x) - super().forward(x).mean()


class Detaches(Brightness):
    def forward(self, x):
        return super().forward(x.detach())


class Hides(Brightness):
    def forward(self, x):
        return super().forward(x) + 5 * super().forward(x.detach())


class Rounds(Brightness):
    def forward(self, x):
        return super().forward(torch.round(x * 8) / 8)


class RootOfZero(Brightness):
    def forward(self, x):
        return super().forward(x) + (0 * x).sum((1, 2, 3)).sqrt()


class Constant(nn.Module):
    def forward(self, x):
        return 0 * x.mean((1, 2, 3)) + 3


@pytest.mark.parametrize(
    ("network", "name", "status", "words"),
    [
        (Remembers(), "repeats", "fail", "the model remembers"),
        (DropsOut(), "repeats", "fail", "draws random numbers"),
        (Whispers(), "repeats", "warn", "draws random numbers"),
        (Compares(), "neighbours", "fail", "with the others in its batch"),
        (Constant(), "constant output", "fail", "same logit 3"),
        (Detaches(), "gradients", "warn", "no gradient reaches the pixels"),
        (Rounds(), "gradients", "warn", "gradient of zero everywhere"),
        (Hides(), "gradients", "warn", "6 times as much as the gradient says"),
        (RootOfZero(), "gradients", "fail", "8 of 8 images have NaN or infinite"),
    ],
)
def test_an_illness_of_the_model_is_found(network, name, status, words):
    finding = found(network, name)
    assert finding.status == status
    assert words in finding.sentence
    assert finding.advice


def test_what_a_method_cannot_do_is_its_finding():
    tried = {
        name: check for name, check in methods.tried() if name.split()[1] in ("saliency", "kernel_shap", "occlusion")
    }
    result = examined(Case(Critic(Detaches()), REAL, FAKE), tried)
    assert result["method saliency"].status == "warn"
    assert "no gradient" in result["method saliency"].sentence
    assert result["method kernel_shap"].status == "ok"
    flat = examined(Case(Critic(Constant()), REAL, FAKE), {"constant output": CHECKS["constant output"], **tried})
    assert flat["method occlusion"].status == "warn"
    assert flat.failed[0].name == "constant output"
    assert flat.summary.startswith("Do not explain this critic yet: all 80 images get the same logit 3")


def test_layers_left_in_training_mode_and_statistics_never_set():
    head = [nn.Flatten(), nn.Linear(4 * 100, 1)]
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.1), *head)
    assert found(network, "training mode").value == 2
    assert found(network, "batch statistics").status == "fail"
    network(REAL)
    assert found(network.eval(), "training mode").status == "ok"
    assert found(network, "batch statistics").status == "ok"
    assert found(Brightness(), "batch statistics").status == "not applicable"


def test_large_logits():
    assert found(lambda x: 100 * x.mean((1, 2, 3)), "saturation").status == "warn"
    assert found(lambda x: 100 * x.mean((1, 2, 3)), "saturation", output="score").status == "not applicable"
    assert "cut off" in found(nn.Sequential(Brightness(), nn.Sigmoid()), "saturation", output="probability").sentence


def test_a_critic_that_cannot_judge_the_images_is_reported_not_raised():
    result = examine(Critic(nn.Conv2d(3, 1, 12)), real=REAL, fake=FAKE)
    assert result["runs"].status == "fail"
    assert "channels" in result["runs"].sentence
    assert result.counts["not applicable"] == len(result.findings) - 1


# how it judges


def test_polarity():
    assert found(Brightness(), "polarity").value == pytest.approx(auc(*logits_of(Brightness())))
    inverted = found(Brightness(), "polarity", polarity="fake")
    assert inverted.status == "fail"
    assert "inverted" in inverted.sentence
    assert "polarity='real'" in inverted.advice
    guess = found(lambda x: x[:, 0, 0, 0] * 0 + x[:, 0, 1, 1].sin() * 0 + torch.linspace(0, 1, len(x)), "polarity")
    assert guess.status == "warn"
    assert found(Brightness(), "polarity", fake=FAKE[:5]).status == "not applicable"


def logits_of(network):
    return network(REAL), network(FAKE)


def test_threshold():
    fine = found(Brightness(), "threshold")
    real, fake = logits_of(Brightness())
    assert fine.details["mean of reals"] == pytest.approx(float(torch.sigmoid(real).mean()), abs=1e-5)
    assert fine.details["fakes called fake"] == pytest.approx(float((fake < 0).float().mean()))
    shifted = found(lambda x: Brightness()(x) - 9, "threshold")
    assert shifted.status == "warn"
    assert shifted.details["reals called fake"] == 1
    assert "calibrate" in shifted.advice
    assert "mean score" in found(Brightness(), "threshold", output="score").sentence


def test_a_calibrated_critic_is_judged_at_its_own_threshold():
    critic = Critic(lambda x: Brightness()(x) - 9).calibrate(REAL, FAKE)
    assert threshold(Case(critic, pictures(0.3, seed=5), pictures(-0.3, seed=6))).status == "ok"


def test_noise_above_the_reals_is_a_blind_spot():
    blind = found(lambda x: 10 * x.flatten(1).std(1) + x.mean((1, 2, 3)), "noise")
    assert blind.status == "warn"
    assert "blind spot" in blind.sentence
    assert blind.details["mean logit of noise"] > blind.details["mean logit of reals"]
    bright = found(lambda x: x.mean((1, 2, 3)), "noise")
    assert bright.status == "warn"
    assert "plain white images score above every real" in bright.sentence


def test_noise_comes_in_the_shape_that_the_critic_declares():
    seen = []

    def network(x):
        seen.append(tuple(x.shape[1:]))
        return x.mean((1, 2, 3))

    found(network, "noise", preprocess=Preprocess(size=6, channels=3))
    assert set(seen) == {(3, 6, 6)}


# how it is read


class Around(nn.Module):
    """Reals have the mean ``centre`` in the range that was trained on."""

    def __init__(self, centre):
        super().__init__()
        self.centre = centre

    def forward(self, x):
        return -(x.mean((1, 2, 3)) - self.centre).square() * 100


def test_a_wrong_range_is_told_from_a_wrong_polarity():
    real, fake = pictures(-0.4), pictures(0.4, seed=1)  # 0.3 and 0.7 in [0, 1]
    result = examine(Critic(Around(0.3)), real=real, fake=fake)
    assert result["polarity"].status == "fail"
    finding = result["declared range"]
    assert finding.status == "fail"
    assert "read as [0, 1] the AUC is 1.000" in finding.sentence
    assert "value_range=(0, 1)" in finding.advice
    assert finding.proposal == {"images.range": (0.0, 1.0)}
    assert "AUC 1.000 against" in finding.evidence
    assert finding.certainty == result["polarity"].certainty == "undecided"  # either mends it
    assert result.proposals == {}
    right = examine(Critic(Around(0.3), preprocess=Preprocess(value_range=(0, 1))), real=real, fake=fake)
    assert right["declared range"].status == "ok"
    assert right["polarity"].status == "ok"


RANGES = {"[-1, 1]": (-1.0, 1.0), "[0, 1]": (0.0, 1.0), "[0, 255]": (0.0, 255.0)}


def kinds(n, seed):
    """Reals and fakes that differ in brightness and grain and overlap."""
    return pictures(0.12, n, spread=0.35, seed=2 * seed), pictures(-0.12, n, spread=0.3, seed=2 * seed + 1)


@cache
def learned(seed):
    """A two-class detector (column 0 is real) that was trained on images in [-1, 1]."""
    real, fake = kinds(48, seed + 100)
    with tensors.isolated():
        torch.manual_seed(seed)
        first = [nn.Conv2d(1, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU()]
        second = [nn.Conv2d(6, 6, 3, bias=False), nn.BatchNorm2d(6), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        network = nn.Sequential(*first, *second, nn.Linear(6, 2))
        images, labels = torch.cat([real, fake]), torch.tensor([0] * 48 + [1] * 48)
        steps = torch.optim.Adam(network.parameters(), 0.02)
        for _ in range(150):
            steps.zero_grad()
            nn.functional.cross_entropy(network(images), labels).backward()
            steps.step()
    return network.eval()


def trained(seed, word):
    """The same detector for images in another range: the first convolution and what BatchNorm saw of it are changed."""
    network, (low, high) = copy.deepcopy(learned(seed)), RANGES[word]
    with torch.no_grad():
        first, norm = network[0].weight, network[1]
        gain = 2 / (high - low)  # x in [-1, 1] is gain * (read - low) - 1
        norm.running_mean += (1 + gain * low) * first.sum((1, 2, 3))
        first *= gain
    return network


def wired(seed, word, declared, **how):
    """The case of a detector trained on one range and declared with another, on images that it has not seen."""
    how = {"output": "classes", "real_class": 0} | how
    critic = Critic(trained(seed, word), preprocess=Preprocess(value_range=RANGES[declared]), **how)
    return Case(critic, *kinds(40, seed))


@pytest.mark.parametrize(("seed", "word"), [*((0, word) for word in RANGES), (1, "[-1, 1]")])
def test_a_right_range_gives_no_alarm_whatever_the_polarity(seed, word):
    right = wired(seed, word, word)
    assert declared_range(right).status == "ok"
    assert polarity(right).status == "ok"
    assert threshold(right).status == "ok"
    inverted = wired(seed, word, word, real_class=1)
    assert declared_range(inverted).status == "ok"
    assert polarity(inverted).status == "fail"
    assert polarity(inverted).advice == "say real_class=0"
    assert polarity(inverted).accepted == {"critic.real_class": 0}
    assert (polarity(inverted).certainty == "certain") == (inverted.declared.saturated <= 0.5)
    assert threshold(inverted).advice.startswith("see the polarity first")


@pytest.mark.parametrize(
    ("seed", "word", "declared"), [(i % 2, *pair) for i, pair in enumerate(itertools.permutations(RANGES, 2))]
)
def test_a_wrong_range_that_a_threshold_gives_away_is_named(seed, word, declared):
    """The oracle is the accuracy of both readings: the right one is far better, and is named alone."""
    wrong, right = wired(seed, word, declared), wired(seed, word, word)
    accuracy = [threshold(case).value for case in (wrong, right)]
    assert right.area[0] > 0.9
    assert accuracy[1] > 0.8
    finding = declared_range(wrong)
    assert accuracy[0] < 0.75  # so each of these wirings is one that a person would want to be told of
    assert finding.status == "fail"
    assert f"read as {word} the AUC is {right.area[0]:.3f}" in finding.sentence
    assert finding.advice.endswith(f"value_range=({RANGES[word][0]:g}, {RANGES[word][1]:g})")
    assert "calibrating would hide that mistake" in threshold(wrong).advice
    assert wrong.better_range == word
    if wrong.inverted:
        assert polarity(wrong).advice == "say real_class=1, unless the declared range below is what is wrong"


def test_accuracies_are_compared_only_where_the_critic_has_a_threshold():
    def offset(x):
        return 10 * x.mean((1, 2, 3)) - 6  # AUC 1 in both ranges; at [0, 1] reals are at .5 and fakes at -2.5

    real, fake = pictures(0.3), pictures(-0.3, seed=1)
    assert found(offset, "declared range", real, fake).status == "fail"
    assert found(offset, "declared range", real, fake, output="score").status == "ok"
    assert declared_range(Case(Critic(offset).calibrate(real, fake), real, fake)).status == "ok"


def test_a_threshold_that_has_drifted_is_not_taken_for_a_range():
    def drifted(x):
        return 10 * x.mean((1, 2, 3)) - 4  # reals (.3) and fakes (-.3) parted at .4; at [0, 1] at -.2: better by chance

    case = Case(Critic(drifted), REAL, FAKE)
    other = case.ranges.others["[0, 1]"]
    assert improvement(case.ranges.declared.turned, other.turned)[1] < 0.005
    assert other.accuracy < other.attainable - 0.03
    assert declared_range(case).status == "ok"
    assert threshold(case).advice.startswith("calibrate")


@pytest.mark.parametrize("which", ["judge", "discriminator"])
def test_a_bundled_gan_gives_no_alarm(which):
    gan = bundled("fashion")
    reals = tensors.from_uint8(gan.reals)
    for seed in range(2):
        case = Case(gan.critic(which), reals[seed * 40 : seed * 40 + 60], gan.samples(60, seed=seed))
        assert declared_range(case).status == "ok"
        assert not case.inverted


def test_the_exact_test_agrees_with_a_binomial_and_with_all_signs():
    from scipy.stats import binomtest

    draw = tensors.rng(0, "mcnemar")
    for n in (5, 8, 30):
        before, after = (tuple(torch.from_numpy(draw.normal(0, 1, n)) for _ in range(2)) for _ in range(2))
        old, new = (torch.cat(correct(*pair)) for pair in (before, after))
        gained, lost = int((new & ~old).sum()), int((old & ~new).sum())
        value, chance = improvement(before, after)
        assert value == pytest.approx((gained - lost) / (2 * n))
        assert chance == pytest.approx(binomtest(gained, gained + lost, alternative="greater").pvalue)
    before = torch.tensor([-1.0, -1, 1, 1]), torch.tensor([1.0, 1, -1, -1, -1, 1])
    after = torch.tensor([1.0, 1, -1, 1]), torch.tensor([-1.0, 1, 1, -1, -1, -1])
    value, chance = improvement(before, after)
    signs = [(sum(s[:3]) / 4 + sum(s[3:]) / 6) / 2 for s in itertools.product((-1, 1), repeat=6)]
    assert value == pytest.approx((1 / 4 + 1 / 6) / 2)
    assert chance == pytest.approx(np.mean([s >= value - 1e-9 for s in signs]))


@pytest.mark.usefixtures("no_methods")
def test_classes_are_described_by_their_column():
    model = examine(Critic(trained(0, "[0, 1]"), output="classes", real_class=0), real=REAL[:2]).model
    assert model.startswith("classes, real is class 0; reads")
    three = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 3))
    with torch.no_grad():
        three[2].weight.copy_(torch.tensor([[-5.0], [5.0], [0.0]]))
    finding = found(three, "polarity", output="classes", real_class=0)
    assert finding.status == "fail"
    assert "another real_class than 0 (0 to 2)" in finding.advice


def test_bytes_and_imagenet_statistics_are_tried():
    real, fake = pictures(-0.4), pictures(0.4, seed=1)
    assert "read as [0, 255]" in found(Around(76.5), "declared range", real, fake).sentence
    real, fake = pictures(0.4, channels=3, spread=0.1), pictures(0.8, channels=3, spread=0.1, seed=1)
    normalised = (0.7 - 0.449) / 0.226  # as [0, 1] pixels the fakes, near 0.9, lie nearer to it
    finding = found(Around(normalised), "declared range", real, fake, preprocess=Preprocess(value_range=(0, 1)))
    assert "ImageNet mean and std" in finding.sentence
    assert "mean=(0.485, 0.456, 0.406)" in finding.advice


@pytest.mark.usefixtures("no_methods")
def test_a_check_that_the_model_cannot_stand_is_a_finding():
    sure = nn.Sequential(Brightness(), nn.Hardsigmoid())  # 0 or 1 exactly for noise, and for most images in bytes
    result = examine(Critic(sure, output="probability"), real=REAL, fake=FAKE)
    assert result["declared range"].status == "ok"
    assert "[0, 255]" not in result["declared range"].details
    assert result["noise"].status == "warn"
    assert "could not be checked: the model's probability saturates" in result["noise"].sentence


def test_images_that_span_zero_to_one():
    finding = found(Brightness(), "image range", REAL * 0.5 + 0.5, FAKE * 0.5 + 0.5)
    assert finding.status == "warn"
    assert "were they converted" in finding.sentence
    assert found(Brightness(), "image range", REAL * 0.05, FAKE * 0.05).status == "warn"
    assert found(Brightness(), "image range").status == "ok"


def test_channel_order():
    class Red(nn.Module):
        def forward(self, x):
            return x[:, 2].mean((1, 2)) - x[:, 0].mean((1, 2))  # trained on blue, green, red

    real, fake = pictures([0.3, 0.0, -0.3], channels=3), pictures([-0.3, 0.0, 0.3], channels=3, seed=1)
    finding = found(Red(), "channel order", real, fake)
    assert finding.status == "fail"
    assert finding.details == {"declared": 0.0, "exchanged": 1.0}
    assert found(Red(), "channel order", fake, real).status == "ok"
    assert found(Brightness(), "channel order").status == "not applicable"


def test_resize():
    sharp = pictures(0.0, side=24, spread=0.5)

    def contrast(x):
        return x.flatten(1).std(1) * 10 - 3.5

    finding = found(contrast, "resize", sharp, sharp, preprocess=Preprocess(size=12))
    assert finding.status == "warn"
    assert finding.details["nearest"] == 1.0  # nearest keeps the standard deviation of .5, smoothing averages it away
    assert found(contrast, "resize", preprocess=Preprocess(size=12)).status == "not applicable"
    assert found(contrast, "resize").status == "not applicable"


def test_reals_and_fakes_that_come_differently():
    finding = found(Brightness(), "same delivery", REAL, pictures(-0.3, channels=3, side=8))
    assert finding.value == 2
    assert "reals are 12x12 and fakes 8x8 pixels; reals are grey and fakes colour" in finding.sentence
    assert "darkest pixel" in found(Brightness(), "same delivery", REAL, FAKE.abs()).sentence
    assert found(Brightness(), "same delivery", fake=None).status == "not applicable"


# what is examined


@pytest.mark.usefixtures("no_methods")
def test_a_gan_brings_its_own_images():
    gan = GAN.build("dcgan", resolution=8, z_dim=4, width=4)
    with pytest.raises(ValueError, match="give real, fake or both"):
        examine(Critic(Brightness()))
    gan.reals = tensors.to_uint8(pictures(0.3, n=30, side=8))
    result = examine(gan)
    assert (result.n_real, result.n_fake) == (30, 30)
    assert result["polarity"].status in ("ok", "warn", "fail")
    gan.reals = None
    result = examine(gan)
    assert (result.n_real, result.n_fake) == (0, 64)
    assert result["polarity"].status == "not applicable"


def test_images_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"real must lie in \[-1, 1\]"):
        examine(Critic(Brightness()), real=REAL * 100, fake=FAKE)


def test_progress_and_names(healthy):
    result, told = healthy
    assert [what for what, _ in told[:-1]] == [f.name for f in result.findings[1:]]
    assert told[-1] == ("", 1.0)
    with pytest.raises(ValueError, match="did you mean 'polarity'"):
        result["polarty"]


# intervals


def test_the_interval_of_an_auc_covers():
    """Normal scores one standard deviation apart: AUC Phi(1 / sqrt 2) = .760; 95 % of the intervals should hold it."""
    truth, hits = 0.7602, 0
    draw = tensors.rng(0, "coverage")
    for _ in range(400):
        real, fake = torch.from_numpy(draw.normal(1, 1, 30)), torch.from_numpy(draw.normal(0, 1, 40))
        low, high = interval(auc(real, fake), 30, 40)
        hits += low <= truth <= high
    assert 0.93 <= hits / 400 <= 0.98  # 3 standard errors of 400 draws: .033


def test_the_interval_mirrors_and_stays_inside():
    low, high = interval(0.8, 20, 50)
    assert interval(0.2, 20, 50) == pytest.approx((1 - high, 1 - low))
    assert interval(1.0, 20, 20)[1] == 1.0
    assert interval(0.0, 20, 20)[0] == 0.0


def test_the_gain_and_its_error_agree_with_the_bootstrap():
    draw = tensors.rng(0, "gain")
    real, fake = draw.normal(1, 1, (60, 1)), draw.normal(0, 1, (50, 1))
    noisy = real + draw.normal(0, 1, (60, 1)), fake + draw.normal(0, 1, (50, 1))
    before = torch.from_numpy(noisy[0][:, 0]), torch.from_numpy(noisy[1][:, 0])
    after = torch.from_numpy(real[:, 0]), torch.from_numpy(fake[:, 0])
    value, error = gain(before, after)
    assert value == pytest.approx(auc(*after) - auc(*before))
    redrawn = []
    for _ in range(1000):
        i, j = draw.integers(0, 60, 60), draw.integers(0, 50, 50)
        redrawn.append(auc(after[0][i], after[1][j]) - auc(before[0][i], before[1][j]))
    assert error == pytest.approx(np.std(redrawn), rel=0.15)
    by_real, by_fake = placements(*after)
    assert float(by_real.mean()) == pytest.approx(float(by_fake.mean())) == pytest.approx(auc(*after))


# the command

FACTORY = """
from ganexplain import Critic, Preprocess

def bright(x):
    return 10 * x.mean((1, 2, 3))

def critic():
    return Critic(bright)

def sized():
    return Critic(bright, preprocess=Preprocess(size=6, channels=1))

def pair():
    return Critic(lambda x: x.flatten(1)[:, :2])

def dull():
    return Critic(lambda x: 0 * x.mean((1, 2, 3)))
"""


@pytest.fixture
def scene(tmp_path):
    """A file of factories, and folders of reals and fakes."""
    from PIL import Image

    (tmp_path / "mine.py").write_text(FACTORY)
    for name, batch in (("real", REAL), ("fake", FAKE)):
        (tmp_path / name).mkdir()
        for i, image in enumerate(tensors.to_uint8(batch)):
            Image.fromarray(image[0].numpy()).save(tmp_path / name / f"{i:02}.png")
    return tmp_path


def command(*arguments):
    from ganexplain.cli.main import main

    with pytest.raises(SystemExit) as stopped:
        main(["doctor", *map(str, arguments), "--quiet"])
    return stopped.value.code or 0


def test_the_command_prints_a_table_and_a_summary(scene, capsys):
    images = ("--real", scene / "real", "--fake", scene / "fake")
    assert command(f"{scene}/mine.py:critic", *images, "--limit", "30") == 0
    out, err = capsys.readouterr()
    assert "images: 30 real, 30 fake" in out
    assert out.splitlines()[-1].startswith("This critic can be explained, with care for: noise")
    assert err == ""
    assert command(f"{scene}/mine.py:dull", *images) == 1
    assert "Do not explain this critic yet" in capsys.readouterr().out


def test_the_command_says_once_that_a_critic_cannot_run(scene, capsys):
    assert command(f"{scene}/mine.py:pair", "--real", scene / "real", "--fake", scene / "fake") == 1
    out = capsys.readouterr().out
    assert out.startswith("the critic cannot judge these images: the model returns (40, 2)")
    assert out.count("cannot judge") == 1
    assert "not applicable" not in out
    assert len(out.splitlines()) == 4


@pytest.mark.parametrize("images", [(), ("--real", "none")])
def test_the_command_looks_at_the_model_before_the_images(scene, capsys, images):
    assert command("nowhere_at_all:critic", *images) == 2
    assert "no module 'nowhere_at_all'" in capsys.readouterr().err
    assert command(f"{scene}/mine.py:critics", *images) == 2
    assert "did you mean 'critic'" in capsys.readouterr().err


@pytest.mark.usefixtures("no_methods")
def test_the_command_on_files_sizes_and_a_terminal(scene, capsys, monkeypatch):
    from PIL import Image

    one = scene / "real" / "00.png"
    assert command(f"{scene}/mine.py:critic", "--real", one, "--json") == 0
    assert json.loads(capsys.readouterr().out)["n_real"] == 1
    Image.fromarray(np.zeros((9, 7), np.uint8)).save(scene / "real" / "other.png")
    assert command(f"{scene}/mine.py:critic", "--real", scene / "real") == 2
    assert "several sizes (7x9 and 12x12)" in capsys.readouterr().err
    assert command(f"{scene}/mine.py:sized", "--real", scene / "real", "--fake", scene / "fake", "--json") == 0
    capsys.readouterr()
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert command(f"{scene}/mine.py:critic", "--real", scene / "fake", "--fake", one) == 0
    assert "what was seen" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--real", "none"], "no file or folder"),
        ([], "give --real and --fake"),
        (["--real", "{}/real", "--tiles", "a,2"], "--tiles takes SIZE,PADDING"),
        (["--real", "{}/real", "--tiles", "7,2"], "does not consist of tiles"),
        (["--real", "{}/mine.py"], "is no image"),
    ],
)
def test_the_command_refuses_bad_input_in_one_sentence(scene, capsys, arguments, message):
    assert command(f"{scene}/mine.py:critic", *(a.format(scene) for a in arguments)) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert out == ""
    assert err.count("\n") == 1


@pytest.mark.usefixtures("no_methods")
def test_the_command_on_a_saved_gan(tmp_path, capsys):
    gan = GAN.build("dcgan", resolution=8, z_dim=4, width=4)
    gan.reals = tensors.to_uint8(pictures(0.3, n=30, side=8))
    gan.save(tmp_path / "gan.safetensors")
    assert command(tmp_path / "gan.safetensors", "--limit", "20", "--json") in (0, 1)
    result = json.loads(capsys.readouterr().out)
    assert (result["n_real"], result["n_fake"]) == (20, 20)
