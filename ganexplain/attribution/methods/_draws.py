"""The mean of draws whose sum is known on average, with standard errors."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain.attribution import players as groups

HALF = 4
CELL = (
    2 * HALF
)  # draws in each stratum: with two, a few kinks make nearly all of the variance, and its estimate is far off
TINY = torch.finfo(torch.float64).tiny


class Sampled:
    """Draws of values in strata of `CELL`, one after another.

    With v a value and S the sum of a draw's values, the estimate is mean v - b (mean S - its known mean), b = cov(v, S)
    / var(S) within strata: the regression estimator of survey sampling. The b of all values sum to one, so that the
    estimates sum to what is known, and the error is that of the residual v - b S. One half of each stratum takes its b
    from the other half: where a few draws make most of the variance, residuals from their own fit would be too small.

    Args:
        labels: (1, *coordinates) canonical players, whose totals get errors.
        known: what the values of a draw sum to on average.
    """

    def __init__(self, labels: Tensor, known: float) -> None:
        self.labels, self.known = labels, known
        self.held = torch.empty(0)
        self.folds = _Fold(), _Fold()

    def add(self, draws: Tensor) -> None:
        """Take in float64 draws (M, *coordinates)."""
        draws = torch.cat([self.held, draws]) if self.held.numel() else draws
        whole = len(draws) // CELL * CELL
        self.held = draws[whole:]
        if whole:
            strata = draws[:whole].view(-1, 2, HALF, *draws.shape[1:])
            parts = groups.totals(draws[:whole], self.labels).view(*strata.shape[:3], -1)
            for half, fold in enumerate(self.folds):
                fold.take(strata[:, half], parts[:, half])

    def mean(self) -> Tensor:
        """(*coordinates) estimates, which sum to what is known unless all draws have one sum."""
        one, two = self.folds
        estimate: Tensor = (self._adjusted(one, two) + self._adjusted(two, one)) / (one.n + two.n)
        return estimate

    def _adjusted(self, fold: _Fold, other: _Fold) -> Tensor:
        off = float(fold.sums.sum()) - fold.n * self.known
        return fold.sums - other.ratio(other.covariance) * off

    def error(self) -> Tensor:
        """(P,) standard errors of the players' totals.

        They are widened by what Student's interval is wider than the normal one, so that 1.96 of them cover the truth
        in 95 of 100 cases; the degrees of freedom are Satterthwaite's (1946) with the correction for estimated parts.
        """
        both = self.folds, self.folds[::-1]
        found = [fold.residual(other.ratio(other.moments["c"])) for fold, other in both]
        first, second = (one + two for one, two in zip(*found, strict=True))
        freedom = ((HALF + 1) * first.square() / second.clamp(min=TINY) - 2).clamp(min=HALF - 1)
        n = sum(fold.n for fold in self.folds)
        error: Tensor = first.sqrt() / n * (1 + 1.21 / freedom + 1.44 / freedom.square())
        return error


class _Fold:
    """Sums over half strata; of variances a of v, b of S and covariances c, each HALF times as large, and products."""

    def __init__(self) -> None:
        self.n = 0
        self.sums = self.covariance = torch.zeros((), dtype=torch.float64)
        self.moments = {name: self.sums for name in ("a", "b", "c", "aa", "bb", "cc", "ab", "ac", "bc")}

    def take(self, strata: Tensor, parts: Tensor) -> None:
        """Take in half strata (K, HALF, *coordinates) and their totals (K, HALF, P)."""
        self.n += len(strata) * HALF
        self.sums = self.sums + strata.sum((0, 1))
        total = strata.flatten(2).sum(2)
        centred = (total - total.mean(1, keepdim=True)) * (HALF / (HALF - 1))
        self.covariance = self.covariance + torch.einsum("kc,kc...->...", centred, strata)
        a, b, c = HALF * parts.var(1), HALF * total.var(1)[:, None], torch.einsum("kc,kcp->kp", centred, parts)
        found = {"a": a, "b": b, "c": c, "aa": a * a, "bb": b * b, "cc": c * c, "ab": a * b, "ac": a * c, "bc": b * c}
        self.moments = {name: self.moments[name] + value.sum(0) for name, value in found.items()}

    def ratio(self, covariance: Tensor) -> Tensor:
        """``covariance`` / var(S), or zeros where all draws have one sum."""
        spread = float(self.moments["b"])
        share: Tensor = covariance / spread if spread > TINY else torch.zeros_like(covariance)
        return share

    def residual(self, beta: Tensor) -> tuple[Tensor, Tensor]:
        """(P,) sum over strata of the variance of v - beta S, and of its square, written out."""
        m = self.moments
        first = m["a"] - 2 * beta * m["c"] + beta**2 * m["b"]
        second = m["aa"] + 4 * beta**2 * m["cc"] + beta**4 * m["bb"]
        second = second - 4 * beta * m["ac"] + 2 * beta**2 * m["ab"] - 4 * beta**3 * m["bc"]
        return first.clamp(min=0), second.clamp(min=0)
