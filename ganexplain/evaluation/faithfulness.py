"""Does the order of a map matter to the critic? Insertion minus deletion against random orders of the same players."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import comb

import numpy as np
import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.attribution import players as groups
from ganexplain.attribution.chart import Chart

LEVELS = 8  # sizes of the kept set at which an order is probed
SAME = 1e-3  # relative difference of two scores below which they are the same
MEMBERS = 4  # of a set of baselines whose mean does not exist, over which every coalition is averaged
FEWEST = 4  # 3 players have 6 orders: the best of them cannot be told from chance at 5 %


@dataclass(frozen=True)
class Orders:
    """One input's players, and what random orders of them score.

    Attributes:
        chart: the regions of one input.
        sign: +1 when the evidence is for "real", -1 for "fake".
        levels: sizes of the set that is kept or removed.
        random: (R,) scores of random orders.
        batch_size: the largest batch that the critic sees.

    No coalition is evaluated twice: of few players, orders share nearly all of theirs.
    """

    chart: Chart
    sign: int
    levels: tuple[int, ...]
    random: Tensor
    batch_size: int
    _known: dict[bytes, float] = field(default_factory=dict, repr=False, compare=False)

    def score(self, total: Tensor) -> float:
        """Insertion minus deletion of the order in which ``total`` (P,) ranks the players, in logits.

        The mean over the levels k of evidence(only the k first players) - evidence(all but the k first players): the
        difference of the areas under the insertion and deletion curves (Petsiuk et al. 2018).
        """
        rank = total.double().cpu().argsort(descending=True, stable=True).argsort()
        keep = torch.stack([rank < k for k in self.levels])
        return float(self._differences(keep).mean())

    def percentile(self, total: Tensor, *, ties: float = 0.5) -> float:
        """Share of the random orders that score lower than the order of ``total`` (P,).

        Args:
            total: the map.
            ties: how much of one that scores the same (within `SAME`) counts; where nothing is gained, one half.
        """
        own = self.score(total)
        same = ties if own > 0 else 0.5
        return shared(self.random, own, same)

    def _differences(self, keep: Tensor) -> Tensor:
        both = torch.cat([keep, ~keep])
        worth = self.sign * self._worth(both)
        return worth[: len(keep)] - worth[len(keep) :]

    def _worth(self, keep: Tensor) -> Tensor:
        """(M,) float64 evidence of coalitions (M, P)."""
        keys = [row.tobytes() for row in np.packbits(keep.cpu().numpy(), axis=1)]
        new = {key: i for i, key in reversed(list(enumerate(keys))) if key not in self._known}
        if new:
            asked = keep[torch.tensor(sorted(new.values()))]
            charts = members(self.chart)
            found = torch.stack([chart.coalitions(asked, 0, self.batch_size) for chart in charts]).mean(0)
            self._known.update((keys[i], float(w)) for i, w in zip(sorted(new.values()), found, strict=True))
        return torch.tensor([self._known[key] for key in keys], dtype=torch.float64)


def shared(scores: Tensor, own: float, ties: float) -> float:
    """Share of the scores (M,) below ``own``, those that equal it within `SAME` counting ``ties``."""
    tied = (scores - own).abs() <= SAME * abs(own)
    return float(((scores < own) & ~tied).double().mean() + ties * tied.double().mean())


def orders(chart: Chart, side: str, *, n_orders: int = 200, seed: int = 0, batch_size: int = 64) -> Orders:
    """Score ``n_orders`` random orders of the players of a chart with one input.

    An order and its reverse have opposite scores when the levels are symmetric, so half of them are computed.

    Args:
        chart: of one input, with at least 4 players.
        side: "fake" or "real".
        n_orders: even.
        seed: of the orders.
        batch_size: the largest batch that the critic sees.

    Raises:
        ValueError: several inputs, no players, or too few to tell an order from chance.
    """
    if chart.players is None or len(chart.point) != 1:
        raise ValueError("orders need a chart of one input with players")
    n = int(groups.counts(chart.players)[0])
    if n < FEWEST:
        raise ValueError(f"at least {FEWEST} regions are needed to compare orders, got {n}; draw a finer mask")
    if n_orders < 2 or n_orders % 2:
        raise ValueError(f"n_orders must be even and at least 2, got {n_orders}")
    levels = symmetric_levels(n)
    empty = Orders(chart, checks.side(side), levels, torch.zeros(0), batch_size)
    keep = _drawn(levels, n, n_orders, seed)
    score = empty._differences(keep).view(len(levels), -1).mean(0)
    return replace(empty, random=torch.cat([score, -score]))


def members(chart: Chart) -> list[Chart]:
    """One chart, or of a set whose mean does not exist (codes of a sphere) `MEMBERS` spread over the set."""
    if chart.shown is None or chart.origins is None:
        return [replace(chart, origins=None)]
    every = chart.members()
    return every[:: max(1, len(every) // MEMBERS)][:MEMBERS]


def symmetric_levels(n: int) -> tuple[int, ...]:
    """At most `LEVELS` sizes from 1 to n - 1 such that k is among them when n - k is."""
    if n - 1 <= LEVELS:
        return tuple(range(1, n))
    lower = {round(i * n / (LEVELS + 1)) for i in range(1, LEVELS // 2 + 1)}
    return tuple(sorted({max(1, k) for k in lower} | {n - max(1, k) for k in lower}))


def planned(n_players: int, n_orders: int = 200, *, seed: int = 0, n_scores: int = 0) -> int:
    """The most coalitions that `orders` evaluates, with ``n_scores`` maps that are scored afterwards.

    None where there are too few players to compare orders.
    """
    if n_players < FEWEST:
        return 0
    levels = symmetric_levels(n_players)
    keep = _drawn(levels, n_players, n_orders, seed)
    distinct = len(torch.unique(torch.cat([keep, ~keep]), dim=0))
    return min(distinct + 2 * len(levels) * n_scores, sum(comb(n_players, k) for k in levels))


def _drawn(levels: tuple[int, ...], n: int, n_orders: int, seed: int) -> Tensor:
    """(levels * n_orders / 2, n) bool, what random orders keep at each level; their reverses keep the others."""
    order = torch.from_numpy(tensors.rng(seed, "orders", n).random((n_orders // 2, n))).argsort(1)
    return torch.cat([order < k for k in levels])
