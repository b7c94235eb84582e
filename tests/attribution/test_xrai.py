"""Regions ranked by attribution: planted ones are found at every size, and nothing is lost on the way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation
from torch import Tensor

from ganexplain import Critic, Frequency, IntegratedGradients, Region, Xrai
from ganexplain.attribution import players as groups
from ganexplain.attribution.methods._regions import candidates, disk, greedy, grown, smallest
from tests._critics import Linear, Net, Spy, critic, images


def scene(side: int, *, seed: int = 0, channels: int = 1) -> tuple[Tensor, Tensor]:
    """An image of a bright disc (1, C, side, side) with grain on a dark slope, and the disc (side, side)."""
    place = (torch.arange(side).double() + 0.5) / side
    disc = (place[:, None] - 0.4).square() + (place - 0.6).square() < 0.22**2
    grain = torch.randn(1, channels, side, side, generator=torch.Generator().manual_seed(seed)).double()
    image = torch.where(disc, 0.6, -0.8 + 0.5 * place[:, None]) + 0.02 * grain
    return image.clamp(-1, 1), disc


def planted(side: int, sign: float, *, channels: int = 1) -> Critic:
    """A linear critic that reads the disc, and everything else a little."""
    weight = torch.where(scene(side)[1], sign, 0.02) + 0.01 * torch.randn(
        1, channels, side, side, generator=torch.Generator().manual_seed(3)
    )
    return Critic(Linear(weight.double())).double()


@pytest.mark.parametrize("side", [8, 16, 28, 32, 64, 128])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_planted_region_is_the_first_at_every_size(side: int, sign: float) -> None:
    image, disc = scene(side)
    found = Xrai(planted(side, sign), baseline="black", max_evaluations=30).attribute(image, side="real")
    value = found.heatmap()[0]
    first = value.abs() >= value.abs().flatten().sort(descending=True).values[int(disc.sum()) - 1]
    assert float((first & disc).sum() / (first | disc).sum()) > (0.8 if side > 8 else 0.6)
    assert bool((value[first] * sign > 0).all())
    assert float(value[~first & ~disc].abs().max()) < 0.3 * float(value[first].abs().max())


def test_totals_are_the_sums_of_the_integrated_gradients() -> None:
    on, x = Critic(Net()).double(), images(4, side=8).double()
    found = Xrai(on).attribute(x, side="real")
    ends = [-torch.ones_like(x[:1]), torch.ones_like(x[:1])]
    both = [IntegratedGradients(on, baseline=end).attribute(x, side="real") for end in ends]
    mean = (both[0].values + both[1].values) / 2
    assert torch.allclose(found.totals(), groups.totals(mean, found.players), atol=1e-12)
    assert torch.allclose(found.net, mean.flatten(1).sum(1), atol=1e-12)
    assert torch.allclose(found.origin_logit, (both[0].origin_logit + both[1].origin_logit) / 2)
    assert torch.allclose(found.gap, (both[0].gap + both[1].gap) / 2, atol=1e-9)
    assert found.baseline == "black_and_white"
    sizes = groups.sizes(found.players)
    assert torch.allclose(found.values, groups.spread(found.totals(), found.players, x.shape))
    assert bool((sizes[sizes > 0] >= 1).all())


def test_passes_are_counted_over_both_baselines() -> None:
    spy = Spy(Net())
    run, x = Xrai(Critic(spy), tol=1e-9, max_evaluations=30), images(1)
    run.critic.fast(x)
    spy.seen.batches.clear()
    found = run.attribute(x)
    assert spy.seen.rows == int(found.evaluations) == run.passes(64) == 2 * 30 + 4
    assert run.variant(baseline="black").passes(64) == run.planned(64) == 33


def test_a_partition_is_taken_greedily_by_mass_per_new_pixel() -> None:
    mass = torch.tensor([5.0, 5, 1, 1, -4, -4, 0, 0]).double()
    masks = torch.tensor(
        [
            [1, 1, 1, 1, 0, 0, 0, 0],  # 3 a pixel
            [1, 1, 0, 0, 0, 0, 0, 0],  # 5: the first
            [0, 0, 0, 0, 1, 1, 0, 0],  # -4: the second
            [0, 0, 0, 1, 1, 1, 1, 0],  # then 1 / 2 of its new pixels
            [1, 1, 1, 1, 1, 1, 1, 0],
        ]
    ).bool()
    assert greedy(mass, masks, (1, 8), 1).tolist() == [0, 0, 2, 2, 1, 1, 3, 3]
    # pieces of one pixel are not taken, and go to the region next to them
    assert greedy(mass, masks, (1, 8), 2).tolist() == [0, 0, 2, 2, 1, 1, 1, 1]
    assert greedy(-mass, masks, (1, 8), 2).tolist() == [0, 0, 2, 2, 1, 1, 1, 1]
    apart = torch.tensor([[0, 1, 1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 1, 1, 1, 1]]).bool()
    assert greedy(mass, apart, (1, 8), 1).tolist() == [1, 0, 0, 0, 1, 1, 1, 1]
    assert greedy(mass, apart, (1, 8), 2).tolist() == [0, 0, 0, 0, 1, 1, 1, 1]  # a crumb of the second is the first's


@pytest.mark.parametrize("side", [2, 8, 28, 64])
@pytest.mark.parametrize("kind", ["flat", "noise", "scene"])
def test_any_image_has_candidates_that_cover_it(side: int, kind: str) -> None:
    flat, noise = torch.zeros(1, side, side), torch.rand(3, side, side, generator=torch.Generator().manual_seed(0))
    image = {"flat": flat, "noise": 2 * noise - 1, "scene": scene(side)[0][0]}[kind]
    masks = candidates(image)
    assert bool(masks.any(0).all())
    assert len(torch.unique(masks, dim=0)) == len(masks)
    labels = greedy(torch.linspace(-1, 1, side**2).double(), masks, (side, side), smallest((side, side)))
    assert int(labels.min()) == 0
    assert 1 <= int(labels.max()) + 1 <= 400
    if side >= 8:
        assert int(labels.max()) >= 3  # also where nothing can be seen


def test_sizes_are_shares_of_the_area() -> None:
    assert [smallest((n, n)) for n in (8, 28, 64, 224, 299)] == [4, 9, 12, 150, 267]
    assert int(disk(2).sum()) == 13


def test_segments_grow_as_scipy_dilates_them() -> None:
    labels = torch.randint(0, 3, (3, 4), generator=torch.Generator().manual_seed(0)).numpy().repeat(5, 0).repeat(5, 1)
    whole = [binary_dilation(labels == i, disk(2)) for i in range(3)]
    assert np.array_equal(grown(labels, 2), np.stack(whole))


def test_other_domains_bring_their_own_groups() -> None:
    mask = torch.arange(8)[:, None] // 2 * 4 + torch.arange(8) // 2
    on, x = critic("plain"), images(2)
    given = Xrai(on, domain=Region(mask), baseline="blur").attribute(x)
    straight = IntegratedGradients(on, domain=Region(mask), baseline="blur").attribute(x)
    assert torch.equal(given.players, straight.players)
    assert torch.allclose(given.totals(), straight.totals(), atol=1e-6)
    bands = Xrai(on, domain=Frequency(bands=3)).attribute(x)
    assert bands.names
    assert bands.baseline == "blur"
