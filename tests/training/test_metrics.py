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
from ganexplain.training.metrics import Components, frechet, kl, measure


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
    assert quality["fd"] < 3 * quality["fd_floor"]
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
