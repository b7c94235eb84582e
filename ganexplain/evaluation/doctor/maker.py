"""A generator's samples beside reals, and what is measured of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ganexplain.evaluation.doctor import fingerprint as prints
from ganexplain.evaluation.doctor.guesses import Guess, Near, searched
from ganexplain.models.generator import Generator
from ganexplain.models.preprocess import Preprocess

N = 128  # codes
SEEDS = 2  # of codes, from which a distance has a spread
PLANES = 16  # principal components of the reals in which samples are compared
ENOUGH = 50  # reals that a distance needs
TRIED = ("normal", "uniform", "truncated")  # a long code on the sphere is all but normal


@dataclass(frozen=True)
class Maker:
    """A generator with samples, and reals where there are some.

    Attributes:
        generator: draws images in [-1, 1].
        real: (R, C, H, W) in [-1, 1], or None.
        batch_size: the most codes in one forward.
        seed: of the codes.
    """

    generator: Generator
    real: Tensor | None = None
    batch_size: int = 64
    seed: int = 0

    @cached_property
    def codes(self) -> Tensor:
        """(N, z_dim)."""
        return self.generator.sample(N, seed=self.seed)

    @cached_property
    def images(self) -> Tensor:
        """(N, C, H, W) in [-1, 1]."""
        return self.generator.render(self.codes, batch_size=self.batch_size).cpu()

    @cached_property
    def fitted(self) -> Tensor | None:
        """The reals in the size and colours of the samples."""
        if self.real is None or self.real.ndim != 4:
            return self.real
        height, width = self.images.shape[-2:]
        return Preprocess(size=(height, width), channels=self.images.shape[1])(self.real[:N]).clamp(-1, 1)

    def drawn(self, prior: str) -> Generator:
        """The same generator with codes of another prior."""
        return self.generator._variant(prior=prior)

    def fits(self, generator: Generator) -> prints.Fingerprint | None:
        """How far what a generator's BatchNorm layers are fed is from what they saw in training."""
        with prints.watching(generator) as moments:
            generator.render(generator.sample(N, seed=self.seed), batch_size=self.batch_size)
        return prints.fingerprint(generator, {}, moments)

    def apart(self, generator: Generator) -> tuple[float, ...]:
        """`distance` of a generator's samples from the reals, one a seed; empty without enough reals."""
        if self.fitted is None or len(self.fitted) < ENOUGH:
            return ()
        codes = [generator.sample(N, seed=self.seed + 1 + i) for i in range(SEEDS)]
        return tuple(distance(generator.render(c, batch_size=self.batch_size).cpu(), self.fitted) for c in codes)

    @property
    def priors(self) -> tuple[str, ...]:
        """The generator's own prior and those that are tried in its place."""
        return tuple(dict.fromkeys((self.generator.prior, *TRIED)))

    @cached_property
    def guesses(self) -> dict[Guess, Near]:
        """Other ways to wire the generator, with their distances from the reals; empty without enough reals."""
        return searched(self.generator, self.priors, self.apart, self.images[0].numel())

    @cached_property
    def by_prior(self) -> dict[str, prints.Fingerprint]:
        """`fits` under each prior that can be told from the others, the generator's own first."""
        made = {name: self.fits(self.drawn(name)) for name in self.priors}
        return {name: one for name, one in made.items() if one is not None}

    @cached_property
    def own(self) -> prints.Fingerprint | None:
        """`fits` of the generator as it is."""
        return self.fits(self.generator)


def spread(images: Tensor) -> float:
    """Root mean square difference of two different images, a pixel.

    >>> spread(torch.tensor([0.0, 1.0]).view(2, 1, 1, 1))
    1.0
    """
    flat = images.flatten(1).double()
    return float((2 * flat.var(0, correction=1).mean()).sqrt())  # the mean over pairs of different images


def distance(samples: Tensor, reals: Tensor) -> float:
    """Frechet distance of two normal distributions in the first principal components of the reals (Dowson 1982).

    Pixels alone, no features of a network: it tells a wrong activation or prior, not one good generator from another.
    """
    x, y = samples.flatten(1).double(), reals.flatten(1).double()
    _, _, axes = torch.linalg.svd(y - y.mean(0), full_matrices=False)
    a, b = ((part - y.mean(0)) @ axes[:PLANES].T for part in (x, y))
    cov_a, cov_b = torch.cov(a.T), torch.cov(b.T)
    values, vectors = torch.linalg.eigh(cov_b)
    root = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    both = torch.linalg.eigvalsh(root @ cov_a @ root).clamp(min=0).sqrt().sum()  # trace of (cov_a cov_b)^(1/2)
    return float((a.mean(0) - b.mean(0)).square().sum() + cov_a.trace() + cov_b.trace() - 2 * both)


def smoothness(images: Tensor) -> float:
    """Correlation of pixels side by side, over all images; 0 for white noise."""
    x = images.double() - images.double().mean((2, 3), keepdim=True)
    pairs = ((x[..., 1:], x[..., :-1]), (x[..., 1:, :], x[..., :-1, :]))
    tops = sum(float((a * b).sum()) for a, b in pairs)
    sizes = sum(float((a.square().sum() * b.square().sum()).sqrt()) for a, b in pairs)
    return tops / sizes if sizes else 0.0
