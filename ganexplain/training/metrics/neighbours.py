"""Distances of single features to their neighbours: precision, recall, density, coverage, copying and diversity."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

K = 5  # which neighbour
MOST = 5000  # rows a side; the number of distances grows with its square
BLOCK = 500  # rows whose distances to all others exist at a time


@dataclass(frozen=True)
class Neighbourhoods:
    """What k-th neighbours tell of reals and fakes.

    A point at exactly the k-th neighbour's distance counts as inside, unlike in the code of Naeem et al., which asks
    for less: with that, a generator of copies of reals that occur more than k times, or features that are constant,
    would count as all wrong. Elsewhere the two agree.

    Attributes:
        precision: share of fakes within the k-th neighbour's distance of some real.
        recall: share of reals within the k-th neighbour's distance of some fake.
        density: mean number of reals within whose k-th neighbour's distance a fake lies, over k; about 1 at best,
            more where fakes crowd where reals are dense.
        coverage: share of reals that have a fake within their own k-th neighbour's distance.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def neighbourhoods(real: Tensor, fake: Tensor, k: int = K, *, real_radii: Tensor | None = None) -> Neighbourhoods:
    """All four (Kynkaanniemi et al. 2019, equations 1 and 2; Naeem et al. 2020, equations 3 and 4) at once.

    Of more than 5,000 rows, the first 5,000 are taken.

    Args:
        real: (R, d) features.
        fake: (F, d) features.
        k: which neighbour; a row is not its own.
        real_radii: `radii` of ``real``, where they are known.

    Raises:
        ValueError: ``k`` is not below the number of rows, or the widths differ.
    """
    real, fake = real[:MOST], fake[:MOST]
    own = radii(real, k) if real_radii is None else real_radii
    others = radii(fake, k)
    inside, recalled, covered = [], torch.zeros(len(real), dtype=torch.bool), torch.zeros(len(real), dtype=torch.bool)
    for rows, reach in zip(torch.split(fake, BLOCK), torch.split(others, BLOCK), strict=True):
        distances = _distances(rows, real)
        within = distances <= own
        inside.append(within.sum(1))
        covered |= within.any(0)
        recalled |= (distances <= reach[:, None]).any(0)
    count = torch.cat(inside).double()
    return Neighbourhoods(
        float((count > 0).double().mean()),
        float(recalled.double().mean()),
        float(count.mean() / k),
        float(covered.double().mean()),
    )


def precision(real: Tensor, fake: Tensor, k: int = K) -> float:
    """Share of fakes within the k-th neighbour's distance of some real (Kynkaanniemi et al. 2019).

    One outlying real has a wide ball, so a collapsed generator may reach 1: read it beside `recall` and `coverage`.

    Args:
        real: (R, d) features.
        fake: (F, d) features.
        k: which neighbour; a row is not its own.
    """
    return neighbourhoods(real, fake, k).precision


def recall(real: Tensor, fake: Tensor, k: int = K) -> float:
    """Share of reals within the k-th neighbour's distance of some fake: `precision` with the roles exchanged."""
    return neighbourhoods(real, fake, k).recall


def density(real: Tensor, fake: Tensor, k: int = K) -> float:
    """How many reals' k-th neighbour's distances a fake lies within, on average, over k (Naeem et al. 2020).

    >>> row = torch.arange(4.0)[:, None]
    >>> density(row, row + 0.25, k=1)  # each lies within reach of two neighbours, the last of one
    1.75
    """
    return neighbourhoods(real, fake, k).density


def coverage(real: Tensor, fake: Tensor, k: int = K) -> float:
    """Share of reals with a fake within their own k-th neighbour's distance (Naeem et al. 2020).

    >>> row = torch.arange(4.0)[:, None]
    >>> coverage(row, torch.full((4, 1), 0.25), k=1)  # a collapsed generator reaches the two nearest of four
    0.5
    """
    return neighbourhoods(real, fake, k).coverage


def radii(rows: Tensor, k: int = K) -> Tensor:
    """(N,) float64 distances of the first 5,000 rows to their own k-th neighbours.

    Raises:
        ValueError: ``k`` is not below the number of rows.
    """
    rows = rows[:MOST]
    if not 1 <= k < len(rows):
        raise ValueError(f"k must be from 1 to the number of rows less one, got {k} for {len(rows)} rows")
    return torch.cat(
        [_distances(own, rows).topk(k + 1, largest=False).values[:, -1] for own in torch.split(rows, BLOCK)]
    )


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """(A, B), without the product form, whose rounding would put a row at some distance from itself."""
    return torch.cdist(a.double(), b.double(), compute_mode="donot_use_mm_for_euclid_dist")


def nearest(rows: Tensor, pool: Tensor) -> Tensor:
    """(N,) float64 distances of rows (N, d) to their nearest in ``pool`` (P, d).

    The nearest is looked for by products in float32, which is fast and may mistake near ties; its distance is exact.
    """
    centre = pool.mean(0, dtype=torch.float64)  # far from zero, products would cancel
    others, found = (pool - centre.to(pool.dtype)).float(), []
    half = others.square().sum(1) / 2
    for own in torch.split(rows, BLOCK):
        best = torch.addmm(half, (own - centre).float(), others.T, alpha=-1).argmin(1)
        found.append((own.double() - pool[best].double()).norm(dim=1))
    return torch.cat(found)


def memorisation(fake: Tensor, held_out: Tensor, train: Tensor, *, known: float | None = None) -> float | None:
    """Median distance of fakes to their nearest training row, over that of held-out rows.

    About 1 where fakes are as new as held-out images are, and above where they are off; below .5 suggests copying. The
    two sets of distances are those that the test of Meehan et al. (2020) ranks.

    Args:
        fake: (F, d) features.
        held_out: (H, d) features.
        train: (T, d) features.
        known: the median of the held-out rows, where it is known.

    Returns:
        The ratio, or None where half of the held-out rows are training rows, so that nothing can be said.
    """
    base = float(nearest(held_out, train).median()) if known is None else known
    return float(nearest(fake, train).median()) / base if base > 0 else None


def spread(rows: Tensor) -> float:
    """Mean distance of two different rows among the first 5,000."""
    rows = rows[:MOST].double()
    if len(rows) < 2:
        raise ValueError(f"a mean distance needs 2 or more rows, got {len(rows)}")
    rows = rows - rows[0]  # by products, whose rounding is lost in a mean of distances; equal rows stay at no distance
    total = sum(
        torch.cdist(own, rows, compute_mode="use_mm_for_euclid_dist").sum().item() for own in torch.split(rows, BLOCK)
    )
    return total / (len(rows) * (len(rows) - 1))


def diversity(fake: Tensor, real: Tensor) -> float | None:
    """`spread` of fakes over that of reals: 1 where they differ as much; None where the reals are all alike."""
    base = spread(real)
    return spread(fake) / base if base > 0 else None
