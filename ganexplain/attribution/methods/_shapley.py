"""Shapley values of the players: exact where that is cheap, else as a subclass estimates them."""

from __future__ import annotations

from abc import abstractmethod
from math import comb
from typing import ClassVar

import torch
from torch import Tensor

from ganexplain.attribution import players as groups
from ganexplain.attribution.chart import Chart
from ganexplain.attribution.methods._base import ENDS, CoalitionMethod, Outcome

EXACT = 12  # 4,096 coalitions
WORTH = 5  # times the budget that exact values may cost: 12 players by default, fewer where maps are only compared


class ShapleyMethod(CoalitionMethod):
    """Base of the estimators of Shapley values.

    Values are exact where the budget pays for all coalitions, and up to 12 players for five times the budget. What an
    estimator draws depends on the number of players and the seed alone, so that an image's values do not depend on its
    neighbours.
    """

    complete: ClassVar[bool] = True
    sampled: ClassVar[bool] = True

    def planned(self, n_players: int) -> int:
        """Every coalition where values are exact, else those that are drawn; and the ends."""
        return self._coalitions(n_players) + ENDS

    def _coalitions(self, n: int) -> int:
        return int(2**n) if self._is_exact(n) else self._drawn(n) + 2

    def _is_exact(self, n: int) -> bool:
        return bool(2**n <= self.max_evaluations * (WORTH if n <= EXACT else 1))

    @abstractmethod
    def _drawn(self, n: int) -> int:
        """Number of coalitions drawn for n players, beside the empty and the whole one."""

    @abstractmethod
    def _draw(self, n: int, seed: int) -> Tensor:
        """(M, n) bool coalitions, the same for every image."""

    @abstractmethod
    def _estimate(self, keep: Tensor, worth: Tensor, change: float) -> tuple[Tensor, Tensor]:
        """Values and standard errors (both P,) of the coalitions (M, P) from their worth (M,) above the empty one's."""

    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        players = groups.limited(chart.players, self.most_players, self.name).expand(chart.point.shape)
        counts = groups.counts(players).tolist()
        total = torch.zeros(len(players), max(counts), dtype=torch.float64)
        error = torch.zeros_like(total)
        drawn: dict[int, Tensor] = {}
        for row, n in enumerate(counts):
            if self._is_exact(n):
                keep = coalitions(n)
                total[row, :n] = enumerated(keep, chart.coalitions(keep, row, self.batch_size))
                continue
            if n not in drawn:
                drawn[n] = torch.cat([torch.tensor([[False] * n, [True] * n]), self._draw(n, seed)])
            worth = chart.coalitions(drawn[n], row, self.batch_size)
            worth = worth - worth[0]
            total[row, :n], error[row, :n] = self._estimate(drawn[n][2:], worth[2:], float(worth[1]))
        values = groups.spread(total.to(chart.point.device), players, chart.point.shape)
        used = torch.tensor([self._coalitions(n) for n in counts])
        return Outcome(values.to(chart.point.dtype), used, error=error)


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
