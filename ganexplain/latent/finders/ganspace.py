"""Principal components of a layer's activations, or of the codes (GANSpace)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganexplain import checks
from ganexplain.latent.activations import activations, first_block
from ganexplain.latent.components import Components, tied, varimax
from ganexplain.latent.directions import Directions, fingerprint
from ganexplain.latent.finders._sampling import SamplingFinder, oriented, private, tidy
from ganexplain.latent.spectrum import random_edge
from ganexplain.models import priors
from ganexplain.models.generator import Generator

__all__ = ["GanSpace"]

ROTATIONS = ("none", "varimax")
# an edit moves a component by the share of its variance that is linear in the code: below one half, what the edit does
# to the component is less than what it cannot foresee
R2_NEEDED = 0.5
CACHE = 2**28  # bytes of activations that are kept; beyond, they are computed anew in each pass


class GanSpace(SamplingFinder):
    """The directions along which a layer's activations vary most, or the codes themselves in spaces other than z.

    In z the codes vary alike in all directions, so the principal components of a layer's activations are found, and the
    codes are regressed on their scores: an edit by 1 adds what codes have more on average whose component is one
    standard deviation higher. In another space such as w the components are those of the codes, and an edit by 1 is one
    standard deviation. The length of that step is `Directions.scale`, `Directions.strength` the component's variance
    (Haerkoenen et al. 2020, "GANSpace: discovering interpretable GAN controls").

    A component need not be linear in the code. ``held_out_r2`` in `Directions.params` is the share of its variance that
    a linear function of the code explains on codes not used for the fit: 1 for a linear generator. A direction stands
    out when that is above .5 (below, an edit moves the component less than what it does not foresee) and its variance
    above what the strongest of d equal directions has by chance in so many samples (`spectrum.random_edge`). ``tied``
    says that the other codes do not tell its variance from a neighbour's: the two may be any rotation of one another.

    Args:
        space: latent space.
        n_directions: how many at most.
        n_samples: codes of the fit; as many again are held out.
        batch_size: the most that the generator sees at once.
        layer: module path whose activations are taken; None is the first block in z (the first layer with weights and
            the norm and activation after it), the codes elsewhere.
        rotation: "none", or "varimax", which turns the components within their span so that each concerns few features.

    Attributes:
        components_: `Components` of the activations (or codes), before any rotation.
        layer_: what ``layer=None`` came to; None where the codes themselves were taken.
    """

    facts = ("samples codes", "runs up to one layer", "no labels")
    measure = "variance"
    columns = {"held_out_r2": "held-out R²"}

    components_: Components
    layer_: str | None

    def __init__(
        self,
        *,
        space: str = "z",
        n_directions: int = 10,
        n_samples: int = 4096,
        batch_size: int = 64,
        layer: str | None = None,
        rotation: str = "none",
    ) -> None:
        super().__init__(space=space, n_directions=n_directions, n_samples=n_samples, batch_size=batch_size)
        self.layer = layer
        self.rotation = checks.one_of("rotation", rotation, ROTATIONS)

    def fit(self, generator: Generator, *, seed: int = 0) -> GanSpace:
        """Find the components of ``n_samples`` codes.

        Raises:
            ValueError: there is no such layer or space, or too few samples for codes of that width.
        """
        copy = private(generator, self.space)
        self.layer_ = self.layer or (first_block(copy) if self.space == "z" else None)
        d = next(self._codes(copy, 1, seed=seed, stream="fit")).shape[1]
        if self.n_samples < 2 * d:
            raise ValueError(
                f"n_samples must be at least twice the {d} numbers of a code in {self.space}, got {self.n_samples}; "
                "with fewer, the directions follow the samples"
            )
        data = _Stream(lambda: self._pairs(copy, self.n_samples, seed, "fit"))
        k = min(self.n_directions, d)
        found = Components.of(lambda: (features for _, features in data()), k + 1, seed=seed)
        self.components_ = found.leading(k)
        rotation = self._rotation()
        regression = None
        if self.layer_ is not None:
            regression = Regression.of((codes, self.components_.scores(x) @ rotation) for codes, x in data())
        known = priors.deviation(copy.prior) ** 2 if self.space == "z" else None
        sd = self.components_.variances.sqrt()[:, None]
        steps = regression.steps(known) if regression else rotation.T @ (sd * self.components_.vectors)
        held_out = self._pairs(copy, self.n_samples, seed, "held out")
        judged = Judged.of(held_out, found, rotation, regression)
        self._keep(generator, steps, (rotation**2).T @ self.components_.variances, judged)
        return self

    def _pairs(self, generator: Generator, n: int, seed: int, stream: str) -> Iterator[tuple[Tensor, Tensor]]:
        """Codes (B, d) and what the components are taken of (B, D), both on the CPU."""
        for codes in self._codes(generator, n, seed=seed, stream=stream):
            said = codes.cpu() if self.layer_ is None else activations(generator, self.layer_, codes, self.space)
            yield codes.cpu(), checks.finite(said, f"activations of {self.layer_!r}" if self.layer_ else "codes")

    def _rotation(self) -> Tensor:
        """(K, K) orthogonal: what turns the components' scores into those of the directions, strongest first."""
        found = self.components_
        if self.rotation == "none":
            return torch.eye(len(found.variances), dtype=torch.float64)
        rotation = varimax(found.vectors.T * found.variances.sqrt())
        return rotation[:, ((rotation**2).T @ found.variances).argsort(descending=True)]

    def _keep(self, generator: Generator, steps: Tensor, variances: Tensor, judged: Judged) -> None:
        """Steps (K, d) as directions; a rotation settles which of tied components are meant."""
        scale = steps.norm(dim=1)
        tied = judged.tied if self.rotation == "none" else torch.zeros_like(judged.tied)
        strong = variances > judged.edge
        params: dict[str, Any] = {
            "layer": self.layer_,
            "rotation": self.rotation,
            "n_samples": self.n_samples,
            "solver": self.components_.solver,
            "explained_variance_ratio": tidy(variances / self.components_.total),
            "random_threshold": tidy(torch.tensor([judged.edge]))[0],
            "tied": tied.tolist(),
        }
        if judged.r2 is not None:
            params |= {"held_out_r2": tidy(judged.r2), "r2_needed": R2_NEEDED}
            strong &= judged.r2 > R2_NEEDED
        self._directions = Directions(
            oriented(steps / scale[:, None]).float(),
            scale.float(),
            variances.float(),
            space=self.space,
            layers=(self.layer_,) if self.layer_ else (),
            method="ganspace",
            params=params,
            stands_out=tuple(strong.tolist()),
            prior=generator.prior,
            fingerprint=fingerprint(generator),
        )


class _Stream:
    """Pairs of tensors that can be read again and again: from memory where they fit, else computed anew."""

    def __init__(self, make: Callable[[], Iterator[tuple[Tensor, Tensor]]]) -> None:
        self.make = make
        self.kept: list[tuple[Tensor, Tensor]] | None = None

    def __call__(self) -> Iterator[tuple[Tensor, Tensor]]:
        if self.kept is not None:
            yield from self.kept
            return
        kept, size = [], 0
        for pair in self.make():
            size += sum(t.numel() * t.element_size() for t in pair)
            if size <= CACHE:
                kept.append(pair)
            else:
                kept.clear()
            yield pair
        if size <= CACHE:
            self.kept = kept


@dataclass(frozen=True)
class Regression:
    """Scores regressed on codes by least squares.

    Attributes:
        slopes: (d, K) what the scores have more on average per unit of each number of the code.
        intercept: (K,).
        covariance: (d, d) of these codes.
        noise: (K,) variance of the scores that is not linear in the code.
    """

    slopes: Tensor
    intercept: Tensor
    covariance: Tensor
    noise: Tensor

    @classmethod
    def of(cls, pairs: Iterable[tuple[Tensor, Tensor]]) -> Regression:
        """From the joint covariance of codes (B, d) and scores (B, K), summed up in float64."""
        n, sums, products, d = 0, torch.zeros(()), torch.zeros(()), 0
        for codes, scores in pairs:
            both = torch.cat([codes.double(), scores], 1)
            n, d = n + len(both), codes.shape[1]
            sums, products = sums + both.sum(0), products + both.T @ both
        mean = sums / n
        joint = products / n - mean[:, None] * mean
        slopes = torch.linalg.pinv(joint[:d, :d], hermitian=True) @ joint[:d, d:]  # a code may have dead numbers
        noise = (joint.diagonal()[d:] - (slopes * joint[:d, d:]).sum(0)).clamp(min=0) * n / max(n - d - 1, 1)
        return cls(slopes, mean[d:] - mean[:d] @ slopes, joint[:d, :d], noise)

    def steps(self, variance: float | None) -> Tensor:
        """(K, d) what codes have more on average where a score is one standard deviation higher.

        That is the covariance of codes and score over the score's standard deviation, and the covariance is that of the
        codes times the slopes. Where the prior says that the codes' is ``variance`` times the identity, that is used
        instead of the samples': then a linear generator gives its directions, and steps of one standard deviation,
        without the error, of the size sqrt(d / n), of the samples.
        """
        covariance = self.covariance if variance is None else variance * torch.eye(len(self.slopes)).double()
        both = self.slopes.T @ covariance
        deviation = ((both * self.slopes.T).sum(1) + self.noise).sqrt()
        return both / deviation[:, None]

    def missed(self, codes: Tensor, scores: Tensor) -> Tensor:
        """(B, K) what the scores (B, K) have more than is expected of the codes (B, d)."""
        return scores - codes.double() @ self.slopes - self.intercept


@dataclass(frozen=True)
class Judged:
    """What codes that were not used for the fit say of the components.

    Attributes:
        edge: variance that the strongest of d equal directions exceeds in at most 5 % of cases.
        tied: (K,) bool, see `components.tied`.
        r2: (K,) share of the scores' variance that the codes explain, negative if less than nothing; None where the
            components are those of the codes.
    """

    edge: float
    tied: Tensor
    r2: Tensor | None

    @classmethod
    def of(
        cls,
        pairs: Iterable[tuple[Tensor, Tensor]],
        found: Components,
        rotation: Tensor,
        regression: Regression | None,
    ) -> Judged:
        """From other codes (B, d) and what they make (B, D).

        Args:
            pairs: of these.
            found: the components, and one more for the last one's neighbour.
            rotation: (K, K) of their scores.
            regression: of the rotated scores on codes.
        """
        k, d = len(rotation), 0
        scores, energy, missed = [], [], []
        for codes, said in pairs:
            d = codes.shape[1]
            scores.append(found.scores(said))
            energy.append((said.double() - found.mean).square().sum(1))
            if regression is not None:
                missed.append(regression.missed(codes, scores[-1][:, :k] @ rotation))
        seen = torch.cat(scores)
        edge = random_edge(torch.cat(energy), d) / len(seen)
        ties = tied(seen.square() * found.variances)[:k]
        if regression is None:
            return cls(edge, ties, None)
        turned = seen[:, :k] @ rotation
        r2 = 1 - torch.cat(missed).square().sum(0) / (turned - turned.mean(0)).square().sum(0)
        return cls(edge, ties, r2)
