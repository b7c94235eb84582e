"""LIME against the lime package on the same samples, and its errors against many seeds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganexplain import Critic, Lime, Pixel
from ganexplain.attribution.methods.lime import KERNEL_WIDTH, kernel, ridge_fit, samples
from tests._critics import critic
from tests._games import dividends, player, whole


@pytest.mark.parametrize("n", [2, 9, 30])
def test_coefficients_are_those_of_the_lime_package(n: int) -> None:
    from lime.lime_base import LimeBase
    from sklearn.metrics import pairwise_distances

    _, worth = dividends(n, n, largest=min(n, 4))
    keep = samples(n, 300, 5)
    y, data = worth(keep), keep.double().numpy()
    base = LimeBase(lambda d: np.sqrt(np.exp(-(d**2) / KERNEL_WIDTH**2)), verbose=False)
    distance = pairwise_distances(data, data[:1], metric="cosine").ravel()
    labels = np.stack([y.numpy(), -y.numpy()], 1)
    theirs = base.explain_instance_with_data(data, labels, distance, 0, n, feature_selection="none")
    slope, error, r2 = ridge_fit(keep.double(), y)
    assert np.allclose(slope.numpy(), [v for _, v in sorted(theirs[1])], atol=1e-6)
    assert r2 == pytest.approx(theirs[2], abs=1e-6)
    assert np.allclose(kernel(keep.double()).numpy(), base.kernel_fn(distance), atol=1e-7)
    assert bool(error.gt(0).all())


def test_the_values_of_an_image_are_the_coefficients() -> None:
    n = 14
    _, worth = dividends(n, 2)
    method = Lime(Critic(player(worth)), domain=Pixel(), baseline="black", max_evaluations=200)
    found = method.attribute(whole(n), side="real", seed=6)
    keep = samples(n, 200, 6)
    slope, error, r2 = ridge_fit(keep.double(), worth(keep))
    assert torch.allclose(found.values.flatten(), slope, atol=1e-12)
    assert torch.allclose(found.error[0], error, atol=1e-12)
    assert float(found.quality[0]) == pytest.approx(r2)
    assert found.gap is None


def test_a_linear_game_is_recovered_but_for_the_ridge() -> None:
    weight = torch.linspace(-1, 1, 10, dtype=torch.float64)
    keep = samples(10, 4000, 0)
    slope, error, r2 = ridge_fit(keep.double(), keep.double() @ weight)
    assert torch.allclose(slope, weight, atol=5e-3)  # a ridge of 1 against a weight of some 400 a column
    assert r2 > 0.9999
    assert float(error.max()) < 1e-3


def test_standard_errors_match_the_scatter_over_seeds() -> None:
    covered, wide = [], []
    for game in range(3):
        _, worth = dividends(16, game)
        fits = [ridge_fit(k.double(), worth(k)) for k in (samples(16, 500, 100 * game + s) for s in range(40))]
        value, error = torch.stack([f[0] for f in fits]), torch.stack([f[1] for f in fits])
        covered.append(((value - value.mean(0)).abs() <= 1.96 * error * (1 - 1 / 40) ** 0.5).double().mean())
        wide.append(error.square().mean().sqrt() / value.std(0).square().mean().sqrt())
    assert 0.92 < float(torch.stack(covered).mean()) < 0.985
    assert 0.93 < float(torch.stack(wide).mean()) < 1.15


def test_the_first_sample_is_the_whole_image_and_coins_are_fair() -> None:
    keep = samples(12, 5000, 1)
    assert bool(keep[0].all())
    assert float((keep[1:].double().mean(0) - 0.5).abs().max()) < 4 * 0.5 / 5000**0.5


def test_a_budget_has_a_floor() -> None:
    with pytest.raises(ValueError, match="max_evaluations must be at least 50, got 10"):
        Lime(critic("plain"), max_evaluations=10)
