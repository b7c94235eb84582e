"""Shapley values of the players: exact where that is cheap, else as a subclass estimates them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from math import comb
from typing import ClassVar

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.attribution import players as groups
from ganexplain.attribution.chart import Chart
from ganexplain.attribution.methods._base import ENDS, CoalitionMethod, Outcome

EXACT = 12  # 4,096 coalitions
TINY = torch.finfo(torch.float64).tiny
WORTH = 5  # times the budget that exact values may cost: 12 players by default, fewer where maps are only compared


class ShapleyMethod(CoalitionMethod):
    """Base of the estimators of Shapley values.

    Values are exact where the budget pays for all coalitions, and up to 12 players for five times the budget. What an
    estimator draws depends on the number of players and the seed alone, so that an image's values do not depend on its
    neighbours.

    Over a set of baselines the game is the mean of theirs, whose Shapley values are the mean of theirs. The budget is
    that of the whole set: it is shared among the baselines, each with draws of its own and no fewer than its estimate
    needs. The baselines differ by more than chance, so only what is drawn for each makes the standard error.
    """

    complete: ClassVar[bool] = True
    sampled: ClassVar[bool] = True
    sets: ClassVar[bool] = True

    def planned(self, n_players: int) -> int:
        """Every coalition where values are exact, else those that are drawn; and the ends."""
        return self._coalitions(n_players) + ENDS

    def passes(self, n_players: int) -> int:
        """The most forward passes an image, with the baselines that were given: about one budget for all of them."""
        k = self.domain.baselines(self.critic, self.baseline)
        return k * self._coalitions(n_players, k) + ENDS + k - 1

    def _coalitions(self, n: int, sets: int = 1) -> int:
        """Coalitions of n players for each of ``sets`` baselines."""
        return int(2**n) if self._is_exact(n, sets) else self._drawn(n, sets) + 2

    def _is_exact(self, n: int, sets: int = 1) -> bool:
        few = n <= 2  # of which nothing can be drawn
        return few or bool(2**n * sets <= self.max_evaluations * (WORTH if n <= EXACT else 1))

    @abstractmethod
    def _drawn(self, n: int, sets: int = 1) -> int:
        """Number of coalitions drawn for n players and each of ``sets`` baselines, beside the empty and the whole."""

    @abstractmethod
    def _draw(self, n: int, seed: int, sets: int = 1) -> Tensor:
        """(M, n) bool coalitions, the same for every image."""

    @abstractmethod
    def _fitted(self, keep: Tensor, worth: Tensor, change: float) -> Fit:
        """Values and errors from coalitions (M, P) and their worth (M,) above the empty one's."""

    def _estimate(self, keep: Tensor, worth: Tensor, change: float) -> tuple[Tensor, Tensor]:
        """Values and standard errors (both P,), so wide that 1.96 of them cover 95 %."""
        return combined([self._fitted(keep, worth, change)])

    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        players = groups.limited(chart.players, self.most_players, self.name).expand(chart.point.shape)
        counts = groups.counts(players).tolist()
        total = torch.zeros(len(players), max(counts), dtype=torch.float64)
        error = torch.zeros_like(total)
        members = chart.members()
        seeds = (
            [seed]
            if len(members) == 1
            else [int(tensors.rng(seed, "baseline", k).integers(2**31)) for k in range(len(members))]
        )
        drawn: dict[tuple[int, int], Tensor] = {}
        for row, n in enumerate(counts):
            if self._is_exact(n, len(members)):
                keep = coalitions(n)
                worths = [member.coalitions(keep, row, self.batch_size) for member in members]
                total[row, :n] = enumerated(keep, torch.stack(worths).mean(0))
                continue
            fits = []
            for own, member in zip(seeds, members, strict=True):
                if (n, own) not in drawn:
                    ends = torch.tensor([[False] * n, [True] * n])
                    drawn[n, own] = torch.cat([ends, self._draw(n, own, len(members))])
                worth = member.coalitions(drawn[n, own], row, self.batch_size)
                worth = worth - worth[0]
                fits.append(self._fitted(drawn[n, own][2:], worth[2:], float(worth[1])))
            total[row, :n], error[row, :n] = combined(fits)
        values = groups.spread(total.to(chart.point.device), players, chart.point.shape)
        k = len(members)
        used = torch.tensor([k * self._coalitions(n, k) + k - 1 for n in counts])
        return Outcome(values.to(chart.point.dtype), used, error=error)


@dataclass(frozen=True)
class Fit:
    """What one estimate says.

    Attributes:
        values: (P,).
        error: (P,) plain standard errors.
        freedom: degrees of freedom behind the errors.
    """

    values: Tensor
    error: Tensor
    freedom: int


def combined(fits: list[Fit]) -> tuple[Tensor, Tensor]:
    """Mean of independent estimates and its standard error (both P,), so wide that 1.96 of them cover 95 %.

    The degrees of freedom of a sum of unequal variances are Satterthwaite's (1946), with the fourth powers corrected
    for being estimates themselves.
    """
    values, square = torch.stack([f.values for f in fits]).mean(0), torch.stack([f.error for f in fits]).square()
    freedom = float(max(fits[0].freedom, 1))
    if len(fits) == 1:
        return values, fits[0].error * widening(int(freedom))
    first, second = square.sum(0), square.square().sum(0)
    of_all = ((freedom + 2) * first.square() / second.clamp(min=TINY) - 2).clamp(min=freedom)
    wide = torch.tensor([widening(int(f)) for f in of_all.clamp(max=1e6).tolist()], dtype=torch.float64)
    return values, first.sqrt() / len(fits) * wide


def coalitions(n: int) -> Tensor:
    """(2^n, n) every coalition of n players; player i is bit i of the row's number."""
    return ((torch.arange(2**n)[:, None] >> torch.arange(n)) & 1).bool()


def enumerated(keep: Tensor, worth: Tensor) -> Tensor:
    """(n,) Shapley values from the worth (2^n,) of all `coalitions` (Shapley 1953)."""
    n = keep.shape[1]
    index, size = torch.arange(len(keep)), keep.sum(1)
    weight = torch.tensor([1 / (n * comb(n - 1, k)) for k in range(n)], dtype=torch.float64)
    phi = torch.zeros(n, dtype=torch.float64)
    for player in range(n):
        without = index[~keep[:, player]]
        phi[player] = (weight[size[without]] * (worth[without + 2**player] - worth[without])).sum()
    return phi


def widening(freedom: int) -> float:
    """Student's 97.5 % point over the normal one: times a standard error, 1.96 of it then cover 95 % for few draws.

    >>> round(widening(5), 2), round(widening(500), 2)
    (1.31, 1.0)
    """
    from scipy.special import ndtri, stdtrit

    return float(stdtrit(max(freedom, 1), 0.975) / ndtri(0.975))
