"""Feature spaces in which generated and real samples are compared; anything of the form of `Extractor` is one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from ganexplain import store, tensors
from ganexplain.data.sets import DataSet
from ganexplain.data.splits import Split
from ganexplain.models.preprocess import Preprocess
from ganexplain.models.private import private_copy
from ganexplain.training.metrics.classifier import SIDE, Classifier

FIT_IMAGES = 20_000  # images behind the principal components
FIT_VALUES = 2**26  # values behind them, half a gigabyte in float64
EXACT_WIDTH = 1024  # up to here the covariance matrix is solved whole
ROUNDS, SPARE = 8, 16  # of the subspace iteration, and components more than asked for
BATCH = 4096


class Extractor(Protocol):
    """Maps samples to features: uint8 images (N, C, H, W), or float32 rows (N, F), to float64 (N, k) on the CPU.

    It must be a fixed function: the same sample has the same features in any batch. One that knows classes has
    ``read(features) -> (N,)`` as well, indices into ``classes``.
    """

    @property
    def name(self) -> str:
        """What it is, in words."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hex digits that differ between two extractors whose distances cannot be compared."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that it can read, or ()."""
        ...

    def __call__(self, samples: Tensor, /) -> Tensor:
        """(N, k) features."""
        ...


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
        """Components of uint8 images (N, C, H, W); of many, every so-manieth is taken.

        Images of more than 1,024 values have theirs found by subspace iteration (Halko, Martinsson and Tropp 2011,
        algorithm 4.4), since the whole covariance matrix of large images has no room.
        """
        width = images[0].numel()
        n = min(len(images), max(2 * n_components, min(FIT_IMAGES, FIT_VALUES // width)))
        flat = _flat(images[torch.arange(n) * len(images) // n])  # not the first: sets are sorted by class
        mean = flat.mean(0)
        flat -= mean
        k = min(n_components, width)
        if width <= EXACT_WIDTH:
            vectors = torch.linalg.eigh(flat.T @ flat).eigenvectors.flip(1)
        else:
            vectors = _leading(flat, min(k + SPARE, width))
        return cls(mean, vectors[:, :k].contiguous())

    def __call__(self, images: Tensor) -> Tensor:
        """(N, k) float64 features of uint8 images."""
        return torch.cat([(_flat(part) - self.mean) @ self.basis for part in torch.split(images, BATCH)])

    @property
    def name(self) -> str:
        """What it is, in words."""
        return f"{self.basis.shape[1]} principal components of training pixels in [-1, 1]"

    @property
    def classes(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def fingerprint(self) -> str:
        """16 hex digits over mean and basis, without which a distance cannot be compared."""
        return store.fingerprint({"mean": self.mean, "basis": self.basis})


def _leading(rows: Tensor, k: int) -> Tensor:
    """(D, k) leading right singular vectors of centred rows (N, D), the largest first."""
    basis: Tensor = torch.linalg.qr(tensors.normal(0, "components", shape=(rows.shape[1], k)).double()).Q
    for _ in range(ROUNDS):
        basis = torch.linalg.qr(rows.T @ (rows @ basis)).Q
    inner = rows @ basis
    rotation: Tensor = torch.linalg.eigh(inner.T @ inner).eigenvectors.flip(1)
    return basis @ rotation


def _flat(images: Tensor) -> Tensor:
    return tensors.from_uint8(images).flatten(1).double()


@dataclass(frozen=True, eq=False)
class Standardised:
    """Rows themselves, each feature less its mean and over its standard deviation in the training rows.

    Attributes:
        mean: (F,) float64.
        scale: (F,) float64; 1 where a feature never varies.
    """

    mean: Tensor
    scale: Tensor

    @classmethod
    def fit(cls, rows: Tensor) -> Standardised:
        """Of rows (N, F)."""
        mean, spread = rows.double().mean(0), rows.double().std(0, correction=0)
        return cls(mean, torch.where(spread > 0, spread, torch.ones_like(spread)))

    def __call__(self, rows: Tensor) -> Tensor:
        """(N, F) float64 features of rows (N, F)."""
        standard: Tensor = (rows.double() - self.mean) / self.scale
        return standard

    @property
    def name(self) -> str:
        """What it is, in words."""
        return f"{len(self.mean)} features in standard deviations of the training rows"

    @property
    def classes(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def fingerprint(self) -> str:
        """16 hex digits over means and deviations."""
        return store.fingerprint({"mean": self.mean, "scale": self.scale})


class Module:
    """Anybody's network as an extractor, on a private, frozen, eval copy.

    Args:
        network: maps images (N, C, H, W) in [-1, 1] to features (N, k), or to maps (N, k, h, w), which are averaged.
        name: what it is, in words.
        preprocess: range, size and channels that the network reads; None hands it the images in [-1, 1].
        batch_size: most images at a time.
        device: where to compute.

    Raises:
        ValueError: weights that are not finite, or a network whose features depend on neighbours in the batch.
    """

    classes: tuple[str, ...] = ()

    def __init__(
        self,
        network: nn.Module,
        name: str,
        *,
        preprocess: Preprocess | None = None,
        batch_size: int = 64,
        device: str | torch.device = "cpu",
    ) -> None:
        self.network, self.name = private_copy(network).to(device), name
        self.preprocess, self.batch_size, self.device = preprocess or Preprocess(), batch_size, torch.device(device)

    def __call__(self, images: Tensor) -> Tensor:
        """(N, k) float64 features of uint8 images."""
        with torch.no_grad(), tensors.isolated():
            return tensors.batched(self._features, self.batch_size, images)

    def _features(self, images: Tensor) -> Tensor:
        found = self.network(self.preprocess(tensors.from_uint8(images).to(self.device)))
        if not isinstance(found, Tensor) or found.ndim not in (2, 4) or len(found) != len(images):
            got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(
                f"an extractor must map {len(images)} images to features ({len(images)}, k) or maps "
                f"({len(images)}, k, h, w), got {got}; wrap it in a module that returns one of them"
            )
        return (found if found.ndim == 2 else found.mean((2, 3))).double().cpu()

    @property
    def fingerprint(self) -> str:
        """16 hex digits over the weights and what the network is handed."""
        handed = torch.frombuffer(bytearray(repr(self.preprocess).encode()), dtype=torch.uint8)
        return store.fingerprint({**self.network.state_dict(), "preprocess": handed})


def extractor_for(data: DataSet, split: Split, *, device: str | torch.device = "cpu") -> Extractor:
    """The feature space for a data set where nobody names another one.

    Grey images of 28x28 are read by the bundled `Classifier`, with the classes of this set if it knows them; other
    images by `Components` of the training images; rows are `Standardised` by the training rows.

    Args:
        data: images or rows.
        split: which of them train.
        device: where a network computes.
    """
    if data.feature_names:
        return Standardised.fit(data.images[split.train])
    if data.images.shape[1:] == (1, SIDE, SIDE):
        return Classifier.load(data.class_names if Classifier.reads(data.class_names) else (), device=device)
    return Components.fit(data.images[split.train])
