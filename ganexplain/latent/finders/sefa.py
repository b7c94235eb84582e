"""Closed-form factorisation of the first layer (SeFa)."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain import checks
from ganexplain.latent.directions import Directions, fingerprint, spread
from ganexplain.latent.finders import Finder
from ganexplain.latent.spectrum import Spectrum
from ganexplain.models.first_layer import FirstLayer
from ganexplain.models.generator import Generator

__all__ = ["SeFa"]

NORMALIZE = ("auto", "none", "rows", "batchnorm")


class SeFa(Finder):
    """The directions that move the output of the generator's first layer most, without any sample.

    A unit step n changes the first layer's output A z + b by A n, so the directions are the eigenvectors of A^T A, the
    largest eigenvalue first (Shen and Zhou 2021, "Closed-form factorization of latent semantics in GANs"). The largest
    component of each vector is positive. Eigenvalues are told from those of a random matrix with the same row lengths:
    below its edge a direction is one of many equal ones, `Directions.stands_out` is False, and it means nothing.

    Args:
        space: latent space whose first layer is read.
        n_directions: how many at most.
        normalize: "none" takes A as it is; "rows" scales each row to length 1; "batchnorm" multiplies each row by the
            gain gamma / sqrt(var + eps) of the BatchNorm that follows, since that layer makes the rows' own scale
            meaningless; "auto" is "batchnorm" where one follows, else "none".

    Attributes:
        eigenvalues_: (d,) all of them, descending.
        spectrum_: `Spectrum`, with the random matrix's threshold.
        normalize_: what "auto" came to.
    """

    facts = ("reads weights only", "no samples", "no labels")
    measure = "eigenvalue"

    eigenvalues_: Tensor
    spectrum_: Spectrum
    normalize_: str

    def __init__(self, *, space: str = "z", n_directions: int = 10, normalize: str = "auto") -> None:
        super().__init__(space=space, n_directions=n_directions)
        self.normalize = checks.one_of("normalisation", normalize, NORMALIZE)

    def fit(self, generator: Generator, *, seed: int = 0) -> SeFa:
        """Read the first layer of ``generator``; nothing is random in z, elsewhere the seed draws codes for the scale.

        Raises:
            ValueError: the first layer is of a kind that cannot be read, or "batchnorm" was asked for and none follows.
        """
        layer = generator.first_layer(self.space)
        matrix, self.normalize_ = normalized(layer, self.normalize)
        self.spectrum_, rows = Spectrum.of(matrix)
        self.eigenvalues_ = self.spectrum_.values
        vectors = rows[: self.n_directions].float()
        k = len(vectors)
        tied = self.spectrum_.tied[:k]
        self._directions = Directions(
            vectors,
            spread(generator, vectors, self.space, seed=seed),
            self.eigenvalues_[:k].float(),
            space=self.space,
            layers=(layer.name,),
            method="sefa",
            params={"normalize": self.normalize_, **self.spectrum_.to_json(), "tied": [bool(t) for t in tied]},
            stands_out=tuple(bool(s) for s in self.spectrum_.stands_out[:k]),
            prior=generator.prior,
            fingerprint=fingerprint(generator),
        )
        return self


def normalized(layer: FirstLayer, how: str) -> tuple[Tensor, str]:
    """The layer's matrix (outputs, d) in float64 with rows scaled as `SeFa` says, and what "auto" came to."""
    A = layer.weight.detach().double().cpu()
    if how == "auto":
        how = "none" if layer.gain is None else "batchnorm"
    if how == "rows":
        length = A.norm(dim=1, keepdim=True)
        return A / torch.where(length > 0, length, torch.ones_like(length)), how
    if how == "batchnorm":
        if layer.gain is None:
            raise ValueError(f"no BatchNorm follows the first layer {layer.name!r}; use normalize='none' or 'rows'")
        return A * layer.gain.detach().double().cpu()[:, None], how
    return A, how
