"""What a report shows of latent directions: one strip of edited images, and how far each moves the judge's logit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganexplain.latent.directions import Directions
from ganexplain.latent.effects import Effects, effects, random_directions
from ganexplain.latent.finders import measure
from ganexplain.models.critic import Critic
from ganexplain.models.generator import Generator

AMOUNTS = (-3.0, -1.5, 0.0, 1.5, 3.0)


@dataclass(frozen=True)
class Discovery:
    """Directions with their effects, and what they do to one image.

    Attributes:
        directions: K of them.
        effects: how far each moves the critic's logit.
        panels: (K, A, C, H, W) one image edited along each direction by each amount.
        logits: (K, A) the critic's, higher is more real.
        amounts: A, in standard deviations.
    """

    directions: Directions
    effects: Effects
    panels: Tensor
    logits: Tensor
    amounts: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """All numbers, ready for JSON."""
        found = self.effects.to_json()
        rows = found.pop("directions")
        stands = self.directions.stands_out or (None,) * len(self.directions)
        strength = self.directions.strength
        for i, row in enumerate(rows):
            row |= {"stands_out": stands[i], "logits": self.logits[i].tolist()}
            row |= {"strength": None if strength is None else float(f"{float(strength[i]):.6g}")}
        return {
            "method": self.directions.method,
            "measure": measure(self.directions),
            "headline": self.effects.headline("the judge"),
            "space": self.directions.space,
            "layers": list(self.directions.layers),
            "amounts": list(self.amounts),
            "critic_unit": self.effects.unit,
            **found,
            "directions": rows,
        }


def discover(
    directions: Directions,
    generator: Generator,
    critic: Critic,
    codes: Tensor,
    *,
    amounts: Sequence[float] = AMOUNTS,
    seed: int = 0,
) -> Discovery:
    """Edit the first of codes (N, D) for the strip, and measure the effects over the others.

    Args:
        directions: found in ``generator``.
        generator: makes the images.
        critic: judges them.
        codes: at least 3.
        amounts: of the strip, in standard deviations.
        seed: of the random directions that the effects are compared with.
    """
    panels = torch.cat([directions.traverse(generator, codes[:1], i, amounts) for i in range(len(directions))])
    logits = critic.logits(panels.flatten(0, 1)).reshape(panels.shape[:2])
    control = random_directions(directions, seed=seed)
    found = effects(directions, generator, critic, codes[1:], control=control)
    return Discovery(directions, found, panels, logits, tuple(amounts))
