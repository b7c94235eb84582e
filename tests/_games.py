"""Cooperative games with known Shapley values, and critics that play them on the pixels of an image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganexplain.tensors import rng

Worth = Callable[[Tensor], Tensor]


def dividends(n: int, seed: int, *, terms: int = 60, largest: int = 5) -> tuple[Tensor, Worth]:
    """Shapley values and worth of a sum of unanimity games: a set's dividend is shared evenly (Harsanyi 1963).

    The worth is a polynomial in the indicators (M, n) of the players, float or bool.
    """
    draw = rng(seed, "game", n)
    sets = [draw.choice(n, int(draw.integers(1, largest + 1)), replace=False) for _ in range(terms)]
    sizes = draw.standard_normal(terms)
    phi = torch.zeros(n, dtype=torch.float64)
    for members, size in zip(sets, sizes, strict=True):
        phi[members] += size / len(members)

    def worth(keep: Tensor) -> Tensor:
        parts = [size * keep[:, members].double().prod(1) for members, size in zip(sets, sizes, strict=True)]
        return torch.stack(parts).sum(0)

    return phi, worth


def player(worth: Worth) -> Callable[[Tensor], Tensor]:
    """A model whose indicators are the pixels: -1 is absent, +1 is present."""
    return lambda x: worth((x.flatten(1) + 1) / 2)


def whole(n: int) -> Tensor:
    """(1, 1, 1, n) an image with every player present; the black image has none."""
    return torch.ones(1, 1, 1, n, dtype=torch.float64)
