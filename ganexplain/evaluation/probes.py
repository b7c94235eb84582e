"""What a critic says of inputs that are no images of its kind: where it is blind, its verdicts mean little."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.models.critic import Critic
from ganexplain.models.forms import Images

DRAWN = 16  # images of noise
PLAIN = {"white": 1.0, "black": -1.0, "grey": 0.0}
MOST = 0.9  # share of the known reals above which no such image should come
PROBES = DRAWN + len(PLAIN)  # passes that it takes


@dataclass(frozen=True)
class Probes:
    """Mean logits of inputs that nobody would take for real, beside those of the known reals.

    Attributes:
        logits: mean logit by kind: "uniform noise", "white", "black", "grey".
        above: share of the known reals whose logit is lower, by kind.
        reals: mean logit of the known reals.
        threshold: logit below which an image is called fake.
        unit: "logit" or "score".
    """

    logits: dict[str, float]
    above: dict[str, float]
    reals: float
    threshold: float
    unit: str

    @property
    def blind(self) -> tuple[str, ...]:
        """The kinds that the critic calls real, and more so than `MOST` of the known reals; the worst first."""
        kinds = [kind for kind, share in self.above.items() if share > MOST and self.logits[kind] > self.threshold]
        return tuple(sorted(kinds, key=lambda kind: -self.logits[kind]))

    @property
    def sentence(self) -> str:
        """What a reader must know of it, or nothing where the critic is not fooled."""
        if not self.blind:
            return ""
        told = " and ".join(f"{kind} ({self.logits[kind]:.2f})" for kind in self.blind)
        least = min(self.above[kind] for kind in self.blind)
        return (
            f"this judge has a blind spot: it calls {told} more real than {least:.0%} of the known reals "
            f"({self.reals:.2f} on average), so a high {self.unit} says little of images unlike those "
            "that it was trained on, and a baseline far from the data would distort an explanation"
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
    known = reference.logits.double()
    above = {name: float((known.cpu() < mean).double().mean()) for name, mean in means.items()}
    return Probes(means, above, float(known.mean()), critic.threshold, critic.unit)
