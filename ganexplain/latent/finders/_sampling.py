"""What finders that sample codes share: settings, streams of codes, a private generator."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.latent.finders import Finder
from ganexplain.models.generator import Generator
from ganexplain.models.private import private_copy

CHUNK = 1024  # codes that are drawn at once, whatever the batch size, so that this changes no code


class SamplingFinder(Finder):
    """Base of finders that learn from codes of the prior.

    Args:
        space: latent space of the generator to find directions in.
        n_directions: how many at most.
        n_samples: codes that are drawn.
        batch_size: the most that the generator sees at once; it changes speed and memory, not the directions.
    """

    def __init__(
        self, *, space: str = "z", n_directions: int = 10, n_samples: int = 1024, batch_size: int = 64
    ) -> None:
        super().__init__(space=space, n_directions=n_directions)
        self.n_samples = int(checks.positive(n_samples, "n_samples"))
        self.batch_size = int(checks.positive(batch_size, "batch_size"))

    def _codes(self, generator: Generator, n: int, *, seed: int, stream: str) -> Iterator[Tensor]:
        """``n`` codes (B, d) of the space, at most ``batch_size`` at a time; a larger n continues a smaller one.

        They are not ``generator.sample(n, seed=seed)``, so that effects measured on those are measured on other codes.
        """

        def encoded(z: Tensor) -> Tensor:
            with torch.no_grad(), tensors.isolated(seed):
                return generator.encode(z, self.space)

        for start in range(0, n, CHUNK):
            drawn = int(tensors.rng(seed, "finder", stream, start // CHUNK).integers(2**31))
            z = generator.sample(min(CHUNK, n - start), seed=drawn)
            yield from tensors.pieces(encoded, self.batch_size, z)


def private(generator: Generator, space: str) -> Generator:
    """A frozen eval copy, so that hooks, buffers and flags of the caller's generator are out of reach.

    Raises:
        ValueError: it has no such latent space.
    """
    checks.one_of("latent space", space, generator.spaces)
    copy = private_copy(generator)
    if not isinstance(copy, Generator):
        raise TypeError(f"a generator's copy must be a Generator, got {type(copy).__name__}")
    return copy


def oriented(vectors: Tensor) -> Tensor:
    """Rows (K, D) with the sign that makes the largest component positive."""
    largest = vectors.gather(1, vectors.abs().argmax(1, keepdim=True))
    return vectors * torch.where(largest < 0, -1.0, 1.0).to(vectors)


def tidy(values: Tensor) -> list[float]:
    """Six digits of each number, for a file: what is beyond differs between machines."""
    return [float(f"{v:.6g}") for v in values.tolist()]
