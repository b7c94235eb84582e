"""Occlusion against leave-one-out, a window average by hand, and captum."""

from __future__ import annotations

import pytest
import torch

from ganexplain import Critic, Occlusion, Pixel, Region
from tests._critics import Linear, Spy, critic, images


def quarters() -> torch.Tensor:
    return torch.arange(8)[:, None] // 4 * 2 + torch.arange(8)[None] // 4


def test_removing_each_region_loses_its_part_of_a_linear_critic() -> None:
    weight = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    x, base = images(2).double(), images(1, seed=3).double()
    found = Occlusion(Critic(Linear(weight)).double(), domain=Region(quarters()), baseline=base).attribute(
        x, side="real"
    )
    parts = (weight * (x - base)).view(2, 2, 4, 2, 4).sum((2, 4)).flatten(1)
    assert torch.allclose(found.totals(), parts, atol=1e-12)
    assert torch.allclose(found.values[:, 0, :4, :4], parts[:, 0].view(2, 1, 1).expand(2, 4, 4) / 16, atol=1e-12)


def test_regions_are_those_of_captum() -> None:
    from captum.attr import FeatureAblation

    on, x, base = critic("plain", double=True), images(2).double(), images(2, seed=3).double()
    found = Occlusion(on, domain=Region(quarters()), baseline=base).attribute(x, side="real")
    theirs = FeatureAblation(on).attribute(x, base, feature_mask=quarters()[None, None])  # the loss, at each pixel
    assert torch.allclose(found.values * 16, theirs, atol=1e-12)


@pytest.mark.parametrize(("size", "window"), [((8, 8), 3), ((9, 14), 4), ((8, 8), 8), ((7, 5), 20), ((8, 8), 1)])
def test_a_pixel_takes_the_mean_over_its_windows(size: tuple[int, int], window: int) -> None:
    made = torch.Generator().manual_seed(1)
    weight = torch.randn(1, 2, *size, generator=made).double()
    x = torch.rand(1, 2, *size, generator=made).double()
    found = Occlusion(Critic(Linear(weight)).double(), domain=Pixel(), baseline="black", window=window)
    part = (weight * (x + 1)).sum(1)[0]
    side = min(window, *size)
    step = max(1, side // 2)
    tops, lefts = ([p for p in range(0, n - side + 1, step)] for n in size)
    tops, lefts = (p if p[-1] == n - side else [*p, n - side] for p, n in zip((tops, lefts), size, strict=True))
    summed, times = torch.zeros(size).double(), torch.zeros(size).double()
    for top in tops:
        for left in lefts:
            where = slice(top, top + side), slice(left, left + side)
            summed[where] += part[where].sum() / side**2
            times[where] += 1
    result = found.attribute(x, side="real")
    assert torch.allclose(result.heatmap()[0], summed / times, atol=1e-12)
    assert torch.allclose(result.values[0, 0], result.values[0, 1])
    assert int(result.evaluations) == len(tops) * len(lefts) + 4


@pytest.mark.parametrize("side", [8, 12, 33, 48, 64, 80])
@pytest.mark.parametrize("window", [None, 1, 5])
def test_the_number_of_windows_is_known_before(side: int, window: int | None) -> None:
    if window == 1 and side > 33:
        pytest.skip("thousands of windows, one rule")
    spy = Spy(Linear(torch.ones(1, 1, side, side)))
    run = Occlusion(Critic(spy), domain=Pixel(), baseline="black", window=window)
    run.critic.fast(images(1, side=side))  # once for a critic
    spy.seen.batches.clear()
    run.attribute(images(1, side=side))
    assert spy.seen.rows == run.planned(side * side)


def test_a_window_has_a_size() -> None:
    with pytest.raises(ValueError, match="window must be positive, got 0"):
        Occlusion(critic("plain"), window=0)
