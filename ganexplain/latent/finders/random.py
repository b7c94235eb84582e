"""Directions drawn at random, as a control."""

from __future__ import annotations

import torch

from ganexplain import checks, tensors
from ganexplain.latent.directions import Directions, fingerprint, spread
from ganexplain.latent.finders import Finder
from ganexplain.latent.finders._sampling import oriented, private
from ganexplain.models.generator import Generator

__all__ = ["Random"]


class Random(Finder):
    """Orthonormal directions drawn uniformly: what a direction does that nobody has looked for.

    A control for the other finders, whose directions should do more, or something clearer. Nothing is known of the
    generator but the width of its codes, so none of them stands out.
    """

    facts = ("control", "no labels")

    def fit(self, generator: Generator, *, seed: int = 0) -> Random:
        """Draw from ``seed``; the generator only says how wide a code is, and in other spaces than z how codes vary.

        Raises:
            ValueError: there is no such latent space.
        """
        copy = private(generator, self.space)
        with torch.no_grad(), tensors.isolated(seed):
            d = copy.encode(copy.sample(1, seed=seed), self.space).shape[1]
        k = min(self.n_directions, d)
        drawn = tensors.normal(seed, "random finder", shape=(k, d)).double()
        vectors = oriented(torch.linalg.qr(drawn.T)[0].T).float()
        self._directions = Directions(
            vectors,
            checks.finite(spread(copy, vectors, self.space, seed=seed), "the codes' spread"),
            space=self.space,
            method="random",
            params={"seed": seed},
            stands_out=(False,) * k,
            prior=generator.prior,
            fingerprint=fingerprint(generator),
        )
        return self
