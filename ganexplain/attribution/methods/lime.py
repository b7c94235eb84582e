"""LIME."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.attribution import players as groups
from ganexplain.attribution.chart import Chart
from ganexplain.attribution.methods._base import ENDS, CoalitionMethod, Outcome
from ganexplain.attribution.methods._regression import sandwich

__all__ = ["Lime"]

KERNEL_WIDTH = 0.25  # as lime_image: sqrt(exp(-d^2 / w^2)) of the cosine distance to the whole image
RIDGE = 1.0


class Lime(CoalitionMethod):
    """Coefficients of a ridge regression on random coalitions near the whole image (Ribeiro et al. 2016).

    Args:
        critic: the critic to explain.
        domain: regions by default.
        baseline: what stands in the place of a removed player.
        max_evaluations: coalitions an image.
        batch_size: the largest batch that the critic sees.

    Distance, kernel and ridge are those of ``lime.lime_image``; masks are applied in tensors, the seed decides
    everything, and the fit's R^2 is returned. The values are slopes, and the ridge shrinks them: they do not sum to
    the change.
    """

    name: ClassVar[str] = "lime"
    sampled: ClassVar[bool] = True

    def planned(self, n_players: int) -> int:
        """The number asked for, and the ends."""
        return self.max_evaluations + ENDS

    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        players = groups.limited(chart.players, self.most_players, self.name).expand(chart.point.shape)
        most = int(groups.counts(players).max())
        total = torch.zeros(len(players), most, dtype=torch.float64)
        error, quality = torch.zeros_like(total), torch.zeros(len(players), dtype=torch.float64)
        for row, n in enumerate(groups.counts(players).tolist()):
            keep = samples(n, self.max_evaluations, seed)
            worth = chart.coalitions(keep, row, self.batch_size)
            total[row, :n], error[row, :n], quality[row] = ridge_fit(keep.double(), worth)
        values = groups.spread(total.to(chart.point.device), players, chart.point.shape)
        used = torch.full((len(players),), self.max_evaluations)
        return Outcome(values.to(chart.point.dtype), used, error=error, quality=quality)


def samples(n: int, count: int, seed: int) -> Tensor:
    """(count, n) bool coalitions: the whole image first, then fair coins, as lime_image draws them."""
    keep = torch.from_numpy(tensors.rng(seed, "lime", n).integers(0, 2, (count, n)).astype(bool))
    keep[0] = True
    return keep


def kernel(design: Tensor) -> Tensor:
    """(M,) weights of coalitions (M, P) by their cosine distance to the whole image."""
    p = design.shape[1]
    distance = 1 - design.sum(1).sqrt() / p**0.5  # cosine of a 0/1 row with the row of ones
    return torch.exp(-(distance**2) / KERNEL_WIDTH**2).sqrt()


def ridge_fit(design: Tensor, worth: Tensor) -> tuple[Tensor, Tensor, float]:
    """Weighted ridge of ``worth`` (M,) on 0/1 ``design`` (M, P): coefficients, standard errors (both P), R^2."""
    weight = kernel(design)
    share = weight / weight.sum()
    x = design - share @ design
    y = worth - worth[0]  # before centring, so that a constant critic gives zeros and no rounding
    y = y - share @ y
    bread = torch.linalg.inv(x.T @ (weight[:, None] * x) + RIDGE * torch.eye(x.shape[1], dtype=x.dtype))
    slope = bread @ (x.T @ (weight * y))
    residual = y - x @ slope
    spread_ = float((weight * y.square()).sum())
    r2 = 1 - float((weight * residual.square()).sum()) / spread_ if spread_ > 0 else 0.0
    return slope, sandwich(x, residual, weight, bread), r2
