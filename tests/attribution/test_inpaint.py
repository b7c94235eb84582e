"""In-painting by the Laplace equation, against a direct sparse solution."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
import torch
from skimage.restoration import inpaint_biharmonic
from torch import Tensor

from ganexplain import Critic, IntegratedGradients, KernelShap, Occlusion, Pixel, Region
from ganexplain.attribution.baselines import origin_of
from ganexplain.attribution.baselines._harmonic import harmonic
from ganexplain.evaluation import faithfulness
from tests._critics import critic, critic_of_form, images, inputs

GREY = 2 / 255  # one grey level


def solved(image: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """The Laplace equation in the hole of one channel (H, W), by a sparse direct solver."""
    height, width = keep.shape
    index = np.arange(height * width).reshape(height, width)
    links = np.concatenate(
        [
            np.stack([index[1:].ravel(), index[:-1].ravel()], 1),
            np.stack([index[:, 1:].ravel(), index[:, :-1].ravel()], 1),
        ]
    )
    near = scipy.sparse.coo_matrix((np.ones(len(links)), links.T), shape=(index.size, index.size))
    near = (near + near.T).tocsr()
    laplace = (scipy.sparse.diags(np.asarray(near.sum(1)).ravel()) - near).tocsr()
    hole, out = ~keep.ravel(), image.ravel().copy()
    right = -laplace[hole][:, ~hole] @ out[~hole]
    out[hole] = scipy.sparse.linalg.spsolve(laplace[hole][:, hole].tocsc(), right)
    return out.reshape(height, width)


def holes(side: int, n: int, seed: int) -> Tensor:
    """(n, 1, side, side) masks: blocks that are kept, from few to most of them."""
    made = torch.Generator().manual_seed(seed)
    kept = torch.rand(n, 1, 5, 5, generator=made) < torch.linspace(0.1, 0.9, n).view(-1, 1, 1, 1)
    kept[:, :, 2, 2] = True
    return torch.nn.functional.interpolate(kept.float(), size=side) > 0.5


@pytest.mark.parametrize(("side", "channels"), [(5, 1), (16, 3), (37, 2), (64, 1)])
def test_within_one_grey_level_of_the_direct_solution(side: int, channels: int) -> None:
    x = images(6, channels=channels, side=side).double()
    keep = holes(side, 6, seed=side).expand(x.shape)
    found = harmonic(x, keep)
    assert torch.equal(found[keep], x[keep])
    for i in range(6):
        for c in range(channels):
            exact = solved(x[i, c].numpy(), keep[i, c].numpy())
            assert float(np.abs(exact - found[i, c].numpy()).max()) < GREY
    single = harmonic(x.float(), keep)
    assert torch.allclose(single.double(), found, atol=1e-5)


def test_a_ramp_is_continued_and_no_new_extreme_is_made() -> None:
    down, across = torch.meshgrid(torch.linspace(-0.5, 0.5, 48), torch.linspace(-0.4, 0.4, 48), indexing="ij")
    ramp = (down + across)[None, None].double()
    keep = torch.ones_like(ramp, dtype=torch.bool)
    keep[..., 8:31, 11:40] = False
    assert torch.allclose(harmonic(ramp, keep), ramp, atol=1e-3)
    smooth = torch.from_numpy(inpaint_biharmonic(ramp[0, 0].numpy(), ~keep[0, 0].numpy()))
    assert torch.allclose(harmonic(ramp, keep)[0, 0], smooth, atol=2e-3)  # it too continues a ramp exactly
    x = images(4, side=32)
    some = holes(32, 4, seed=1)
    filled = harmonic(x, some)
    for row in range(4):
        left = x[row][some[row]]
        assert float(left.min()) - GREY <= float(filled[row].min())
        assert float(filled[row].max()) <= float(left.max()) + GREY


def test_an_image_does_not_depend_on_the_others_nor_a_channel_on_the_others() -> None:
    x, keep = images(5, channels=2, side=20), holes(20, 5, seed=3).expand(5, 2, 20, 20).clone()
    keep[:, 1] = keep[:, 1].flip(1)  # another hole in the second channel
    together = harmonic(x, keep)
    apart = torch.cat([harmonic(x[i : i + 1], keep[i : i + 1]) for i in range(5)])
    assert torch.allclose(together, apart, atol=1e-6)
    channels = torch.cat([harmonic(x[:, c : c + 1], keep[:, c : c + 1]) for c in range(2)], 1)
    assert torch.allclose(together, channels, atol=1e-6)


def test_nothing_left_is_the_mean_colour() -> None:
    x = images(2, channels=3, side=12)
    keep = torch.zeros_like(x, dtype=torch.bool)
    keep[1, 2] = True
    mean = x.mean((2, 3), keepdim=True).expand(x.shape)
    assert torch.allclose(harmonic(x, keep)[:, :2], mean[:, :2])
    assert torch.equal(harmonic(x, keep)[1, 2], x[1, 2])
    origin = origin_of(critic("plain"), images(2), "inpaint")
    assert torch.allclose(origin.images, images(2).mean((1, 2, 3), keepdim=True).expand(2, 1, 8, 8))


def test_signals_are_continued_by_straight_lines() -> None:
    line = torch.tensor([[[9.0, 2, 9, 9, 8, 9, 5, 9, 9]]])
    keep = torch.tensor([[[False, True, False, False, True, False, True, False, False]]])
    assert harmonic(line, keep)[0, 0].tolist() == [2, 2, 4, 6, 8, 6.5, 5, 5, 5]
    on, x = critic_of_form("signal"), inputs("signal", 1)
    run = KernelShap(on, baseline="inpaint", max_evaluations=64)
    chart = run.domain.bind(on, x, "inpaint")
    keep = torch.ones(1, int(chart.players.max()) + 1, dtype=torch.bool)
    keep[:, 1] = False
    mask = (chart.players[0] != 1)[None]
    expected = on.form.scaled(harmonic(x, mask))  # in the caller's units or in the network's: lines stay lines
    assert torch.allclose(chart.composed(keep, 0), expected, atol=1e-5)


class Rough(torch.nn.Module):
    """How far neighbours differ."""

    def forward(self, x: Tensor) -> Tensor:
        return -(x[..., 1:] - x[..., :-1]).abs().flatten(1).sum(1)


def test_methods_and_checks_fill_what_they_remove() -> None:
    on, x = Critic(Rough()), images(1)
    mask = (torch.arange(8)[:, None] // 4) * 2 + torch.arange(8)[None] // 4
    chart = Region(mask).bind(on, x, "inpaint")
    keep = torch.tensor([[True, False, True, True], [False] * 4])
    places = torch.stack([keep[0][mask], keep[1][mask]])[:, None]
    expected = on.logits(harmonic(x.expand(2, -1, -1, -1), places)).double()
    assert torch.allclose(chart.coalitions(keep, 0, 8), expected, atol=1e-6)
    orders = faithfulness.orders(chart, "real", n_orders=4)
    assert bool(orders.random.isfinite().all())
    shap = KernelShap(on, domain=Region(mask), baseline="inpaint", max_evaluations=64).attribute(x, side="real")
    full, none = on.logits(x), on.logits(origin_of(on, x, "inpaint").images)
    assert float(shap.values.sum()) == pytest.approx(float(full - none), abs=1e-4)
    lost = Occlusion(on, domain=Region(mask), baseline="inpaint").attribute(x, side="real").totals()[0, 1]
    assert float(lost) == pytest.approx(float(full - on.logits(harmonic(x, places[:1]))), abs=1e-5)
    slid = Occlusion(on, domain=Pixel(), baseline="inpaint", window=8).attribute(x, side="real")
    assert float(slid.values.sum()) == pytest.approx(float(full - none), abs=1e-4)
    hidden = Occlusion(Critic(lambda v: v[..., 2, 2].sum(1)), domain=Pixel(), baseline="inpaint", window=1)
    around = (x[0, 0, 1, 2] + x[0, 0, 3, 2] + x[0, 0, 2, 1] + x[0, 0, 2, 3]) / 4
    assert float(hidden.attribute(x, side="real").values[0, 0, 2, 2]) == pytest.approx(
        float(x[0, 0, 2, 2] - around), abs=1e-3
    )
    steep = IntegratedGradients(on, domain=Pixel(), baseline="inpaint").attribute(x, side="real")
    assert torch.allclose(steep.origins, x.mean().expand(x.shape))
