"""Strides and paddings that a file does not hold, from the sizes that have to come out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Size = tuple[int, int]
KEPT = 4  # paths a state that are remembered, so that what nearly fits as well can be named
GREY = {28: 0.0, 32: 1.0, 64: 1.2, 128: 2.0, 48: 2.5, 96: 2.5, 256: 2.5, 224: 3.0, 16: 3.0, 512: 4.0}
COLOUR = {64: 0.0, 32: 0.2, 128: 0.3, 256: 0.5, 96: 0.8, 48: 1.0, 224: 1.0, 512: 1.0, 28: 2.0, 16: 3.0, 1024: 3.0}
BUDGETS = (1.5, 3.0, 6.0, 12.0)  # cost of paths that are looked for, one after the other
SPARE = 1.5  # beyond the cheapest path, for those that nearly fit as well
TWICE = 1.5  # cost of pooling after a stride
CHANGED = 1.0  # cost of another stride or padding than the last layer of the same kernel
DOWN = {  # (stride, padding) by kernel with the cost of each: how far from custom
    1: {(1, 0): 0.0, (2, 0): 1.0},
    2: {(2, 0): 0.0, (1, 0): 0.8, (2, 1): 1.2},
    3: {(2, 1): 0.0, (1, 1): 0.1, (2, 0): 0.6, (1, 0): 0.6},
    4: {(2, 1): 0.0, (1, 0): 0.8, (2, 0): 0.3, (4, 0): 1.0, (1, 1): 1.2, (1, 2): 1.5, (2, 2): 1.8, (2, 3): 2.0},
    5: {(2, 2): 0.0, (1, 0): 0.2, (1, 2): 0.3, (2, 1): 0.6, (2, 0): 0.6},
    6: {(2, 2): 0.0, (1, 0): 0.8, (2, 0): 0.8},
    7: {(2, 3): 0.0, (1, 3): 0.2, (1, 0): 0.4},
    8: {(2, 3): 0.0, (4, 2): 0.3, (1, 0): 0.8, (2, 0): 0.8},
}
UP = {  # (stride, padding, output padding)
    1: {(1, 0, 0): 0.0},
    2: {(2, 0, 0): 0.0, (1, 0, 0): 1.0},
    3: {(2, 1, 1): 0.0, (1, 1, 0): 0.3, (2, 0, 0): 0.5, (2, 1, 0): 0.7, (1, 0, 0): 0.8},
    4: {(2, 1, 0): 0.0, (1, 0, 0): 0.8, (2, 0, 0): 0.8, (1, 1, 0): 1.2, (2, 2, 0): 1.5, (1, 2, 0): 1.8},
    5: {(2, 2, 1): 0.0, (1, 2, 0): 0.3, (2, 1, 0): 0.7, (2, 2, 0): 0.7, (1, 0, 0): 0.8, (2, 0, 0): 0.8},
    6: {(2, 2, 0): 0.0, (1, 0, 0): 0.8, (2, 0, 0): 0.8},
    7: {(1, 0, 0): 0.0, (1, 3, 0): 0.1, (2, 3, 1): 0.5, (2, 3, 0): 0.9},
    8: {(4, 2, 0): 0.0, (2, 3, 0): 0.1, (1, 0, 0): 0.8},
}


@dataclass(frozen=True)
class Choice:
    """How one convolution moves over its map.

    Attributes:
        stride: of the layer.
        padding: on each side.
        extra: output padding of a transposed convolution.
        factor: by which maps are enlarged before (above 1) or pooled after (below 1, as a divisor: -2) the layer.
        cost: how far it is from custom.
    """

    stride: int = 1
    padding: int = 0
    extra: int = 0
    factor: int = 1
    cost: float = 0.0


@dataclass(frozen=True)
class Hop:
    """A place of the chain at which the size of the maps changes or is known.

    Attributes:
        kernel: of the convolution; None where sizes are only checked.
        turned: whether the convolution is transposed.
        choices: what it may do.
        fixed: the size that maps must have here, such as that of a LayerNorm.
        free: whether other layers of the same kernel are no guide, as for the last one.
    """

    kernel: Size | None
    turned: bool = False
    choices: tuple[Choice, ...] = (Choice(),)
    fixed: Size | None = None
    free: bool = False

    def moved(self, size: Size, choice: Choice) -> Size | None:
        """The size after the hop, or None where it cannot be made."""
        if self.fixed is not None and size != self.fixed:
            return None
        up, down = max(choice.factor, 1), max(-choice.factor, 1)
        after = [self._side(n * up, k, choice) // down for n, k in zip(size, self.kernel or (1, 1), strict=True)]
        return (after[0], after[1]) if min(after) >= 1 else None

    def _side(self, n: int, kernel: int, choice: Choice) -> int:
        if self.turned:
            return (n - 1) * choice.stride - 2 * choice.padding + kernel + choice.extra
        return (n + 2 * choice.padding - kernel) // choice.stride + 1


@dataclass(frozen=True)
class Path:
    """One way through all hops.

    Attributes:
        cost: how far it is from custom, summed.
        sizes: of the maps before the first hop and after each.
        choices: one a hop.
    """

    cost: float
    sizes: tuple[Size, ...]
    choices: tuple[Choice, ...] = ()
    habits: Mapping[Size, tuple[int, int]] = field(default_factory=dict)

    @property
    def key(self) -> tuple[Size, Size, tuple[tuple[Size, tuple[int, int]], ...]]:
        """Paths of one key have the same future."""
        return (self.sizes[0], self.sizes[-1], tuple(sorted(self.habits.items())))


def custom(kernel: int, *, turned: bool) -> tuple[Choice, ...]:
    """What convolutions of this kernel usually do."""
    if turned:
        known = UP.get(kernel) or {(s, p, 0): 1.5 + 0.1 * p for s in (1, 2, 4) for p in range(kernel // 2 + 1)}
        return tuple(Choice(s, p, extra, cost=cost) for (s, p, extra), cost in known.items())
    down = DOWN.get(kernel) or {(s, p): 1.5 + 0.1 * p for s in (1, 2, 4) for p in range(kernel // 2 + 1)}
    return tuple(Choice(s, p, cost=cost) for (s, p), cost in down.items())


def paths(hops: Sequence[Hop], starts: Mapping[Size, float], ends: Callable[[Size], float | None]) -> list[Path]:
    """Ways through the hops, the most customary first.

    Args:
        hops: in order.
        starts: sizes at which the chain may begin, with the cost of each.
        ends: the cost of a size after the last hop; None where it is impossible.
    """
    for budget in BUDGETS:
        found = _within(hops, starts, ends, budget)
        if found:
            return _within(hops, starts, ends, min(found[0].cost + SPARE, BUDGETS[-1]))
    return []


def _within(
    hops: Sequence[Hop], starts: Mapping[Size, float], ends: Callable[[Size], float | None], budget: float
) -> list[Path]:
    """Paths that cost at most ``budget``."""
    live = [Path(cost, (size,)) for size, cost in starts.items()]
    for hop in hops:
        reached: dict[object, list[Path]] = {}
        for path in live:
            for choice in hop.choices:
                step = _step(path, hop, choice) if path.cost + choice.cost <= budget else None
                if step is not None and step.cost <= budget:
                    reached.setdefault(step.key, []).append(step)
        live = [path for same in reached.values() for path in sorted(same, key=lambda p: p.cost)[:KEPT]]
    whole = []
    for path in live:
        cost = ends(path.sizes[-1])
        if cost is not None and path.cost + cost <= budget:
            whole.append(Path(path.cost + cost, path.sizes, path.choices))
    return sorted(whole, key=lambda path: path.cost)


def _step(path: Path, hop: Hop, choice: Choice) -> Path | None:
    size = hop.moved(path.sizes[-1], choice)
    if size is None:
        return None
    cost, habits = path.cost + choice.cost, path.habits
    if choice.factor < 0 and path.choices and path.choices[-1].stride > 1:
        cost += TWICE
    if (
        hop.kernel is not None and not hop.free and path.sizes[-1] != (1, 1)
    ):  # at a single pixel there is nothing to choose
        way = (choice.stride, choice.padding)
        cost += CHANGED * (habits.get(hop.kernel, way) != way)
        habits = {**habits, hop.kernel: way}
    return Path(cost, (*path.sizes, size), (*path.choices, choice), habits)
