"""Cooperative games with known Shapley values, and critics that play them on the pixels of an image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganexplain.attribution.methods._shapley import ShapleyMethod
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


def estimates(run: ShapleyMethod, n: int, *, games: int, seeds: int) -> tuple[Tensor, Tensor]:
    """Errors and standard errors, both (games * seeds, n), of what a method estimates of `dividends`."""
    errors, spreads = [], []
    for game in range(games):
        phi, worth = dividends(n, game)
        change = float(worth(torch.ones(1, n)) - worth(torch.zeros(1, n)))
        for seed in range(seeds):
            keep = run._draw(n, 1000 * game + seed)
            value, spread = run._estimate(keep, worth(keep), change)
            errors.append(value - phi)
            spreads.append(spread)
    return torch.stack(errors), torch.stack(spreads)


def covered(errors: Tensor, spreads: Tensor) -> float:
    """Share of errors within 1.96 standard errors."""
    return float((errors.abs() <= 1.96 * spreads + 1e-12).double().mean())
