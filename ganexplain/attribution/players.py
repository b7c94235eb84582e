"""Players: groups of coordinates that are removed together, as integer labels on the coordinates."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain import checks


def canonical(players: Tensor) -> Tensor:
    """Relabel each row of (R, *coordinates) to 0..P-1 in the order of first appearance: labels never matter.

    >>> canonical(torch.tensor([[7, 7, 3, 9]]))
    tensor([[0, 0, 1, 2]])
    """
    rows = []
    for row in players:
        flat = row.reshape(-1)
        labels, inverse = torch.unique(flat, return_inverse=True)
        first = torch.full((len(labels),), flat.numel(), device=flat.device)
        first.scatter_reduce_(0, inverse, torch.arange(flat.numel(), device=flat.device), "amin")
        rank = torch.empty_like(first)
        rank[first.argsort()] = torch.arange(len(labels), device=flat.device)
        rows.append(rank[inverse].reshape(row.shape))
    return torch.stack(rows)


def counts(players: Tensor) -> Tensor:
    """(R,) number of players of each row of canonical labels."""
    return players.flatten(1).amax(1) + 1


def totals(values: Tensor, players: Tensor) -> Tensor:
    """(N, P) sum of (N, *coordinates) over each player; rows with fewer players end in zeros."""
    labels = players.expand(values.shape).flatten(1)
    out = values.new_zeros(len(values), int(counts(players).max()))
    return out.scatter_add(1, labels, values.flatten(1))


def sizes(players: Tensor) -> Tensor:
    """(R, P) number of coordinates of each player."""
    return totals(torch.ones(players.shape, dtype=torch.float64, device=players.device), players)


def spread(total: Tensor, players: Tensor, shape: torch.Size) -> Tensor:
    """(N, *coordinates) values that give each player its total, evenly over its coordinates, so that sums hold."""
    labels = players.expand(shape).flatten(1)
    share = total / sizes(players.expand(shape)).to(total).clamp(min=1)
    return share.gather(1, labels).reshape(shape)


def compose(point: Tensor, origin: Tensor, players: Tensor, keep: Tensor) -> Tensor:
    """(M, *coordinates): the point where ``keep`` (M, P) is true for the coordinate's player, the origin elsewhere.

    Args:
        point: (M or 1, *coordinates).
        origin: (M or 1, *coordinates).
        players: (M or 1, *coordinates) canonical labels.
        keep: (M, P) bool.
    """
    return torch.where(kept(players, keep), point, origin)


def kept(players: Tensor, keep: Tensor) -> Tensor:
    """(M, *coordinates) bool: whether ``keep`` (M, P) is true for the player of each coordinate."""
    labels = players.flatten(1).expand(len(keep), -1)
    return keep.gather(1, labels).reshape(len(keep), *players.shape[1:])


def limited(players: Tensor | None, most: int, method: str) -> Tensor:
    """Return ``players`` if there are any and no row has more than ``most``.

    Raises:
        ValueError: no players, or too many; the message names the domain of regions.
    """
    if players is None:
        raise ValueError(f"{method} removes groups of coordinates, and this domain has none; use domain=Region()")
    have = int(counts(players).max())
    if have > most:
        raise ValueError(
            f"{method} takes at most {most} players, got {have}; use domain=Region(), or a mask with fewer regions"
        )
    return players


def check_labels(players: Tensor, name: str = "players") -> Tensor:
    """Return integer labels, refused if they are not integers."""
    if players.is_floating_point() or players.is_complex():
        raise TypeError(f"{name} must be integer labels, got {players.dtype}")
    checks.positive(players.numel(), name)
    return players.long()
