"""Mixtures of Gaussians whose modes are known: where a GAN drops some, it can be counted."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.data.sets._dataset import DataSet

N_ROWS = 50_000


def gaussians(modes: Tensor, sigma: float, *, n: int = N_ROWS, seed: int = 0, name: str = "gaussians") -> DataSet:
    """Rows of an equal mixture of round Gaussians; row ``i`` is of mode ``i % K``, so that the shares are exact.

    More rows continue, and never change, the first ones.

    Args:
        modes: (K, F) centres.
        sigma: standard deviation of each along every axis.
        n: rows.
        seed: decides the noise.
        name: of the set.

    Returns:
        A set of rows with ``labels`` (the modes), ``modes`` and ``sigma``.

    Raises:
        ValueError: no modes, ``sigma`` that is not positive, or fewer rows than modes.
    """
    if modes.ndim != 2 or 0 in modes.shape:
        raise ValueError(f"modes must have the shape (K, F), got {tuple(modes.shape)}")
    checks.positive(sigma, "sigma")
    k, features = modes.shape
    if n < k:
        raise ValueError(f"n must be at least the number of modes, {k}, got {n}")
    labels = torch.arange(n) % k
    noise = tensors.normal(seed, "gaussians", shape=(n, features))
    centres = checks.finite(modes.float(), "modes")
    return DataSet(
        centres[labels] + sigma * noise,
        labels,
        tuple(f"mode {i}" for i in range(k)),
        name,
        f"{n:,} rows of a mixture of {k} Gaussians, standard deviation {sigma:g}, seed {seed}",
        feature_names=("x", "y") if features == 2 else tuple(f"x{i}" for i in range(features)),
        modes=centres,
        sigma=float(sigma),
    )


def ring(k: int = 8, radius: float = 2.0) -> Tensor:
    """(k, 2) points at equal angles of a circle, the first on the first axis."""
    angles = torch.arange(k, dtype=torch.float64) * (2 * math.pi / k)
    return (radius * torch.stack([angles.cos(), angles.sin()], 1)).float()


def grid(side: int = 5, spacing: float = 2.0) -> Tensor:
    """(side ** 2, 2) points of a square grid around zero, row by row."""
    ticks = spacing * (torch.arange(side, dtype=torch.float32) - (side - 1) / 2)
    return torch.cartesian_prod(ticks, ticks)
