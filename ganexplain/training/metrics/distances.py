"""Distances of two sets of features as a whole: the Frechet distance of Gaussians, and the kernel distance KID."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganexplain import checks, tensors

BLOCK = 1024  # rows of a kernel matrix that exist at a time


def frechet(a: Tensor, b: Tensor) -> float:
    """Frechet distance of two Gaussians fitted to features (N, k) and (M, k) (Dowson and Landau 1982).

    With Inception features this is the FID; here it is called FD, since the features are others. The trace of the root
    comes from symmetric eigenvalues, tr sqrt(S1^1/2 S2 S1^1/2), which cannot turn complex as a matrix root can. It is
    biased upwards, the more so the fewer the rows: compare distances of equal numbers of rows only.

    >>> round(frechet(torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [3.0]])), 6)  # equal spread, means 1 apart
    1.0
    """
    _check("a Frechet distance", a, b)
    first, second = a.double(), b.double()
    one, two = _covariance(first), _covariance(second)
    values, vectors = torch.linalg.eigh(one)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ two @ root).clamp(min=0).sqrt().sum()
    distance = (first.mean(0) - second.mean(0)).square().sum() + one.trace() + two.trace() - 2 * cross
    return max(0.0, float(distance))  # rounding of the roots may leave it just below


def _covariance(rows: Tensor) -> Tensor:
    return torch.cov(rows.T).reshape(rows.shape[1], rows.shape[1])


@dataclass(frozen=True)
class KID:
    """Kernel distance over random subsets.

    Attributes:
        mean: over the subsets; unbiased, so that it may fall below zero where both sets are of one distribution.
        sd: standard deviation over the subsets.
        subsets: how many.
        size: rows of each side in a subset.
    """

    mean: float
    sd: float
    subsets: int
    size: int


def kid(a: Tensor, b: Tensor, *, subsets: int = 100, size: int = 1000, seed: int = 0) -> KID:
    """Squared maximum mean discrepancy with the kernel (x.y / k + 1)^3, unbiased (Binkowski et al. 2018, equation 4).

    Unlike `frechet` it does not depend on the number of rows, so it is the one to trust below some 5,000. The kernel is
    computed once for all pairs of rows, block by block, and the subsets only pick from it: N^2 + NM + M^2 values.

    Args:
        a: (N, k) features.
        b: (M, k) features.
        subsets: how many random subsets.
        size: rows of each side in a subset; at most the smaller of N and M are taken.
        seed: decides the subsets.

    Raises:
        ValueError: fewer than 2 rows, other widths, or numbers below what a subset needs.
    """
    _check("a kernel distance", a, b)
    checks.positive(subsets, "subsets")
    if size < 2:
        raise ValueError(f"size must be at least 2, got {size}")
    m = min(size, len(a), len(b))
    x, y = a.double(), b.double()
    in_x, in_y = (_subsets(len(rows), m, subsets, seed, side) for rows, side in ((x, "a"), (y, "b")))
    within = _within(x, in_x) + _within(y, in_y)
    found = within / (m * (m - 1)) - 2 * _sums(x, y, in_x, in_y) / m**2
    return KID(float(found.mean()), float(found.std(correction=0)), subsets, m)


def _subsets(n: int, m: int, subsets: int, seed: int, side: str) -> Tensor:
    """(subsets, n) float64, 1 where a row is in a subset."""
    rng, chosen = tensors.rng(seed, "kid", side), torch.zeros(subsets, n, dtype=torch.float64)
    for row in chosen:
        row[torch.from_numpy(rng.permutation(n)[:m])] = 1
    return chosen


def _within(x: Tensor, in_x: Tensor) -> Tensor:
    """(subsets,) sums of the kernel over all pairs of two different rows of a subset."""
    return _sums(x, x, in_x, in_x) - in_x @ ((x * x).sum(1) / x.shape[1] + 1) ** 3


def _sums(x: Tensor, y: Tensor, in_x: Tensor, in_y: Tensor) -> Tensor:
    """(subsets,) sums of the kernel over all pairs of a subset."""
    blocks = zip(torch.split(x, BLOCK), torch.split(in_x, BLOCK, 1), strict=True)
    return torch.stack([((own @ (rows @ y.T / x.shape[1] + 1) ** 3) * in_y).sum(1) for rows, own in blocks]).sum(0)


def _check(what: str, a: Tensor, b: Tensor) -> None:
    if min(a.ndim, b.ndim) < 2 or min(len(a), len(b)) < 2 or a.shape[1:] != b.shape[1:]:
        raise ValueError(
            f"{what} needs two sets of 2 or more rows of one width, got {tuple(a.shape)}, {tuple(b.shape)}"
        )
