"""Look-up of parts by name: one file, one part, and the file's stem is the part's name."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Generic, TypeVar

from ganexplain.checks import unknown

T = TypeVar("T")


class Registry(Generic[T]):
    """The parts found in one package; a module is imported when its name is first asked for.

    A module of the package offers the single name of its ``__all__``. Modules that start with an
    underscore are helpers and no parts.

    Args:
        package: dotted name of the package that holds one part a file.
        kind: what a part is called in an error, such as "attribution method".
    """

    def __init__(self, package: str, kind: str) -> None:
        self.package = package
        self.kind = kind

    def names(self) -> tuple[str, ...]:
        """The names of all parts, in alphabetical order, without importing any of them."""
        path = importlib.import_module(self.package).__path__
        return tuple(sorted(m.name for m in pkgutil.iter_modules(path) if not m.name.startswith("_")))

    def get(self, name: str) -> T:
        """The part called ``name`` (hyphens and underscores are the same).

        Raises:
            ValueError: there is no such part; the message names the nearest one.
        """
        stem = name.strip().lower().replace("-", "_")
        if stem not in self.names():
            raise unknown(self.kind, name, self.names())
        module = importlib.import_module(f"{self.package}.{stem}")
        part: T = getattr(module, module.__all__[0])
        return part
