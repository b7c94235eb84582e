"""Guided integrated gradients."""

from __future__ import annotations

from typing import ClassVar, TypedDict, Unpack

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.attribution.chart import BaselineLike, Chart, Domain
from ganexplain.attribution.methods._base import ENDS, Method, Outcome
from ganexplain.attribution.methods.integrated_gradients import close
from ganexplain.models.critic import Critic

__all__ = ["GuidedIntegratedGradients"]

FEWEST = 10
NEAR = 1e-12  # of the whole distance, below which a place is reached


class Guide(TypedDict, total=False):
    """How freely the way follows small gradients; see `GuidedIntegratedGradients`."""

    fraction: float
    n_anchors: int
    max_dist: float


class GuidedIntegratedGradients(Method):
    """Gradients along a way that moves the coordinates of small gradients first (Kapishnikov et al. 2021).

    Args:
        critic: the critic to explain.
        domain: coordinates; pixels by default.
        baseline: see `ganexplain.attribution.baselines.origin_of`.
        tol: an image is done when the gap is below tol * max(|change|, interquartile range of the reals' logits) and
            the last refinement moved the map by less than tol of its sum of absolute values.
        max_evaluations: gradients an image, at most; above it the image is reported as not converged.
        batch_size: the largest batch that the critic sees.
        **guide: ``fraction``, the share of the coordinates that may move at a time, those of the smallest gradients
            (.25); ``n_anchors``, points of the straight line through which the way must go (20, fewer where the budget
            is below three gradients for each interval); ``max_dist``, how far a coordinate may be ahead of the others
            or behind them, as a share of the interval between two anchors (1: anywhere in it).

    A straight line crosses places where the critic is steep for reasons that have nothing to do with the image; this
    way goes round them, so that their gradients enter less. Each step takes the same part of the distance in L1
    (algorithm 1 of the paper); the intervals between anchors, and all images, are walked side by side in one batch.
    Steps are refined by tripling (1, 3, 9, 27 an interval, the anchors' gradients being computed once), and a step's
    gradient is the mean over its two ends, whose error falls with the square of the step where the paper's falls with
    the step. Coordinates move between baseline and image, also where the domain's own way is curved.
    """

    name: ClassVar[str] = "guided_integrated_gradients"
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
        **guide: Unpack[Guide],
    ) -> None:
        super().__init__(critic, domain=domain, baseline=baseline, batch_size=batch_size)
        for word in guide:
            checks.one_of("setting of the guided way", word, Guide.__annotations__)
        self.tol = checks.positive(tol, "tol")
        if max_evaluations < FEWEST:
            raise ValueError(f"max_evaluations must be at least {FEWEST}, got {max_evaluations}")
        self.max_evaluations = int(max_evaluations)
        self.fraction, self.max_dist = guide.get("fraction", 0.25), guide.get("max_dist", 1.0)
        self.n_anchors = int(guide.get("n_anchors", 20))
        for name, value in (("fraction", self.fraction), ("max_dist", self.max_dist)):
            if not 0 < value <= 1:
                raise ValueError(f"{name} must be a share above 0, at most 1, got {value}")
        if self.n_anchors < 0:
            raise ValueError(f"n_anchors must not be negative, got {self.n_anchors}")

    def planned(self, n_players: int) -> int:
        """The anchors and the steps of every refinement, and the ends."""
        return self._spent(self._rounds()) + ENDS

    @property
    def _intervals(self) -> int:
        return min(self.n_anchors + 1, (self.max_evaluations - 1) // 3)

    def _spent(self, rounds: list[int]) -> int:
        return self._intervals * (1 + sum(steps - 1 for steps in rounds)) + 1

    def _rounds(self) -> list[int]:
        """Steps an interval of each refinement."""
        rounds = [1]
        while self._spent([*rounds, 3 * rounds[-1]]) <= self.max_evaluations:
            rounds.append(3 * rounds[-1])
        return rounds

    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        ends = chart.ends(self.batch_size)
        change = (ends[0] - ends[1]).to(chart.point.device)
        together = max(1, self.batch_size // self._intervals)
        index = torch.arange(len(chart.point), device=chart.point.device)
        found = [self._some(chart, rows, change[rows]) for rows in torch.split(index, together)]
        values, used, done = (torch.cat(parts) for parts in zip(*found, strict=True))
        facts = {"anchors": self._intervals - 1}
        return Outcome(values.to(chart.point.dtype), used.cpu(), converged=done.cpu(), facts=facts)

    def _some(self, chart: Chart, rows: Tensor, change: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Values, evaluations and whether they converged, of the inputs ``rows``."""
        way = Way(chart, rows, self._intervals, self.batch_size)
        used = torch.full((len(rows),), self._intervals + 1, device=rows.device)
        done = torch.zeros(len(rows), dtype=torch.bool, device=rows.device)
        values = way.walked(~done, 1, self.fraction, self.max_dist)
        for steps in self._rounds()[1:]:
            active = ~done
            if not active.any():
                break
            now, before = way.walked(active, steps, self.fraction, self.max_dist), values[active]
            used[active] += self._intervals * (steps - 1)
            values[active] = now
            done[active] = close(now, before, change[active], chart.scale, self.tol)
        return values, used, done


class Way:
    """The intervals between anchors on the straight lines of some inputs, and the gradients at their ends.

    Args:
        chart: the chart.
        rows: (A,) which inputs.
        intervals: how many on each line.
        batch_size: the largest batch that the critic sees.
    """

    def __init__(self, chart: Chart, rows: Tensor, intervals: int, batch_size: int) -> None:
        self.chart, self.rows, self.intervals, self.batch_size = chart, rows, intervals, batch_size
        origin = chart.origin[rows] if len(chart.origin) > 1 else chart.origin
        self.origin, self.whole = origin.double(), chart.point[rows].double() - origin.double()
        t = torch.arange(intervals + 1, dtype=torch.float64, device=rows.device) / intervals
        anchors = self.origin[:, None] + t.view(1, -1, *[1] * (origin.ndim - 1)) * self.whole[:, None]
        slopes = self._slopes(anchors.flatten(0, 1), rows.repeat_interleave(intervals + 1)).view_as(anchors)
        self.starts, self.first, self.last = (x.flatten(2) for x in (anchors[:, :-1], slopes[:, :-1], slopes[:, 1:]))

    def _slopes(self, points: Tensor, rows: Tensor) -> Tensor:
        """(M, *coordinates) float64 gradients at float64 points."""

        def slope(piece: Tensor, index: Tensor) -> Tensor:
            return self.chart.gradient(piece.to(self.chart.point.dtype), index).double()

        return tensors.batched(slope, self.batch_size, points, rows)

    def walked(self, active: Tensor, steps: int, fraction: float, max_dist: float) -> Tensor:
        """(A', *coordinates) float64 values of the inputs that are ``active`` (A,) bool, with that many steps."""
        whole, k = self.whole[active], self.intervals
        across = (whole / k).flatten(1).repeat_interleave(k, 0)
        start, slope, last = (x[active].flatten(0, 1) for x in (self.starts, self.first, self.last))
        rows = self.rows[active].repeat_interleave(k)
        place, values = torch.zeros_like(across), torch.zeros_like(across)
        for step in range(1, steps + 1):
            if step == steps:
                ahead, after = torch.ones_like(place), last
            else:
                bounds = max(step / steps - max_dist, 0.0), min(step / steps + max_dist, 1.0)
                ahead = advanced(place, slope.abs(), across.abs(), step / steps, bounds, fraction)
                points = (start + ahead * across).view(-1, *whole.shape[1:])
                after = self._slopes(points, rows).flatten(1)
            values += (ahead - place) * across * (slope + after) / 2
            place, slope = ahead, after
        return values.view(len(whole), k, *whole.shape[1:]).sum(1)


def advanced(
    place: Tensor, steep: Tensor, distance: Tensor, goal: float, bounds: tuple[float, float], fraction: float
) -> Tensor:
    """Where one step of the paper's algorithm 1 leads: the coordinates with the smallest gradients move first.

    Args:
        place: (R, F) how far each coordinate has come, 0 to 1.
        steep: (R, F) absolute gradients.
        distance: (R, F) absolute distance that each coordinate goes in all.
        goal: share of a row's distance, summed over its coordinates, that is behind it after the step.
        bounds: no coordinate is nearer to the start, or to the end, than this.
        fraction: of the coordinates, which move at a time.
    """
    low, high = bounds
    place = place.clamp(min=low)
    free = steep.masked_fill((place >= high) | (distance == 0), torch.inf)
    total = distance.sum(1)
    smallest = 1 + int(fraction * (distance.shape[1] - 1))
    while True:
        left = goal * total - (distance * place).sum(1)
        going = (left > NEAR * total) & free.isfinite().any(1)
        if not going.any():
            return place
        most = free.kthvalue(smallest, 1, keepdim=True).values
        chosen = (free <= most) & free.isfinite() & going[:, None]
        room = (distance * (high - place) * chosen).sum(1)
        share = (left / room).clamp(0, 1)[:, None]
        moved = torch.where(share < 1, place + share * (high - place), high)
        place = torch.where(chosen, moved, place)
        free = free.masked_fill(chosen, torch.inf)
