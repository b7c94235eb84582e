"""Plain classifiers of images: convolutions with pooling, then linear layers, such as LeNet and VGG."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from ganexplain.models.checkpoints import Weights
from ganexplain.models.foreign import _detector, _found
from ganexplain.models.foreign._blocks import Block, blocks_of
from ganexplain.models.foreign._fit import COLOUR, GREY, Choice, Path
from ganexplain.models.foreign._layout import Found, Layout
from ganexplain.models.foreign._order import chained
from ganexplain.models.foreign._parts import parts_of
from ganexplain.models.foreign._stack import OPTIONS, Stack
from ganexplain.models.spec import ImageSpec, Spec

__all__ = ["Classifier"]

CHANNELS = (1, 3)
MANY = 6  # convolutions up to which every pattern of pooling is tried
NEAR = 1.0  # more cost than the best at which another size is still named
IMAGENET = 224
STATISTICS = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class Classifier(Layout):
    """Plain classifiers: convolutions with pooling, then linear layers (LeNet, VGG), of two or more classes."""

    name: ClassVar[str] = "classifier"
    options: ClassVar[Mapping[str, Any]] = {
        "activation": "relu",
        "slope": 0.2,
        "size": None,  # of the images, in pixels
        "padding": None,  # of the convolutions: one number or a list
        "pools": None,  # by how much maps are pooled after each convolution, such as [2, 2, 1]
        "pool": "max",
        "eps": None,
        "flatten": "chw",
    }

    def read(self, weights: Weights, spec: Spec) -> Found | None:
        """The classifier, or None where there is no chain of convolutions and linear layers whose sizes fit."""
        parts = parts_of(weights)
        ordered = None if parts is None else chained(parts, "discriminator")
        if ordered is None or ordered[0].kind != "conv" or ordered[-1].kind != "linear":
            return None
        blocks = blocks_of(ordered)
        outputs = blocks[-1].layer.out
        if blocks[0].layer.into not in CHANNELS or any(not part.statistics for part in ordered if part.kind == "norm"):
            return None
        settings = self.settings(spec)
        settings["size"] = _found.option_size(spec, settings)
        ways = _ways(blocks, settings)
        if not ways:
            return None
        act = (str(settings["activation"]), float(settings["slope"]))
        between = [("none", 0.0) if block.active is None else act for block in blocks[:-1]]
        stack = Stack(
            "discriminator", blocks, ways[0], (*between, ("none", 0.0)), tuple(ways[1:]), {**OPTIONS, **settings}
        )
        found, unknown = self._said(stack, spec)
        odd = all(max(b.layer.kernel) % 2 for b in blocks if b.layer.kind == "conv")  # even ones have strides, in GANs
        score = 0.75 if outputs > 1 and odd else 0.3
        lines = (f"images of {blocks[0].layer.into} channels, {ways[0].sizes[0][0]} px", *stack.lines())
        return Found(self.name, "discriminator", stack.network(), lines, found, unknown, score)

    def _said(self, stack: Stack, spec: Spec) -> tuple[Spec, dict[str, str]]:
        """The completed spec, and what was assumed."""
        path, channels = stack.path, stack.into
        side = path.sizes[0][0] if path is not None else None
        natural = channels == 3 and side == IMAGENET
        mean, std = STATISTICS if natural else (None, None)
        images = ImageSpec(range=(0, 1), size=side, mean=mean, std=std)
        habits = _detector.Habits("fake", 1, FOLDERS, images, "ImageNet's" if natural else "as pixels are read")
        found, unknown = _detector.completed(spec, self.name, stack.out, channels, habits)
        unknown.pop("images.size", None)
        told = _found.assumed(stack)
        told.pop("architecture.size", None)
        if "activation" not in spec.architecture:
            told["architecture.activation"] = (
                f"{stack.settings['activation']} between layers assumed; [architecture] activation = ..."
            )
        if path is not None and spec.architecture.get("pools") is None:
            told["architecture.pools"] = _shape(path) + (f"; {_rivals(stack)}" if _rivals(stack) else "")
        return found, {**told, **unknown}


FOLDERS = "as folders sorted by name give them, 'fake' before 'real'"


def _shape(path: Path) -> str:
    moves = path.choices
    padding, pools = [c.padding for c in moves[::2]], [-c.factor if c.factor < 0 else 1 for c in moves[1::2]]
    return (
        f"images of {path.sizes[0][0]} px, padding {padding}, pooling by {pools} after the convolutions, the likeliest "
        "that fits; [architecture] size, padding, pools"
    )


def _rivals(stack: Stack) -> str:
    if stack.path is None:
        return ""
    near = [way.sizes[0][0] for way in stack.others if way.cost < stack.path.cost + NEAR]
    others = [size for size in dict.fromkeys(near) if size != stack.path.sizes[0][0]]
    return f"{', '.join(map(str, others))} px would fit as well" if others else ""


def _ways(blocks: Sequence[Block], settings: Mapping[str, Any]) -> list[Path]:
    """Ways through the maps whose sizes fit the first linear layer, the likeliest first."""
    convolutions = [block for block in blocks if block.layer.kind == "conv"]
    head = blocks[len(convolutions)].layer
    wanted, last = head.into, convolutions[-1].layer.out
    found = []
    grey = blocks[0].layer.into == 1
    usual = {**GREY, 32: 0.3} if grey else {**COLOUR, 32: 0.0, 64: 0.2, IMAGENET: 0.4}
    sizes = usual if settings["size"] is None else {_side(settings["size"]): 0.0}
    for (padding, dear), (pools, cost) in itertools.product(
        _paddings(convolutions, settings["padding"]), _patterns(convolutions, settings["pools"])
    ):
        for size, strange in sizes.items():
            path = _walked(convolutions, size, padding, pools, dear + cost + strange)
            if path is None:
                continue
            area = path.sizes[-1][0] ** 2
            if last * area == wanted:
                found.append(path)
            elif last == wanted:  # pooled over the whole map
                found.append(Path(path.cost + 1.0, path.sizes, path.choices))
    return sorted(found, key=lambda path: path.cost)


def _side(size: Any) -> int:
    sides = {size} if isinstance(size, int) else set(size)
    if len(sides) != 1:
        raise ValueError(f"classifiers of this layout read square images, got the size {size!r}")
    return int(sides.pop())


def _walked(
    convolutions: Sequence[Block], size: int, padding: Sequence[int], pools: Sequence[int], cost: float
) -> Path | None:
    sizes, choices, side = [size], [], size
    for block, pad, pool in zip(convolutions, padding, pools, strict=True):
        side = side + 2 * pad - block.layer.kernel[0] + 1
        choices.append(Choice(1, pad))
        sizes.append(side)
        side //= pool
        choices.append(Choice(factor=-pool if pool > 1 else 1))
        sizes.append(side)
        if side < 1:
            return None
    return Path(cost, tuple((n, n) for n in sizes), tuple(choices))


def _paddings(convolutions: Sequence[Block], said: Any) -> Iterator[tuple[list[int], float]]:
    """Paddings of all convolutions, with the cost of each choice."""
    kernels = [block.layer.kernel[0] for block in convolutions]
    if said is not None:
        yield _each("padding", said, len(kernels), 0), 0.0
        return
    same, valid = [k // 2 for k in kernels], [0] * len(kernels)
    small = max(kernels) <= 3
    yield same, 0.0 if small else 0.2
    yield valid, 0.2 if small else 0.0
    if len(kernels) > 1:
        yield [same[0], *valid[1:]], 0.6


def _patterns(convolutions: Sequence[Block], said: Any) -> Iterator[tuple[list[int], float]]:
    """How maps are pooled after each convolution, with the cost of each choice.

    Names with numbers leave room for a pooling where there was one; where names say nothing, regular patterns are
    likelier than others.
    """
    count = len(convolutions)
    if said is not None:
        yield _each("pools", said, count, 1), 0.0
        return
    rooms = [block.room for block in convolutions]
    if all(room is not None for room in rooms[:-1]):  # after the last one a reshape or another container follows
        inner = [2 if room else 1 for room in rooms[:-1]]
        for last in (2, 1):
            yield [*inner, last], 0.3 * (last == (1 if rooms[-1] is None or rooms[-1] else 2))
    regular = {
        tuple([2] * count): 0.5,
        (*[2] * (count - 1), 1): 0.7,
        tuple(2 if i % 2 else 1 for i in range(count)): 0.8,
        (*[1] * (count - 1), 2): 0.9,
    }
    for pattern, cost in regular.items():
        yield list(pattern), cost
    if count <= MANY:
        for free in itertools.product((2, 1), repeat=count):
            if free not in regular:
                yield list(free), 2.0


def _each(name: str, said: Any, count: int, least: int) -> list[int]:
    values = [said] * count if isinstance(said, int) and not isinstance(said, bool) else said
    if not isinstance(values, (list, tuple)) or [type(v) is int and v >= least for v in values] != [True] * count:
        raise ValueError(
            f"[architecture] {name} must be a whole number or a list of {count}, each at least {least}, got {said!r}"
        )
    return list(values)
