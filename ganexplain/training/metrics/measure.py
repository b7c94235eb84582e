"""How good a generator is: what its samples and held-out reals have in common, in a stated feature space."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.data.sets import DataSet
from ganexplain.data.splits import Split
from ganexplain.models.gan import GAN
from ganexplain.models.preprocess import Preprocess
from ganexplain.models.private import private_copy
from ganexplain.training.metrics import classes, neighbours
from ganexplain.training.metrics.distances import frechet, kid
from ganexplain.training.metrics.features import Extractor, extractor_for
from ganexplain.training.metrics.reader import Reader, reader_for

BLOCK = 1024  # samples that are read at a time


@dataclass(frozen=True)
class Scale:
    """What the values of a measurement are compared with; depends on the data and the number of samples alone.

    Attributes:
        fd_floor: FD of training samples against as many held-out ones: what a perfect generator reaches.
        fd_ceiling: FD of uniform noise against them.
        radii: (n,) distances of the held-out samples to their k-th neighbours.
        spread: mean distance of two held-out samples.
        nearest: median distance of held-out samples to their nearest training sample.
    """

    fd_floor: float
    fd_ceiling: float
    radii: Tensor
    spread: float
    nearest: float


class Measure:
    """Measures generators of one data set; everything that depends on the data alone is computed once, when needed.

    The first measurement reads all training and held-out samples and, where the extractor does not know the classes,
    fits a reader: on one core some 9 s for the bundled classifier and Fashion-MNIST. After that, 2,000 fakes of a small
    GAN take about 4 s: a third each for drawing them, for the nearest of 60,000 training samples, and for k-th
    neighbours and kernels, which grow with the square of ``n_fakes``, the neighbours up to 5,000.

    Of rows in a few columns, an FD sees means and covariances alone: uniform noise over a ring is close to it. There
    the modes, recall and coverage tell.

    Nothing touches a global random state, so that a training run goes on as if it had never been measured.

    Args:
        data: images or rows.
        split: which of them train; the others are what samples are compared with.
        extractor: the feature space; None takes `extractor_for`.
        n_fit: most labelled training samples that a class reader is fitted to.
        seed: decides codes, subsets, noise and the reader; the codes are the same at every measurement.
    """

    def __init__(
        self, data: DataSet, split: Split, *, extractor: Extractor | None = None, n_fit: int = 10_000, seed: int = 0
    ) -> None:
        self.data, self.split, self.n_fit, self.seed = data, split, n_fit, seed
        self._given = extractor
        self._scales: dict[int, Scale] = {}

    @cached_property
    def extractor(self) -> Extractor:
        """The feature space."""
        return extractor_for(self.data, self.split) if self._given is None else self._given

    @cached_property
    def held_out(self) -> Tensor:
        """(H, k) float64 features of the held-out samples."""
        return self._read(self.split.held_out)

    @cached_property
    def train(self) -> Tensor:
        """(T, k) float32 features of the training samples, in which nearest neighbours are looked for."""
        return self._read(self.split.train, torch.float32)

    @cached_property
    def reader(self) -> Reader | None:
        """What tells the classes of samples, or None without labels."""
        return reader_for(self.extractor, self.data, self.split, self.held_out, n_fit=self.n_fit, seed=self.seed)

    def scale(self, n: int) -> Scale:
        """Floor, ceiling and the like for ``n`` samples."""
        if n not in self._scales:
            self._scales[n] = self._scale(n)
        return self._scales[n]

    def of(self, gan: GAN, *, n_fakes: int = 2000) -> dict[str, Any]:
        """Quality of fresh samples, as plain JSON.

        A Frechet distance falls with the number of samples, so that of fakes, floor and ceiling are of equally many:
        ``fd_images``, no more than there are held-out ones. What cannot be computed, such as a ratio to nothing, is
        None.

        Args:
            gan: a trained GAN.
            n_fakes: samples to draw.

        Returns:
            ``fd``, ``fd_floor``, ``fd_ceiling``, ``fd_images``, ``fd_space``, ``fd_space_fingerprint``; ``kid`` and its
            ``kid_sd`` over subsets; ``precision``, ``recall``, ``density``, ``coverage``; ``diversity``;
            ``memorisation``; ``classes`` or None; ``n_fakes``, ``n_held_out`` and the ``seconds`` it took.

        Raises:
            ValueError: too few samples for five neighbours, or samples that are not finite.
        """
        start = time.perf_counter()
        samples = self._samples(gan, n_fakes)
        fakes = self.extractor(samples)
        n = min(n_fakes, len(self.split.train), len(self.held_out))
        scale, some, reals = self.scale(n), fakes[:n], self.held_out[:n]
        near = neighbours.neighbourhoods(reals, some, real_radii=scale.radii)
        distance = kid(some, reals, seed=self.seed)
        found: dict[str, Any] = {
            "fd": frechet(some, reals),
            "fd_floor": scale.fd_floor,
            "fd_ceiling": scale.fd_ceiling,
            "fd_images": n,
            "fd_space": self.extractor.name,
            "fd_space_fingerprint": self.extractor.fingerprint,
            "kid": distance.mean,
            "kid_sd": distance.sd,
            "precision": near.precision,
            "recall": near.recall,
            "density": near.density,
            "coverage": near.coverage,
            "diversity": _ratio(neighbours.spread(some), scale.spread),
            "memorisation": _ratio(self._nearest(some), scale.nearest),
            "classes": self._classes(samples, fakes),
            "n_fakes": n_fakes,
            "n_held_out": len(self.split.held_out),
        }
        return {**found, "seconds": time.perf_counter() - start}

    def _samples(self, gan: GAN, n: int) -> Tensor:
        made = gan.samples(n, seed=int(tensors.rng(self.seed, "quality").integers(2**31))).detach().cpu()
        checks.finite(made, "the generator's samples")
        return made.float() if self.data.feature_names else tensors.to_uint8(made)

    def _read(self, rows: Tensor, dtype: torch.dtype = torch.float64) -> Tensor:
        return torch.cat([self.extractor(self.data.images[part]).to(dtype) for part in torch.split(rows, BLOCK)])

    def _scale(self, n: int) -> Scale:
        reals, train = self.held_out[:n], self.split.train
        # any training rows, not the first: sets are sorted by class or by writer
        some = train[torch.from_numpy(tensors.rng(self.seed, "floor").permutation(len(train))[:n])]
        return Scale(
            frechet(self._read(some), reals),
            frechet(self._noise(n), reals),
            neighbours.radii(reals),
            neighbours.spread(reals),
            self._nearest(reals),
        )

    def _nearest(self, features: Tensor) -> float:
        return float(neighbours.nearest(features[: neighbours.MOST], self.train).median())

    def _noise(self, n: int) -> Tensor:
        """(n, k) features of noise, uniform over bytes, or over the range of each column of the training rows."""
        like, parts = self.data.images, []
        low, high = like[self.split.train].aminmax(dim=0) if self.data.feature_names else (None, None)
        for start in range(0, n, BLOCK):
            rng, shape = tensors.rng(self.seed, "ceiling", start), (min(BLOCK, n - start), *like.shape[1:])
            if low is None or high is None:
                noise = torch.from_numpy(rng.integers(0, 256, shape, dtype="uint8"))
            else:
                noise = low + (high - low) * torch.from_numpy(rng.random(shape, dtype="float32"))
            parts.append(self.extractor(noise))
        return torch.cat(parts)

    def _classes(self, samples: Tensor, features: Tensor) -> dict[str, Any] | None:
        """Which classes, or known modes, the samples are of."""
        data = self.data
        if data.modes is not None and data.sigma is not None:
            return self._modes(samples, data.modes, data.sigma)
        if self.reader is None or data.labels is None:
            return None
        n = len(data.class_names)
        shares = classes.histogram(self.reader.read(features), n)
        # a class that no training image has counts as one image, or a single fake of it would be infinitely far
        counts = torch.bincount(data.labels[self.split.train], minlength=n).clamp(min=1).double()
        return {
            "reader": self.reader.name,
            "reader_accuracy": self.reader.accuracy,
            "shares": _named(shares, data.class_names),
            "present": classes.present(shares),
            "of": n,
            "kl": classes.kl(shares, counts / counts.sum()),
        }

    @staticmethod
    def _modes(samples: Tensor, centres: Tensor, sigma: float) -> dict[str, Any]:
        modes = classes.modes_2d(samples, centres, sigma)
        return {
            "reader": f"the nearest known mode within {classes.REACH:g} of its standard deviations",
            "shares": _named(modes.shares, tuple(f"mode {i}" for i in range(len(centres)))),
            "present": modes.captured,
            "of": len(centres),
            "kl": modes.kl,
            "high_quality": modes.high_quality,
        }


def measure(
    gan: GAN,
    data: DataSet,
    split: Split,
    *,
    n_fakes: int = 5000,
    n_fit: int = 10_000,
    seed: int = 0,
) -> dict[str, Any]:
    """`Measure.of` in one call, for a card: without the seconds, so that the same GAN has the same card.

    Args:
        gan: a trained GAN.
        data: what it was trained on.
        split: which rows it was trained on.
        n_fakes: samples to draw.
        n_fit: most labelled training samples that a class reader is fitted to.
        seed: decides the samples and the reader.
    """
    found = Measure(data, split, n_fit=n_fit, seed=seed).of(gan, n_fakes=n_fakes)
    return {name: value for name, value in found.items() if name != "seconds"}


def critic_means(gan: GAN, data: DataSet, split: Split, *, n: int = 2000, seed: int = 0) -> dict[str, float]:
    """The discriminator's mean logit on training, held-out and generated samples, equally many of each.

    A discriminator that gives training samples more than held-out ones has learned them by heart. A conditional one is
    asked for the samples' own classes; its fakes are of the classes of the training samples.

    Args:
        gan: with the generator whose samples are judged (in training, the average one).
        data: what it is trained on; labelled for a conditional GAN.
        split: which rows train.
        n: samples of each kind; no more than there are held-out ones.
        seed: decides the rows and the codes.

    Returns:
        ``train``, ``held_out`` and ``fake``.

    Raises:
        ValueError: a conditional GAN and a set without labels, or weights that are not finite.
    """
    n = min(n, len(split.train), len(split.held_out))
    chosen = split.train[torch.from_numpy(tensors.rng(seed, "critic").permutation(len(split.train))[:n])]
    logits, conditional = _logits(gan), gan.generator.num_classes > 0
    if conditional and data.labels is None:
        raise ValueError("a conditional GAN is judged with the labels of its data, and this set has none; add them")
    means: dict[str, float] = {}
    for name, rows in (("train", chosen), ("held_out", split.held_out[:n])):
        means[name] = logits(gan.seen(data.images[rows]), None if data.labels is None else data.labels[rows])
    own = data.labels[chosen] if conditional and data.labels is not None else None
    known: dict[str, Any] = {} if own is None else {"labels": own}
    fakes = gan.samples(n, seed=int(tensors.rng(seed, "critic codes").integers(2**31)), **known)
    return {**means, "fake": logits(fakes, own)}


def _logits(gan: GAN) -> Callable[[Tensor, Tensor | None], float]:
    """Mean logit of samples with their labels, of a private eval copy, so that training state stays as it is."""
    network, form = private_copy(gan.discriminator), gan.generator.form
    place = next(network.parameters()).device

    def one(samples: Tensor, *labels: Tensor) -> Tensor:
        read = form.read(samples.to(place), Preprocess())
        return network(read, *(y.to(place) for y in labels)).double().cpu()  # type: ignore[no-any-return]

    def mean(samples: Tensor, labels: Tensor | None) -> float:
        own = (labels,) if gan.generator.num_classes and labels is not None else ()
        with torch.no_grad(), tensors.isolated():
            return float(tensors.batched(one, 256, samples, *own).mean())

    return mean


def _ratio(value: float, base: float) -> float | None:
    return value / base if base > 0 and math.isfinite(value) else None


def _named(shares: Tensor, names: tuple[str, ...]) -> dict[str, float]:
    return {name: float(share) for name, share in zip(names, shares, strict=True)}
