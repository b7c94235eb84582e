"""What else than the sign may be wrong with an inverted critic, and what kind of number it returns."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganexplain import tensors
from ganexplain.evaluation.doctor.batches import on_batches
from ganexplain.evaluation.doctor.case import Case
from ganexplain.evaluation.doctor.examination import CHECKS, Examination, examined
from ganexplain.evaluation.doctor.repair import repaired
from ganexplain.models.critic import Critic
from ganexplain.models.preprocess import Preprocess
from ganexplain.models.verdict import auc
from tests.evaluation.test_doctor import FAKE, REAL

ASKED = ("constant output", "batch statistics", "polarity", "declared range", "saturation")
DARK, LIGHT = FAKE, REAL  # means -.3 and .3: .35 and .65 as [0, 1]


def looked(critic: Critic, real: torch.Tensor = REAL, fake: torch.Tensor = FAKE) -> Examination:
    return examined(Case(critic, real, fake), {name: CHECKS[name] for name in ASKED})


def of_mean(first: list[tuple[float, float]], last: list[float], bias: float = 0.0) -> nn.Sequential:
    """LeakyReLU .2 of lines a * mean + b, and a line of these."""
    network = nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, len(first)), nn.LeakyReLU(0.2), nn.Linear(len(first), 1)
    )
    with torch.no_grad():
        network[2].weight.copy_(torch.tensor([[a] for a, _ in first]))
        network[2].bias.copy_(torch.tensor([b for _, b in first]))
        network[4].weight.copy_(torch.tensor([last]))
        network[4].bias.fill_(bias)
    return network


def test_range_and_slope_are_tried_together_before_the_sign() -> None:
    """With ReLU in [0, 1] the second line is never above 0, and dark images get 5, light ones -10; else it decides."""
    critic = Critic(of_mean([(1.0, -0.5), (-1.0, -0.05)], [-100.0, -1000.0], 5.0))
    case = Case(critic, DARK, LIGHT)
    assert case.area[0] < 0.05
    seen = looked(critic, DARK, LIGHT)["polarity"]
    assert seen.status == "fail"
    assert seen.certainty == "likely"
    assert seen.accepted == {"images.range": (0.0, 1.0), "architecture.slope": 0.0}
    assert "with ReLU in [0, 1] in place of LeakyReLU 0.2" in seen.sentence
    mended = repaired(critic, seen.accepted)
    assert auc(mended.logits(DARK), mended.logits(LIGHT)) > 0.95
    assert mended.logits(DARK).median() == pytest.approx(5.0, abs=0.1)


def test_what_is_the_wrong_way_round_in_every_reading_is_turned() -> None:
    seen = looked(Critic(of_mean([(1.0, 0.0)], [-9.0], 0.0)))["polarity"]
    assert seen.accepted == {"critic.polarity": "fake"}
    assert seen.certainty == "certain"
    assert seen.advice == "say polarity='fake'"


def test_a_sign_is_undecided_while_the_logits_saturate() -> None:
    seen = looked(Critic(lambda x: -1000 * x.mean((1, 2, 3))))
    assert seen["polarity"].certainty == "undecided"
    assert "lie beyond 10" in seen["polarity"].advice
    assert seen.proposals == {}
    score = looked(Critic(lambda x: -1000 * x.mean((1, 2, 3)), output="score"))
    assert score.proposals["critic.polarity"][0] == "fake"


class Halves(nn.Module):
    """A bump of the normalised pixels, the left half against the right one: upright near 0, inverted beyond 2."""

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1, affine=False)
        self.norm.running_mean.fill_(mean)
        self.norm.running_var.fill_(0.3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(x)
        bump = y.relu() - 2 * (y - 2).relu()
        return bump[..., :6].mean((1, 2, 3)) - bump[..., 6:].mean((1, 2, 3))


def sided(sign: float, spread: float = 0.1) -> torch.Tensor:
    """(40, 1, 12, 12): the left half brighter, or the right one."""
    side = torch.where(torch.arange(12) < 6, 0.5, -0.5)
    return (sign * side + spread * tensors.normal(0, "sided", sign, shape=(40, 1, 12, 12))).clamp(-1, 1)


def test_running_statistics_that_do_not_fit_are_told_from_the_sign() -> None:
    network = Halves(-2.2).eval()
    left, right = sided(1.0), sided(-1.0)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    seen = looked(Critic(network), left, right)
    assert seen["polarity"].value == 0.0
    assert seen["batch statistics"].status == "fail"
    assert "works only with batch statistics" in seen["batch statistics"].sentence
    assert "the AUC is 0.000, with the mean and variance of each batch 1.000" in seen["batch statistics"].sentence
    assert seen["polarity"].certainty == "undecided"
    assert "running statistics" in seen["polarity"].advice
    assert seen.proposals == {}
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    right_one = looked(Critic(Halves(0.0).eval()), left, right)
    assert right_one["batch statistics"].status == right_one["polarity"].status == "ok"
    turned = looked(Critic(Halves(0.0).eval()), right, left)
    assert turned["batch statistics"].status == "ok"
    assert turned.proposals["critic.polarity"][0] == "fake"


def test_batch_statistics_are_those_of_train_mode() -> None:
    network = Halves(-2.2).eval()
    x = sided(1.0)
    found = on_batches(Critic(network)).logits(x, batch_size=len(x))
    assert torch.allclose(found, Halves(7.0).train()(x), atol=1e-6)


def test_noise_alone_tells_of_running_statistics_where_there_are_no_fakes() -> None:
    case = Case(Critic(Halves(-2.2).eval()), sided(1.0), None)
    found = examined(case, {"batch statistics": CHECKS["batch statistics"]})
    assert found["batch statistics"].status == "warn"
    assert "reals against noise" in found["batch statistics"].sentence


def test_of_ranges_that_fit_alike_the_commonest_is_likely() -> None:
    """Left above 1.5 times the right is real, whatever the unit, as long as black is 0."""

    def halves(left: float, right: float) -> torch.Tensor:
        side = torch.where(torch.arange(12) < 6, left, right) * 2 - 1
        return side + 0.02 * tensors.normal(0, "unit", left, shape=(40, 1, 12, 12))

    def homogeneous(x: torch.Tensor) -> torch.Tensor:
        return 1e4 * (x[..., :6].mean((1, 2, 3)) - 1.5 * x[..., 6:].mean((1, 2, 3)))

    seen = looked(Critic(homogeneous), halves(0.6, 0.3), halves(0.4, 0.3))["declared range"]
    assert "as [0, 255]" in seen.sentence
    assert seen.accepted == {"images.range": (0.0, 1.0)}
    assert seen.certainty == "likely"
    assert seen.advice.endswith("they fit alike, and [0, 1] is the commonest of them")


def test_logits_far_beyond_a_sigmoids_are_scores() -> None:
    seen = looked(Critic(lambda x: 200 + 20 * x.mean((1, 2, 3))))["saturation"]
    assert seen.accepted == {"critic.output": "score"}
    assert "the median logit of reals is 206" in seen.sentence
    apart = looked(Critic(lambda x: 300 * x.mean((1, 2, 3))))["saturation"]
    assert apart.certainty == "undecided"  # a sigmoid that has won looks the same
    assert looked(Critic(lambda x: 20 + 20 * x.mean((1, 2, 3))))["saturation"].proposal == {}
    assert looked(Critic(lambda x: 200 + x.mean((1, 2, 3)), output="score"))["saturation"].status == "not applicable"


def test_an_output_that_hardly_moves() -> None:
    seen = looked(Critic(lambda x: 0.01 * x.mean((1, 2, 3))), REAL, REAL)["constant output"]
    assert seen.status == "fail"
    assert "the output hardly moves" in seen.sentence
    assert "probabilities lie from 0.50" in seen.sentence
    told = looked(Critic(lambda x: 0.01 * x.mean((1, 2, 3))))["constant output"]  # small, and yet it tells them apart
    assert told.status == "ok"
    rounded = looked(Critic(lambda x: 1e5 + x.mean((1, 2, 3)), output="score"))["constant output"]
    assert "little more than rounding" in rounded.sentence


def test_a_right_reading_of_such_images_gives_no_alarm() -> None:
    critic = Critic(of_mean([(1.0, -0.5)], [-60.0]), preprocess=Preprocess(value_range=(0, 1)))
    seen = looked(critic, DARK, LIGHT)
    assert seen["polarity"].status == "ok"
    assert seen.proposals == {}
