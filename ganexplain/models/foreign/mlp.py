"""GANs of linear layers, on flattened images or on rows of a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ganexplain.models.checkpoints import Weights
from ganexplain.models.foreign import _found, _rows
from ganexplain.models.foreign._layout import Found, Layout
from ganexplain.models.foreign._parts import parts_of
from ganexplain.models.foreign._stack import OPTIONS, Stack, read_stack
from ganexplain.models.spec import Spec

__all__ = ["MLP"]

SCORE = 0.6
FEW = 16  # numbers that a discriminator may return


class MLP(Layout):
    """Linear layers on flattened images or rows of a table, with BatchNorm, LayerNorm or dropout between."""

    name: ClassVar[str] = "mlp"
    options: ClassVar[Mapping[str, Any]] = {
        name: OPTIONS[name] for name in ("activation", "slope", "size", "eps", "tail", "verdict")
    }

    def read(self, weights: Weights, spec: Spec) -> Found | None:
        """See `Layout.read`."""
        parts = parts_of(weights)
        if parts is None or not all(part.kind in ("linear", "norm", "prelu") for part in parts):
            return None
        if any("emb" in part.name.lower() or "label" in part.name.lower() for part in parts):
            return None
        settings = self.settings(spec)
        for role in _found.roles(weights):
            stack = read_stack(parts, role, settings, facts=weights.modules)
            if stack is None or not _fits(stack, role, spec):
                continue
            side = self._side(stack, spec, settings)
            if side is None:
                return _rows.found(stack, self.name, spec, score=SCORE, wasserstein=_found.is_critic(weights))
            if role == "generator":
                return _found.found_generator(stack, self.name, spec, score=SCORE, side=side)
            critic = _found.is_critic(weights)
            return _found.found_discriminator(stack, self.name, spec, wasserstein=critic, score=SCORE, side=side)
        return None

    def _side(self, stack: Stack, spec: Spec, settings: Mapping[str, Any]) -> tuple[int, int, int] | None:
        """(C, H, W) of the images; None for rows of a table."""
        features = stack.into if stack.role == "discriminator" else stack.out
        size, channels = _found.option_size(spec, settings), spec.images.channels
        if spec.table or spec.signal:
            return None
        if size is None:
            return _found.square(features, channels)
        height, width = (size, size) if isinstance(size, int) else size
        count = channels or features // (height * width)
        if features != count * height * width:
            raise ValueError(
                f"{features} numbers are no image of {height} x {width}; correct [images] size or channels"
            )
        return (count, height, width)


def _fits(stack: Stack, role: str, spec: Spec) -> bool:
    """Whether a chain of this width can have the role: many numbers are made, one is a verdict, a few are either."""
    if stack.out == 1:
        return role == "discriminator"
    return role == (spec.role or "discriminator") if stack.out <= FEW else role == "generator"
