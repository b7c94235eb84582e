"""Neighbours against counting, scikit-learn and prdc."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.training.metrics import coverage, density, diversity, memorisation, neighbourhoods, precision, recall
from ganexplain.training.metrics import neighbours as module
from ganexplain.training.metrics.neighbours import nearest, radii, spread


def normals(n: int, k: int, seed: int) -> Tensor:
    return tensors.normal(seed, "features", shape=(n, k)).double()


def balls(centres: np.ndarray, points: np.ndarray, k: int) -> np.ndarray:
    """(points, centres) whether a point lies within the k-th neighbour's distance of a centre, the long way."""
    inside = np.zeros((len(points), len(centres)), bool)
    for j, centre in enumerate(centres):
        radius = sorted(np.linalg.norm(other - centre) for i, other in enumerate(centres) if i != j)[k - 1]
        inside[:, j] = [np.linalg.norm(point - centre) <= radius for point in points]
    return inside


@pytest.mark.parametrize("k", [1, 3, 5])
def test_points_in_balls_are_counted(k: int) -> None:
    real, fake = normals(40, 3, 4), 0.7 * normals(30, 3, 5) + 0.3
    one, two = real.numpy(), fake.numpy()
    assert precision(real, fake, k) == balls(one, two, k).any(1).mean()
    assert recall(real, fake, k) == balls(two, one, k).any(1).mean()
    assert density(real, fake, k) == pytest.approx(balls(one, two, k).sum(1).mean() / k)
    assert coverage(real, fake, k) == balls(one, two, k).any(0).mean()


@pytest.mark.parametrize("block", [64, 500])
def test_all_four_are_those_of_prdc(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from prdc import compute_prdc

    monkeypatch.setattr(module, "BLOCK", block)
    real, fake = normals(300, 8, 1), 0.9 * normals(270, 8, 2) + 0.2
    with contextlib.redirect_stdout(io.StringIO()):
        other = compute_prdc(real.numpy(), fake.numpy(), 5)
    found = neighbourhoods(real, fake)
    assert {name: getattr(found, name) for name in other} == pytest.approx(other, abs=1e-9)
    assert neighbourhoods(real, fake, real_radii=radii(real)) == found


def test_constant_features_are_inside_each_other_where_prdc_says_nothing_is() -> None:
    from prdc import compute_prdc

    same = torch.ones(20, 4)
    with contextlib.redirect_stdout(io.StringIO()):
        assert set(compute_prdc(same.numpy(), same.numpy(), 5).values()) == {0.0}
    found = neighbourhoods(same, same)
    assert (found.precision, found.recall, found.density, found.coverage) == (1, 1, 4, 1)


def test_a_collapsed_generator_may_be_precise_and_covers_nothing() -> None:
    real = normals(200, 4, 6)
    fake = real[:1] + 1e-3 * normals(200, 4, 7)
    assert precision(real, fake) == 1
    assert recall(real, fake) < 0.02
    assert coverage(real, fake) < 0.1
    assert diversity(fake, real) == pytest.approx(1e-3, rel=0.2)


def test_copies_of_the_reals_are_perfect_and_too_few_rows_are_refused() -> None:
    real = normals(20, 3, 8).float()
    assert precision(real, real) == recall(real, real) == coverage(real, real) == 1
    with pytest.raises(ValueError, match="k must be from 1 to the number of rows less one, got 5 for 5"):
        coverage(real[:5], real)


def test_of_many_rows_the_first_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 50)
    real, fake = normals(80, 3, 1), normals(90, 3, 2)
    assert neighbourhoods(real, fake) == neighbourhoods(real[:50], fake[:50])
    assert len(radii(real)) == 50
    assert spread(real) == spread(real[:50])


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_the_nearest_is_that_of_scikit_learn(offset: float) -> None:
    from sklearn.neighbors import NearestNeighbors

    rows, pool = normals(70, 6, 1) + offset, normals(900, 6, 2) + offset
    expected = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(pool).kneighbors(rows)[0][:, 0]
    assert nearest(rows, pool).numpy() == pytest.approx(expected, rel=1e-5)
    copies = nearest(pool[:9], pool)
    assert torch.equal(copies, torch.zeros(9, dtype=torch.float64))


def test_copying_is_told_from_new_samples_and_from_poor_ones() -> None:
    train, held_out = normals(3000, 4, 1), normals(500, 4, 2)
    near = memorisation(train[:500] + 0.01 * normals(500, 4, 3), held_out, train)
    assert near == pytest.approx(0.02 / float(nearest(held_out, train).median()), rel=0.2)  # median norm in 4-d: 1.8
    assert memorisation(normals(500, 4, 4), held_out, train) == pytest.approx(1, abs=0.1)
    assert memorisation(4 * normals(500, 4, 4), held_out, train) > 2
    half = torch.cat([train[:300], held_out[:200]])
    assert memorisation(held_out, half, train) is None
    known = float(nearest(held_out, train).median())
    assert memorisation(train, held_out, train, known=known) == 0


def test_spread_is_the_mean_of_scipys_distances_and_diversity_their_ratio() -> None:
    from scipy.spatial.distance import pdist

    rows = normals(60, 5, 1)
    assert spread(rows) == pytest.approx(pdist(rows.numpy()).mean(), rel=1e-6)
    assert spread(rows + 1e4) == pytest.approx(spread(rows), rel=1e-6)
    assert spread(torch.full((9, 5), 7.3)) == 0
    assert diversity(0.5 * rows + 7, rows) == pytest.approx(0.5)
    assert diversity(rows, torch.ones(9, 5)) is None
    with pytest.raises(ValueError, match="2 or more rows, got 1"):
        spread(rows[:1])
