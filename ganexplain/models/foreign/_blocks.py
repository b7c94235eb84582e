"""A chain of layers cut into blocks, with the room between their names in which modules without weights stood."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ganexplain.models.foreign._order import gap
from ganexplain.models.foreign._parts import Part


@dataclass(frozen=True)
class Block:
    """One linear layer or convolution with the norms that follow it.

    Attributes:
        parts: the layer, then its norms.
        gaps: modules that stood after each part, reshapes not counted; None where names do not say, and after the last.
        flat: whether vectors come out, not maps.
        reshaped: the part after which vectors become maps or maps vectors; None where they do not.
        side: height and width of the maps that vectors become after ``reshaped``.
        last: whether the chain ends here.
    """

    parts: tuple[Part, ...]
    gaps: tuple[int | None, ...]
    flat: bool
    reshaped: int | None = None
    side: int | None = None
    last: bool = False

    @property
    def layer(self) -> Part:
        """The linear layer or convolution."""
        return self.parts[0]

    @property
    def active(self) -> int | None:
        """The part after which an activation stood; None where names leave no room or a PReLU is one."""
        if any(part.kind == "prelu" for part in self.parts):
            return None
        early = next((i for i, n in enumerate(self.gaps[:-1]) if n), None)
        if early is not None:
            return early
        return None if self.gaps[-1] == 0 else len(self.parts) - 1

    @property
    def room(self) -> int | None:
        """Modules that stood in the block beside its activation; None where names do not say."""
        if self.gaps[-1] is None:
            return None
        return sum(n or 0 for n in self.gaps) - (self.active is not None)


def blocks_of(parts: Sequence[Part]) -> tuple[Block, ...]:
    """The blocks of parts that are in the order of the chain."""
    starts = [i for i, part in enumerate(parts) if part.mixes] + [len(parts)]
    found = []
    for first, following in zip(starts[:-1], starts[1:], strict=True):
        own = tuple(parts[first:following])
        after = parts[following] if following < len(parts) else None
        found.append(_block(own, after))
    return tuple(found)


def _block(own: tuple[Part, ...], after: Part | None) -> Block:
    flat = own[0].kind == "linear"
    width, reshaped, side = own[0].out, None, None
    chain = (*own, *((after,) if after is not None else ()))
    for i, part in enumerate(chain[1:]):
        asks = part.into if part.mixes else part.shape[0]
        if reshaped is None and flat and (part.kind in ("conv", "tconv") or (part.kind == "norm" and asks != width)):
            reshaped, side = i, math.isqrt(width // asks)
        elif reshaped is None and not flat and part.kind == "linear":
            reshaped = i
    gaps = [gap(a.name, b.name) for a, b in zip(chain[:-1], chain[1:], strict=True)]
    if after is None:
        gaps.append(None)
    if reshaped is not None and gaps[reshaped]:
        gaps[reshaped] = (gaps[reshaped] or 0) - 1
    becomes_maps = flat and reshaped is not None
    return Block(own, tuple(gaps), flat and not becomes_maps, reshaped, side, after is None)


def hidden_norms(blocks: Sequence[Block]) -> tuple[int, ...]:
    """Blocks of convolutions in which a norm without weights must have stood: two modules where the first has one.

    Convolutions without any norm whose names leave room for one module after the first and for two after each of the
    others are written by networks with InstanceNorm, which has no weights unless asked for.
    """
    inner = [b for b in blocks if not b.last and b.reshaped is None and not b.flat]
    if len(inner) < 2 or any(len(b.parts) > 1 for b in blocks) or inner[0].layer.kind == "linear":
        return ()
    rooms = [b.room for b in inner]
    return tuple(range(1, len(inner))) if rooms[0] == 0 and set(rooms[1:]) == {1} else ()
