"""Rows of a table: named features in units of their own, some of them categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganexplain import checks
from ganexplain.models.forms import SHARED, Scaled, Scaling

SUMS = 1e-2  # how far the entries of a category may sum to another number than one
CERTAIN = 0.99  # share of a category from which it is named alone
LISTED = 3  # features of a group that are listed


@dataclass(frozen=True)
class Table(Scaled):
    """Rows (N, F) of a table, in the caller's own units.

    A category is written as one column for each of its words (one-hot), of which one is 1, and is one feature all the
    same. Features can be grouped: what belongs together is then removed together and gets one value.

    Args:
        names: of the features, in order.
        units: unit by feature, such as {"height": "cm"}.
        groups: features by the group's name; a feature in no group stands for itself.
        categories: words by feature, in the order of their columns.
        mean: of each column, or one number for all; the network reads ``(value - mean) / std``. The columns of
            categories are read as they are, so only the other ones are counted.
        std: see ``mean``.
        low: value of each column that the network reads as -1; ``high`` is read as 1.
        high: see ``low``.

    Raises:
        ValueError: names twice, unknown features in units, groups or categories, or a scaling that does not fit.
    """

    names: tuple[str, ...]
    units: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mean: Any = None
    std: Any = None
    low: Any = None
    high: Any = None

    name: ClassVar[str] = "table"
    ndim: ClassVar[int] = 2
    one: ClassVar[str] = "row"
    many: ClassVar[str] = "rows"
    part: ClassVar[str] = "feature"
    parts: ClassVar[str] = "features"
    removed: ClassVar[str] = "feature"
    differentiated: ClassVar[str] = "feature"
    baselines: ClassVar[tuple[str, ...]] = ("shuffled", *SHARED)
    contrasts: ClassVar[tuple[str, ...]] = ("zero",)
    unlike: ClassVar[tuple[str, ...]] = ("shuffled",)
    words: ClassVar[Mapping[str, str]] = {
        "an image": "a row",
        "image": "row",
        "images": "rows",
        "image's": "row's",
        "images'": "rows'",
        "region": "feature",
        "regions": "features",
        "map": "explanation",
        "maps": "explanations",
        "a map": "an explanation",
        "shows this image instead of the baseline": "has this row's values instead of the baseline's",
        "lies most in": "lies most in",
    }

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        for name in ("names", "units", "groups", "categories"):
            value = getattr(self, name)
            set_(self, name, tuple(value) if name == "names" else dict(value))
        if not self.names or len(set(self.names)) < len(self.names):
            twice = [n for n in self.names if self.names.count(n) > 1]
            raise ValueError(f"names must be different features and at least one, got {twice or 'none'}")
        for feature in (*self.units, *self.categories, *(f for group in self.groups.values() for f in group)):
            checks.one_of("feature", feature, self.names)
        set_(self, "groups", {name: tuple(group) for name, group in self.groups.items()})
        set_(self, "categories", {name: tuple(map(str, words)) for name, words in self.categories.items()})
        grouped = [f for group in self.groups.values() for f in group]
        if len(set(grouped)) < len(grouped):
            raise ValueError("groups must not overlap: a feature belongs to one of them, or to none")
        for name in ("mean", "std", "low", "high"):
            if getattr(self, name) is not None:
                set_(self, name, tuple(torch.as_tensor(getattr(self, name), dtype=torch.float64).reshape(-1).tolist()))
        _ = self.scaling

    @classmethod
    def standardised(cls, rows: Tensor, names: Sequence[str], **more: Any) -> Table:
        """The table whose network reads rows in standard deviations of ``rows`` (N, F), which it was trained on.

        Args:
            rows: in the caller's units.
            names: of the features.
            more: units, groups and categories.
        """
        bare = cls(tuple(names), **more)
        free = bare.check(rows, "rows").double()[:, bare._free]
        std = free.std(0, correction=0)
        return cls(tuple(names), **more, mean=free.mean(0), std=torch.where(std > 0, std, torch.ones_like(std)))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Name of each column: the feature, or "feature=word" for those of a category."""
        return tuple(name if word is None else f"{name}={word}" for name, word in self._cells)

    @cached_property
    def _cells(self) -> tuple[tuple[str, str | None], ...]:
        return tuple((name, word) for name in self.names for word in self.categories.get(name, (None,)))

    @cached_property
    def _free(self) -> list[int]:
        """Indices of the columns that are no part of a category."""
        return [i for i, (_, word) in enumerate(self._cells) if word is None]

    @cached_property
    def scaling(self) -> Scaling | None:
        """One shift and scale a column; the columns of categories are read as they are."""
        free = self._free
        found = Scaling.of(len(free), self.mean, self.std, self.low, self.high, "columns")
        if found is None or len(free) == len(self._cells):
            return found
        shift, scale = [0.0] * len(self._cells), [1.0] * len(self._cells)
        for i, a, b in zip(free, found.shift, found.scale, strict=True):
            shift[i], scale[i] = a, b
        return Scaling(tuple(shift), tuple(scale))

    @property
    def axes(self) -> tuple[int, ...]:
        """(F,)."""
        return (len(self._cells),)

    @property
    def unit(self) -> str:
        """A standard deviation where one is given."""
        return "standard deviation" if self.std is not None else "unit"

    @cached_property
    def players(self) -> tuple[str, ...]:
        """Names of what is removed together: groups and features, in the order of their first column."""
        owner = {feature: name for name, group in self.groups.items() for feature in group}
        return tuple(dict.fromkeys(owner.get(name, name) for name in self.names))

    @cached_property
    def labels(self) -> Tensor:
        """(F,) the player of each column."""
        owner = {feature: name for name, group in self.groups.items() for feature in group}
        return torch.tensor([self.players.index(owner.get(name, name)) for name, _ in self._cells])

    def check(self, values: Tensor, name: str = "") -> Tensor:
        """Return ``values`` if they are finite rows (N, F) whose categories are shares that sum to one."""
        name = name or self.many
        width = len(self._cells)
        self._float(values, name, f"(N, {width})")
        if values.ndim != 2 or values.shape[1] != width or not len(values):
            raise ValueError(
                f"{name} must have the shape (N, {width}), one column for each of {_some(self.columns)}, got "
                f"{tuple(values.shape)}"
            )
        checks.finite(values, name)
        for feature, block in self._blocks.items():
            shares = values.detach()[:, block]
            if float(shares.min()) < -SUMS or float((shares.sum(1) - 1).abs().max()) > SUMS:
                raise ValueError(
                    f"the columns of the category {feature!r} in {name} must be 0 or 1 and sum to one in every row"
                )
        return values

    def settled(self, made: Tensor, reals: Tensor) -> Tensor:
        """``made`` (1, F) with the most frequent word of each category."""
        out = made.clone()
        for block in self._blocks.values():
            out[:, block] = 0.0
            out[:, block[int(reals[:, block].mean(0).argmax())]] = 1.0
        return out

    @cached_property
    def _blocks(self) -> dict[str, list[int]]:
        return {f: [i for i, (name, _) in enumerate(self._cells) if name == f] for f in self.categories}

    def encode(self, cells: Sequence[Sequence[str]], header: Sequence[str] | None = None) -> Tensor:
        """(N, F) from rows of text, such as those of a CSV file; words become columns.

        Args:
            cells: text by row and column.
            header: names of the columns in any order, more than the features if need be; None takes the features' own.

        Raises:
            ValueError: a feature is missing, or a cell is empty, no number, or no word of its category.
        """
        header = [h.strip() for h in (header if header is not None else self.names)]
        missing = [name for name in self.names if name not in header]
        if missing:
            raise ValueError(f"the columns {_some(missing)} are missing (there are: {_some(header)})")
        rows = []
        for number, row in enumerate(cells, 1):
            if len(row) != len(header):
                raise ValueError(f"row {number} has {len(row)} cells, and the header {len(header)}")
            values: list[float] = []
            for name in self.names:
                values += self._cell(name, row[header.index(name)].strip(), number)
            rows.append(values)
        return torch.tensor(rows, dtype=torch.float32).reshape(-1, len(self._cells))

    def _cell(self, name: str, text: str, number: int) -> list[float]:
        if name in self.categories:
            words = self.categories[name]
            if text not in words:
                raise ValueError(f"row {number} has {text or 'nothing'!r} for {name!r}, expected one of {_some(words)}")
            return [float(text == word) for word in words]
        if text.lower() in ("", "na", "nan", "null", "none", "?"):
            raise ValueError(
                f"row {number} has no value for {name!r}; fill it in as for training, or leave the row out"
            )
        try:
            return [float(text)]
        except ValueError as error:
            raise ValueError(f"row {number} has {text!r} for {name!r}, expected a number") from error

    def decode(self, rows: Tensor) -> list[list[str]]:
        """Rows (N, F) as text by row and feature, which `encode` reads; of a category's shares the largest is its word.

        Numbers come back as they are, bit for bit.
        """
        self.check(rows)
        places = {name: [i for i, (feature, _) in enumerate(self._cells) if feature == name] for name in self.names}

        def text(row: Tensor, name: str) -> str:
            own = row[places[name]]
            return self.categories[name][int(own.argmax())] if name in self.categories else f"{float(own[0]):.9g}"

        return [[text(row, name) for name in self.names] for row in rows.detach().cpu().float()]

    def shown(self, row: Tensor) -> list[str]:
        """The value of each player of a row (F,) as text, with its unit."""
        of: dict[str, list[str]] = {player: [] for player in self.players}
        for name in self.names:
            index = [i for i, (feature, _) in enumerate(self._cells) if feature == name]
            player = self.players[int(self.labels[index[0]])]
            text = self._text(name, row[index])
            of[player].append(text if player == name else f"{name} {text}")
        return [
            ", ".join(texts[:LISTED]) + (f" and {len(texts) - LISTED} more" if len(texts) > LISTED else "")
            for texts in of.values()
        ]

    def _text(self, name: str, values: Tensor) -> str:
        if name in self.categories:
            best = int(values.argmax())
            share = float(values[best])
            word = self.categories[name][best]
            return word if share >= CERTAIN else f"{word} ({share:.0%})" if share > 0 else "none"
        unit = self.units.get(name, "")
        return f"{float(values[0]):.4g}".replace("-", "−") + (f" {unit}" if unit else "")

    def to_json(self) -> dict[str, Any]:
        """All that makes the form."""
        return {"name": self.name, **{k: v for k, v in asdict(self).items() if v not in (None, {})}}


def _some(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
