"""Integrated gradients."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ganexplain import checks
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
    some images.
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
        sums = torch.zeros(chart.point.shape, dtype=torch.float64, device=device)
        used = torch.zeros(n_inputs, dtype=torch.long, device=device)
        done = torch.zeros(n_inputs, dtype=torch.bool, device=device)
        points, fractions = FIRST, (torch.arange(FIRST, dtype=torch.float64, device=device) + 0.5) / FIRST
        while points <= self.max_evaluations and not done.all():
            active = (~done).nonzero().flatten()
            before = sums[active] / used[active].clamp(min=1).view(-1, *[1] * (sums.ndim - 1))
            self._add(chart, fractions, active, sums)
            now = sums[active] / points
            done[active] = self._close(now, before, change[active], chart.scale) & (used[active] > 0)
            used[active] = points
            points *= 3
            index = torch.arange(points, device=device)
            fractions = ((index.double() + 0.5) / points)[index % 3 != 1]  # every third midpoint is an old one
        values = (sums / used.view(-1, *[1] * (sums.ndim - 1))).to(chart.point.dtype)
        return Outcome(values, used.cpu(), converged=done.cpu())

    def _add(self, chart: Chart, fractions: Tensor, active: Tensor, sums: Tensor) -> None:
        rows = active.repeat_interleave(len(fractions))
        t = fractions.repeat(len(active))
        for i in range(0, len(rows), self.batch_size):
            piece = rows[i : i + self.batch_size]
            points, velocities = chart.at(t[i : i + self.batch_size], piece)
            part = (chart.gradient(points, piece) * velocities).flatten(1).double()
            owners = torch.unique(piece)
            # a product with zeros and ones, since index_add_ is not repeatable on a GPU
            added = (owners[:, None] == piece).double() @ part
            sums[owners] += added.view(-1, *sums.shape[1:])

    def _close(self, now: Tensor, before: Tensor, change: Tensor, scale: float) -> Tensor:
        gap = (now.flatten(1).sum(1) - change).abs()
        moved = (now - before).flatten(1).abs().sum(1)
        return (gap <= self.tol * change.abs().clamp(min=scale)) & (moved <= self.tol * now.flatten(1).abs().sum(1))
