"""A binary tree over players: neighbours stay together, and every node is cut near its middle."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from ganexplain.attribution import players as groups

LEAST = 3  # no side of a cut has fewer than a third of the players, or the number of nodes to open explodes
SAME = 1e-6  # coordinates that differ by less are one place


class Hierarchy:
    """Players halved again and again across their longest extent, which for pixels are axis-aligned blocks.

    A cut falls between two places, so that rows and columns of a grid stay whole; where there is no such cut that
    leaves a third on both sides (regions round one centre), the players are halved in the order of their labels.
    Nodes are cut when they are first asked for, since a budget opens few of those of an image of pixels.

    Attributes:
        order: (P,) players; a node is a range [low, high) of it, and cuts only reorder within nodes.

    Args:
        players: (*coordinates) canonical labels.
        where: (P, D) where they lie; None takes the mean place of their coordinates.
    """

    def __init__(self, players: Tensor, where: Tensor | None = None) -> None:
        self._places = places(players) if where is None else where.double().cpu().numpy()
        self.order = np.arange(len(self._places))
        self._cuts: dict[tuple[int, int], int] = {}

    def cut(self, low: int, high: int) -> int:
        """Where the node [low, high) of at least two players is cut: its children are [low, cut) and [cut, high)."""
        if (low, high) not in self._cuts:
            members, first = self._halved(self.order[low:high])
            self.order[low:high] = members
            self._cuts[low, high] = low + first
        return self._cuts[low, high]

    def _halved(self, members: np.ndarray) -> tuple[np.ndarray, int]:
        here = self._places[members]
        n = len(members)
        for axis in np.argsort(-np.ptp(here, axis=0).round(6), kind="stable"):
            along = np.argsort(here[:, axis].round(6), kind="stable")
            gaps = 1 + np.flatnonzero(np.diff(here[along, axis]) > SAME)
            gaps = gaps[(LEAST * gaps >= n) & (LEAST * (n - gaps) >= n)]
            if len(gaps):
                return members[along], int(gaps[np.abs(2 * gaps - n).argmin()])
        return np.sort(members), n // 2


def places(players: Tensor) -> np.ndarray:
    """(P, D) the mean place of each player along each of the D axes of the coordinates."""
    size = groups.sizes(players[None])[0]
    axes = []
    for axis, extent in enumerate(players.shape):
        index = torch.arange(extent, dtype=torch.float64, device=players.device)
        index = index.view(-1, *[1] * (players.ndim - axis - 1)).expand(players.shape)
        axes.append(groups.totals(index[None], players[None])[0] / size)
    return torch.stack(axes, 1).cpu().numpy()


@cache
def most_openings(n: int, enough: int) -> int:
    """The most nodes, each with each of its contexts, that any hierarchy of n players has; cut off at ``enough``."""
    if n < 2 or enough <= 0:
        return 0
    if n * n > 3 * enough + 1:  # even halves have (n^2 - 1) / 3, and uneven ones more
        return enough
    cuts = range(-(-n // LEAST), n // 2 + 1)
    return min(enough, 1 + 2 * max(most_openings(a, enough) + most_openings(n - a, enough) for a in cuts))
