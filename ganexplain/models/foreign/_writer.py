"""A chain of blocks written down as named modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from ganexplain import checks
from ganexplain.models.foreign import _facts, _geometry, _modules
from ganexplain.models.foreign._blocks import Block, hidden_norms
from ganexplain.models.foreign._facts import Facts
from ganexplain.models.foreign._fit import Choice, Path
from ganexplain.models.foreign._modules import Names, Step
from ganexplain.models.foreign._parts import Part

POOLS = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}
UPSAMPLES = ("nearest", "bilinear", "bicubic")


def written(
    blocks: Sequence[Block],
    role: str,
    path: Path | None,
    activations: Sequence[tuple[str, float]],
    settings: Mapping[str, Any],
    facts: Facts,
) -> tuple[Step, ...]:
    """The modules of a chain in order; a generator ends with the activation that makes its range.

    Args:
        blocks: the chain.
        role: "discriminator" or "generator".
        path: sizes, strides and paddings; None for vectors.
        activations: name and slope by block.
        settings: see `ganexplain.models.foreign._stack.OPTIONS`.
        facts: of the modules of a stored network.
    """
    ways = {} if path is None else _geometry.choices(blocks, role, path)
    writer = _Writer(blocks, settings, facts, hidden_norms(blocks) if settings["norm"] != "none" else ())
    for index in range(len(blocks)):
        choice, factor = ways.get(index, (Choice(), 1))
        writer.block(index, choice, factor, activations[index])
        if role == "discriminator" and blocks[index].reshaped is not None:
            size = path.sizes[-1] if path is not None else (1, 1)
            writer.flatten(index, blocks[index + 1].layer.into == size[0] * size[1] * blocks[index].layer.out)
    if role == "generator":
        writer.active(len(blocks) - 1, settings["tail"] or "tanh", 0.0)
    return tuple(writer.made)


class _Writer:
    """Writes steps, and finds names for what has no weights."""

    def __init__(
        self, blocks: Sequence[Block], settings: Mapping[str, Any], facts: Facts, hidden: Sequence[int]
    ) -> None:
        self.blocks, self.settings, self.facts, self.hidden = blocks, settings, facts, hidden
        self.names = Names([part.name for block in blocks for part in block.parts])
        self.made: list[Step] = []
        self.norms = 0

    def block(self, index: int, choice: Choice, factor: int, active: tuple[str, float]) -> None:
        """The layer, its norms, its activation, and what changes the size after them."""
        block, flat = self.blocks[index], self.blocks[index].layer.kind == "linear"
        place = block.active if block.active is not None else len(block.parts) - 1
        for i, part in enumerate(block.parts):
            module, text = _modules.layer(part, choice) if i == 0 else self._norm(part, flat)
            self.made.append(Step(part.name, module, text, index))
            if i == 0 and index in self.hidden:
                self._add("norm", nn.InstanceNorm2d(part.out), "InstanceNorm without weights", index)
            if i == place and not (factor > 1 and block.room == 0):  # the only room is that of the enlargement
                self.active(index, *active)
            if i == block.reshaped and block.side is not None:
                shape = (block.layer.out // block.side**2, block.side, block.side)
                self._add("maps", nn.Unflatten(1, shape), f"as {shape[0]}x{shape[1]}x{shape[2]}", index)
                flat = False
        if factor != 1:
            self._resized(index, factor)

    def active(self, index: int, name: str, slope: float) -> None:
        """The activation called ``name``."""
        if name != "none":
            self._add("act", *_modules.activation(name, slope), index)
            self.made[-1] = replace(self.made[-1], activation=True)

    def flatten(self, index: int, whole: bool) -> None:
        """Maps to vectors, after pooling over the map where the next layer takes one number a channel."""
        if not whole:
            self._add("pool", nn.AdaptiveAvgPool2d(1), "mean of the map", index)
        if checks.one_of("[architecture] flatten", self.settings["flatten"], ("chw", "hwc")) == "hwc":
            self._add("order", Permute(), "channels last", index)
        self._add("flat", nn.Flatten(), "", index)

    def _norm(self, part: Part, flat: bool) -> tuple[nn.Module, str]:
        self.norms += part.kind == "norm"
        return _modules.norm(part, flat=flat, **_facts.norm_of(part, self.norms - 1, self.facts, self.settings))

    def _resized(self, index: int, factor: int) -> None:
        if factor > 1:
            mode = checks.one_of("[architecture] upsample", self.settings["upsample"], UPSAMPLES)
            self._add("up", nn.Upsample(scale_factor=factor, mode=mode), f"{mode} *{factor}", index)
        else:
            kind = checks.one_of("[architecture] pool", self.settings["pool"], POOLS)
            self._add("pool", POOLS[kind](-factor), f"{kind} pool /{-factor}", index)

    def _add(self, word: str, module: nn.Module, text: str, index: int) -> None:
        self.made.append(Step(self.names.after(self.made[-1].name, word), module, text, index))


class Permute(nn.Module):
    """Maps (N, C, H, W) with the channels last, as TensorFlow flattens them."""

    def forward(self, maps: Any) -> Any:
        """(N, H, W, C)."""
        return maps.permute(0, 2, 3, 1)
