"""Holes filled by the Laplace equation: as smooth as what is left around them allows, and with no new extremes."""

from __future__ import annotations

import torch
from torch import Tensor

STEPS = 3  # of conjugate gradients: within 7e-3 of the exact solution, less than one grey level of 256
WEIGHTS = (0.5617, 1.3895)  # of two Jacobi sweeps: Chebyshev's for the half of the spectrum that a coarser grid has not
TINY = 1e-30


def harmonic(values: Tensor, keep: Tensor) -> Tensor:
    """``values`` where ``keep``, and elsewhere the solution of the discrete Laplace equation with those fixed.

    A removed pixel is the mean of its neighbours; the image's border lets nothing through (Neumann), so that a hole
    at the border continues what is inside. Where nothing is kept, the mean of the values.

    Two axes are solved by conjugate gradients with one multigrid V-cycle as preconditioner (Tatebe 1993), started from
    a push-pull pyramid (Gortler et al. 1996, The Lumigraph, section 3.4): the number of steps is fixed and every sum is
    over one image, so that an image's result does not depend on the others. One axis is solved exactly, as lines.

    Args:
        values: (M, C, H, W) or (M, C, L).
        keep: bool of the same shape.

    Returns:
        Tensor like ``values``; what is kept is untouched.
    """
    work = values if values.dtype == torch.float64 else values.float()
    axes = tuple(range(2, values.ndim))
    mean = work.mean(axes, keepdim=True)
    any_left = keep.any(-1, keepdim=True) if len(axes) == 1 else keep.flatten(2).any(2)[..., None, None]
    solved = _lines(work, keep) if len(axes) == 1 else _solved(work, keep)
    return torch.where(keep, values, torch.where(any_left, solved, mean).to(values.dtype))


def _lines(values: Tensor, keep: Tensor) -> Tensor:
    """(M, C, L) straight between the kept samples, and level beyond the outermost ones."""
    length = values.shape[-1]
    at = torch.arange(length, device=values.device).expand(keep.shape)
    left = torch.where(keep, at, -1).cummax(-1).values
    right = torch.where(keep, at, length).flip(-1).cummin(-1).values.flip(-1)
    left, right = torch.where(left < 0, right, left), torch.where(right == length, left, right)
    left, right = left.clamp(0, length - 1), right.clamp(0, length - 1)
    share = (at - left).to(values) / (right - left).clamp(min=1).to(values)
    return torch.lerp(values.gather(-1, left), values.gather(-1, right), share)


def _solved(values: Tensor, keep: Tensor) -> Tensor:
    """(M, C, H, W) by the pyramid, one V-cycle at each coarser grid, and conjugate gradients at the finest.

    The axes are (H, W, C, M) inside: neighbours are then whole rows of images, which is several times as fast.
    """
    if bool((keep == keep[:, :1]).all()):
        keep = keep[:, :1]  # one mask for all channels
    known = [keep.permute(2, 3, 1, 0).to(values).contiguous()]
    colours = [values.permute(2, 3, 1, 0).contiguous() * known[0]]
    while max(known[-1].shape[:2]) > 1:
        share, colour = _fours(known[-1]), _fours(colours[-1])
        known.append((share > 0).to(values))
        colours.append(colour / share.clamp(min=1))
    grids = [_Grid(1 - mask) for mask in known]
    found = colours[-1]
    for level in range(len(grids) - 2, -1, -1):
        found = torch.where(known[level] > 0, colours[level], _doubled(found, known[level]))
        if level:
            found = found + _cycle(grids[level].off(found), grids[level:])
    return _conjugate(found, grids).permute(3, 2, 0, 1)


class _Grid:
    """The holes (H, W, 1 or C, M) of one resolution, as numbers 0 or 1."""

    def __init__(self, hole: Tensor) -> None:
        self.hole = hole
        self.degree = _around(torch.ones_like(hole[:, :, :1, :1]))
        self.inverse = hole / self.degree.clamp(min=1)

    def off(self, found: Tensor) -> Tensor:
        """By how much the holes miss the equation: sum of the neighbours minus their number times the pixel."""
        return _around(found).sub_(self.degree * found).mul_(self.hole)

    def swept(self, found: Tensor, right: Tensor, weight: float) -> Tensor:
        """One Jacobi sweep in place."""
        return found.lerp_(_around(found).add_(right).mul_(self.inverse), weight)


def _conjugate(found: Tensor, grids: list[_Grid]) -> Tensor:
    """The solution from a start that already has the kept values."""
    finest = grids[0]
    off, way, before = finest.off(found), None, torch.zeros(())
    for _ in range(STEPS):
        cycle = _cycle(off, grids)
        now = (off * cycle).sum((0, 1))
        way = cycle if way is None else cycle.addcmul_(way, now / before.clamp(min=TINY))
        before = now
        slope = finest.off(way)
        step = now / (-(way * slope).sum((0, 1))).clamp(min=TINY)
        found, off = found.addcmul_(step, way), off.addcmul_(step, slope)
    return found


def _cycle(right: Tensor, grids: list[_Grid]) -> Tensor:
    """One symmetric V-cycle for the correction that ``right`` asks for, zero where pixels are kept."""
    grid = grids[0]
    found = grid.inverse * right * WEIGHTS[0]
    for weight in WEIGHTS[1:]:
        found = grid.swept(found, right, weight)
    if len(grids) > 1:
        rest = _around(found).add_(right).sub_(grid.degree * found).mul_(grid.hole)
        # the equation at twice the grid's width has the same stencil for the sum of four, not for their mean
        found.addcmul_(_doubled(_cycle(_fours(rest), grids[1:]), found), grid.hole)
    for weight in reversed(WEIGHTS):
        found = grid.swept(found, right, weight)
    return found


def _around(found: Tensor) -> Tensor:
    """The sum of the four neighbours, of which there are fewer at the border."""
    total = torch.zeros_like(found)
    total[1:] = found[:-1]
    total[:-1] += found[1:]
    total[:, 1:] += found[:, :-1]
    total[:, :-1] += found[:, 1:]
    return total


def _fours(found: Tensor) -> Tensor:
    """The sums of squares of four; there is nothing beyond an odd side."""
    rows = found[::2].clone()
    rows[: found.shape[0] // 2] += found[1::2]
    sums = rows[:, ::2].clone()
    sums[:, : found.shape[1] // 2] += rows[:, 1::2]
    return sums


def _doubled(found: Tensor, like: Tensor) -> Tensor:
    """Twice the resolution, bilinear between the middles of pixels, cut to the height and width of ``like``."""
    for axis in (0, 1):
        n, size = found.shape[axis], like.shape[axis]
        before = torch.cat([found.narrow(axis, 0, 1), found.narrow(axis, 0, n - 1)], axis)
        after = torch.cat([found.narrow(axis, 1, n - 1), found.narrow(axis, n - 1, 1)], axis)
        pairs = torch.stack([torch.lerp(found, before, 0.25), torch.lerp(found, after, 0.25)], axis + 1)
        found = pairs.flatten(axis, axis + 1).narrow(axis, 0, size)
    return found
