"""Where a layer's cells lie: against the pixels that they really read, and sums that stay."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganexplain import Critic, HiResCam
from ganexplain.attribution.methods._grid import Grid, Tracer, spread
from tests._critics import images

CHAINS: dict[str, tuple[nn.Module, ...]] = {
    "dcgan": (nn.Conv2d(1, 2, 4, 2, 1), nn.Conv2d(2, 2, 4, 2, 1), nn.Conv2d(2, 2, 4, 2, 1)),
    "odd kernels": (nn.Conv2d(1, 2, 3, 2, 1), nn.Conv2d(2, 2, 3, 2, 1)),
    "valid": (nn.Conv2d(1, 2, 5), nn.AvgPool2d(2), nn.Conv2d(2, 2, 5), nn.AvgPool2d(3, 2)),
    "dilated": (nn.Conv2d(1, 2, 3, dilation=4, padding=1), nn.Conv2d(2, 2, (3, 5), (1, 2), (0, 2))),
    "same": (nn.Conv2d(1, 2, 5, padding="same"), nn.Conv2d(2, 2, 3, 2, padding="valid")),
    "padded apart": (nn.ZeroPad2d((3, 1, 0, 2)), nn.Conv2d(1, 2, 4, 2)),
    "enlarged": (nn.Conv2d(1, 2, 4, 4), nn.ConvTranspose2d(2, 2, 4, 2, 1)),
}


@pytest.mark.parametrize("chain", sorted(CHAINS))
def test_a_cell_is_centred_on_what_it_reads(chain: str) -> None:
    x = torch.zeros(1, 1, 64, 61, requires_grad=True)
    out, tracer = x, Tracer((64, 61))
    for layer in CHAINS[chain]:
        for parameter in layer.parameters():
            nn.init.ones_(parameter)  # then a cell's gradient is symmetric about its centre
        given, out = out, layer(out)
        tracer.follow(layer, tuple(given.shape[2:]), tuple(out.shape[2:]))
    grid = tracer.of(tuple(out.shape[2:]))
    i, j = out.shape[2] // 2, out.shape[3] // 2
    (read,) = torch.autograd.grad(out[0, :, i : i + 2, j : j + 2].sum(), x)  # the halves of an enlarged cell differ
    weight = read[0, 0].double() / read.double().sum()
    centre = [float((weight.sum(1 - a) * torch.arange(x.shape[2 + a])).sum()) for a in (0, 1)]
    half = i + 0.5, j + 0.5
    assert centre == pytest.approx([s + n * t for s, n, t in zip(grid.start, half, grid.step, strict=True)], abs=1e-4)


def test_max_pooling_lies_as_average_pooling_does() -> None:
    made = []
    for pool in (nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(3, 2, 1)):
        tracer = Tracer((20, 20))
        tracer.follow(pool, (20, 20), (10, 10))
        made.append(tracer.of((10, 10)))
    assert made[0] == made[1] == Grid((10, 10), (2.0, 2.0), (0.0, 0.0))


def test_an_unknown_size_is_stretched_over_the_input() -> None:
    assert Tracer((30, 20)).of((10, 10)) == Grid((10, 10), (3.0, 2.0), (1.0, 0.5))


@pytest.mark.parametrize("cells", [(3, 4), (1, 2), (30, 5), (64, 64)])
@pytest.mark.parametrize("shift", [0.0, -9.0, 13.5])
def test_each_cells_value_is_shared_out_whole(cells: tuple[int, int], shift: float) -> None:
    grid = Grid.stretched(cells, Grid((28, 21), (1.0, 1.0), (shift, 0.0)))
    basis = torch.eye(cells[0] * cells[1], dtype=torch.float64).view(-1, *cells)[:: max(1, cells[0] * cells[1] // 50)]
    found = spread(basis, grid, (28, 21))
    assert torch.allclose(found.sum((1, 2)), torch.ones(len(basis), dtype=torch.float64), atol=1e-12)
    assert bool((found >= 0).all())


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_an_aligned_grid_is_enlarged_as_by_torch(factor: int) -> None:
    maps = torch.randn(2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    size = (4 * factor, 5 * factor)
    found = spread(maps, Grid.stretched((4, 5), Grid(size, (1.0, 1.0), (0.0, 0.0))), size)
    expected = F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0] / factor**2
    assert torch.allclose(found, expected, atol=1e-13)


def test_a_map_lies_where_the_layer_looked() -> None:
    # 28 pixels become 3 cells of 8 pixels each, not of 9.33: the last cell looks at pixels 15 to 24
    made: list[nn.Module] = []
    for k in (4, 4, 4):
        made += [nn.Conv2d(1, 1, k, 2, 1, bias=False)]
    for layer in made:
        nn.init.constant_(layer.weight, 0.1)
    net = nn.Sequential(*made, nn.Flatten(), nn.Linear(9, 1, bias=False))
    with torch.no_grad():
        net[-1].weight.copy_(F.one_hot(torch.tensor([8]), 9).float())
    x = (images(1, side=28).abs() + 0.1).clamp(max=1)
    heat = HiResCam(Critic(net), layer="2").attribute(x, side="real").heatmap()[0].double()
    rows = torch.arange(28, dtype=torch.float64)
    peak = float((heat.sum(1) == heat.sum(1).max()).double() @ rows / (heat.sum(1) == heat.sum(1).max()).sum())
    assert float(heat[:12].abs().sum()) == 0
    assert 19 <= float(rows[heat.sum(1) >= heat.sum(1).max() - 1e-9].min()) <= 20
    assert peak >= 19


def test_branches_of_other_sizes_each_find_their_place() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 1, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            small = self.conv(F.avg_pool2d(x, 2))
            return self.conv(x).sum((1, 2, 3)) + small.sum((1, 2, 3))

    x = torch.zeros(1, 1, 8, 8, dtype=torch.float64)
    x[..., :2, :2] = 1.0
    found = HiResCam(Critic(Branches()).double()).attribute(x, side="real")
    assert torch.allclose(found.net, found.verdict.logit, atol=1e-12)
    assert float(found.values[..., :4, :4].sum()) == pytest.approx(float(found.net), abs=1e-12)
