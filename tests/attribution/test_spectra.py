"""Spectra for pictures: sums are kept, power obeys Parseval, and reals seldom stand out from reals."""

from __future__ import annotations

import math

import pytest
import torch

from ganexplain import Frequency, Saliency, tensors
from ganexplain.attribution.domains._spectra import FLOOR
from ganexplain.attribution.domains.frequency import radial_profile, spectrum_of, standing_out
from tests._critics import critic, images


@pytest.mark.parametrize(
    ("domain", "plane"),
    [(Frequency(), (8, 8)), (Frequency("fft"), (8, 8)), (Frequency("block_dct", block=3), (3, 3))],
)
def test_a_spectrum_keeps_the_sum(domain: Frequency, plane: tuple[int, int]) -> None:
    found = Saliency(critic("plain").double(), domain=domain).attribute(images(2).double())
    made = spectrum_of(found)
    assert tuple(made.values.shape) == (2, *plane)
    assert torch.allclose(made.values.sum((1, 2)), found.net, atol=1e-12)
    assert (len(made.down), len(made.across)) == plane
    assert made.size == (8, 8)
    assert bool((made.down.diff() > 0).all())


@pytest.mark.parametrize("transform", ["dct", "block_dct", "fft"])
def test_a_value_lies_at_its_frequency(transform: str) -> None:
    domain = Frequency(transform, block=4)
    found = Saliency(critic("plain"), domain=domain).attribute(images(1))
    found.values.zero_()
    place = (0, 0, 1, 3, 6) if transform == "fft" else (0, 0, 5, 6)
    found.values[place] = 1
    made = spectrum_of(found)
    row, column = divmod(int(made.values[0].argmax()), made.values.shape[2])
    wanted = {"fft": (3 / 8, -2 / 8), "dct": (5 / 16, 6 / 16), "block_dct": (1 / 8, 2 / 8)}[transform]
    assert (float(made.down[row]), float(made.across[column])) == wanted


@pytest.mark.parametrize("size", [(16, 16), (15, 9), (6, 20), (1, 1)])
def test_power_over_all_bins_is_the_sum_of_squares(size: tuple[int, int]) -> None:
    x = tensors.normal(0, "x", shape=(3, 2, *size)).double()
    made = radial_profile(x)
    assert torch.allclose((made.power * made.bins).sum(1), x.square().flatten(1).sum(1))
    assert int(made.bins.sum()) == size[0] * size[1]
    assert torch.allclose(made.power[:, 0] * made.bins[0], x.mean((2, 3)).square().sum(1) * size[0] * size[1])
    assert made.side == max(size)


def test_rings_hold_what_rounds_to_them() -> None:
    made = radial_profile(torch.zeros(1, 1, 4, 4))
    assert made.cycles.tolist() == [0, 1, 2, 3]
    assert made.bins.tolist() == [1, 8, 6, 1]  # radii 0; 1 and 1.41; 2 and 2.24; 2.83


def test_a_wave_is_in_the_ring_of_its_period_at_any_aspect_ratio() -> None:
    for size in ((32, 32), (64, 32), (16, 64)):
        rows, columns = torch.arange(size[0]).double()[:, None], torch.arange(size[1]).double()
        for period, image in ((8, torch.cos(torch.pi / 4 * rows)), (4, torch.cos(torch.pi / 2 * columns))):
            made = radial_profile(image.expand(size)[None, None])
            assert made.side / int(made.cycles[made.power[0].argmax()]) == period


def test_white_noise_is_flat_and_a_flat_image_has_a_floor() -> None:
    made = radial_profile(tensors.normal(0, "white", shape=(400, 1, 16, 16)))
    assert torch.allclose(made.power.mean(0), torch.ones(len(made.cycles)).double(), atol=0.25)
    flat = radial_profile(torch.full((1, 1, 8, 8), 0.5))
    assert flat.log_power[0, 1:].unique().tolist() == [pytest.approx(math.log10(FLOOR))]


def test_one_real_in_twenty_stands_out_anywhere_and_a_planted_ring_does() -> None:
    reals = radial_profile(tensors.normal(0, "reals", shape=(200, 1, 16, 16)))
    other = tensors.normal(1, "others", shape=(600, 1, 16, 16))
    marked = standing_out(radial_profile(other).log_power, reals.log_power)
    assert 0.01 < float(marked.any(1).double().mean()) < 0.11
    rows = torch.arange(16)
    other += 1.2 * torch.cos(2 * torch.pi * 5 / 16 * rows)
    planted = standing_out(radial_profile(other).log_power, reals.log_power)
    assert float(planted[:, 5].double().mean()) > 0.95
    assert float(planted.double().mean(0)[torch.arange(planted.shape[1]) != 5].max()) < 0.05


def test_equal_reals_have_no_spread_and_do_not_stand_out() -> None:
    reals = torch.ones(30, 4)
    assert not standing_out(torch.ones(1, 4), reals).any()
    assert standing_out(torch.tensor([[1.0, 1, 2, 1]]), reals).tolist() == [[False, False, True, False]]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(N, C, H, W\), got \(4, 4\)"):
        radial_profile(torch.zeros(4, 4))
    with pytest.raises(ValueError, match="at least 20 of them, got 19"):
        standing_out(torch.zeros(1, 4), torch.zeros(19, 4))
    with pytest.raises(ValueError, match="compare images of one size"):
        standing_out(torch.zeros(1, 5), torch.zeros(30, 4))
