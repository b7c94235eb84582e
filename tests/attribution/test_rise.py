"""RISE against the published estimator on the same masks, enumeration, and its errors against the truth."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from ganexplain import Critic, Pixel, Region, Rise
from ganexplain.attribution.methods.rise import coins, contrast, grids
from tests._critics import SIDE, Linear, Spy, critic, images
from tests._games import Worth, dividends, player, whole


def enumerated(worth: Worth, n: int, keep: float) -> Tensor:
    """E[f | kept] - E[f | removed] over all coalitions, each player kept with probability ``keep``."""
    index = torch.arange(2**n)
    kept = (index[:, None] >> torch.arange(n)) & 1
    chance = torch.where(kept.bool(), keep, 1 - keep).double().prod(1)
    return (chance * worth(kept)) @ (kept / keep - (1 - kept) / (1 - keep)).double()


@pytest.mark.parametrize("keep", [0.5, 0.3])
@pytest.mark.parametrize("domain", ["pixel", "region"])
def test_the_published_estimator_and_its_complement_on_the_same_masks(domain: str, keep: float) -> None:
    on, x, base = critic("plain", double=True), images(2).double(), images(1, seed=4).double()
    labels = torch.arange(SIDE)[:, None] // 2 * 2 + torch.arange(SIDE)[None] // 4
    run = Rise(on, domain=Pixel() if domain == "pixel" else Region(labels), baseline=base, max_evaluations=200)
    found = run.variant(keep=keep).attribute(x, side="real", seed=3)
    if domain == "pixel":
        masks = grids((SIDE, SIDE), 8, keep, 200, 3)(0, 200).view(-1, 1, SIDE, SIDE)
    else:
        masks = coins((8,), keep, 200, 3).double()[:, labels][:, None]
    for row in range(2):
        f = on.logits(masks * x[row] + (1 - masks) * base[0])[:, None, None]
        m = masks[:, 0]
        importance = (f * m).mean(0) / m.mean(0)  # equation 6, E[M] as it was drawn
        opposite = (f * (1 - m)).mean(0) / (1 - m).mean(0)
        heat, size = found.heatmap()[row], torch.ones(SIDE, SIDE) if domain == "pixel" else 8
        assert torch.allclose(heat * size, importance - opposite, atol=1e-12)


@pytest.mark.parametrize("keep", [0.5, 0.7])
def test_players_are_worth_what_enumeration_says(keep: float) -> None:
    _, worth = dividends(9, 4)
    run = Rise(Critic(player(worth)), domain=Region(torch.arange(9)[None]), baseline="black", keep=keep)
    found = run.variant(max_evaluations=20_000).attribute(whole(9), side="real")
    off = found.totals()[0] - enumerated(worth, 9, keep)
    assert bool((off.abs() < 4 * found.error[0]).all())
    assert 0 < float(found.error.max()) < 0.06


@pytest.mark.parametrize(("keep", "masks"), [(0.5, 100), (0.5, 1000), (0.3, 400)])
def test_standard_errors_cover_the_truth(keep: float, masks: int) -> None:
    n, covered, wide = 10, [], []
    for game in range(5):
        _, worth = dividends(n, game)
        truth = enumerated(worth, n, keep)
        for seed in range(60):
            drawn = coins((n,), keep, masks, 1000 * game + seed)
            value, error = contrast(lambda i, j, d=drawn: d[i:j].double(), worth(drawn))
            covered.append(((value - truth).abs() <= 1.96 * error).double().mean())
            wide.append(((value - truth) / error).square().mean())
    assert 0.93 < float(torch.stack(covered).mean()) < 0.97  # 3,000 intervals
    assert 0.95 < float(torch.stack(wide).mean().sqrt()) < 1.05


def test_standard_errors_of_pixels_cover_a_long_run() -> None:
    on, x = critic("plain", double=True), images(2).double()
    run = Rise(on, baseline="blur", max_evaluations=200).variant(cells=4)
    long = run.variant(max_evaluations=40_000).attribute(x, seed=1)
    covered = []
    for seed in range(2, 42):
        short = run.attribute(x, seed=seed)
        error = (short.error.square() + long.error.square()).sqrt()
        covered.append(((short.totals() - long.totals()).abs() <= 1.96 * error).double().mean())
    assert 0.93 < float(torch.stack(covered).mean()) < 0.97  # 2 x 64 x 40 intervals, correlated within an image


@pytest.mark.parametrize("keep", [0.2, 0.5])
def test_players_are_kept_as_often_as_was_asked_and_on_their_own(keep: float) -> None:
    drawn = coins((6,), keep, 20_000, 0).double()
    assert float((drawn.mean(0) - keep).abs().max()) < 0.015
    assert float((torch.corrcoef(drawn.T) - torch.eye(6)).abs().max()) < 0.03


@pytest.mark.parametrize(("size", "cells"), [((28, 28), 8), ((20, 33), 7), ((3, 9), 8)])
def test_masks_are_grids_upsampled_and_cropped(size: tuple[int, int], cells: int) -> None:
    masks = grids(size, cells, 0.4, 4000, 5)(0, 4000).view(-1, *size)
    assert float((masks.mean(0) - 0.4).abs().max()) < 0.04
    shape = min(cells, size[0]), min(cells, size[1])
    step = [-(-extent // n) for extent, n in zip(size, shape, strict=True)]
    whole_size = [(n + 1) * s for n, s in zip(shape, step, strict=True)]
    cell = coins(shape, 0.4, 4000, 5).double()[:40, None]
    large = F.interpolate(cell, size=whole_size, mode="bilinear", align_corners=False)[:, 0]
    shifts = [(i, j) for i in range(step[0]) for j in range(step[1])]
    crops = torch.stack([large[:, i : i + size[0], j : j + size[1]] for i, j in shifts], 1)
    found = (crops - masks[:40, None]).abs().amax((2, 3)).amin(1)
    assert float(found.max()) < 1e-12
    assert torch.equal(grids(size, cells, 0.4, 4000, 5)(7, 9), masks[7:9].flatten(1))


def test_on_a_linear_critic_a_player_is_worth_its_part() -> None:
    weight = torch.randn(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).double()
    quarters = torch.arange(SIDE)[:, None] // 4 * 2 + torch.arange(SIDE)[None] // 4
    x, base = images(1).double(), images(1, seed=3).double()
    run = Rise(Critic(Linear(weight)).double(), domain=Region(quarters), baseline=base, max_evaluations=4000)
    found = run.attribute(x, side="real")
    part = (weight * (x - base)).view(2, 4, 2, 4).sum((1, 3)).flatten()
    assert bool(((found.totals()[0] - part).abs() < 4 * found.error[0]).all())
    assert found.gap is None
    assert found.unit == "logit"


def test_the_cost_is_what_was_asked_for() -> None:
    spy = Spy(Linear(torch.ones(1, 1, SIDE, SIDE)))
    run = Rise(Critic(spy), baseline="black", max_evaluations=101)
    run.attribute(images(1))  # the first look at whether a batch's images matter to one another
    spy.seen.batches.clear()
    found = run.attribute(images(1))
    assert spy.seen.rows == int(found.evaluations) == run.planned(64) == 104


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"keep": 1.0}, "keep must be a probability between 0 and 1, got 1.0"),
        ({"max_evaluations": 20}, "max_evaluations must be at least 50, got 20"),
    ],
)
def test_bad_settings_are_named(given: dict[str, float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Rise(critic("plain"), **given)


def test_a_part_that_was_never_kept_is_no_zero() -> None:
    run = Rise(critic("plain"), domain=Region(), keep=0.001, max_evaluations=50)
    with pytest.raises(ValueError, match="50 masks never kept, or never removed, some part; raise max_evaluations"):
        run.attribute(images(1))
