"""Where a class label enters a network, told from names and widths."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ganexplain.models.foreign._blocks import blocks_of
from ganexplain.models.foreign._order import chained
from ganexplain.models.foreign._parts import Part

LABEL = re.compile(r"emb|label|lbl|cond|(^|[._])l_?y($|[._])|class_?(vec|map|proj)|y_?proj", re.IGNORECASE)
OTHER = re.compile(r"aux|classif|adv", re.IGNORECASE)
IMAGE = (3, 1)  # channels of an image
SQUARES = tuple(c * s * s for c in IMAGE for s in (28, 32, 64, 16, 8, 48, 96, 128))
CUSTOM = (784, 3072, 4096, 1024, 12288)  # pixels of the images that GANs of linear layers mostly read
USUAL = 10  # classes of MNIST, Fashion-MNIST and CIFAR-10
MANY = 100  # classes that a width alone may tell of
CODES = (100, 64, 128)  # customary lengths
MOST = 1000  # classes
LONGEST = 3  # layers of a label's branch
MANY_LAYERS = 14  # beyond which nothing is told from widths alone


@dataclass(frozen=True)
class Entry:
    """How a label enters a chain of layers.

    Attributes:
        how: "beside" (joined to what a layer reads), "times" (multiplied with the code), "projected" (its inner product
            with the features is added to the verdict) or "nowhere" (a second head tells classes).
        classes: number of classes; 0 where the label enters nowhere.
        chain: the layers without those of the label; the joint takes only what is not the label's.
        joint: the layer that reads both, whole.
        width: channels or features of the joint that are the label's.
        table: the embedding, (classes, length); None for a one-hot label.
        branch: layers that the label passes before the joint.
        side: of square planes that a row of the table fills; None where a row is a vector.
        label_first: the label's branch was written first, so that it comes first.
        heads: other heads of the network, which are left out.
    """

    how: str
    classes: int
    chain: tuple[Part, ...]
    joint: Part | None = None
    width: int = 0
    table: Part | None = None
    branch: tuple[Part, ...] = ()
    side: int | None = None
    label_first: bool = False
    heads: tuple[Part, ...] = ()

    @property
    def traced(self) -> bool:
        """Whether more than a width tells of the label."""
        return self.table is not None or bool(self.branch) or bool(self.heads)


def entries(parts: Sequence[Part], role: str, classes: int | None) -> Iterator[Entry]:
    """Ways in which a label may enter, the likelier first.

    Args:
        parts: all layers in the file's order.
        role: "discriminator" or "generator".
        classes: their number where it is known.
    """
    whole, heads = _without_heads(parts) if role == "discriminator" else (tuple(parts), ())
    label = tuple(part for part in whole if _is_label(part, parts))
    rest = tuple(part for part in whole if all(part is not other for other in label))
    if not any(part.mixes for part in rest):
        return
    table = next((part for part in label if part.kind == "linear" and part.bias is None), None)
    found: list[Iterator[Entry]] = []
    if label:
        found.append(_named(rest, table, tuple(part for part in label if part is not table), role))
    else:
        found += [_branching(rest, role, classes), _one_hot(rest, role, classes)]
    if heads and not label:
        found.insert(0, iter([Entry("nowhere", 0, rest)] if chained(rest, role) else []))
    for entry in (entry for several in found for entry in several):
        yield replace(entry, heads=heads)


def _without_heads(parts: Sequence[Part]) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """The parts without heads that stand beside the one that gives a single number, and those heads."""
    mixing = [part for part in parts if part.mixes and not _is_label(part, parts)]
    for verdict in (part for part in reversed(mixing) if part.out == 1):
        beside = [
            part
            for part in mixing[-4:]
            if part is not verdict and (part.kind, part.into) == (verdict.kind, verdict.into) and part.out != part.into
        ]
        if beside:
            return _apart(parts, beside), tuple(beside)
    return tuple(parts), ()


def _apart(parts: Sequence[Part], others: Sequence[Part]) -> tuple[Part, ...]:
    return tuple(part for part in parts if all(part is not other for other in others))


def _is_label(part: Part, parts: Sequence[Part]) -> bool:
    """Whether a part's name, without what all names share, speaks of a label."""
    shared = len({other.name.split(".")[0] for other in parts}) == 1 and "." in part.name
    name = part.name.partition(".")[2] if shared else part.name
    return bool(LABEL.search(name)) and not OTHER.search(name)


def _named(rest: tuple[Part, ...], table: Part | None, branch: tuple[Part, ...], role: str) -> Iterator[Entry]:
    """A label whose layers are known by their names."""
    if table is not None and not branch:  # a layer that reads the embedding may have a name of its own
        for part in rest:
            if part.kind == "linear" and part.into == table.shape[1] and chained(rest, role) is None:
                base = Entry("beside", table.shape[0], _apart(rest, [part]), table=table, branch=(part,))
                yield from _joined(base, part.out, role)
    mixing = [part for part in branch if part.mixes]
    if table is None and not mixing:
        return
    classes = table.shape[0] if table is not None else mixing[0].into
    wide = mixing[-1].out if mixing else (table.shape[1] if table is not None else 0)
    yield from _joined(Entry("beside", classes, rest, table=table, branch=branch), wide, role)


def _joined(base: Entry, wide: int, role: str) -> Iterator[Entry]:
    """The layers that may read ``wide`` values of a label beside their own."""
    whole = chained(base.chain, role)
    mixing = [part for part in base.chain if part.mixes]
    if whole is None:
        for part in mixing:
            yield from _at(base, part, wide, role, first=part is mixing[0])
        return
    ordered = [part for part in whole if part.mixes]
    first = next(part for part in mixing if part.name == ordered[0].name)
    last = next(part for part in mixing if part.name == ordered[-1].name)
    pictures = first.into in (SQUARES if first.kind == "linear" else IMAGE)
    if role == "discriminator" and pictures and last.kind == "linear" and wide == last.into and base.table is not None:
        yield replace(base, how="projected", joint=last)
    if role == "generator" and wide == (first.shape[0] if first.kind != "linear" and first.turned else ordered[0].into):
        yield replace(base, how="times", joint=first)
    yield from _at(base, first, wide, role, first=True)


def _at(base: Entry, part: Part, wide: int, role: str, *, first: bool) -> Iterator[Entry]:
    """Entries at one layer, where the chain holds together without the label's share."""
    axes = (1,) if part.kind == "linear" or role == "discriminator" else (0, 1)
    for axis in axes:
        into = part.shape[axis]
        flat = part.kind == "linear" or (first and role == "generator")
        for width, side in _widths(wide, into, flat=flat, image=first):
            narrow = narrowed(part, axis, width)
            chain = tuple(narrow if other is part else other for other in base.chain)
            if (base.traced or in_a_row(chain)) and chained(chain, role) is not None:
                yield replace(base, chain=chain, joint=part, width=width, side=side)


def _widths(wide: int, into: int, *, flat: bool, image: bool) -> Iterator[tuple[int, int | None]]:
    """Shares of a layer's input that ``wide`` values can be, and the side of the planes that they fill.

    Args:
        wide: values of the label.
        into: inputs of the layer.
        flat: whether it reads vectors.
        image: whether the maps beside the label are an image.
    """
    if flat:
        if wide < into:
            yield wide, None
        return
    for width in [into - c for c in IMAGE] if image else range(1, into):
        side = math.isqrt(wide // width) if width > 0 else 0
        if width == wide:
            yield width, None
        elif side > 1 and width * side * side == wide:
            yield width, side


def narrowed(part: Part, axis: int, width: int) -> Part:
    """The part without the last ``width`` of its inputs."""
    if part.weight is None:
        return part
    return replace(part, weight=part.weight.narrow(axis, 0, part.weight.shape[axis] - width))


def in_a_row(parts: Sequence[Part]) -> bool:
    """Whether each layer may take what the one before it in the file returns; a quick look at widths."""
    mixing = [part for part in parts if part.mixes]
    return all(_follows(a, b) for a, b in itertools.pairwise(mixing))


def _follows(before: Part, after: Part) -> bool:
    outs = before.shape[:1] if before.kind == "linear" else before.shape[:2]
    intos = after.shape[1:2] if after.kind == "linear" else after.shape[:2]
    return any(a == b or a % b == 0 or b % a == 0 for a, b in itertools.product(outs, intos))


def _branching(rest: tuple[Part, ...], role: str, classes: int | None) -> Iterator[Entry]:
    """A one-hot label that passes layers of its own, told from widths alone."""
    blocks = blocks_of(rest)
    if len(blocks) > MANY_LAYERS or in_a_row(rest) and chained(rest, role) is not None:
        return
    for count in range(1, LONGEST + 1):
        for start in range(len(blocks) - count + 1):
            run = blocks[start : start + count]
            branch = tuple(part for block in run for part in block.parts)
            into, out = branch[0].shape[1], run[-1].layer.out
            if role == "generator" and branch[0].kind == "conv":
                into, out = branch[0].shape[0], run[-1].layer.shape[1]
            others = _apart(rest, branch)
            if not 2 <= into <= MOST or into != (classes or into) or not in_a_row(branch):
                continue
            base = Entry("beside", into, others, branch=branch, label_first=start == 0)
            for part in [part for part in others if part.mixes][1:]:
                if _fits(part, out, others) and _row_but(others, part) and chained(branch, role) is not None:
                    yield from (entry for entry in _at(base, part, out, role, first=False) if _sensible(entry, role))


def _row_but(parts: Sequence[Part], joint: Part) -> bool:
    """Whether all layers follow each other up to the joint, and from it on."""
    place = next(i for i, part in enumerate(parts) if part is joint)
    return in_a_row(parts[:place]) and in_a_row(parts[place:])


def _fits(part: Part, wide: int, others: Sequence[Part]) -> bool:
    """Whether some layer returns what is left of a joint's input."""
    lefts = [size - wide for size in part.shape[:2] if size > wide]
    outs = [size for other in others if other.mixes and other is not part for size in other.shape[:2]]
    return any(left % out == 0 for left in lefts for out in outs)


def _sensible(entry: Entry, role: str) -> bool:
    """Whether what is left reads images, or a code that is longer than the label."""
    first = next(part for part in entry.chain if part.mixes)
    if role == "discriminator":
        return first.into in (SQUARES if first.kind == "linear" else IMAGE)
    return (first.into if first.kind == "linear" else first.shape[0]) >= entry.classes


def _one_hot(rest: tuple[Part, ...], role: str, classes: int | None) -> Iterator[Entry]:
    """A one-hot label without layers: nothing but a width that is larger than it would be."""
    mixing = [part for part in rest if part.mixes]
    first = mixing[0]
    if len(mixing) > MANY_LAYERS:
        return
    if not in_a_row(rest) or chained(rest, role) is None:
        for part in (part for part in mixing[1:] if _row_but(rest, part)):
            # any other width may be numbers of another kind, such as an energy and a place
            yield from _at(Entry("beside", classes or USUAL, rest), part, classes or USUAL, role, first=False)
        return
    into = first.into if first.kind == "linear" or role == "discriminator" else first.shape[0]
    if classes is not None:
        counts = [classes]
    elif role == "generator":
        counts = [USUAL] if into - USUAL in CODES else []
    elif first.kind == "linear":
        counts = [] if into in SQUARES else [into - size for size in CUSTOM if 2 <= into - size <= MANY]
    else:
        counts = [USUAL] if into - USUAL in IMAGE else []
    for count in counts:
        yield from _at(Entry("beside", count, rest), first, count, role, first=True)
