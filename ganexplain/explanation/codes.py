"""The latent code of the image: given, or found by inversion, and how well it stands for the image."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ganexplain.attribution.domains.latent import Latent
from ganexplain.explanation.plan import Plan
from ganexplain.latent.directions import Directions
from ganexplain.models.critic import Critic
from ganexplain.models.generator import Generator
from ganexplain.models.preprocess import resized

POOR = "poor"  # the word of `ganexplain.models.search` for an inversion that is another image
TRIED = 8  # times as many codes are drawn, at most, to find those that are judged otherwise
ENOUGH = 4  # of those that are a set
APART = 0.05  # root mean square difference, in a range of 2, from which a given code's image is another one


@dataclass(frozen=True)
class Coded:
    """An image's code.

    Attributes:
        domain: in which it is explained.
        code: (1, D).
        facts: what a report says of it, JSON-able.
        notes: what a reader must know, one sentence each.
        doubted: what the generator makes of the code is not the image.
        origins: (K, D) codes that it is compared with, or None for random ones as they come.
        judged: how the critic judges all of those, "real" or "fake", or nothing where it judges them so and so.
    """

    domain: Latent
    code: Tensor
    facts: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    doubted: bool = False
    origins: Tensor | None = None
    judged: str = ""


class Codes:
    """Finds codes of images, and directions once for all of them.

    Args:
        critic: who judged; it knows the generator.
        plan: with directions, space and settings of the domain.
    """

    def __init__(self, critic: Critic, plan: Plan) -> None:
        self.critic, self.plan = critic, plan
        self._domain: Latent | None = None
        self._counterparts: dict[bool, tuple[Tensor, str]] = {}

    @property
    def domain(self) -> Latent:
        """The domain of codes along the plan's directions, or along those that a finder without labels finds.

        Raises:
            ValueError: no generator is known.
        """
        if self._domain is None:
            plan, generator = self.plan, self.generator
            given = plan.directions
            space = plan.space or getattr(given, "space", None) or generator.spaces[0]
            known = found(generator, space, plan.seed) if given is None else given
            self._domain = Latent(generator, known, space=space, **{"seed": plan.seed, **plan.latent})
        return self._domain

    @property
    def generator(self) -> Generator:
        """Who makes the images.

        Raises:
            ValueError: the critic knows none.
        """
        if self.critic.generator is None:
            raise ValueError(
                "latent directions belong to a generator, and the critic knows none; say which by "
                "critic.with_generator(generator)"
            )
        return self.critic.generator

    def of(self, image: Tensor, code: Tensor | None) -> Coded:
        """The code of an image (1, C, H, W), given (1, D) or found.

        Raises:
            ValueError: no generator is known, or it makes images of another kind.
        """
        made = self._inverted(image) if code is None else self._given(image, code)
        seen = made.domain.seen(self.critic, made.code, batch_size=self.plan.batch_size)
        verdict = self.critic.judge(seen, batch_size=self.plan.batch_size)
        if not verdict.placed:
            return made
        origins, judged = self.counterparts(fake=bool(verdict.is_fake[0]))
        return dataclasses.replace(made, origins=origins, judged=judged)

    def counterparts(self, *, fake: bool) -> tuple[Tensor, str]:
        """Random codes (K, D) of images that are judged otherwise than fake (or real), and how; drawn once.

        From codes of both kinds, a fake that is no worse than most of the generator's would have nothing to explain.
        Where the generator makes too few images of the other side, its codes are taken as they come, and the check of
        contrast says what that leaves.
        """
        if fake not in self._counterparts:
            domain, kept = self.domain, list[Tensor]()
            wanted, size = domain.n_origins, self.plan.batch_size
            drawn = Latent(
                self.generator, domain.directions, space=domain.space, n_origins=TRIED * wanted, seed=domain.seed
            )
            codes = drawn.origins(self.generator)
            for piece in torch.split(codes, wanted):
                other = self.critic.judge(domain.seen(self.critic, piece, batch_size=size), batch_size=size).is_fake
                kept.append(piece[(other != fake).to(piece.device)])
                if sum(map(len, kept)) >= wanted:
                    break
            found = torch.cat(kept)[:wanted]
            enough = len(found) >= min(ENOUGH, wanted)
            self._counterparts[fake] = (found, "real" if fake else "fake") if enough else (codes[:wanted], "")
        return self._counterparts[fake]

    def _given(self, image: Tensor, code: Tensor) -> Coded:
        domain = self.domain
        shown = domain.seen(self.critic, code.to(image), batch_size=self.plan.batch_size)
        error = _apart(shown, image)
        facts = {**self._facts(domain), "inverted": False, "error": error}
        if error <= APART:
            return Coded(domain, code.to(image), facts)
        note = (
            f"the image of the code differs from the image that was judged by {error:.2f} of a range of 2 (root mean "
            "square): what is explained is the image of the code"
        )
        return Coded(domain, code.to(image), facts, (note,), doubted=True)

    def _inverted(self, image: Tensor) -> Coded:
        from ganexplain.models import search

        domain, generator = self.domain, self.generator
        _comparable(generator, image)
        target = _as(image, generator)
        made = search.invert(
            generator, target, space=domain.space, seed=self.plan.seed, batch_size=self.plan.batch_size
        )
        quality = str(made.quality[0])
        logits = self.critic.logits(torch.cat([image, _like(made.images, image)]))
        facts = {
            **self._facts(domain),
            "inverted": True,
            "quality": quality,
            "psnr": _finite(float(made.psnr[0])),
            "error": float(made.error[0]),
            "logit": float(logits[0]),
            "logit_inverted": float(logits[1]),
        }
        poor = quality == POOR
        note = (
            f"the generator cannot make this image: its nearest one, at {float(made.psnr[0]):.1f} dB, is poor, and "
            "what is said of latent directions is said of that one"
        )
        return Coded(domain, made.codes.to(image), facts, (note,) if poor else (), poor)

    @staticmethod
    def _facts(domain: Latent) -> dict[str, Any]:
        known = domain.directions
        names = [] if known is None else list(known.names)
        return {"space": domain.space, "directions": names, "directions_by": getattr(known, "method", None)}


def found(generator: Generator, space: str, seed: int) -> Directions:
    """Directions by the cheapest finder that can read the generator: SeFa, which takes no samples, else GANSpace."""
    from ganexplain.latent.finders.ganspace import GanSpace
    from ganexplain.latent.finders.sefa import SeFa

    try:
        return SeFa(space=space).fit(generator, seed=seed).directions_
    except (ValueError, NotImplementedError):
        samples = max(512, 2 * int(generator.encode(generator.sample(1), space).shape[1]))
        return GanSpace(space=space, n_samples=samples).fit(generator, seed=seed).directions_


def _comparable(generator: Generator, image: Tensor) -> None:
    if image.ndim != 4 or generator.channels != image.shape[1]:
        raise ValueError(
            f"the generator makes images of {generator.channels} channels, and this one is {tuple(image.shape[1:])}, "
            "so it has no code"
        )


def _as(image: Tensor, generator: Generator) -> Tensor:
    side = generator.resolution
    return image if image.shape[-2:] == (side, side) else resized(image, (side, side)).clamp(-1, 1)


def _like(made: Tensor, image: Tensor) -> Tensor:
    same = made.shape[-2:] == image.shape[-2:]
    return made.to(image) if same else resized(made.to(image), (image.shape[-2], image.shape[-1])).clamp(-1, 1)


def _apart(shown: Tensor, image: Tensor) -> float:
    if shown.ndim != image.ndim or shown.shape[1] != image.shape[1]:
        return math.inf
    near = _like(shown, image) if image.ndim == 4 else shown.to(image)
    return float((near - image).square().mean().sqrt())


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
