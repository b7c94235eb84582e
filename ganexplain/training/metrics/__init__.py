"""How good a generator is: distance to held-out images in a stated feature space, and which classes it makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganexplain import store, tensors
from ganexplain.data.sets import DataSet
from ganexplain.data.splits import Split
from ganexplain.models.gan import GAN

FIT_IMAGES = 20_000  # images behind the principal components
PRESENT = 0.01  # share of samples above which a class counts as present


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components of images: a feature space that needs no labels and no download.

    Attributes:
        mean: (C * H * W,) float64.
        basis: (C * H * W, k) orthonormal columns, largest variance first.
    """

    mean: Tensor
    basis: Tensor

    @classmethod
    def fit(cls, images: Tensor, n_components: int = 64) -> Components:
        """Components of uint8 images (N, C, H, W)."""
        flat = _flat(images[:FIT_IMAGES])
        mean = flat.mean(0)
        centred = flat - mean
        _, vectors = torch.linalg.eigh(centred.T @ centred)
        basis = vectors.flip(1)[:, : min(n_components, vectors.shape[1])].contiguous()
        return cls(mean, basis)

    def __call__(self, images: Tensor) -> Tensor:
        """(N, k) float64 features of uint8 images."""
        return (_flat(images) - self.mean) @ self.basis

    @property
    def fingerprint(self) -> str:
        """16 hex digits over mean and basis, without which a distance cannot be compared."""
        return store.fingerprint({"mean": self.mean, "basis": self.basis})


def frechet(a: Tensor, b: Tensor) -> float:
    """Frechet distance of two Gaussians fitted to features (N, k) and (M, k) (Dowson and Landau 1982).

    With Inception features this is the FID; here it is called FD, since the features are others. The trace of the root
    comes from symmetric eigenvalues, tr sqrt(S1^1/2 S2 S1^1/2), which cannot turn complex as a matrix root can.

    >>> round(frechet(torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [3.0]])), 6)  # equal spread, means 1 apart
    1.0
    """
    if min(len(a), len(b)) < 2 or a.shape[1] != b.shape[1]:
        raise ValueError(
            f"a Frechet distance needs two sets of 2 or more rows of one width, got {tuple(a.shape)}, {tuple(b.shape)}"
        )
    first, second = a.double(), b.double()
    one, two = _covariance(first), _covariance(second)
    values, vectors = torch.linalg.eigh(one)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ two @ root).clamp(min=0).sqrt().sum()
    return float((first.mean(0) - second.mean(0)).square().sum() + one.trace() + two.trace() - 2 * cross)


def _covariance(rows: Tensor) -> Tensor:
    return torch.cov(rows.T).reshape(rows.shape[1], rows.shape[1])


def kl(shares: Tensor, reference: Tensor) -> float:
    """KL(shares || reference) in nats; zero shares add nothing.

    >>> round(kl(torch.tensor([1.0, 0.0]), torch.tensor([0.5, 0.5])), 4)  # ln 2: one of two classes is missing
    0.6931
    """
    kept = shares > 0
    p, q = shares[kept].double(), reference[kept].double()
    return float((p * (p / q).log()).sum())


def precision(real: Tensor, fake: Tensor, k: int = 5) -> float:
    """Share of fakes within the k-th neighbour's distance of some real (Kynkaanniemi et al. 2019).

    One outlying real has a wide ball, so a collapsed generator may reach 1: read it beside `recall` and `coverage`.

    Args:
        real: (R, d) features.
        fake: (F, d) features.
        k: which neighbour; a row is not its own.
    """
    return float((_distances(fake, real) <= _radii(real, k)).any(1).double().mean())


def recall(real: Tensor, fake: Tensor, k: int = 5) -> float:
    """Share of reals within the k-th neighbour's distance of some fake: `precision` with the roles exchanged."""
    return precision(fake, real, k)


def coverage(real: Tensor, fake: Tensor, k: int = 5) -> float:
    """Share of reals with a fake within their own k-th neighbour's distance (Naeem et al. 2020).

    >>> row = torch.arange(4.0)[:, None]
    >>> coverage(row, torch.full((4, 1), 0.25), k=1)  # a collapsed generator reaches the two nearest of four
    0.5
    """
    return float((_distances(fake, real) <= _radii(real, k)).any(0).double().mean())


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """(A, B), without the product form, whose rounding would put a row at some distance from itself."""
    return torch.cdist(a.double(), b.double(), compute_mode="donot_use_mm_for_euclid_dist")


def _radii(rows: Tensor, k: int) -> Tensor:
    if not 1 <= k < len(rows):
        raise ValueError(f"k must be from 1 to the number of rows less one, got {k} for {len(rows)} rows")
    return _distances(rows, rows).topk(k + 1, largest=False).values[:, -1]


def measure(
    gan: GAN, data: DataSet, split: Split, *, n_fakes: int = 5000, n_fit: int = 10_000, seed: int = 0
) -> dict[str, Any]:
    """Quality of fresh samples against held-out images, as plain JSON for a card.

    Args:
        gan: a trained GAN.
        data: what it was trained on.
        split: which rows it was trained on.
        n_fakes: samples to draw.
        n_fit: training images that the class reader is fitted to, where there are labels.
        seed: decides the samples and the reader.
    """
    train, held_out = data.images[split.train], data.images[split.held_out]
    features = Components.fit(train)
    fakes = tensors.to_uint8(gan.samples(n_fakes, seed=int(tensors.rng(seed, "quality").integers(2**31))))
    # a distance falls with the number of images, so that fakes and floor are of as many, the latter of any rows
    n = min(n_fakes, len(train), len(held_out))
    floor = train[torch.from_numpy(tensors.rng(seed, "floor").permutation(len(train))[:n])]
    quality: dict[str, Any] = {
        "fd": frechet(features(fakes[:n]), features(held_out[:n])),
        "fd_floor": frechet(features(floor), features(held_out[:n])),
        "fd_images": n,
        "fd_space": f"{features.basis.shape[1]} principal components of training pixels in [-1, 1]",
        "fd_space_fingerprint": features.fingerprint,
        "n_fakes": n_fakes,
        "n_held_out": len(held_out),
    }
    if data.labels is not None:
        quality["classes"] = _classes(features, fakes, data, split, n_fit=n_fit, seed=seed)
    return quality


def _classes(
    features: Components, fakes: Tensor, data: DataSet, split: Split, *, n_fit: int, seed: int
) -> dict[str, Any]:
    """Which classes a small network on the components sees among the fakes, and how often that network is right."""
    if data.labels is None:
        raise ValueError("a class histogram needs labels")
    rows = split.train[torch.from_numpy(tensors.rng(seed, "reader").permutation(len(split.train))[:n_fit])]
    reader = _reader(seed)
    reader.fit(features(data.images[rows]).numpy(), data.labels[rows].numpy())
    truth = data.labels[split.held_out]
    right = reader.predict(features(data.images[split.held_out]).numpy()) == truth.numpy()
    seen = torch.from_numpy(reader.predict(features(fakes).numpy()))
    n = len(data.class_names)
    shares = torch.bincount(seen, minlength=n).double() / len(seen)
    reference = torch.bincount(data.labels[split.train], minlength=n).double() / len(split.train)
    return {
        "reader": f"scikit-learn MLPClassifier (256 hidden) on the components, fitted to {len(rows)} training images",
        "reader_accuracy": float(right.mean()),
        "shares": {name: float(share) for name, share in zip(data.class_names, shares, strict=True)},
        "present": int((shares > PRESENT).sum()),
        "of": n,
        "kl": kl(shares, reference),
    }


def _reader(seed: int) -> Any:
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network = MLPClassifier(
        (256,), alpha=1e-3, batch_size=128, early_stopping=True, n_iter_no_change=4, max_iter=60, random_state=seed
    )
    return make_pipeline(StandardScaler(), network)


def _flat(images: Tensor) -> Tensor:
    return tensors.from_uint8(images).flatten(1).double()
