"""Expected gradients."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.attribution import players as groups
from ganexplain.attribution.baselines.reals import Reals
from ganexplain.attribution.chart import BaselineLike, Chart, Domain
from ganexplain.attribution.methods._base import ENDS, FEWEST, Method, Outcome
from ganexplain.attribution.methods._draws import CELL, Sampled
from ganexplain.models.critic import Critic

__all__ = ["ExpectedGradients"]

PILOT = 10  # gradients on the way from the mean baseline
FIRST = 80  # draws of the first round, before which no error is believed; each later one has as many as all before it


class ExpectedGradients(Method):
    """Gradients integrated from many baselines at once, drawn at random: SHAP's gradient explainer (Erion et al. 2021).

    Args:
        critic: the critic to explain.
        domain: coordinates; pixels by default.
        baseline: one, or a set of them; all of the critic's reference reals by default, where it knows any.
        tol: an image is done when the root sum square of its players' standard errors is below tol times that of its
            players' values.
        max_evaluations: gradients an image, at most; above it the image is reported as not converged.
        batch_size: the largest batch that the critic sees.

    The values sum to the change from the mean over the baselines, up to the error of sampling. A draw is a baseline and
    a point on the way from it. Eight draws share a stratum (an interval of the way, and where there are few baselines
    one of them), so that they differ by chance alone and the standard error stays right. Only what the critic has that
    is not linear is sampled: with s the mean gradient on the way from the mean baseline, the estimate is
    s * (image - mean baseline) plus the mean of (gradient - s) * (image - baseline), which has the right mean whatever
    s is, and for a linear critic no error. What a draw's values should sum to on average is known, so that the sampled
    sum's deviation from it is taken back in proportion to each value's covariance with the sum (a control variate).
    """

    name: ClassVar[str] = "expected_gradients"
    complete: ClassVar[bool] = True
    sampled: ClassVar[bool] = True
    needs: ClassVar[str] = "gradients"
    sets: ClassVar[bool] = True

    def __init__(
        self,
        critic: Critic,
        *,
        domain: Domain | None = None,
        baseline: BaselineLike = None,
        tol: float = 0.1,
        max_evaluations: int = 810,
        batch_size: int = 64,
    ) -> None:
        super().__init__(critic, domain=domain, baseline=baseline, batch_size=batch_size)
        if baseline is None and critic.reference is not None and not self.domain.brings_origins:
            self.baseline = Reals(n=len(critic.reference.images))
        self.tol = checks.positive(tol, "tol")
        if max_evaluations < FEWEST:
            raise ValueError(f"max_evaluations must be at least {FEWEST}, got {max_evaluations}")
        self.max_evaluations = int(max_evaluations)

    def planned(self, n_players: int) -> int:
        """The budget, and the ends."""
        return self.max_evaluations + ENDS

    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        if chart.players is None:
            raise ValueError(f"{self.name} gives standard errors per player, and the domain {chart.domain!r} has none")
        ways, players = chart.members(), chart.players
        total = torch.zeros(len(chart.point), int(groups.counts(players).max()), dtype=torch.float64)
        values, used, done = torch.empty_like(chart.point), [], []
        for row in range(len(chart.point)):
            labels = players[row : row + 1] if len(players) > 1 else players
            values[row], error, n = self._one(chart, ways, labels, row, seed)
            total[row, : len(error)] = error.cpu()
            used.append(n + len(ways) - 1)
            done.append(self._close(groups.totals(values[row : row + 1].double(), labels)[0], error))
        return Outcome(values, torch.tensor(used), error=total, converged=torch.tensor(done))

    def _one(self, chart: Chart, ways: list[Chart], labels: Tensor, row: int, seed: int) -> tuple[Tensor, Tensor, int]:
        """Values (*coordinates), errors (P,) and evaluations of one input."""
        slope = self._pilot(chart, row)
        whole = (chart.point[row] - chart.origin[row if len(chart.origin) > 1 else 0]).double()
        point, origin = chart.ends(self.batch_size)
        sampled = Sampled(labels, float(point[row] - origin[row]) - float((slope * whole).sum()))
        draws, n = _Draws(chart, ways, row, slope), 0
        while True:
            left = self.max_evaluations - PILOT - n
            which, t = design(len(ways), min(max(n, FIRST), max(left, CELL)), seed, n)
            for found in tensors.pieces(draws.at, self.batch_size, which, t):
                sampled.add(found)
            n += len(t)
            values, error = slope * whole + sampled.mean(), sampled.error()
            done = self._close(groups.totals(values[None], labels)[0], error)
            if done or self.max_evaluations - PILOT - n < FIRST:
                return values.to(chart.point.dtype), error, n + PILOT

    def _pilot(self, chart: Chart, row: int) -> Tensor:
        """(*coordinates) the mean gradient on the way from the mean baseline."""
        t = (torch.arange(PILOT, dtype=torch.float64, device=chart.point.device) + 0.5) / PILOT
        rows = torch.full((PILOT,), row, device=t.device)

        def slope(fractions: Tensor, piece: Tensor) -> Tensor:
            return chart.gradient(chart.at(fractions, piece)[0], piece).double()

        return tensors.batched(slope, self.batch_size, t, rows).mean(0)

    def _close(self, totals: Tensor, error: Tensor) -> bool:
        return bool(error.norm() <= self.tol * totals.norm())


class _Draws:
    """What the draws of one input add to the linear part."""

    def __init__(self, chart: Chart, ways: list[Chart], row: int, slope: Tensor) -> None:
        self.chart, self.ways, self.row, self.slope = chart, ways, row, slope
        self.origins = torch.stack([way.origin[row if len(way.origin) > 1 else 0] for way in ways])

    def at(self, which: Tensor, t: Tensor) -> Tensor:
        """(M, *coordinates) float64 at fractions ``t`` (M,) of the ways ``which`` (M,)."""
        rows = torch.full((len(t),), self.row, device=self.chart.point.device)
        points, velocities = self._between(which, t) if self.chart.path is None else self._along(which, t, rows)
        return (self.chart.gradient(points, rows).double() - self.slope) * velocities.double()

    def _between(self, which: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Points and velocities on the domain's ways, of all baselines at once."""
        origin = self.origins[which.to(self.origins.device)]
        return self.chart.between(origin, self.chart.point[self.row].expand_as(origin), t.to(origin.device))

    def _along(self, which: Tensor, t: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        points, velocities = torch.empty(0), torch.empty(0)
        for k in torch.unique(which).tolist():
            own = (which == k).to(rows.device)
            point, velocity = self.ways[k].at(t.to(rows.device)[own], rows[own])
            if not points.numel():
                points, velocities = (x.new_empty(len(t), *x.shape[1:]) for x in (point, velocity))
            points[own], velocities[own] = point, velocity
        return points, velocities


def design(k: int, draws: int, seed: int, drawn: int) -> tuple[Tensor, Tensor]:
    """Baselines (M,) and fractions of the way (M,) of at most ``draws`` draws, those of a stratum one after another.

    With no more baselines than strata each baseline has equally many strata, each an interval of the way; else the
    strata are intervals alone, and each draw has a baseline at random.

    Args:
        k: number of baselines.
        draws: how many, at least `CELL`.
        seed: of the draws.
        drawn: how many draws were made before, so that each round has a stream of its own.
    """
    rng, strata = tensors.rng(seed, "draws", drawn), draws // CELL
    each = strata // k if k <= strata else strata
    own = k if k <= strata else 1
    place = torch.arange(each).repeat(own).repeat_interleave(CELL)
    t = (place + torch.from_numpy(rng.random(len(place)))) / each
    which = (
        torch.arange(k).repeat_interleave(CELL * each) if own == k else torch.from_numpy(rng.integers(k, size=len(t)))
    )
    return which, t
