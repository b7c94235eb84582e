"""Owen values."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from math import frexp, ldexp
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from ganexplain.attribution import players as groups
from ganexplain.attribution.chart import Chart
from ganexplain.attribution.methods._base import ENDS, CoalitionMethod, Outcome
from ganexplain.attribution.methods._hierarchy import Hierarchy, most_openings

__all__ = ["Owen"]

ROUND = 32  # nodes opened together, two coalitions each: the default batch, whatever the batch size is
ROUNDS = 15  # at least, so that a small budget too follows what it finds; below 62 coalitions one node at a time
UNRESOLVED = 0.05  # share of the gross that may be spread evenly over groups in a map that counts as converged
BITS = 14  # of a priority that count, and below some units in the last place it is nothing: rounding must not decide


@dataclass(frozen=True)
class Node:
    """A group of players, and the players that are in place before it.

    Attributes:
        low: start of the group in the hierarchy's order.
        high: its end.
        context: ranges of the players in place, disjoint from the group.
        without: worth of the context.
        within: worth of the context and the group.
        weight: share of the orders in which the group meets this context.
    """

    low: int
    high: int
    context: tuple[tuple[int, int], ...]
    without: float
    within: float
    weight: float

    @property
    def value(self) -> float:
        """What the group adds in this context, times the context's share."""
        return self.weight * (self.within - self.without)


class Owen(CoalitionMethod):
    """Owen values: Shapley values in which the halves of a halved image always stay together (Owen 1977).

    Args:
        critic: the critic to explain.
        domain: regions by default; in pixels, where a budget opens few nodes, the map is of blocks.
        baseline: what stands in the place of a removed player.
        max_evaluations: coalitions an image. Fewer are used where they open every node, as do 172 for 16 regions.
        batch_size: the largest batch that the critic sees.

    The players are halved again and again across their longest extent. The group that adds most is opened next, into
    its two halves in both orders, as in shap's partition explainer; what the budget leaves closed is spread evenly over
    its players. The sum holds at any budget, and a map counts as converged when at most 5 % of the gross is spread so.
    """

    name: ClassVar[str] = "owen"
    complete: ClassVar[bool] = True
    most_players: ClassVar[int] = 2**20

    def planned(self, n_players: int) -> int:
        """The number asked for, or what opens every node of any hierarchy; and the ends."""
        return 2 + 2 * most_openings(n_players, self._openings) + ENDS

    @property
    def _openings(self) -> int:
        return (self.max_evaluations - 2) // 2

    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        players = groups.limited(chart.players, self.most_players, self.name).expand(chart.point.shape)
        total = torch.zeros(len(players), int(groups.counts(players).max()), dtype=torch.float64)
        used, converged = [], []
        for row, labels in enumerate(players):
            opening = Opening(chart, row, Hierarchy(labels, chart.places), self.batch_size)
            opening.run(self._openings)
            phi = opening.values()
            total[row, : len(phi)] = phi
            used.append(opening.evaluations)
            converged.append(opening.unresolved <= UNRESOLVED * float(phi.abs().sum()))
        values = groups.spread(total.to(chart.point.device), players, chart.point.shape)
        return Outcome(values.to(chart.point.dtype), torch.tensor(used), converged=torch.tensor(converged))


class Opening:
    """The state of the recursion for one input.

    Args:
        chart: the chart.
        row: which input.
        hierarchy: of the input's players.
        batch_size: the largest batch that the critic sees.
    """

    def __init__(self, chart: Chart, row: int, hierarchy: Hierarchy, batch_size: int) -> None:
        self.chart, self.row, self.hierarchy, self.batch_size = chart, row, hierarchy, batch_size
        n = len(hierarchy.order)
        without, within = self._worth([(), ((0, n),)])
        self.evaluations, self.pushed = 2, 0
        self.rounding = 8 * torch.finfo(chart.point.dtype).eps * max(abs(without), abs(within))
        self.closed: list[tuple[float, int, Node]] = []
        self.single = np.zeros(n)
        self._push(Node(0, n, (), without, within, 1.0))

    @property
    def unresolved(self) -> float:
        """Absolute value that is spread evenly over groups."""
        return sum(abs(node.value) for *_, node in self.closed)

    def run(self, openings: int) -> None:
        """Open at most that many nodes, those that add most first."""
        together = min(ROUND, max(1, openings // ROUNDS))
        while self.closed and openings > 0:
            chosen = [heappop(self.closed)[2] for _ in range(min(together, openings, len(self.closed)))]
            openings -= len(chosen)
            self._open(chosen)

    def values(self) -> Tensor:
        """(P,) float64 value per player."""
        value = self.single.copy()
        for *_, node in self.closed:
            value[self.hierarchy.order[node.low : node.high]] += node.value / (node.high - node.low)
        return torch.from_numpy(value)

    def _open(self, nodes: list[Node]) -> None:
        cuts = [self.hierarchy.cut(node.low, node.high) for node in nodes]
        asked = [
            (*node.context, half)
            for node, cut in zip(nodes, cuts, strict=True)
            for half in ((node.low, cut), (cut, node.high))
        ]
        worth = self._worth(asked)
        self.evaluations += len(asked)
        for i, (node, cut) in enumerate(zip(nodes, cuts, strict=True)):
            left, right = worth[2 * i], worth[2 * i + 1]
            low, high, context, half = node.low, node.high, node.context, node.weight / 2
            self._push(Node(low, cut, context, node.without, left, half))
            self._push(Node(cut, high, context, node.without, right, half))
            self._push(Node(low, cut, (*context, (cut, high)), right, node.within, half))
            self._push(Node(cut, high, (*context, (low, cut)), left, node.within, half))

    def _push(self, node: Node) -> None:
        if node.high - node.low == 1:
            self.single[self.hierarchy.order[node.low]] += node.value
            return
        self.pushed += 1  # among equals, the oldest first
        fraction, exponent = frexp(abs(node.value) if abs(node.value) > node.weight * self.rounding else 0.0)
        heappush(self.closed, (-ldexp(round(fraction * 2**BITS), exponent), self.pushed, node))

    def _worth(self, asked: list[tuple[tuple[int, int], ...]]) -> list[float]:
        order = self.hierarchy.order
        placed = np.zeros((len(asked), len(order)), dtype=bool)
        for i, ranges in enumerate(asked):
            for low, high in ranges:
                placed[i, low:high] = True
        keep = np.empty_like(placed)
        keep[:, order] = placed
        worth: list[float] = self.chart.coalitions(torch.from_numpy(keep), self.row, self.batch_size).tolist()
        return worth
