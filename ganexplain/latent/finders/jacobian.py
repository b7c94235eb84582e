"""Eigenvectors of the averaged Jacobian Gram matrix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganexplain.latent.directions import Directions, fingerprint, spread
from ganexplain.latent.finders._sampling import SamplingFinder, oriented, private, tidy
from ganexplain.latent.sensitivity import Pushforward, gram
from ganexplain.models.forms import Images
from ganexplain.models.generator import Generator

__all__ = ["Jacobian"]

GROUPS = 8  # of codes, each with a mean of its own: enough for a standard error, few enough to keep
# half the codes have twice the squared error: where halves agree to |cos| .8, all codes come to about .95 of the truth
STABLE = 0.8
ROUNDING = 1e-5  # relative to the largest eigenvalue: below, float32 derivatives are noise


class Jacobian(SamplingFinder):
    """The directions along which the image changes most, averaged over codes: eigenvectors of E[J^T J].

    J is the derivative of all pixels by the code, so ``v^T J^T J v`` is the squared change of the image per unit step
    along v. The eigenvalue is its mean over codes, and the sum of the eigenvalues is what all directions change
    together (the matrix of "active subspaces", Constantine et al. 2014). Given ``codes``, the directions are those of
    these images alone; for one code they are the right singular vectors of its Jacobian. The amount of an edit is in
    standard deviations of the codes.

    A pixel at the end of the range, where the generator clamps, does not move: it adds nothing, and
    ``saturated`` in `Directions.params` is the share of such pixels.

    A direction stands out when it changes the image more than a random direction does on average, and is nearly the
    same in two halves of the codes (``stability`` is |cos|, at least .8); for a single code nothing is sampled.
    ``tied`` says that its eigenvalue is not told from a neighbour's: the two may be any rotation of one another.

    Args:
        space: latent space.
        n_directions: how many at most.
        n_samples: codes that are averaged over; each costs about d forwards for codes of d numbers.
        batch_size: the most derivatives at once.

    Attributes:
        eigenvalues_: (d,) all of them, descending.
    """

    facts = ("samples codes", "forward derivatives", "no labels")
    measure = "eigenvalue"
    columns = {"stability": "stability"}

    eigenvalues_: Tensor

    def __init__(self, *, space: str = "z", n_directions: int = 10, n_samples: int = 64, batch_size: int = 64) -> None:
        super().__init__(space=space, n_directions=n_directions, n_samples=n_samples, batch_size=batch_size)

    def fit(self, generator: Generator, *, seed: int = 0, codes: Tensor | None = None) -> Jacobian:
        """Average over ``n_samples`` codes drawn from the prior, or over ``codes`` (N, d) of the space if given.

        Raises:
            ValueError: no such space, codes of another width, a generator without forward derivatives, or one whose
                images do not change.
        """
        copy = private(generator, self.space)
        drawn: Iterable[Tensor] = self._codes(copy, self.n_samples, seed=seed, stream="jacobian")
        if codes is not None:
            drawn = [codes.detach().to(copy.device)]
        grams, saturated = _grams(Pushforward(copy, self.space, batch_size=self.batch_size, seed=seed), drawn)
        eigen = Eigen.of(grams)
        if not float(eigen.values[0]) > 0:
            raise ValueError(
                f"the images do not change with the code in {self.space} ({100 * saturated:.0f} % of the pixels are at "
                "the end of their range); does the generator answer to its code, and is its value_range right?"
            )
        self.eigenvalues_ = eigen.values
        k = min(self.n_directions, len(eigen.values))
        vectors = eigen.vectors[:k].float()
        self._directions = Directions(
            vectors,
            spread(copy, vectors, self.space, seed=seed),
            eigen.values[:k].float(),
            space=self.space,
            method="jacobian",
            params={
                "n_samples": eigen.n,
                "local": codes is not None,
                "saturated": float(f"{saturated:.6g}"),
                **eigen.to_json(k),
            },
            stands_out=tuple(eigen.stands_out[:k].tolist()),
            prior=generator.prior,
            fingerprint=fingerprint(generator),
        )
        return self


def _grams(push: Pushforward, drawn: Iterable[Tensor]) -> tuple[Grams, float]:
    """Sums of J^T J over codes, and the share of pixels that are clamped."""
    sums: dict[int, Tensor] = {}
    counts = [0] * GROUPS
    clamped = 0.0
    for batch in drawn:
        images = push.generator.render(batch, push.space, batch_size=push.batch_size)
        if isinstance(push.generator.form, Images):  # nothing else is clamped
            clamped += float((images.abs() >= 1).double().mean()) * len(batch)
        for code in batch:
            group = sum(counts) % GROUPS
            sums[group] = sums.get(group, 0) + gram(push, code)
            counts[group] += 1
    return Grams(torch.stack(list(sums.values())), torch.tensor(counts[: len(sums)])), clamped / sum(counts)


@dataclass(frozen=True)
class Grams:
    """Sums of matrices over disjoint groups of codes.

    Attributes:
        sums: (G, d, d).
        counts: (G,) codes in each.
    """

    sums: Tensor
    counts: Tensor

    def mean(self, groups: slice = slice(None)) -> Tensor:
        """(d, d) mean over the codes of these groups."""
        mean: Tensor = self.sums[groups].sum(0) / self.counts[groups].sum()
        return mean

    @property
    def means(self) -> Tensor:
        """(G, d, d) mean of each group."""
        return self.sums / self.counts[:, None, None]


@dataclass(frozen=True)
class Eigen:
    """Eigenvectors of a mean of matrices, and what the sample leaves open about them.

    Attributes:
        values: (d,) descending.
        vectors: (d, d) as rows, largest component positive.
        n: matrices that were averaged.
        stability: (d,) |cos| between the eigenvectors of two halves that are nearest to each; None for a single one.
        tied: (d,) the distance from a neighbour's eigenvalue, each half judged by the other's eigenvectors, is below
            twice its standard error, or below rounding.
    """

    values: Tensor
    vectors: Tensor
    n: int
    stability: Tensor | None
    tied: Tensor

    @classmethod
    def of(cls, grams: Grams) -> Eigen:
        """Decompose the mean, and those of two halves."""
        values, vectors = _decomposed(grams.mean())
        groups, stability = len(grams.counts), None
        apart, error = values[:-1] - values[1:], torch.zeros(1).double()
        if groups > 1:
            halves = [_decomposed(grams.mean(slice(i, None, 2)))[1] for i in (0, 1)]
            nearest = [half[(half @ vectors.T).abs().argmax(0)] for half in halves]
            stability = (nearest[0] * nearest[1]).sum(1).abs()
            # each group with the vectors of the half that it is not in: those of its own tell even equal values apart
            others = torch.stack([halves[1 - g % 2] for g in range(groups)])
            along = torch.einsum("gkd,gde,gke->gk", others, grams.means, others)
            seen = along[:, :-1] - along[:, 1:]
            # where values are equal the halves' answers have one sign: as uncertain as the answer of one
            apart, error = seen.mean(0), seen.std(0) / (groups / 2) ** 0.5
        close = apart <= torch.maximum(2 * error, ROUNDING * values[:1])
        none = torch.zeros(1, dtype=torch.bool)
        tied = torch.cat([close, none]) | torch.cat([none, close])
        return cls(values, oriented(vectors), int(grams.counts.sum()), stability, tied)

    @property
    def stands_out(self) -> Tensor:
        """(d,) bool: stronger than a random direction is on average, and the same in two halves."""
        strong: Tensor = self.values > self.values.mean() + ROUNDING * self.values[0]
        return strong if self.stability is None else strong & (self.stability >= STABLE)

    def to_json(self, k: int) -> dict[str, Any]:
        """What a file keeps of the first ``k``."""
        found: dict[str, Any] = {"mean_eigenvalue": tidy(self.values.mean()[None])[0], "tied": self.tied[:k].tolist()}
        if self.stability is not None:
            found |= {"stability": tidy(self.stability[:k]), "stability_needed": STABLE}
        return found


def _decomposed(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (d,), descending, and eigenvectors (d, d) as rows."""
    values, vectors = torch.linalg.eigh(matrix)
    return values.flip(0).clamp(min=0), vectors.T.flip(0)
