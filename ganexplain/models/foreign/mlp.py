"""GANs of linear layers on flattened images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ganexplain.models.checkpoints import Weights
from ganexplain.models.foreign import _found
from ganexplain.models.foreign._layout import Found, Layout
from ganexplain.models.foreign._parts import parts_of
from ganexplain.models.foreign._stack import OPTIONS, Stack, read_stack
from ganexplain.models.spec import Spec

__all__ = ["MLP"]

SCORE = 0.6
FEW = 16  # numbers that a discriminator may return


class MLP(Layout):
    """Linear layers on flattened images, of any depth, with BatchNorm, LayerNorm or dropout between."""

    name: ClassVar[str] = "mlp"
    options: ClassVar[Mapping[str, Any]] = {
        name: OPTIONS[name] for name in ("activation", "slope", "size", "eps", "tail")
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
            if stack is None or (stack.out <= FEW) != (role == "discriminator"):
                continue
            side = self._side(stack, spec, settings)
            if role == "generator":
                return _found.found_generator(stack, self.name, spec, score=SCORE, side=side)
            critic = _found.is_critic(weights)
            return _found.found_discriminator(stack, self.name, spec, wasserstein=critic, score=SCORE, side=side)
        return None

    def _side(self, stack: Stack, spec: Spec, settings: Mapping[str, Any]) -> tuple[int, int, int]:
        """(C, H, W) of the images."""
        features = stack.into if stack.role == "discriminator" else stack.out
        size, channels = _found.option_size(spec, settings), spec.images.channels
        if size is not None:
            height, width = (size, size) if isinstance(size, int) else size
            count = channels or features // (height * width)
            if features == count * height * width:
                return (count, height, width)
            raise ValueError(
                f"{features} numbers are no image of {height} x {width}; correct [images] size or channels"
            )
        side = _found.square(features, channels)
        if side is None:
            raise ValueError(
                f"its {features} numbers are no square image of 1 or 3 channels; say [images] size = [height, width]; "
                "for rows of a table or signals build the network in a factory with form=Table(...) or Signal(...)"
            )
        return side
