"""Which classes or modes a generator makes, and in which shares."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganexplain import checks

PRESENT = 0.01  # share of samples above which a class counts as present
CAPTURED = 20  # samples within reach that a mode needs
REACH = 4.0  # standard deviations


def kl(shares: Tensor, reference: Tensor) -> float:
    """KL(shares || reference) in nats; zero shares add nothing.

    >>> round(kl(torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5])), 4)  # ln 2: one of two classes is missing
    0.6931
    """
    kept = shares > 0
    p, q = shares[kept].double(), reference[kept].double()
    return float((p * (p / q).log()).sum())


def histogram(labels: Tensor, n: int) -> Tensor:
    """(n,) float64 shares of labels (N,) from 0 to n - 1."""
    return torch.bincount(labels, minlength=n).double() / len(labels)


def present(shares: Tensor, least: float = PRESENT) -> int:
    """How many classes have more than ``least`` of the samples."""
    return int((shares > least).sum())


@dataclass(frozen=True, eq=False)
class Modes:
    """Which of the Gaussians of a known mixture are made.

    Attributes:
        counts: (K,) int64 samples within four standard deviations of a centre, each with its nearest.
        captured: number of modes with at least 20 of them.
        high_quality: share of all samples within reach of a centre.
        kl: KL of the shares among these from equal ones, in nats; None where there are none.
        kl_nearest: the same of all samples, each counted for its nearest mode, however far (Lin et al. 2018, PacGAN).
    """

    counts: Tensor
    captured: int
    high_quality: float
    kl: float | None
    kl_nearest: float

    @property
    def shares(self) -> Tensor:
        """(K,) float64 shares among the samples within reach; zeros where there are none."""
        return self.counts.double() / max(1, int(self.counts.sum()))


def modes_2d(samples: Tensor, centres: Tensor, sigma: float) -> Modes:
    """Modes of a mixture of round Gaussians, in any dimension (Srivastava et al. 2017 count so on rings and grids).

    Args:
        samples: (N, F) of the generator.
        centres: (K, F) of the Gaussians.
        sigma: their standard deviation along every axis.

    Raises:
        ValueError: other widths, or ``sigma`` that is not positive.

    >>> found = modes_2d(torch.zeros(30, 2), torch.tensor([[0.0, 0.0], [1.0, 0.0]]), 0.05)
    >>> found.captured, found.high_quality, round(found.kl, 4)
    (1, 1.0, 0.6931)
    """
    checks.positive(sigma, "sigma")
    if samples.ndim != 2 or centres.ndim != 2 or samples.shape[1] != centres.shape[1] or not len(samples):
        raise ValueError(
            f"samples (N, F) and centres (K, F) must have one width, got {tuple(samples.shape)} and "
            f"{tuple(centres.shape)}"
        )
    distance, mode = torch.cdist(samples.double(), centres.double()).min(1)
    near = distance <= REACH * sigma
    counts = torch.bincount(mode[near], minlength=len(centres))
    total = int(counts.sum())
    even = torch.full((len(centres),), 1 / len(centres), dtype=torch.float64)
    distant = kl(counts.double() / total, even) if total else None
    nearest = kl(histogram(mode, len(centres)), even)
    return Modes(counts, int((counts >= CAPTURED).sum()), float(near.double().mean()), distant, nearest)
