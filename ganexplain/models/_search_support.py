"""Where a generator's codes lie: what keeps a search among them, and how plausible a code is."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.models import priors
from ganexplain.models.generator import Generator
from ganexplain.models.private import settled

N_SAMPLES = 2048
POOL = 512  # of the samples, those that are rendered
FULL = 1024  # numbers of a code up to which its covariance is measured
TAIL = 0.005  # of the samples' lengths at each end, beyond which no search goes
SHELL = 1e-3  # how far, in shares of its radius, a code may lie off the sphere


class Support:
    """The codes of one latent space of a generator, learned from samples where it is not z.

    Args:
        generator: the generator; one in train mode is copied.
        space: the latent space.
        seed: of the samples.
        batch_size: the largest batch that the generator sees.

    Attributes:
        codes: (S, D) samples.
        deviation: standard deviation of a coordinate; outside z the root mean square over the coordinates.
        typical: median distance of two samples.
    """

    def __init__(self, generator: Generator, space: str, *, seed: int, batch_size: int) -> None:
        self.generator, self.space, self.batch_size = (
            settled(generator),
            checks.one_of("latent space", space, generator.spaces),
            int(checks.positive(batch_size, "batch_size")),
        )
        drawn = self.generator.sample(N_SAMPLES, seed=int(tensors.rng(seed, "search").integers(2**31)))
        with torch.no_grad(), tensors.isolated(seed):
            self.codes = tensors.batched(lambda z: self.generator.encode(z, space), batch_size, drawn)
        self.prior = generator.prior if space == "z" else ""
        self._measure(self.codes.double())
        self.lengths = self._length(self.codes).sort().values
        ends = self.lengths.new_tensor([TAIL, 1 - TAIL])
        self.low, self.high = torch.quantile(self.lengths, ends).tolist()
        self.typical = float(torch.cdist(self.codes[:256].double(), self.codes[256:512].double()).median())
        self._images: Tensor | None = None

    def _measure(self, codes: Tensor) -> None:
        width = codes.shape[1]
        if self.space == "z":
            self.deviation = priors.deviation(self.prior)
            self.centre, self.whiten = torch.zeros_like(codes[0]), torch.ones_like(codes[0]) / self.deviation
            return
        self.centre, variance = codes.mean(0), codes.var(0)
        self.deviation = float(variance.mean().sqrt())
        least = 1e-4 * float(variance.mean())  # what never varies must not make a small step implausible
        self.whiten = variance.clamp(min=least).rsqrt()
        if width <= FULL:
            values, vectors = torch.linalg.eigh(torch.cov(codes.T).reshape(width, width))
            self.whiten = vectors * values.clamp(min=least).rsqrt()

    def _length(self, codes: Tensor) -> Tensor:
        """(N,) Mahalanobis length of codes (N, D)."""
        off = codes.double() - self.centre
        white = off @ self.whiten if self.whiten.ndim == 2 else off * self.whiten
        length: Tensor = white.norm(dim=1)
        return length

    def bounded(self, codes: Tensor) -> Tensor:
        """``codes`` moved to the nearest ones that the prior can give at all."""
        edge = priors.EDGES.get(self.prior)
        if edge is not None:
            return codes.clamp(-edge, edge)
        if self.prior == "sphere":
            scaled: Tensor = codes * (codes.shape[1] ** 0.5 / codes.norm(dim=1, keepdim=True).clamp(min=1e-12))
            return scaled
        return codes

    def kept(self, codes: Tensor) -> Tensor:
        """``codes`` moved to where nearly all samples lie: under a normal prior, into its shell."""
        if self.prior not in ("", "normal"):
            return self.bounded(codes)
        length = self._length(codes)
        wanted = length.clamp(self.low if self.prior else 0.0, self.high)  # in w the mean is a good code
        factor = (wanted / length.clamp(min=1e-12))[:, None]
        return (self.centre + factor * (codes.double() - self.centre)).to(codes.dtype)

    def plausible(self, codes: Tensor) -> Tensor:
        """(N,) float64 share of the samples whose length is as unusual as that of ``codes`` (N, D), or more so."""
        length, count = self._length(codes), len(self.lengths)
        if self.prior == "sphere":
            on: Tensor = (length / codes.shape[1] ** 0.5 - 1).abs() <= SHELL
            return on.double()
        below = torch.searchsorted(self.lengths, length).double() / count
        share = 2 * torch.minimum(below, 1 - below) + 1 / count
        edge = priors.EDGES.get(self.prior)
        inside = torch.ones_like(share) if edge is None else (codes.abs() <= edge).all(1).double()
        plausible: Tensor = share.clamp(max=1) * inside
        return plausible

    def draw(self, codes: Tensor) -> Tensor:
        """What the generator makes of codes (M, D), with gradients, on one batch."""
        return self.generator.synthesize(codes, self.space)

    def render(self, codes: Tensor) -> Tensor:
        """What it makes of codes (N, D), in batches, without gradients."""
        return self.generator.render(codes, self.space, batch_size=self.batch_size)

    @property
    def pool(self) -> tuple[Tensor, Tensor]:
        """The first samples' codes (P, D) and what is made of them."""
        if self._images is None:
            self._images = self.render(self.codes[:POOL])
        return self.codes[:POOL], self._images
