"""Regions: enough of them on every kind of image, in an order that labels cannot change."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ganexplain import Region
from ganexplain.attribution import players as groups
from ganexplain.attribution.domains.region import segments
from tests._critics import critic, images


def stroke() -> Tensor:
    x = torch.full((1, 1, 28, 28), -1.0)
    x[..., 4:24, 13:16] = 1.0
    return x


CASES = {
    "stroke": stroke,
    "noise": lambda: torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1,
    "constant": lambda: torch.zeros(1, 1, 28, 28),
    "constant colour": lambda: torch.zeros(1, 3, 64, 64),
    "narrow": lambda: images(1, side=40)[..., :9],
    "tiny": lambda: images(1, side=4),
    "two channels": lambda: images(1, channels=2, side=28),
}


@pytest.mark.parametrize("wanted", [None, 4, 9, 30])
@pytest.mark.parametrize("case", sorted(CASES))
def test_at_least_half_of_the_segments_asked_for(case: str, wanted: int | None) -> None:
    x = CASES[case]()
    asked = wanted or (16 if min(x.shape[2:]) < 64 else 25)
    asked = min(asked, x.shape[2] * x.shape[3])
    labels = segments(x, wanted)
    found = len(labels.unique())
    assert labels.shape == (1, *x.shape[2:])
    assert asked / 2 <= found <= 2 * asked


def test_segments_of_a_photograph_follow_its_edges() -> None:
    from skimage.data import astronaut
    from skimage.transform import resize

    photo = resize(astronaut(), (96, 96), anti_aliasing=True)
    x = torch.from_numpy(photo).permute(2, 0, 1)[None].float() * 2 - 1
    labels = segments(x, 40)[0]
    assert 20 <= len(labels.unique()) <= 80

    def within(where: Tensor) -> float:
        return sum(
            float((x[0][:, where == k] - x[0][:, where == k].mean(1, keepdim=True)).square().sum())
            for k in where.unique()
        )

    grid = torch.arange(96)[:, None] // 16 * 6 + torch.arange(96)[None] // 16
    assert within(labels) < 0.75 * within(grid)


def test_every_segment_is_one_piece_on_a_grid() -> None:
    labels = segments(CASES["constant"](), 16)[0]
    assert torch.equal(labels, torch.arange(28)[:, None] // 7 * 4 + torch.arange(28)[None] // 7)


def test_segments_do_not_depend_on_neighbours() -> None:
    x = images(3, side=28)
    together = segments(x, 16)
    assert all(torch.equal(together[i : i + 1], segments(x[i : i + 1], 16)) for i in range(3))


def test_players_are_labelled_in_reading_order_and_share_channels() -> None:
    mask = torch.tensor([[5, 5, -3], [9, -3, 0]]).repeat_interleave(4, 0).repeat_interleave(4, 1)
    chart = Region(mask).bind(critic("callable"), images(1, channels=1, side=12)[..., :8, :], torch.zeros(1, 1, 8, 12))
    small = torch.tensor([[0, 0, 1], [2, 1, 3]]).repeat_interleave(4, 0).repeat_interleave(4, 1)
    assert torch.equal(chart.players[0, 0], small)
    assert groups.counts(chart.players).tolist() == [4]
    assert chart.facts == {"regions": "mask", "n_segments": None}


def test_a_mask_for_each_image() -> None:
    masks = torch.stack([torch.arange(8)[:, None].expand(8, 8) // 4, torch.arange(8)[None].expand(8, 8) // 2])
    chart = Region(masks).bind(critic("plain"), images(2), "black")
    assert groups.counts(chart.players).tolist() == [2, 4]
    with pytest.raises(ValueError, match=r"must have the image's size \(8, 8\), got \(2, 8, 8\)"):
        Region(masks).bind(critic("plain"), images(3), "black")


def test_numbers_of_segments_are_positive() -> None:
    with pytest.raises(ValueError, match="n_segments must be positive, got 0"):
        Region(n_segments=0)
    assert np.prod(segments(images(1), 10_000).shape) == 64  # no more than there are pixels
