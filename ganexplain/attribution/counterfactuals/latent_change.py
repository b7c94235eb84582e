"""The smallest change of a latent code."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.attribution.counterfactuals import Counterfactual
from ganexplain.attribution.counterfactuals._along import FARTHEST, Single, along
from ganexplain.attribution.counterfactuals._base import Search
from ganexplain.attribution.counterfactuals._boundary import NO_GRADIENT, Boundary
from ganexplain.attribution.counterfactuals._measures import FRACTIONS, Change
from ganexplain.attribution.domains._codes import DirectionsLike
from ganexplain.models.critic import Critic
from ganexplain.models.generator import Generator
from ganexplain.models.search import Crossing, Inversion, cross, invert

__all__ = ["LatentChange"]

BELONGS = 0.05  # root mean square difference in the form's units, up to which a code is that of the image
ALONG = f"{NO_GRADIENT}, or give directions=... to go along"
RARE = 0.01  # of the samples have a code of such a length


@dataclass(frozen=True)
class _Code:
    """The code that a change begins at, and how it was found."""

    code: Tensor
    image: Tensor
    inversion: Inversion | None


class LatentChange(Search):
    """The smallest change of the latent code whose image is judged otherwise: a likely image, not an adversarial one.

    For an image without a code one is searched for (`ganexplain.models.search.invert`), and what is changed is the
    generator's rebuilding of it, whose likeness is told in numbers. Lengths are in standard deviations of the prior.

    Args:
        critic: the critic whose verdict is to turn.
        code: (1, D) or (D,) of the image, or None.
        space: latent space of the code; None takes that of the directions, else z.
        directions: K unit vectors with names, such as `Directions`, tried one at a time: the one that turns the verdict
            with the smallest step is the counterfactual. The code changes freely where none does, or with None.
        generator: what makes the images; None takes the one that the critic knows, by `Critic.with_generator`.
        batch_size: the largest batch that critic and generator see.
    """

    name = "latent_change"
    needs = "calls"

    def __init__(
        self,
        critic: Critic,
        *,
        code: Tensor | None = None,
        space: str | None = None,
        directions: DirectionsLike | None = None,
        generator: Generator | None = None,
        batch_size: int = 64,
    ) -> None:
        super().__init__(critic, batch_size=batch_size)
        self.code = None if code is None else checks.finite(code.detach().reshape(1, -1), "code")
        self.directions, self.generator = directions, generator if generator is not None else critic.generator
        self.space = space or (directions.space if directions is not None else "z")
        if directions is not None and directions.space != self.space:
            raise ValueError(f"the directions live in {directions.space!r} and the code in {self.space!r}")
        self._begun: _Code | None = None

    def find(self, image: Tensor, *, to: str | None = None, seed: int = 0) -> Counterfactual:
        """Change the code of one image (1, C, H, W) in [-1, 1], or what else is judged; see `Search.find`.

        Raises:
            ValueError: no generator is known, the code is not the image's, or the critic lets no gradient through and
                there are no directions to go along.
        """
        generator = self._generator()
        checked = self._checked(image)
        if to is None:
            to = "real" if bool(self._placed(checked).is_fake[0]) else "fake"
        twin = copy.copy(self)
        with tensors.isolated(seed), torch.enable_grad():
            twin._begun = self._code_of(generator, checked, seed)
        found = super(LatentChange, twin).find(twin._begun.image, to=to, seed=seed)
        return replace(found, evaluations=found.evaluations + self._inverted(twin._begun))

    def _generator(self) -> Generator:
        if self.generator is None:
            raise ValueError(
                f"a change of the latent code needs the generator of the {self.critic.form.many}; give it with "
                "critic.with_generator(generator) or generator=..., or open both with GAN.load and take gan.critic()"
            )
        if not self.critic.differentiable and self.directions is None:
            raise ValueError(ALONG)
        checks.one_of("latent space", self.space, self.generator.spaces)
        return self.generator

    def _code_of(self, generator: Generator, image: Tensor, seed: int) -> _Code:
        if self.code is None:
            found = invert(generator, image, space=self.space, seed=seed, batch_size=self.batch_size)
            return _Code(found.codes, found.images, found)
        code = self.code.to(generator.device)
        made = generator.render(code, self.space, batch_size=self.batch_size).to(image)
        form = self.critic.form
        if made.shape != image.shape:
            raise ValueError(f"the generator makes {tuple(made.shape[1:])}, and the image is {tuple(image.shape[1:])}")
        away = float((form.scaled(made) - form.scaled(image)).double().square().mean().sqrt())
        if away > BELONGS:
            raise ValueError(
                f"the code makes another {form.one} than the one given (root mean square difference {away:.3g}); leave "
                "code out, and one is searched for"
            )
        return _Code(code, made, None)

    @staticmethod
    def _inverted(begun: _Code) -> int:
        return begun.inversion.evaluations if begun.inversion is not None else 1

    def _change(self, boundary: Boundary, seed: int) -> Change:
        begun, generator = self._begun, self._generator()
        if begun is None:
            raise RuntimeError("a change of the code begins in find")
        single = None if self.directions is None else along(boundary, generator, begun.code, self.directions)
        free = self._free(boundary, generator, begun.code, seed)
        end, distance, facts, notes = _chosen(single, free)
        t = torch.linspace(0, 1, FRACTIONS, device=end.device)[:, None].to(end)
        way = torch.where(t < 1, begun.code + t * (end - begun.code), end)
        images = generator.render(way, self.space, batch_size=self.batch_size).to(boundary.like)
        values = boundary.form.scaled(images.double()).flatten(1)
        codes = {"code": begun.code[0].tolist(), "changed_code": end[0].tolist()}
        return Change(
            values[-1:],
            way=values,
            distance={"code": distance},
            notes=(*_rebuilt(begun.inversion), *notes),
            facts={"space": self.space, "seed": seed, **codes, **_quality(begun.inversion), **facts},
        )

    def _free(self, boundary: Boundary, generator: Generator, code: Tensor, seed: int) -> Crossing | None:
        """The smallest change of any kind; None where the critic has no gradient to follow."""
        if not boundary.smooth:
            if self.directions is None:
                raise ValueError(ALONG)
            return None
        found = cross(
            generator, self.critic, code, side=boundary.to, space=self.space, seed=seed, batch_size=self.batch_size
        )
        boundary.evaluations += found.evaluations
        return found

    def _already(self, boundary: Boundary) -> Change:
        begun, change = self._begun, super()._already(boundary)
        if begun is None or begun.inversion is None:
            return replace(change, distance={"code": 0.0})
        one = boundary.form.one
        note = f"the generator's rebuilding of the {one} is itself judged {boundary.to}, so no code had to be changed"
        notes, facts = (note, *_rebuilt(begun.inversion)), _quality(begun.inversion)
        return replace(change, notes=notes, facts=facts, distance={"code": 0.0})


def _quality(inversion: Inversion | None) -> dict[str, Any]:
    if inversion is None:
        return {}
    numbers = {"rms": float(inversion.error[0]), "psnr": float(inversion.psnr[0])}
    return {"inversion": {**numbers, "quality": inversion.quality[0], "agreement": float(inversion.agreement[0])}}


def _rebuilt(inversion: Inversion | None) -> tuple[str, ...]:
    if inversion is None:
        return ()
    word, error = inversion.quality[0], float(inversion.error[0])
    told = f"what was changed is the generator's rebuilding of the image, a {word} one (root mean square {error:.2g})"
    return (told if word != "poor" else f"{told}: it says little of the image itself",)


def _rare(plausible: float) -> tuple[str, ...]:
    if plausible >= RARE:
        return ()
    return (f"the changed code is one that the prior hardly gives ({plausible:.1%} of codes are as unusual)",)


def _chosen(single: Single | None, free: Crossing | None) -> tuple[Tensor, float, dict[str, Any], tuple[str, ...]]:
    """The changed code, its distance, facts and notes: one direction alone where that is enough, else any change."""
    facts: dict[str, Any] = {} if single is None else {"directions": list(single.all)}
    flips = single is not None and bool(single.all[0]["flipped"])
    if free is not None:
        facts |= {"free_distance": float(free.distance[0]), "agreement": float(free.agreement[0])}
    if single is not None and (flips or free is None):
        return single.code, single.distance, {**facts, "direction": single.name, "amount": single.amount}, ()
    if free is None:
        raise RuntimeError("neither a direction nor a free change was tried")
    notes = _rare(float(free.plausible[0])) if bool(free.flipped[0]) else ()
    if single is not None:
        count = len(single.all)
        which = "the direction does not turn" if count == 1 else f"none of the {count} directions alone turns"
        notes = (f"{which} the verdict within {FARTHEST:g} standard deviations, so the code changes freely", *notes)
    return free.codes, float(free.distance[0]), facts, notes
