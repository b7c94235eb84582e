"""Kernel SHAP."""

from __future__ import annotations

from math import comb
from typing import ClassVar

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.attribution import players as groups
from ganexplain.attribution.chart import Chart
from ganexplain.attribution.methods._base import ENDS, CoalitionMethod, Outcome
from ganexplain.attribution.methods._regression import sandwich

__all__ = ["KernelShap"]

EXACT = 12  # 4,096 coalitions
WORTH = 5  # times the budget that exact values may cost: 12 players by default, fewer where maps are only compared


class KernelShap(CoalitionMethod):
    """Shapley values of the players: exact up to 12 of them, else sampled with standard errors (Lundberg and Lee 2017).

    Args:
        critic: the critic to explain.
        domain: regions by default.
        baseline: what stands in the place of a removed player.
        max_evaluations: coalitions an image where there are more than 12 players, or where all coalitions would be more
            than five times as many.
        batch_size: the largest batch that the critic sees.

    Coalitions are drawn in pairs with their complement (Covert and Lee 2021), and the same ones for every image, so
    that an image's values do not depend on its neighbours.
    """

    name: ClassVar[str] = "kernel_shap"
    complete: ClassVar[bool] = True
    sampled: ClassVar[bool] = True

    def planned(self, n_players: int) -> int:
        """Every coalition where values are exact, else the number asked for, at least eight a player; and the ends."""
        return self._coalitions(n_players) + ENDS

    def _coalitions(self, n: int) -> int:
        return int(2**n) if self._is_exact(n) else 2 * max(self.max_evaluations // 2, 4 * n) + 2

    def _is_exact(self, n: int) -> bool:
        return n <= EXACT and 2**n <= WORTH * self.max_evaluations

    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        players = groups.limited(chart.players, self.most_players, self.name)
        players = players.expand(chart.point.shape)
        most = int(groups.counts(players).max())
        total = torch.zeros(len(players), most, dtype=torch.float64)
        error = torch.zeros_like(total)
        used = []
        for row, n in enumerate(groups.counts(players).tolist()):
            if self._is_exact(n):
                value, spread_ = self._exact(chart, row, n), torch.zeros(n, dtype=torch.float64)
            else:
                value, spread_ = self._sampled(chart, row, n, seed)
            total[row, :n], error[row, :n] = value, spread_
            used.append(self._coalitions(n))
        values = groups.spread(total.to(chart.point.device), players, chart.point.shape)
        return Outcome(values.to(chart.point.dtype), torch.tensor(used), error=error)

    def _exact(self, chart: Chart, row: int, n: int) -> Tensor:
        index = torch.arange(2**n)
        keep = (index[:, None] >> torch.arange(n)) & 1
        worth = chart.coalitions(keep.bool(), row, self.batch_size)
        size = keep.sum(1)
        weight = torch.tensor([1 / (n * comb(n - 1, k)) if k < n else 0.0 for k in range(n + 1)], dtype=torch.float64)
        phi = torch.zeros(n, dtype=torch.float64)
        for player in range(n):
            without = index[keep[:, player] == 0]
            phi[player] = (weight[size[without]] * (worth[without + 2**player] - worth[without])).sum()
        return phi

    def _sampled(self, chart: Chart, row: int, n: int, seed: int) -> tuple[Tensor, Tensor]:
        keep = coalition_pairs(n, max(self.max_evaluations // 2, 4 * n), seed)
        ends = chart.coalitions(torch.tensor([[False] * n, [True] * n]), row, self.batch_size)
        worth = chart.coalitions(keep, row, self.batch_size)
        return constrained_fit(keep.double(), worth - ends[0], float(ends[1] - ends[0]))


def coalition_pairs(n: int, pairs: int, seed: int) -> Tensor:
    """(2 * pairs, n) bool coalitions, each followed by its complement; sizes follow the Shapley kernel."""
    rng = tensors.rng(seed, "coalitions", n)
    sizes = torch.arange(1, n, dtype=torch.float64)
    kernel = 1 / (sizes * (n - sizes))
    drawn = rng.choice(sizes.long().numpy(), size=pairs, p=(kernel / kernel.sum()).numpy())
    order = torch.from_numpy(rng.random((pairs, n))).argsort(1).argsort(1)
    keep = order < torch.from_numpy(drawn)[:, None]
    return torch.stack([keep, ~keep], 1).flatten(0, 1)


def constrained_fit(design: Tensor, worth: Tensor, change: float) -> tuple[Tensor, Tensor]:
    """Least squares of ``worth`` (M,) on ``design`` (M, P) whose coefficients sum to ``change``; and standard errors.

    Rows are drawn with the Shapley kernel as their probability, so they carry equal weights. The constraint is Covert
    and Lee (2021), equation 7; a ridge-free pseudo-inverse serves designs in which two players were never separated.
    """
    gram = torch.linalg.pinv(design.T @ design, hermitian=True)
    ones = torch.ones(design.shape[1], dtype=design.dtype)
    pull = gram @ ones / (ones @ gram @ ones)
    free = gram @ (design.T @ worth)
    phi = free - pull * (free.sum() - change)
    bread = gram - torch.outer(pull, ones @ gram)
    return phi, sandwich(design, worth - design @ phi, torch.ones_like(worth), bread, 2)
