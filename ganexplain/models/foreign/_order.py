"""In which order layers follow each other, told from their widths where the file's order does not fit."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ganexplain.models.foreign._parts import TURNED, Part

GROUPS = 6  # first parts of names that are tried in every order


@dataclass(frozen=True)
class Width:
    """What flows between two layers: ``channels`` of a map, or features where ``flat``; None before the first."""

    channels: int | None = None
    flat: bool = False


Steps = dict[Width, tuple[Width, Part] | None]  # by what flows after a part: what flowed before, and the part as read


def chained(parts: Sequence[Part], role: str, start: Width | None = None) -> tuple[Part, ...] | None:
    """The parts in an order in which each takes what the one before returns, convolutions told from transposed ones.

    Args:
        parts: in the file's order, which is kept where it fits.
        role: "generator" (whose convolutions may be transposed) or "discriminator".
        start: what the first layer takes; None takes what it asks for.

    Returns:
        None where no order fits.
    """
    parts, tried = _counted(parts), list[tuple[str, ...]]()
    for order in _orders(parts):
        names = tuple(part.name for part in order)
        if names not in tried:
            tried.append(names)
            found = _walk(order, start or Width(), role)
            if found is not None:
                return found
    return _permuted(parts, start or Width(), role)


def gap(before: str, after: str) -> int | None:
    """How many modules stood between two of one container, told from its numbers; None where names do not say.

    >>> gap("main.0", "main.2"), gap("main.2", "main.3"), gap("conv1", "bn1"), gap("l1.0", "blocks.0")
    (1, 0, None, None)
    """
    (home, _, first), (other, _, last) = before.rpartition("."), after.rpartition(".")
    if home != other or not (first.isdecimal() and last.isdecimal()) or int(last) <= int(first):
        return None
    return int(last) - int(first) - 1


def _counted(parts: Sequence[Part]) -> Sequence[Part]:
    """The parts by their numbers where they come by name: formats that sort names put main.10 before main.2."""
    names = [part.name for part in parts]
    return sorted(parts, key=lambda part: _natural(part.name)) if names == sorted(names) else parts


def _orders(parts: Sequence[Part]) -> Iterator[Sequence[Part]]:
    hosted = _hosted(parts)
    stranded = any(a.kind == b.kind == "norm" for a, b in itertools.pairwise(parts))
    if stranded and hosted is not None:  # conv1, conv2, bn1, bn2: norms declared after all convolutions
        yield hosted
    yield parts
    if hosted is not None:
        yield hosted


def _permuted(parts: Sequence[Part], start: Width, role: str) -> tuple[Part, ...] | None:
    """The parts in an order of the containers that they are in, or None where none fits."""
    skip = len(_shared([part.name for part in parts]))
    groups: dict[str, list[Part]] = {}
    for part in parts:
        groups.setdefault(part.name.split(".")[skip] if part.name.count(".") >= skip else part.name, []).append(part)
    if not 1 < len(groups) <= GROUPS:
        return None

    def extended(reached: list[Steps], left: list[list[Part]]) -> list[Steps] | None:
        if not left:
            return reached
        for i, group in enumerate(left):
            further = _reached(group, reached[-1], role)
            found = further and extended([*reached, *further], [*left[:i], *left[i + 1 :]])
            if found:
                return found
        return None

    found = extended([{start: None}], list(groups.values()))
    return None if found is None else _traced(found)


def _shared(names: Sequence[str]) -> list[str]:
    split = [name.split(".")[:-1] for name in names]
    return [level[0] for level in itertools.takewhile(lambda level: len(set(level)) == 1, zip(*split, strict=False))]


def _hosted(parts: Sequence[Part]) -> list[Part] | None:
    """Each norm after the layer of its number and width, or after the first of its width that has none yet."""
    hosts = [part for part in parts if part.mixes]
    guests: dict[str, list[Part]] = {host.name: [] for host in hosts}
    for norm in (part for part in parts if not part.mixes):
        fitting = [h for h in hosts if norm.kind == "prelu" or norm.shape[0] in h.shape[:2]]
        free = [h for h in fitting if not guests[h.name]] or fitting
        alike = [h for h in fitting if _number(h.name) == _number(norm.name) is not None]
        if not fitting:
            return None
        guests[(alike or free)[0].name].append(norm)
    return [part for host in hosts for part in (host, *guests[host.name])]


def _natural(name: str) -> list[tuple[int, str]]:
    """A key by which main.2 comes before main.10."""
    return [(int(word), "") if word.isdecimal() else (-1, word) for word in re.findall(r"\d+|\D+", name)]


def _number(name: str) -> str | None:
    found = re.findall(r"\d+", name)
    return found[-1] if found else None


def _walk(parts: Sequence[Part], start: Width, role: str) -> tuple[Part, ...] | None:
    """The parts with their kinds, or None where one does not take what the one before returns."""
    further = _reached(parts, {start: None}, role)
    return None if further is None else _traced([{start: None}, *further])


def _reached(parts: Sequence[Part], widths: Steps, role: str) -> list[Steps] | None:
    """What may flow after each part, or None where nothing can."""
    reached = [widths]
    for part in parts:  # all widths at once: trying one reading after the other doubles the work at each square layer
        following: Steps = {}
        for width in reached[-1]:
            for reading in _readings(part, role):
                after = _after(reading, width, role)
                if after is not None:
                    following.setdefault(after, (width, reading))
        if not following:
            return None
        reached.append(following)
    return reached[1:]


def _traced(reached: Sequence[Steps]) -> tuple[Part, ...]:
    """The parts on the way to the first width that was reached at the end."""
    width, chain = next(iter(reached[-1])), []
    for step in reversed(reached):
        came = step[width]
        if came is not None:
            width, part = came
            chain.append(part)
    return tuple(reversed(chain))


def _readings(part: Part, role: str) -> Iterator[Part]:
    """A 4-D weight as convolution and as transposed one, the likelier first."""
    if part.kind != "conv":
        yield part
        return
    if role == "discriminator" or part.turned is False:
        kinds = ["conv"]
    elif part.turned:
        kinds = ["tconv"]
    else:
        even = part.shape[2] % 2 == 0 or part.shape[2] != part.shape[3]
        likely = bool(TURNED.search(part.name)) or even or part.shape[2] > 5
        kinds = ["tconv", "conv"] if likely else ["conv", "tconv"]
    for kind in kinds:
        read = part if kind == part.kind else replace(part, kind=kind)
        if part.bias is None or part.bias.numel() == read.out:
            yield read


def _after(part: Part, width: Width, role: str) -> Width | None:
    """What flows after a part, or None where it does not take what flows before."""
    have, flat = width.channels, width.flat
    if part.kind == "linear":
        fits = have is None or (part.into == have if flat else part.into % have == 0)
        fits = fits and (part.bias is None or part.bias.numel() == part.out)
        return Width(part.out, True) if fits else None
    if part.mixes:
        if have is None or (not flat and have == part.into):
            return Width(part.out)
        return Width(part.out) if flat and role == "generator" and _square(have, part.into) else None
    if part.kind == "prelu":
        return width if part.shape[0] in (1, have) else None
    if have is None:
        return None
    wide = part.shape[0]
    if len(part.shape) in (1, 3) and wide == have and not (flat and len(part.shape) == 3):
        return width
    return Width(wide) if flat and role == "generator" and _square(have, wide) else None


def _square(features: int, channels: int) -> bool:
    side = math.isqrt(features // channels)
    return features == channels * side * side
