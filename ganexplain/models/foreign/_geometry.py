"""The sizes of maps along a chain: what each block does to them, and which strides and paddings fit."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from ganexplain.models.foreign._blocks import Block, hidden_norms
from ganexplain.models.foreign._fit import COLOUR, GREY, Choice, Hop, Path, Size, custom, paths

KEPT = 12  # ways that are remembered beside the best
STRANGE = 4.0  # cost of a size that images seldom have
POOLED = 1.5  # cost of a mean over the whole map before a linear layer
WIDEST = 520
Facts = Mapping[str, Mapping[str, Any]]


def solve(blocks: Sequence[Block], role: str, options: Mapping[str, Any], facts: Facts, goal: str) -> list[Path] | None:
    """Ways through the maps of a chain, the likeliest first; None where there are only vectors."""
    first = next((i for i, block in enumerate(blocks) if block.layer.kind != "linear"), None)
    if first is None:
        return None
    hops = [hop for _, hop in _hops(blocks, role, options, facts)]
    sizes = _known(options, _image_channels(blocks, role))
    if role == "generator":
        side = 1 if first == 0 else blocks[first - 1].side
        if side is None:
            return []
        found = paths(hops, {(side, side): 0.0}, lambda size: _end_of_generator(size, sizes, options))
    else:
        head = next((block for block in blocks[first:] if block.layer.kind == "linear"), None)
        last = blocks[[b is head for b in blocks].index(True) - 1].layer.out if head else 0

        def ends(size: Size) -> float | None:
            if head is None:
                return 0.0 if goal == "map" or size == (1, 1) else None
            if head.layer.into == last * size[0] * size[1]:
                return 0.0
            return POOLED if head.layer.into == last else None  # pooled over the whole map

        found = paths(hops, _starts(sizes, blocks), ends)
        if not found and options["size"] is None:
            found = paths(hops, {(n, n): STRANGE for n in range(8, WIDEST)}, ends)
    return found[: KEPT + 1]


def sizes(blocks: Sequence[Block], role: str, path: Path) -> dict[int, tuple[Size, Size]]:
    """Size of the maps before and after each block that has maps."""
    found: dict[int, tuple[Size, Size]] = {}
    for (block, _), (before, after) in zip(_hops(blocks, role, {}, {}), itertools.pairwise(path.sizes), strict=True):
        found[block] = (found[block][0] if block in found else before, after)
    return found


def choices(blocks: Sequence[Block], role: str, path: Path) -> dict[int, tuple[Choice, int]]:
    """What the convolution of each block does, and the factor of the hop that changes sizes after it."""
    found: dict[int, tuple[Choice, int]] = {}
    for (block, hop), choice in zip(_hops(blocks, role, {}, {}), path.choices, strict=True):
        was = found.get(block, (Choice(), 1))
        if hop.kernel is not None:
            found[block] = (choice, was[1])
        elif hop.fixed is None:
            found[block] = (was[0], choice.factor)
    return found


def _hops(blocks: Sequence[Block], role: str, options: Mapping[str, Any], facts: Facts) -> list[tuple[int, Hop]]:
    """Every place where sizes change or are known, with the block that it is in."""
    convolutions = [i for i, block in enumerate(blocks) if block.layer.kind != "linear"]
    hops: list[tuple[int, Hop]] = []
    for i, block in enumerate(blocks):
        if i in convolutions:
            wanted = {name: _one(options.get(name), convolutions.index(i), len(convolutions), name) for name in WAYS}
            hops.append((i, _convolution(blocks, i, role, wanted, facts.get(block.layer.name, {}))))
        for part in block.parts[1:]:
            if len(part.shape) == 3:
                hops.append((i, Hop(None, fixed=(part.shape[1], part.shape[2]))))
        if not block.flat and not block.last:
            hops.append((i, Hop(None, choices=_between(blocks, i, role))))
    return hops


WAYS = ("stride", "padding")


def _one(value: Any, index: int, count: int, name: str) -> int | None:
    """The value of an option for one convolution."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if not isinstance(value, (list, tuple)) or len(value) != count or not all(type(v) is int for v in value):
        raise ValueError(f"[architecture] {name} must be a whole number or a list of {count}, got {value!r}")
    return int(value[index])


def _convolution(
    blocks: Sequence[Block], index: int, role: str, wanted: Mapping[str, int | None], facts: Mapping[str, Any]
) -> Hop:
    part = blocks[index].layer
    turned = part.kind == "tconv"
    usual = custom(max(part.kernel), turned=turned)
    if turned and index == 0:  # from a single pixel: padding alone changes the size
        usual = tuple(Choice(1, p, cost=float(p)) for p in range(3))
    elif role == "generator" and not turned:
        half = part.kernel[0] // 2
        usual = (Choice(1, half), *((Choice(1, 0, cost=1.0),) if half else ()))
    elif role == "discriminator" and index == len(blocks) - 1:
        inner = [c for c in usual if c.stride < max(3, part.kernel[0])]  # tiles are of first layers
        usual = tuple(Choice(c.stride, c.padding, cost=_ending(c)) for c in inner)
    elif role == "discriminator" and part.kernel == (5, 5) and _classifies(blocks, index):
        usual = (Choice(1, 0), Choice(1, 2, cost=0.1), Choice(2, 2, cost=0.8))
    elif role == "discriminator" and part.kernel == (3, 3) and _keeps(blocks, index):
        usual = (Choice(1, 1), Choice(2, 1, cost=0.7), *(c for c in usual if c.padding == 0))
    said = {name: wanted[name] if wanted[name] is not None else _plain(facts.get(name)) for name in WAYS}
    extra = _plain(facts.get("output_padding"))
    for name in WAYS:
        if said[name] is not None:
            usual = _narrowed(usual, name, int(said[name] or 0), turned)
    usual = usual if extra is None else tuple(c for c in usual if c.extra == extra) or usual
    return Hop(part.kernel, turned, usual, free=index == len(blocks) - 1)


def _keeps(blocks: Sequence[Block], index: int) -> bool:
    """Whether a 3x3 convolution is likely to keep the size: beside 4x4 ones that halve it, or before pooling."""
    even = any(b.layer.kind == "conv" and b.layer.kernel[0] in (2, 4) for b in blocks[:-1])
    return even or blocks[index].room is None


def _ending(choice: Choice) -> float:
    """Cost of the last convolution of a discriminator, which mostly covers the whole map."""
    return 0.0 if (choice.stride, choice.padding) == (1, 0) else 0.4 + choice.cost / 2 + 0.2 * (choice.padding > 0)


def _classifies(blocks: Sequence[Block], index: int) -> bool:
    """Whether this looks like LeNet: room for pooling, and two linear layers at the end."""
    return blocks[index].room is None and sum(block.layer.kind == "linear" for block in blocks) > 1


def _narrowed(usual: tuple[Choice, ...], name: str, value: int, turned: bool) -> tuple[Choice, ...]:
    kept = tuple(c for c in usual if getattr(c, name) == value)
    if kept:
        return kept
    pairs = {(value, c.padding) if name == "stride" else (c.stride, value) for c in usual}
    return tuple(Choice(s, p, extra) for s, p in sorted(pairs) for extra in ((0, 1) if turned and s > 1 else (0,)))


def _plain(value: Any) -> int | None:
    """A number of a stored module, (2, 2) being 2."""
    if isinstance(value, (list, tuple)) and len(set(value)) == 1:
        value = value[0]
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _between(blocks: Sequence[Block], index: int, role: str) -> tuple[Choice, ...]:
    """What may change sizes between a block and the next one: pooling, enlarging, or nothing."""
    block, after = blocks[index], blocks[index + 1] if index + 1 < len(blocks) else None
    still, room = (Choice(),), block.room
    if index in hidden_norms(blocks):
        room = 0
    if after is None:
        return still
    if role == "generator":
        if after.layer.kind != "conv":
            return still
        if room == 0 and block.gaps[-1] != 1:
            return still
        only = (
            0.2 if block.reshaped is not None else 0.6
        )  # the sole room: first maps are enlarged, later ones activated
        return (*still, Choice(factor=2, cost=0.3 if room is None else 0.1 if room else only))
    if room == 0 or block.flat:
        return still
    cost = 0.4 if block.layer.kernel[0] % 2 else 0.8
    return (*still, Choice(factor=-2, cost=cost), Choice(factor=-4, cost=cost + 1))


def _image_channels(blocks: Sequence[Block], role: str) -> int:
    return blocks[-1].layer.out if role == "generator" else blocks[0].layer.into


def _known(options: Mapping[str, Any], channels: int) -> dict[Size, float]:
    """Sizes that images may have, with the cost of each."""
    size = options["size"]
    if size is not None:
        pair = (size, size) if isinstance(size, int) else tuple(size)
        return {(int(pair[0]), int(pair[1])): 0.0}
    return {(n, n): cost for n, cost in (GREY if channels == 1 else COLOUR).items()}


def _starts(known: Mapping[Size, float], blocks: Sequence[Block]) -> dict[Size, float]:
    """The known sizes, and oblong ones of the shape of the last kernel."""
    kernel = next((b.layer.kernel for b in reversed(blocks) if b.layer.kind != "linear"), (1, 1))
    found = dict(known)
    if kernel[0] != kernel[1]:
        for (a, cost), (b, other) in itertools.product(known.items(), known.items()):
            if a[0] * kernel[1] == b[0] * kernel[0]:
                found[(a[0], b[0])] = cost + other
    return found


def _end_of_generator(size: Size, known: Mapping[Size, float], options: Mapping[str, Any]) -> float | None:
    if size in known:
        return known[size]
    return None if options["size"] is not None or min(size) < 8 else STRANGE
