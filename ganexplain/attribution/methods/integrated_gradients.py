"""Integrated gradients."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.attribution.chart import BaselineLike, Chart, Domain
from ganexplain.attribution.methods._base import ENDS, Method, Outcome
from ganexplain.models.critic import Critic

__all__ = ["IntegratedGradients"]

FIRST = 10


class IntegratedGradients(Method):
    """The gradient integrated along the path from the baseline: values sum to the change (Sundararajan et al. 2017).

    Args:
        critic: the critic to explain.
        domain: coordinates; pixels by default.
        baseline: see `ganexplain.attribution.baselines.origin_of`.
        tol: an image is done when the gap is below tol * max(|change|, interquartile range of the reals' logits) and
            the last refinement moved the map by less than tol of its sum of absolute values.
        max_evaluations: gradients an image, at most; above it the image is reported as not converged.
        batch_size: the largest batch that the critic sees.

    The midpoint rule is refined by tripling, since the midpoints of n intervals are among those of 3n and are not
    computed again: 10, 30, 90, 270, 810 points. Real critics are jagged, so that a fixed number would be too few for
    some images. A linear critic's values are exact on every way, also where it is not straight.
    """

    name: ClassVar[str] = "integrated_gradients"
    complete: ClassVar[bool] = True
    needs: ClassVar[str] = "gradients"

    def __init__(
        self,
        critic: Critic,
        *,
        domain: Domain | None = None,
        baseline: BaselineLike = None,
        tol: float = 0.05,
        max_evaluations: int = 810,
        batch_size: int = 64,
    ) -> None:
        super().__init__(critic, domain=domain, baseline=baseline, batch_size=batch_size)
        self.tol = checks.positive(tol, "tol")
        if max_evaluations < FIRST:
            raise ValueError(f"max_evaluations must be at least {FIRST}, got {max_evaluations}")
        self.max_evaluations = int(max_evaluations)

    def planned(self, n_players: int) -> int:
        """The largest number of points, and the ends."""
        n = FIRST
        while 3 * n <= self.max_evaluations:
            n *= 3
        return n + ENDS

    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        n_inputs, device = len(chart.point), chart.point.device
        ends = chart.ends(self.batch_size)
        change = (ends[0] - ends[1]).to(device)
        sums = torch.zeros(
            n_inputs, 3 if _bent(chart) else 1, *chart.point.shape[1:], dtype=torch.float64, device=device
        )
        used = torch.zeros(n_inputs, dtype=torch.long, device=device)
        done = torch.zeros(n_inputs, dtype=torch.bool, device=device)
        points, fractions = FIRST, (torch.arange(FIRST, dtype=torch.float64, device=device) + 0.5) / FIRST
        while points <= self.max_evaluations and not done.all():
            active = (~done).nonzero().flatten()
            before = _mean(chart, sums, used, active)
            self._add(chart, fractions, active, sums)
            started = used[active] > 0
            used[active] = points
            done[active] = self._close(_mean(chart, sums, used, active), before, change[active], chart.scale) & started
            points *= 3
            index = torch.arange(points, device=device)
            fractions = ((index.double() + 0.5) / points)[index % 3 != 1]  # every third midpoint is an old one
        values = _mean(chart, sums, used, torch.arange(n_inputs, device=device)).to(chart.point.dtype)
        return Outcome(values, used.cpu(), converged=done.cpu())

    def _add(self, chart: Chart, fractions: Tensor, active: Tensor, sums: Tensor) -> None:
        def parts(piece: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
            points, velocities = chart.at(t, piece)
            slope = chart.gradient(points, piece)
            found = torch.stack([slope * velocities, slope, velocities][: sums.shape[1]], 1).flatten(1).double()
            owners = torch.unique(piece)
            # a product with zeros and ones, since index_add_ is not repeatable on a GPU
            return owners, (owners[:, None] == piece).double() @ found

        rows, t = active.repeat_interleave(len(fractions)), fractions.repeat(len(active))
        for owners, added in tensors.pieces(parts, self.batch_size, rows, t):
            sums[owners] += added.view(-1, *sums.shape[1:])

    def _close(self, now: Tensor, before: Tensor, change: Tensor, scale: float) -> Tensor:
        return close(now, before, change, scale, self.tol)


def _bent(chart: Chart) -> bool:
    """Whether the way has velocities that change, so that their mean at the midpoints misses the distance."""
    return chart.path is not None or chart.curve is not None


def _mean(chart: Chart, sums: Tensor, used: Tensor, active: Tensor) -> Tensor:
    """(A, *coordinates) the integral so far of the inputs ``active`` (A,).

    On a bent way the mean gradient takes what the velocities at the midpoints miss of the distance: the values of a
    linear critic are then exact, whatever the way and the number of points.
    """
    mean = sums[active] / used[active].clamp(min=1).view(-1, *[1] * (sums.ndim - 1))
    if not _bent(chart):
        return mean[:, 0]
    origin = chart.origin[active] if len(chart.origin) > 1 else chart.origin
    missed = (chart.point[active].double() - origin.double()) - mean[:, 2]
    return mean[:, 0] + mean[:, 1] * missed


def close(now: Tensor, before: Tensor, change: Tensor, scale: float, tol: float) -> Tensor:
    """(A,) bool: values (A, *coordinates) sum to ``change`` (A,), and moved little since the refinement before.

    The gap may be tol * max(|change|, scale), and the move tol of the sum of absolute values.
    """
    gap = (now.flatten(1).sum(1) - change).abs()
    moved = (now - before).flatten(1).abs().sum(1)
    return (gap <= tol * change.abs().clamp(min=scale)) & (moved <= tol * now.flatten(1).abs().sum(1))
