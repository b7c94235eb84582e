"""Ways to find latent directions; one finder a file, and the file's stem is its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from ganexplain import checks
from ganexplain.latent.directions import Directions
from ganexplain.models.generator import Generator
from ganexplain.registry import Registry


class Finder(ABC):
    """Base of all finders: the constructor stores, `fit` finds, and `directions_` holds what was found.

    Args:
        space: latent space of the generator to find directions in.
        n_directions: how many at most; a code of d numbers has no more than d.

    Attributes:
        facts: short statements for lists of methods, such as what a finder needs.
        measure: what `Directions.strength` is, as tables and pages call it.
        columns: further numbers a direction for tables and pages: a key of `Directions.params` that holds one entry a
            direction, and its heading.
    """

    facts: ClassVar[tuple[str, ...]] = ()
    measure: ClassVar[str] = "strength"
    columns: ClassVar[Mapping[str, str]] = {}

    def __init__(self, *, space: str = "z", n_directions: int = 10) -> None:
        self.space = space
        self.n_directions = int(checks.positive(n_directions, "n_directions"))
        self._directions: Directions | None = None

    @abstractmethod
    def fit(self, generator: Generator, *, seed: int = 0) -> Finder:
        """Find the directions of ``generator``; the same seed gives the same directions."""

    @property
    def directions_(self) -> Directions:
        """What `fit` found.

        Raises:
            ValueError: `fit` has not been called.
        """
        if self._directions is None:
            raise ValueError(f"this {type(self).__name__} has found nothing yet; call fit(generator) first")
        return self._directions

    def _settings(self) -> dict[str, Any]:
        """The constructor's arguments besides the space, for the provenance of the directions."""
        return {k: v for k, v in vars(self).items() if not k.startswith("_") and not k.endswith("_") and k != "space"}


FINDERS: Registry[type[Finder]] = Registry("ganexplain.latent.finders", "direction finder")


def measure(directions: Directions) -> str:
    """What the strength of these directions is, in their finder's words."""
    return FINDERS.get(directions.method).measure if directions.method in FINDERS.names() else Finder.measure


def columns(directions: Directions) -> dict[str, list[Any]]:
    """Heading to one entry a direction: the further numbers that their finder reports and `Directions.params` holds."""
    if directions.method not in FINDERS.names():
        return {}
    rows = {heading: directions.params.get(key) for key, heading in FINDERS.get(directions.method).columns.items()}
    return {
        heading: row
        for heading, row in rows.items()
        if isinstance(row, list) and len(row) == len(directions) and any(value is not None for value in row)
    }
