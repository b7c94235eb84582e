"""RISE."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import ClassVar

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.attribution import players as groups
from ganexplain.attribution.chart import BaselineLike, Chart, Domain
from ganexplain.attribution.methods._base import ENDS, CoalitionMethod, Method, Outcome
from ganexplain.models.critic import Critic

__all__ = ["Rise"]

PIECE = 64  # masks that are summed at a time, whatever the batch size, so that sums are the same bits

Masks = Callable[[int, int], Tensor]


CELLS = 8  # rows and columns of the grid, at most as many as there are pixels; `variant` takes another number


class Rise(CoalitionMethod):
    """How far the evidence differs between masks that keep a place and masks that remove it (Petsiuk et al. 2018).

    Args:
        critic: the critic to explain.
        domain: pixels by default, under coarse random grids, upsampled and shifted; elsewhere players are kept at
            random, each on its own.
        baseline: what stands in the place of what is removed.
        max_evaluations: masks an image, at least 50.
        keep: probability that a cell of the grid, or a player, is kept.
        batch_size: the largest batch that the critic sees.

    The published map, E[f | kept], is mostly the mean of f and has no sign. Here what is removed is subtracted, so that
    values are signed and in logits, E[f | kept] - E[f | removed], means weighted by the masks, with standard errors.
    Masks are drawn independently: a mask and its complement say the same of every single effect, so that antithetic
    pairs had 1.3 to 1.8 times the variance on the bundled judge. On players kept at one half, the values are Banzhaf
    values. They do not sum to the change. On pixels, neighbours share a cell, so that a map is as coarse as the grid
    and its pixels are not to be added up.
    """

    name: ClassVar[str] = "rise"
    sampled: ClassVar[bool] = True
    most_players: ClassVar[int] = 65_536

    def __init__(
        self,
        critic: Critic,
        *,
        domain: Domain | None = None,
        baseline: BaselineLike = None,
        max_evaluations: int = 1000,
        keep: float = 0.5,
        batch_size: int = 64,
    ) -> None:
        super().__init__(
            critic, domain=domain, baseline=baseline, max_evaluations=max_evaluations, batch_size=batch_size
        )
        if not 0 < keep < 1:
            raise ValueError(f"keep must be a probability between 0 and 1, got {keep}")
        self.keep, self.cells = float(keep), CELLS

    def _default_domain(self) -> Domain:
        return Method._default_domain(self)

    def planned(self, n_players: int) -> int:
        """The number asked for, and the ends."""
        return self.max_evaluations + ENDS

    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        players = groups.limited(chart.players, self.most_players, self.name).expand(chart.point.shape)
        counts, n = groups.counts(players).tolist(), self.max_evaluations
        total = torch.zeros(len(players), max(counts), dtype=torch.float64)
        error = torch.zeros_like(total)
        for row, count in enumerate(counts):
            masks = self._masks(chart, count, seed)
            worth = torch.cat([self._worth(chart, masks(i, min(i + PIECE, n)), row) for i in range(0, n, PIECE)])
            total[row, :count], error[row, :count] = contrast(masks, worth)
        values = groups.spread(total.to(chart.point.device), players, chart.point.shape)
        return Outcome(values.to(chart.point.dtype), torch.full((len(players),), n), error=error)

    def _masks(self, chart: Chart, count: int, seed: int) -> Masks:
        n = self.max_evaluations
        if chart.domain == "pixel":
            return grids((chart.point.shape[-2], chart.point.shape[-1]), self.cells, self.keep, n, seed)
        kept = coins((count,), self.keep, n, seed)
        return lambda i, j: kept[i:j].double()

    def _worth(self, chart: Chart, masks: Tensor, row: int) -> Tensor:
        """(M,) float64 evidence of input ``row`` under masks (M, P)."""
        if chart.domain != "pixel":
            return chart.coalitions(masks > 0, row, self.batch_size)
        point, origin = chart.point[row], chart.origin[row if len(chart.origin) > 1 else 0]
        rows = torch.full((len(masks),), row, device=point.device)

        def evaluate(piece: Tensor, index: Tensor) -> Tensor:
            kept = piece.view(-1, 1, *point.shape[-2:]).to(point)
            return chart.worth(kept * point + (1 - kept) * origin, index)

        return tensors.batched(evaluate, self.batch_size, masks, rows)


def coins(shape: tuple[int, ...], keep: float, n: int, seed: int) -> Tensor:
    """(n, *shape) bool, each true with probability ``keep``."""
    return torch.from_numpy(tensors.rng(seed, "rise", *shape).random((n, *shape)) < keep)


def grids(size: tuple[int, int], cells: int, keep: float, n: int, seed: int) -> Masks:
    """Masks i to j (j - i, height * width) of n, in [0, 1]: grids upsampled to one cell more, cropped at random."""
    shape = (min(cells, size[0]), min(cells, size[1]))
    kept = coins(shape, keep, n, seed).double()
    axes = [_stretches(count, extent) for count, extent in zip(shape, size, strict=True)]
    random = tensors.rng(seed, "rise shifts", *size)
    shifts = [torch.from_numpy(random.integers(0, len(axis), n)) for axis in axes]

    def made(i: int, j: int) -> Tensor:
        down, across = (axis[shift[i:j]] for axis, shift in zip(axes, shifts, strict=True))
        return (down @ kept[i:j] @ across.transpose(1, 2)).flatten(1)

    return made


def _stretches(cells: int, extent: int) -> Tensor:
    """(shifts, extent, cells) linear interpolation of a row of cells, cropped at each possible shift."""
    width = ceil(extent / cells)
    whole = torch.nn.functional.interpolate(
        torch.eye(cells, dtype=torch.float64)[None], size=(cells + 1) * width, mode="linear"
    )
    return torch.stack([whole[0, :, shift : shift + extent].T for shift in range(width)])


def contrast(masks: Masks, worth: Tensor) -> tuple[Tensor, Tensor]:
    """E[f | kept] - E[f | removed] of each player, and standard errors (both (P,)), from independent masks.

    Both means are ratios, so errors are those of their linear parts.

    Args:
        masks: from i to j, (j - i, P) in [0, 1].
        worth: (M,) evidence under each mask.

    Raises:
        ValueError: a player was kept by every mask, or by none.
    """
    y = worth - worth[0]  # so that a constant critic gives zeros and no rounding
    pieces = [(i, min(i + PIECE, len(y))) for i in range(0, len(y), PIECE)]
    kept, with_ = (torch.zeros(1, dtype=torch.float64) for _ in range(2))
    for i, j in pieces:
        mask = masks(i, j)
        kept, with_ = kept + mask.sum(0), with_ + y[i:j] @ mask
    removed, without = len(y) - kept, y.sum() - with_
    if not bool(((kept > 0) & (removed > 0)).all()):
        raise ValueError(f"{len(y)} masks never kept, or never removed, some part; raise max_evaluations")
    high, low = with_ / kept, without / removed
    square = torch.zeros_like(kept)
    for i, j in pieces:
        mask, value = masks(i, j), y[i:j, None]
        part = mask * (value - high) / kept - (1 - mask) * (value - low) / removed
        square += part.square().sum(0)
    return high - low, (square * len(y) / (len(y) - 2)).sqrt()  # two means were fitted
