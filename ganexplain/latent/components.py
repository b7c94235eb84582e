"""Principal components of more vectors than fit into memory, and of vectors too long for a covariance matrix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ganexplain import tensors

EXACT = 2048  # features up to which the covariance matrix is formed: 32 MiB, and seconds for its eigenvectors
SPARE = 10  # columns of the sketch beyond those asked for
BLOCKS = 6  # of the sketch that are kept before it is compressed: bounds memory to 2 * BLOCKS * (K + SPARE) * D
TOLERANCE = 1e-6  # residual of an eigenvector over its eigenvalue at which the sketch is exact enough
PASSES = 60

Batches = Callable[[], Iterator[Tensor]]


@dataclass(frozen=True)
class Components:
    """The leading principal components of n vectors of D numbers.

    Attributes:
        vectors: (K, D) orthonormal rows, float64.
        variances: (K,) of the data along each, descending, with n - 1 in the denominator.
        total: variance summed over all D features.
        mean: (D,) of the data.
        n: number of vectors.
        solver: "covariance" (exact), or "krylov" (a seeded block Krylov sketch, refined until ``residual`` is small).
        residual: largest ``|C v - lambda v| / lambda`` over the components, 0 for the exact solver.
    """

    vectors: Tensor
    variances: Tensor
    total: float
    mean: Tensor
    n: int
    solver: str
    residual: float

    @classmethod
    def of(cls, batches: Batches, k: int, *, seed: int = 0) -> Components:
        """Find at most ``k`` components; those without variance are left out.

        Up to `EXACT` features the covariance matrix is summed up in float64 and decomposed. Beyond, a block Krylov
        iteration (Musco and Musco 2015, with thick restarts) reads the data a few times and never holds the matrix.

        Args:
            batches: gives the same data anew at each call, as float pieces (B, D).
            k: at least 1.
            seed: of the sketch.

        Raises:
            ValueError: fewer than two vectors, or vectors that are all equal.
        """
        data = _Data.read(batches)
        k = min(k, data.n - 1, len(data.mean))
        if len(data.mean) <= EXACT:
            values, vectors, residual, solver = *_exact(data, k), 0.0, "covariance"
        else:
            values, vectors, residual = _krylov(data, k, seed)
            solver = "krylov"
        kept = int((values > 1e-12 * values[0]).sum())
        return cls(vectors.T[:kept].contiguous(), values[:kept], data.total, data.mean, data.n, solver, residual)

    def leading(self, k: int) -> Components:
        """The first ``k`` of them."""
        return replace(self, vectors=self.vectors[:k], variances=self.variances[:k])

    def scores(self, batch: Tensor) -> Tensor:
        """(B, K) coordinates of vectors (B, D) in standard deviations of each component, float64."""
        scores: Tensor = (batch.double() - self.mean) @ self.vectors.T / self.variances.sqrt()
        return scores


@dataclass(frozen=True)
class _Data:
    batches: Batches
    n: int
    mean: Tensor
    total: float

    @classmethod
    def read(cls, batches: Batches) -> _Data:
        """Number, mean and total variance, from one pass; pieces are merged by the formula of Chan et al. (1979)."""
        n, mean, squares = 0, torch.zeros(0), 0.0
        for batch in batches():
            x = batch.double()
            here = x.mean(0)
            apart = here - mean if n else torch.zeros_like(here)
            squares += float((x - here).square().sum() + apart.square().sum() * n * len(x) / (n + len(x)))
            mean = mean + apart * len(x) / (n + len(x)) if n else here
            n += len(x)
        if n < 2 or not squares > 0:
            raise ValueError(
                f"components need at least 2 different vectors, got {n} with total variance {squares:g}; "
                "does the generator answer to its code?"
            )
        return cls(batches, n, mean, squares / (n - 1))

    def times(self, columns: Tensor | None = None) -> Tensor:
        """The covariance matrix (D, D), or its product with ``columns`` (D, p), from one pass."""
        width = len(self.mean) if columns is None else columns.shape[1]
        product = self.mean.new_zeros(len(self.mean), width)
        for batch in self.batches():
            x = batch.double() - self.mean
            product.addmm_(x.T, x if columns is None else x @ columns)
        return product / (self.n - 1)


def _exact(data: _Data, k: int) -> tuple[Tensor, Tensor]:
    values, vectors = torch.linalg.eigh(data.times())
    return values.flip(0)[:k].clamp(min=0), vectors.flip(1)[:, :k]


def _krylov(data: _Data, k: int, seed: int) -> tuple[Tensor, Tensor, float]:
    """The k largest eigenvalues, their vectors as columns, and the largest relative residual."""
    width = min(k + SPARE, data.n - 1, len(data.mean))
    start = tensors.normal(seed, "sketch", shape=(len(data.mean), width)).to(data.mean)
    basis, images = torch.zeros_like(start[:, :0]), torch.zeros_like(start[:, :0])
    block = torch.linalg.qr(start)[0]
    for _ in range(PASSES):
        image = data.times(block)
        basis, images = torch.cat([basis, block], 1), torch.cat([images, image], 1)
        small = basis.T @ images
        values, rotation = torch.linalg.eigh((small + small.T) / 2)
        values, rotation = values.flip(0), rotation.flip(1)
        vectors = basis @ rotation[:, :k]
        left = (images @ rotation[:, :k] - vectors * values[:k]).norm(dim=0)
        # a component without variance is dropped later: its direction need not converge
        residual = float((left / values[:k].clamp(min=1e-9 * float(values[0]))).max())
        block = _new_columns(image, basis, float(values[0]))
        if residual <= TOLERANCE or not block.shape[1]:
            break
        if basis.shape[1] > (BLOCKS - 1) * width:
            basis, images = basis @ rotation[:, : 2 * width], images @ rotation[:, : 2 * width]
    return values[:k].clamp(min=0), vectors, residual


def _new_columns(image: Tensor, basis: Tensor, largest: float) -> Tensor:
    """An orthonormal basis of what ``image`` has beyond ``basis``; empty where nothing is left but rounding."""
    for _ in range(2):  # once leaves a remainder of the size of rounding times the condition
        image = image - basis @ (basis.T @ image)
    left, sizes, _ = torch.linalg.svd(image, full_matrices=False)
    fresh = left[:, sizes > 1e-11 * largest]
    columns: Tensor = torch.linalg.qr(fresh - basis @ (basis.T @ fresh))[0]
    return columns


def tied(squares: Tensor) -> Tensor:
    """(K,) bool: components whose variance on other data is not told from a neighbour's, by two standard errors.

    The vectors of such components may be any rotation of one another. On the data that gave the components the question
    cannot be asked: there even equal variances come out apart.

    Args:
        squares: (n, K) squared coordinates of other data along the components, in the units of the data.
    """
    none = torch.zeros(1, dtype=torch.bool)
    if squares.shape[1] == 1:
        return none
    apart = squares[:, :-1] - squares[:, 1:]
    close = apart.mean(0) <= 2 * apart.std(0) / len(squares) ** 0.5
    return torch.cat([close, none]) | torch.cat([none, close])


def varimax(loadings: Tensor, *, rounds: int = 200) -> Tensor:
    """(K, K) rotation after which each column of loadings (D, K) has few large entries (Kaiser 1958).

    Maximises the variance of the squared loadings by repeated polar decompositions.
    """
    rotation = torch.eye(loadings.shape[1]).to(loadings)
    before = 0.0
    for _ in range(rounds):
        turned = loadings @ rotation
        target = turned**3 - turned * turned.square().mean(0)
        left, sizes, right = torch.linalg.svd(loadings.T @ target)
        rotation = left @ right
        after = float(sizes.sum())
        if after <= before * (1 + 1e-10):
            break
        before = after
    return rotation
