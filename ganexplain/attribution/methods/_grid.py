"""Where the cells of a layer lie in the image, and how their values get there without a change of their sum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain.models.preprocess import resized

SLIDING = (nn.Conv2d, nn.ConvTranspose2d, nn.MaxPool2d, nn.AvgPool2d, nn.LPPool2d)
PADS = (nn.ReflectionPad2d, nn.ReplicationPad2d, nn.ZeroPad2d, nn.ConstantPad2d, nn.CircularPad2d)
SPATIAL = (*SLIDING, *PADS)

Size = tuple[int, int]


@dataclass(frozen=True)
class Grid:
    """Cells of a layer: along each axis, cell i is centred on the input pixel ``start + i * step``.

    Attributes:
        size: (rows, columns).
        step: (down, across) in pixels of the network's input.
        start: (down, across) centre of the first cell, 0 being the centre of the first pixel.
    """

    size: Size
    step: tuple[float, float]
    start: tuple[float, float]

    @classmethod
    def stretched(cls, size: Size, over: Grid) -> Grid:
        """Cells that share the extent of another grid evenly, as after a pooling or a resize to ``size``."""
        ratio = [o / n for o, n in zip(over.size, size, strict=True)]
        step = tuple(s * r for s, r in zip(over.step, ratio, strict=True))
        start = tuple(a + (r - 1) / 2 * s for a, r, s in zip(over.start, ratio, over.step, strict=True))
        return cls(size, step, start)  # type: ignore[arg-type]


class Tracer:
    """Follows the grid from layer to layer through a forward pass, by the sizes of the maps.

    Sliding layers move centres by arithmetic (Araujo et al. 2019, "Computing receptive fields"). A size that comes from
    elsewhere (a functional pooling, an attention block) is taken as stretched over the whole input.

    Args:
        size: of the network's input.
    """

    def __init__(self, size: Size) -> None:
        self.input = Grid(size, (1.0, 1.0), (0.0, 0.0))
        self.known = {size: self.input}

    def follow(self, module: nn.Module, given: Size, made: Size) -> None:
        """Note what a spatial module made of a map of the size ``given``; the first way to a size holds."""
        if made in self.known or not isinstance(module, SPATIAL):
            return
        self.known[made] = _after(module, self.of(given), made)

    def of(self, size: Size) -> Grid:
        """The grid of maps of this size."""
        return self.known.get(size) or Grid.stretched(size, self.input)


def _after(module: nn.Module, grid: Grid, made: Size) -> Grid:
    step, start = list(grid.step), list(grid.start)
    for axis in (0, 1):
        if isinstance(module, PADS):
            left, _, top, _ = _pair(module.padding, 4)
            start[axis] -= (top, left)[axis] * step[axis]
            continue
        dilation = getattr(module, "dilation", 1)
        reach = (_pair(module.kernel_size)[axis] - 1) * _pair(dilation)[axis]
        stride, padding = _pair(module.stride)[axis], _padding(module, axis, reach)
        if isinstance(module, nn.ConvTranspose2d):
            start[axis] += (padding - reach / 2) / stride * step[axis]
            step[axis] /= stride
        else:
            start[axis] += (reach / 2 - padding) * step[axis]
            step[axis] *= stride
    return Grid(made, (step[0], step[1]), (start[0], start[1]))


def _padding(module: nn.Module, axis: int, reach: int) -> int:
    padding: Any = getattr(module, "padding", 0)
    if isinstance(padding, str):
        return reach // 2 if padding == "same" else 0
    return _pair(padding)[axis]


def _pair(value: Any, n: int = 2) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (int(value),) * n


def spread(maps: Tensor, grid: Grid, size: Size) -> Tensor:
    """(N, rows, columns) on a grid to (N, *size) pixels: bilinear, and each cell's value is shared out, never changed.

    Beyond the outermost centres the outermost cells go on to the border, as in every bilinear resize.
    """
    down, across = (
        _shares(n, s, a, e).to(maps) for n, s, a, e in zip(grid.size, grid.step, grid.start, size, strict=True)
    )
    return torch.einsum("hi,nij,wj->nhw", down, maps, across)


def _shares(cells: int, step: float, start: float, extent: int) -> Tensor:
    """(extent, cells) share of each cell that each pixel gets; columns sum to one."""
    pixel = torch.arange(extent, dtype=torch.float64)[:, None]
    centre = (start + step * torch.arange(cells, dtype=torch.float64)).clamp(0, extent - 1)[None]
    weight = (1 - (pixel - centre).abs() / max(step, 1.0)).clamp(min=0)
    weight[:, 0] = torch.where(pixel[:, 0] < centre[0, 0], 1.0, weight[:, 0])
    weight[:, -1] = torch.where(pixel[:, 0] > centre[0, -1], 1.0, weight[:, -1])
    return weight / weight.sum(0)


def through_resize(maps: Tensor, size: Size, mode: str) -> Tensor:
    """(N, h, w) values of resized pixels to (N, *size) values of the pixels that they were mixed from.

    The transpose of the resize: as each new pixel is a mean of old ones, the sum is kept.
    """
    if tuple(maps.shape[1:]) == size:
        return maps
    before = torch.zeros(len(maps), 1, *size, dtype=maps.dtype, device=maps.device, requires_grad=True)
    with torch.enable_grad():
        after = resized(before, (maps.shape[1], maps.shape[2]), mode)
        (back,) = torch.autograd.grad(after, before, maps[:, None])
    return back[:, 0]
