"""Classes of a conditional network in words: said by number or name, and listed in an error."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

LISTED = 12  # classes in an error


def listed(count: int, names: Sequence[str] = ()) -> str:
    """The classes in words, such as "0 (shirt), 1 (shoe)"; the first and last where they are many."""
    said = [f"{i} ({names[i]})" if names else str(i) for i in range(count)]
    return ", ".join(said if count <= LISTED else [*said[: LISTED - 2], "...", said[-1]])


def called(label: int, name: str | None = None) -> str:
    """A class in words.

    >>> called(3, "trouser"), called(3)
    ('class 3 (trouser)', 'class 3')
    """
    return f"class {label}" if name is None else f"class {label} ({name})"


def numbered(label: int | str, classes: int, names: Sequence[str] = (), what: str = "network") -> int:
    """The number of a class that is said by number or name.

    Args:
        label: a number; or a name, whose case counts only where nothing else tells two names apart.
        classes: how many there are.
        names: what they are called, or empty where that is not known.
        what: who knows them, for the errors.

    Raises:
        ValueError: there are no classes, or no such one, or several of this name.

    >>> numbered("Bag", 2, ("shirt", "bag")), numbered(0, 2, ("shirt", "bag"))
    (1, 0)
    """
    if classes == 0:
        raise ValueError(f"label={label} was given, but this {what} knows no classes; leave it out")
    number = _of_name(label, classes, names, what) if isinstance(label, str) else label
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < classes:
        known = f"one of {listed(classes, names)}" if names else f"0 to {classes - 1}"
        raise ValueError(f"label must be {known}, got {label!r}")
    return number


def _of_name(label: str, classes: int, names: Sequence[str], what: str) -> int:
    if not names:
        raise ValueError(
            f"label must be a number from 0 to {classes - 1}, got {label!r}: what the classes are called is not known "
            f"of this {what}"
        )
    folded = [name.strip().casefold() for name in names]
    wanted = label.strip().casefold()
    found = [i for i, name in enumerate(names) if name == label] or [i for i, n in enumerate(folded) if n == wanted]
    if len(found) > 1:
        raise ValueError(f"{label!r} is what several classes are called ({', '.join(map(str, found))}); say the number")
    if not found:
        near = difflib.get_close_matches(wanted, folded, n=1)
        hint = f"; did you mean {names[folded.index(near[0])]!r}?" if near else ""
        raise ValueError(f"unknown class {label!r}{hint} (there are: {listed(classes, names)})")
    return found[0]
