"""Quality against closed forms, scipy and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.models.gan import GAN
from ganexplain.models.generator import Generator
from ganexplain.training.metrics import Components, coverage, frechet, kl, measure, precision, recall


def normals(n: int, k: int, seed: int) -> Tensor:
    return tensors.normal(seed, "features", shape=(n, k)).double()


def test_frechet_of_scaled_and_shifted_copies_is_exact() -> None:
    rows = normals(300, 5, 0)
    shift = torch.arange(5, dtype=torch.float64)
    trace = float(torch.cov(rows.T).trace())
    assert frechet(rows, rows) == pytest.approx(0, abs=1e-9)
    assert frechet(rows, rows + shift) == pytest.approx(float(shift.square().sum()))
    about = rows - rows.mean(0)
    assert frechet(about, 3 * about) == pytest.approx((3 - 1) ** 2 * trace)


def test_frechet_is_that_of_the_matrix_root_of_scipy() -> None:
    from scipy.linalg import sqrtm

    a, b = normals(200, 6, 1), normals(150, 6, 2) @ normals(6, 6, 3) + 1
    one, two = np.cov(a.numpy().T), np.cov(b.numpy().T)
    root = np.real(sqrtm(one @ two))
    gap = a.mean(0).numpy() - b.mean(0).numpy()
    assert frechet(a, b) == pytest.approx(gap @ gap + np.trace(one + two - 2 * root), rel=1e-9)
    assert frechet(a, b) == pytest.approx(frechet(b, a), rel=1e-9)


def test_frechet_refuses_what_has_no_covariance() -> None:
    with pytest.raises(ValueError, match="2 or more rows of one width"):
        frechet(normals(1, 3, 0), normals(5, 3, 0))
    with pytest.raises(ValueError, match="one width"):
        frechet(normals(5, 3, 0), normals(5, 4, 0))


def test_kl_is_that_of_scipy() -> None:
    from scipy.stats import entropy

    p, q = torch.tensor([0.2, 0.0, 0.8]), torch.tensor([0.3, 0.3, 0.4])
    assert kl(p, q) == pytest.approx(entropy(p.numpy(), q.numpy()), abs=1e-6)
    assert kl(q, q) == pytest.approx(0)


def test_components_span_what_scikit_learn_finds(trained: Any) -> None:
    from sklearn.decomposition import PCA

    found = Components.fit(trained.images, 8)
    flat = tensors.from_uint8(trained.images).flatten(1).double().numpy()
    other = PCA(8, svd_solver="full").fit(flat)
    agreement = np.abs(other.components_ @ found.basis.numpy())
    assert np.allclose(agreement, np.eye(8), atol=1e-6)
    assert np.allclose(np.abs(found(trained.images[:9]).numpy()), np.abs(other.transform(flat[:9])), atol=1e-8)
    assert found.fingerprint == Components.fit(trained.images, 8).fingerprint


class Copier(Generator):
    """Ignores its code's meaning and returns training images: the best quality that there is."""

    z_dim, resolution, channels = 4, 8, 1

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.images = tensors.from_uint8(images)

    def forward(self, z: Tensor) -> Tensor:
        return self.images[(z[:, 0].abs() * 1e4).long() % len(self.images)]


def test_a_copier_reaches_the_floor_and_one_digit_alone_is_seen_through(trained: Any) -> None:
    gan = GAN("dcgan", {}, Copier(trained.images), trained.gan.discriminator)
    quality = measure(gan, trained.data, trained.split, n_fakes=600)
    # as many images on both sides, the floor's of any writer: unequal sets, or the first rows, give .36
    assert 0.8 < quality["fd"] / quality["fd_floor"] < 1.6
    assert quality["classes"]["present"] == 10
    assert quality["classes"]["kl"] < 0.05
    assert quality["classes"]["reader_accuracy"] > 0.9
    assert sum(quality["classes"]["shares"].values()) == pytest.approx(1)
    sevens = trained.images[trained.data.labels[trained.split.train] == 7]
    poor = measure(
        GAN("dcgan", {}, Copier(sevens), trained.gan.discriminator), trained.data, trained.split, n_fakes=600
    )
    assert poor["fd"] > 5 * quality["fd"]
    assert poor["classes"]["shares"]["7"] > 0.9
    assert poor["classes"]["kl"] == pytest.approx(np.log(10), abs=0.5)


def balls(centres: np.ndarray, points: np.ndarray, k: int) -> np.ndarray:
    """(points, centres) whether a point lies within the k-th neighbour's distance of a centre, the long way."""
    inside = np.zeros((len(points), len(centres)), bool)
    for j, centre in enumerate(centres):
        radius = sorted(np.linalg.norm(other - centre) for i, other in enumerate(centres) if i != j)[k - 1]
        inside[:, j] = [np.linalg.norm(point - centre) <= radius for point in points]
    return inside


@pytest.mark.parametrize("k", [1, 3, 5])
def test_precision_recall_and_coverage_count_points_in_balls(k: int) -> None:
    real, fake = normals(40, 3, 4), 0.7 * normals(30, 3, 5) + 0.3
    one, two = real.numpy(), fake.numpy()
    assert precision(real, fake, k) == balls(one, two, k).any(1).mean()
    assert recall(real, fake, k) == balls(two, one, k).any(1).mean()
    assert coverage(real, fake, k) == balls(one, two, k).any(0).mean()


def test_a_collapsed_generator_may_be_precise_and_covers_nothing() -> None:
    real = normals(200, 4, 6)
    fake = real[:1] + 1e-3 * normals(200, 4, 7)
    assert precision(real, fake) == 1
    assert recall(real, fake) < 0.02
    assert coverage(real, fake) < 0.1


def test_copies_of_the_reals_are_perfect_and_too_few_rows_are_refused() -> None:
    real = normals(20, 3, 8).float()
    assert precision(real, real) == recall(real, real) == coverage(real, real) == 1
    with pytest.raises(ValueError, match="k must be from 1 to the number of rows less one, got 5 for 5"):
        coverage(real[:5], real)
