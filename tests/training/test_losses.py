"""Losses and penalties against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ganexplain.training import losses
from ganexplain.training.penalties import squared_slope

REAL, FAKE = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 3.0])


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def test_relativistic_pair_is_the_softplus_of_paired_differences() -> None:
    pair = losses.get("relativistic")
    assert pair.discriminator(REAL, FAKE).item() == pytest.approx((softplus(-1.5) + softplus(4.0)) / 2, abs=1e-6)
    assert pair.generator(REAL, FAKE).item() == pytest.approx((softplus(1.5) + softplus(-4.0)) / 2, abs=1e-6)


def test_relativistic_loss_ignores_a_common_constant_so_its_logits_are_scores() -> None:
    pair = losses.get("relativistic")
    torch.testing.assert_close(pair.discriminator(REAL + 7, FAKE + 7), pair.discriminator(REAL, FAKE))
    assert pair.kind == "score"


def test_bce_pair_is_the_cross_entropy_of_torch() -> None:
    pair = losses.get("bce")
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    ones, zeros = torch.ones(2), torch.zeros(2)
    torch.testing.assert_close(pair.discriminator(REAL, FAKE), bce(REAL, ones) + bce(FAKE, zeros))
    torch.testing.assert_close(pair.generator(REAL, FAKE), bce(FAKE, ones))
    torch.testing.assert_close(pair.generator(REAL + 5, FAKE), pair.generator(REAL, FAKE))
    assert pair.kind == "logit"


def test_least_squares_pair_is_half_the_mean_squared_error_to_its_targets() -> None:
    pair = losses.get("least_squares")
    mse = torch.nn.functional.mse_loss
    ones, zeros = torch.ones(2), torch.zeros(2)
    torch.testing.assert_close(pair.discriminator(REAL, FAKE), 0.5 * (mse(REAL, ones) + mse(FAKE, zeros)))
    assert pair.discriminator(REAL, FAKE).item() == pytest.approx((1 + 4 + 0.25 + 9) / 4)
    assert pair.generator(REAL, FAKE).item() == pytest.approx((0.25 + 4) / 4)
    torch.testing.assert_close(pair.generator(REAL + 5, FAKE), pair.generator(REAL, FAKE))
    assert pair.kind == "score"


def test_least_squares_draws_a_score_to_the_share_of_reals_which_is_no_log_odds() -> None:
    """Where a quarter of the reals and three quarters of the fakes lie, the best score is 1 / (1 + 3)."""
    score = torch.tensor(0.25, requires_grad=True)
    real = torch.cat([score.expand(1), torch.ones(3)])
    fake = torch.cat([score.expand(3), torch.zeros(1)])
    (slope,) = torch.autograd.grad(losses.get("least_squares").discriminator(real, fake), score)
    assert slope.item() == pytest.approx(0, abs=1e-7)


def test_hinge_counts_what_is_on_the_wrong_side_of_its_margin() -> None:
    pair = losses.get("hinge")
    assert pair.discriminator(REAL, FAKE).item() == pytest.approx((0 + 2) / 2 + (1.5 + 4) / 2)
    assert pair.generator(REAL, FAKE).item() == pytest.approx(-1.75)


def test_wasserstein_is_the_difference_of_means() -> None:
    pair = losses.get("wasserstein")
    assert pair.discriminator(REAL, FAKE).item() == pytest.approx(1.75 - 0.5)
    torch.testing.assert_close(pair.discriminator(REAL + 7, FAKE + 7), pair.discriminator(REAL, FAKE))
    assert pair.generator(REAL, FAKE).item() == pytest.approx(-1.75)


@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_the_balance_is_the_best_that_a_blind_discriminator_can_do(name: str) -> None:
    """One score for all: no other one has a lower loss, and the generator's loss is taken there."""
    pair = losses.get(name)
    scores = torch.linspace(-2, 2, 81)
    least = min(float(pair.discriminator(s[None], s[None])) for s in scores)
    middle = {"least_squares": 0.5}.get(name, 0.0)
    at = torch.tensor([middle])
    assert pair.balance[0] == pytest.approx(least, abs=1e-6)
    assert pair.balance == pytest.approx((float(pair.discriminator(at, at)), float(pair.generator(at, at))), abs=1e-6)


@pytest.mark.parametrize("name", sorted(losses.LOSSES))
def test_the_generator_is_rewarded_for_fakes_that_score_higher(name: str) -> None:
    fake = (FAKE - 4).requires_grad_(True)  # below 1, beyond which least squares has its target
    (slope,) = torch.autograd.grad(losses.get(name).generator(REAL, fake), fake)
    assert (slope < 0).all()


def test_an_unknown_loss_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'relativistic'"):
        losses.get("relativistc")


def test_slope_of_a_linear_critic_is_the_squared_norm_of_its_weights() -> None:
    weight = torch.linspace(-1, 1, 12).reshape(3, 2, 2)
    images = torch.randn(5, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    logits, squared = squared_slope(lambda x: (x * weight).flatten(1).sum(1), images)
    torch.testing.assert_close(squared, weight.square().sum().expand(5))
    torch.testing.assert_close(logits, (images * weight).flatten(1).sum(1))
    assert not images.requires_grad


def test_slope_of_a_quadratic_critic_is_four_times_the_squared_image_per_sample() -> None:
    images = torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(1))
    _, squared = squared_slope(lambda x: x.square().flatten(1).sum(1), images)
    torch.testing.assert_close(squared, 4 * images.square().flatten(1).sum(1))


def test_the_penalty_moves_the_weights_through_its_second_derivative() -> None:
    scale = torch.tensor(3.0, requires_grad=True)

    def critic(x: Tensor) -> Tensor:
        return scale * x.flatten(1).sum(1)

    _, squared = squared_slope(critic, torch.zeros(2, 1, 2, 2))
    (gradient,) = torch.autograd.grad(squared.mean(), scale)
    assert gradient.item() == pytest.approx(2 * 3.0 * 4)  # d/ds of s^2 times 4 pixels
