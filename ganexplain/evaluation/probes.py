"""What a critic says of inputs that are no images of its kind: where it is blind, its verdicts mean little."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.models.critic import Critic
from ganexplain.models.forms import Images

DRAWN = 16  # of each kind that is drawn at random


@dataclass(frozen=True)
class Probes:
    """Mean logits of inputs that nobody would take for real, beside those of the known reals.

    Attributes:
        logits: mean logit by kind: "uniform noise", "white", "black", "grey".
        reals: mean logit of the known reals.
        threshold: logit below which an image is called fake.
        unit: "logit" or "score".
    """

    logits: dict[str, float]
    reals: float
    threshold: float
    unit: str

    @property
    def blind(self) -> tuple[str, ...]:
        """The kinds that the critic calls more real than it calls the known reals on average, the worst first."""
        above = {kind: value for kind, value in self.logits.items() if value > max(self.reals, self.threshold)}
        return tuple(sorted(above, key=lambda kind: -above[kind]))

    @property
    def sentence(self) -> str:
        """What a reader must know of it, or nothing where the critic is not fooled."""
        if not self.blind:
            return ""
        told = " and ".join(f"{kind} ({self.logits[kind]:.2f})" for kind in self.blind)
        return (
            f"this judge has a blind spot: it calls {told} more real than the known reals ({self.reals:.2f} on "
            f"average), so a high {self.unit} says little of images unlike those that it was trained on, and a "
            "baseline far from the data would distort an explanation"
        )


def probe(critic: Critic, *, seed: int = 0, batch_size: int = 64) -> Probes | None:
    """Mean logits of noise and plain images in the shape of the critic's reals; None where it knows none.

    Many a critic has never seen anything but images, and is free to say anything elsewhere. Uniform noise has the range
    of images and nothing else of them; plain images have no content at all.

    Args:
        critic: of images; with reals, since only beside them a logit means much.
        seed: of the noise.
        batch_size: the largest batch that the critic sees.
    """
    reference = critic.reference
    if reference is None or not isinstance(critic.form, Images):
        return None
    shape, like = tuple(reference.images.shape[1:]), reference.images
    noise = torch.from_numpy(tensors.rng(seed, "probes").uniform(-1, 1, (DRAWN, *shape))).to(like)
    kinds = {"uniform noise": noise}
    kinds |= {name: like.new_full((1, *shape), value) for name, value in PLAIN.items()}
    logits = critic.logits(torch.cat(list(kinds.values())), batch_size=batch_size).double()
    parts: tuple[Tensor, ...] = torch.split(logits, [len(images) for images in kinds.values()])
    means = {name: float(part.mean()) for name, part in zip(kinds, parts, strict=True)}
    return Probes(means, float(reference.logits.double().mean()), critic.threshold, critic.unit)


PLAIN = {"white": 1.0, "black": -1.0, "grey": 0.0}
