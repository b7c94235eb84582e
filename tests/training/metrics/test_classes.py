"""Shares of classes and modes against scipy and counting."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ganexplain import tensors
from ganexplain.data.sets import gaussians, ring
from ganexplain.training.metrics import histogram, kl, modes_2d, present


def test_kl_is_that_of_scipy() -> None:
    from scipy.stats import entropy

    p, q = torch.tensor([0.2, 0.0, 0.8]), torch.tensor([0.3, 0.3, 0.4])
    assert kl(p, q) == pytest.approx(entropy(p.numpy(), q.numpy()), abs=1e-6)
    assert kl(q, q) == pytest.approx(0)


def test_a_class_is_present_above_a_hundredth() -> None:
    shares = histogram(torch.tensor([0] * 97 + [1] * 1 + [2] * 2), 4)
    assert shares.tolist() == pytest.approx([0.97, 0.01, 0.02, 0])
    assert present(shares) == 2


def test_the_modes_of_the_mixture_itself_are_all_found() -> None:
    data = gaussians(ring(), 0.05, n=4000)
    found = modes_2d(data.images, ring(), 0.05)
    assert found.captured == 8
    assert found.high_quality == pytest.approx(1 - math.exp(-8), abs=2e-3)  # a Rayleigh distance beyond 4
    assert found.kl == pytest.approx(0, abs=1e-5)
    assert found.shares.sum() == pytest.approx(1)


def test_twenty_samples_within_four_deviations_capture_a_mode() -> None:
    centres = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])
    inside = centres[0] + torch.tensor([0.39, 0.0])
    outside = centres[2] + torch.tensor([0.41, 0.0])
    samples = torch.cat([inside.repeat(20, 1), centres[1].repeat(19, 1), outside.repeat(61, 1)])
    found = modes_2d(samples, centres, 0.1)
    assert found.counts.tolist() == [20, 19, 0]
    assert (found.captured, found.high_quality) == (1, 0.39)
    assert found.kl == pytest.approx(math.log(3) + sum(p * math.log(p) for p in (20 / 39, 19 / 39)))
    assert found.kl_nearest == pytest.approx(math.log(3) + sum(p * math.log(p) for p in (0.2, 0.19, 0.61)))


def test_samples_far_from_all_modes_have_no_kl() -> None:
    found = modes_2d(tensors.normal(0, "far", shape=(50, 3)) + 99, torch.zeros(4, 3), 0.1)
    assert (found.captured, found.high_quality, found.kl) == (0, 0, None)
    assert np.allclose(found.shares, 0)


def test_modes_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must have one width, got \(5, 3\) and \(8, 2\)"):
        modes_2d(torch.zeros(5, 3), ring(), 0.1)
    with pytest.raises(ValueError, match="sigma must be positive"):
        modes_2d(torch.zeros(5, 2), ring(), 0)
