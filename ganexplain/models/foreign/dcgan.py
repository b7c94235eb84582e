"""Convolutional GANs: chains of convolutions such as DCGAN, SNGAN and WGAN critics, from names with gaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from ganexplain.models.checkpoints import Weights
from ganexplain.models.foreign import _found
from ganexplain.models.foreign._calibrate import TELLS
from ganexplain.models.foreign._layout import Found, Layout
from ganexplain.models.foreign._parts import Part, parts_of
from ganexplain.models.foreign._patches import style_of
from ganexplain.models.foreign._stack import OPTIONS, Stack, read_stack
from ganexplain.models.spec import Spec

__all__ = ["DCGAN"]

CHANNELS = (1, 3)
SHORT = 8  # numbers that a code has at least
SMALL = 16  # pixels that a side has at least
FEW = 16  # numbers that a discriminator may return
TYPICAL, PATCHY = 0.7, 0.3
COURSE_EPS = 0.8  # PyTorch-GAN writes BatchNorm2d(width, 0.8), meaning the momentum
COPIED = "BatchNorm with eps 0.8 assumed, as all that is copied from PyTorch-GAN has it; [architecture] eps = 1e-5"
FAR = 0.1  # of the score that each unit of cost takes


class DCGAN(Layout):
    """Chains of convolutions: DCGAN of any size, with BatchNorm, other norms or none; SNGAN; WGAN critics."""

    name: ClassVar[str] = "dcgan"
    options: ClassVar[Mapping[str, Any]] = OPTIONS

    def read(self, weights: Weights, spec: Spec) -> Found | None:
        """See `Layout.read`."""
        parts = parts_of(weights)
        if parts is None or not any(part.kind == "conv" for part in parts) or _labelled(parts):
            return None
        settings = self.settings(spec)
        settings["size"] = _found.option_size(spec, settings)
        copied = _copied(parts) and settings["eps"] is None and not weights.modules
        for role in _found.roles(weights):
            found = self._read(weights, parts, role, settings, spec)
            if found is None:
                continue
            if not copied or any(line.startswith(TELLS) for line in found.lines):
                return found
            again = self._read(weights, parts, role, {**settings, "eps": _copied_eps(parts, role)}, spec) or found
            return replace(again, unknown={**again.unknown, "architecture.eps": COPIED})
        return None

    def _read(
        self, weights: Weights, parts: tuple[Part, ...], role: str, settings: Mapping[str, Any], spec: Spec
    ) -> Found | None:
        stack = read_stack(parts, role, settings, facts=weights.modules)
        if stack is None or not _plausible(stack, spec):
            return None
        if role == "generator":
            return _found.found_generator(stack, self.name, spec, score=_score(stack))
        critic = _found.is_critic(weights) or any(part.kind == "norm" and not part.statistics for part in parts)
        found = _found.found_discriminator(stack, self.name, spec, wasserstein=critic, score=_score(stack))
        unsaid = {} if spec.layout else _patches_too(parts, found)
        return replace(found, unknown={**found.unknown, **unsaid})


def _copied(parts: tuple[Part, ...]) -> bool:
    """Whether names and norms are those of PyTorch-GAN's DCGAN, which is copied more than any other."""
    heads = {part.name.split(".")[0] for part in parts}
    normed = any(part.statistics for part in parts)
    return normed and any(pair <= heads for pair in ({"l1", "conv_blocks"}, {"model", "adv_layer"}))


def _copied_eps(parts: tuple[Part, ...], role: str) -> float | list[float]:
    """Its eps of each norm: the momentum in the wrong place, but for the generator's first."""
    norms = sum(part.kind == "norm" for part in parts)
    return COURSE_EPS if role == "discriminator" else [1e-5, *[COURSE_EPS] * (norms - 1)]


def _labelled(parts: tuple[Part, ...]) -> bool:
    """Whether a part embeds labels."""
    return any("emb" in part.name.lower() or "label" in part.name.lower() for part in parts)


def _patches_too(parts: Sequence[Part], found: Found) -> dict[str, str]:
    """That the chain may be a PatchGAN, which judges images at the size that they have."""
    mixing = [part for part in parts if part.mixes]
    if style_of(parts, scaled=False) is None or mixing[0].bias is None or mixing[-1].bias is None:
        return {}  # a PatchGAN's first and last convolutions have biases
    size = found.spec.images.size
    return {
        "layout": "a PatchGAN, which judges patches of images of any size (CycleGAN: 256), may have the same weights; "
        f'images are resized to {size} here; layout = "patchgan" (--layout patchgan) judges patches'
    }


def _plausible(stack: Stack, spec: Spec) -> bool:
    images = (spec.images.channels,) if spec.images.channels is not None else CHANNELS
    if stack.role == "generator":
        wide = stack.into >= SHORT and min(stack.size_out or (0, 0)) >= SMALL
        return stack.size_out is not None and stack.out in images and wide
    small = stack.out <= FEW and (stack.size_out in (None, (1, 1)) or stack.out == 1)
    return stack.size_in is not None and stack.into in images and small


def _score(stack: Stack) -> float:
    cost = stack.path.cost if stack.path is not None else 0.0
    biases = [block.layer.bias is not None for block in stack.blocks]
    if stack.role == "discriminator" and stack.size_out is not None and biases[0] and biases[-1] and not all(biases):
        return PATCHY  # pix2pix: biases at the ends alone
    return max(TYPICAL - FAR * cost, PATCHY)
