"""A chain of layers rebuilt from weights: order, sizes, activations between, one Sequential with the file's names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from ganexplain.models.foreign import _facts, _geometry, _modules, _writer
from ganexplain.models.foreign._blocks import Block, blocks_of
from ganexplain.models.foreign._fit import Path, Size
from ganexplain.models.foreign._modules import Step
from ganexplain.models.foreign._order import Width, chained
from ganexplain.models.foreign._parts import Part

OPTIONS: Mapping[str, Any] = {
    "activation": None,  # one name, or one for each block but the last
    "slope": 0.2,
    "size": None,
    "stride": None,
    "padding": None,
    "pool": "max",
    "upsample": "nearest",
    "norm": None,
    "groups": 1,
    "eps": None,
    "tail": None,
    "flatten": "chw",
    "verdict": None,  # number of the output that judges, where the others tell classes
}
MOST = 300  # layers of a chain


@dataclass(frozen=True)
class Stack:
    """A chain of layers, rebuilt.

    Attributes:
        role: "discriminator" or "generator".
        blocks: the chain.
        path: sizes of maps, strides and paddings; None for a chain of vectors only.
        activations: name and slope by block; "none" where there is none.
        others: other paths that fit, less customary.
        settings: options as in `OPTIONS`.
        facts: of stored modules by path.
    """

    role: str
    blocks: tuple[Block, ...]
    path: Path | None
    activations: tuple[tuple[str, float], ...]
    others: tuple[Path, ...]
    settings: Mapping[str, Any]
    facts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def size_in(self) -> Size | None:
        """Size of the maps that the chain reads; None for vectors."""
        return None if self.path is None or self.blocks[0].layer.kind == "linear" else self.path.sizes[0]

    @property
    def size_out(self) -> Size | None:
        """Size of the maps that the chain returns; None for vectors."""
        return None if self.path is None or self.blocks[-1].flat else self.path.sizes[-1]

    @property
    def into(self) -> int:
        """Channels or features that the chain reads."""
        return self.blocks[0].layer.into

    @property
    def out(self) -> int:
        """Channels or features that the chain returns."""
        return self.blocks[-1].layer.out

    def steps(self) -> tuple[Step, ...]:
        """The modules in order, from the first layer to the last, with the activation at the end of a generator."""
        return _writer.written(self.blocks, self.role, self.path, self.activations, self.settings, self.facts)

    def network(self, *, before: Sequence[Step] = (), after: Sequence[Step] = ()) -> nn.Sequential:
        """The chain as one module, between steps of the caller's own."""
        return _modules.sequential([*before, *self.steps(), *after])

    def lines(self) -> tuple[str, ...]:
        """One line a block, such as "Conv 1->64 4x4 /2, LeakyReLU 0.2 | 28 -> 14"."""
        texts: dict[int, list[str]] = {}
        for step in self.steps():
            texts.setdefault(step.block, []).append(step.text)
        sizes = {} if self.path is None else _geometry.sizes(self.blocks, self.role, self.path)
        return tuple(", ".join(filter(None, words)) + _moved(sizes.get(i)) for i, words in texts.items())


def _moved(sizes: tuple[Size, Size] | None) -> str:
    if sizes is None:
        return ""
    before, after = (str(h) if h == w else f"{h}x{w}" for h, w in sizes)
    return f" | {before} -> {after}" if before != after else f" | {before}"


def read_stack(
    parts: Sequence[Part],
    role: str,
    settings: Mapping[str, Any],
    *,
    facts: Mapping[str, Mapping[str, Any]] | None = None,
    start: Width | None = None,
    goal: str = "one",
) -> Stack | None:
    """The chain of these parts, or None where they are none or no sizes fit.

    Args:
        parts: see `ganexplain.models.foreign._parts.parts_of`.
        role: "discriminator" (maps or vectors to numbers) or "generator" (vectors to maps or vectors).
        settings: options as in `OPTIONS`; those left out have their defaults.
        facts: of the modules of a stored network, which say what settings leave open.
        start: what the first layer takes; None takes what it asks for.
        goal: what a discriminator's convolutions must come to: "one" number, or a "map" of patches of any size.

    Raises:
        ValueError: an option has a value that it cannot have.
    """
    ordered = chained(parts, role, start) if len(parts) <= MOST else None
    if ordered is None or not ordered[0].mixes:
        return None
    facts = facts or {}
    said = {name: value for name, value in settings.items() if value != OPTIONS[name]}
    options = {**OPTIONS, **_facts.options_of(facts, role), **said}
    blocks = blocks_of(ordered)
    ways = _geometry.solve(blocks, role, options, facts, goal)
    if ways is not None and not ways:
        return None
    path, others = (None, ()) if ways is None else (ways[0], tuple(ways[1:]))
    usual = ("relu", 0.0) if role == "generator" else ("leaky_relu", float(options["slope"]))
    if role == "discriminator" and path is not None and any(choice.factor < 0 for choice in path.choices):
        usual = ("relu", 0.0)  # pooling is of classifiers
    acts = _facts.activations(blocks, facts, usual, options["activation"], options["slope"])
    return Stack(role, blocks, path, acts, others, options, facts)
