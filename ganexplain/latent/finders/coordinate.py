"""The axes of the code, as a control."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.latent.directions import Directions, fingerprint, spread
from ganexplain.latent.finders._sampling import SamplingFinder, private, tidy
from ganexplain.models.generator import Generator

__all__ = ["Coordinate"]

N_RANDOM = 32
CHANCE = 0.95  # quantile of the random directions that an axis must exceed


class Coordinate(SamplingFinder):
    """The axes of the code that change the image most, each by itself.

    A control: a normal prior is the same along every axis and in between, so the axes mean no more than other
    directions, unless training made them. `Directions.strength` is the mean absolute change of a pixel, on the scale
    [-1, 1], when a code moves by one standard deviation along the axis. An axis stands out when that exceeds what 95 %
    of 32 random directions with a step of one standard deviation do. Axes along which no code differs from another are
    left out.

    Args:
        space: latent space.
        n_directions: how many at most.
        n_samples: codes that are averaged over; each costs a forward an axis.
        batch_size: the most that the generator sees at once.

    Attributes:
        changes_: (d,) mean absolute change of a pixel for every axis, in the order of the code.
    """

    facts = ("control", "samples codes", "no labels")
    measure = "change of a pixel"

    changes_: Tensor

    def __init__(self, *, space: str = "z", n_directions: int = 10, n_samples: int = 16, batch_size: int = 64) -> None:
        super().__init__(space=space, n_directions=n_directions, n_samples=n_samples, batch_size=batch_size)

    def fit(self, generator: Generator, *, seed: int = 0) -> Coordinate:
        """Measure every axis over ``n_samples`` codes.

        Raises:
            ValueError: there is no such latent space, or no code differs from another.
        """
        copy = private(generator, self.space)
        codes = torch.cat(list(self._codes(copy, self.n_samples, seed=seed, stream="coordinate")))
        d = codes.shape[1]
        axes = torch.eye(d)
        drawn = torch.nn.functional.normalize(tensors.normal(seed, "coordinate control", shape=(N_RANDOM, d)), dim=1)
        both = torch.cat([axes, drawn])
        scale = spread(copy, both, self.space, seed=seed)
        changes = self._changes(copy, codes, both * scale[:, None])
        self.changes_, control = changes[:d], changes[d:]
        alive = int((scale[:d] > 0).sum())
        if not alive:
            raise ValueError(f"the codes in {self.space} are all the same, so no axis can be followed")
        order = torch.where(scale[:d] > 0, self.changes_, -1.0).argsort(descending=True, stable=True)
        order = order[: min(self.n_directions, alive)]
        chance = float(control.quantile(CHANCE))
        self._directions = Directions(
            axes[order],
            scale[order],
            self.changes_[order].float(),
            space=self.space,
            names=tuple(f"axis {i}" for i in order.tolist()),
            method="coordinate",
            params={
                "n_samples": self.n_samples,
                "axes": order.tolist(),
                "random_95": tidy(control.new_tensor([chance]))[0],
            },
            stands_out=tuple((self.changes_[order] > chance).tolist()),
            prior=generator.prior,
            fingerprint=fingerprint(generator),
        )
        return self

    def _changes(self, generator: Generator, codes: Tensor, steps: Tensor) -> Tensor:
        """(S,) mean absolute change of a pixel over codes (N, d) for each of the steps (S, d), float64."""
        images = generator.render(codes, self.space, batch_size=self.batch_size).double()
        code, step = torch.cartesian_prod(torch.arange(len(codes)), torch.arange(len(steps))).unbind(1)
        found = []
        for c, s in zip(torch.split(code, self.batch_size), torch.split(step, self.batch_size), strict=True):
            moved = generator.render(codes[c] + steps[s].to(codes), self.space, batch_size=self.batch_size)
            found.append((moved.double() - images[c]).abs().flatten(1).mean(1).cpu())
        return torch.cat(found).reshape(len(codes), -1).mean(0)
