"""``--set name=value``: the arguments of a part's constructor, read by its annotations."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

WORDS = {"true": True, "yes": True, "false": False, "no": False}


def settings(part: type, given: Iterable[str], *, taken: Iterable[str] = ()) -> dict[str, Any]:
    """The constructor's arguments that ``name=value`` texts name.

    Args:
        part: class of a registry.
        given: such as "normalize=rows".
        taken: arguments that have an option of their own.

    Raises:
        ValueError: no ``=``, an unknown name (with the nearest one), a name given twice, or a value of another type.
    """
    from ganexplain import checks

    own = dict(arguments(part))
    known = [name for name in own if name not in set(taken)]
    values: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not equals or not name:
            raise ValueError(f"--set must read name=value, such as {(known or ['name'])[0]}=..., got {text!r}")
        if name in own and name not in known:
            raise ValueError(f"{name} has an option of its own; see --help instead of --set {text}")
        if not known:
            raise ValueError(f"unknown setting {name!r} of {part.__name__}, which has none; leave it out")
        checks.one_of(f"setting of {part.__name__}", name, known)
        if name in values:
            raise ValueError(f"--set names {name} twice; keep one of them")
        values[name] = converted(value.strip(), own[name], f"{part.__name__}'s {name}")
    return values


def arguments(part: type) -> dict[str, Any]:
    """Name to annotation of each argument of the constructor."""
    hints = typing.get_type_hints(part.__init__)  # type: ignore[misc]
    names = [name for name in inspect.signature(part).parameters if name not in ("args", "kwargs")]
    return {name: hints.get(name, str) for name in names}


def converted(text: str, annotation: Any, name: str) -> Any:
    """``text`` as the first of the annotation's types that it can be read as.

    >>> converted("12", int | None, "n"), converted("none", int | None, "n"), converted("a,b", str | Sequence[str], "x")
    (12, None, ['a', 'b'])

    Raises:
        ValueError: it cannot be read as any of them.
    """
    kinds = _kinds(annotation)
    for fits, read in _READERS:
        if any(fits(kind) for kind in kinds):
            value = read(text)
            if value is not _UNREAD:
                return value
    words = sorted({word for word, fits in _WORDS if any(fits(kind) for kind in kinds)})
    if not words:
        raise ValueError(f"{name} cannot be given as text; set it from Python")
    raise ValueError(f"{name} must be {' or '.join(words)}, got {text!r}")


def _kinds(annotation: Any) -> list[Any]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [kind for part in typing.get_args(annotation) for kind in _kinds(part)]
    return [annotation]


_UNREAD = object()


def _number(kind: type) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            return _UNREAD

    return read


def _list_of(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        values = [kind(part.strip()) for part in text.split(",")]
        return _UNREAD if len(values) < 2 or any(v is _UNREAD for v in values) else values

    return read


def _sequence(item: type) -> Callable[[Any], bool]:
    def fits(kind: Any) -> bool:
        origin = typing.get_origin(kind)
        listed = isinstance(origin, type) and issubclass(origin, Sequence)
        return listed and typing.get_args(kind)[:1] == (item,)

    return fits


def _is(wanted: Any) -> Callable[[Any], bool]:
    return lambda kind: kind is wanted


# in the order of trial: what reads the fewest texts comes first
_READERS: tuple[tuple[Callable[[Any], bool], Callable[[str], Any]], ...] = (
    (_is(type(None)), lambda text: None if text.lower() == "none" else _UNREAD),
    (_is(bool), lambda text: WORDS.get(text.lower(), _UNREAD)),
    (_is(int), _number(int)),
    (_is(float), _number(float)),
    (_sequence(int), _list_of(_number(int))),
    (_sequence(float), _list_of(_number(float))),
    (_sequence(str), _list_of(str)),
    (_is(str), lambda text: text),
    (_is(Path), Path),
)
_WORDS: tuple[tuple[str, Callable[[Any], bool]], ...] = (
    ("true or false", _is(bool)),
    ("a whole number", _is(int)),
    ("a number", _is(float)),
    ("a text", _is(str)),
    ("a path", _is(Path)),
    ("whole numbers with commas", _sequence(int)),
    ("numbers with commas", _sequence(float)),
)
