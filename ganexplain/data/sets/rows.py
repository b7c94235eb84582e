"""Rows of a CSV file: columns of numbers are features, a column of the name "class" or "label" the classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganexplain.data.sets._dataset import DataSet, Wish

__all__ = ["rows"]

SUFFIXES = (".csv", ".tsv")
LABELS = ("class", "label", "labels")
MISSING = ("", "na", "nan", "null", "none", "?")
MAX_ROWS = 2**20
MAX_CLASSES = 1000
LOST = 1e-3  # of a column's standard deviation that float32 may round away
SHOWN = 3  # words of a column that an error lists


def rows(path: Path | None, wish: Wish) -> DataSet:
    """Every row of the file, in its order; features in the units of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a feature with words, missing values or one value alone, or rows of different lengths.
    """
    if path is None:
        raise ValueError("a data set of rows needs a path to a .csv file")
    from ganexplain.data.tables import read_cells

    cells = read_cells(path, limit=MAX_ROWS + 1)
    if len(cells.rows) > MAX_ROWS:
        raise ValueError(f"{path} has more than {MAX_ROWS:,} rows; take a part of them")
    header = _header(cells, path)
    columns = dict(zip(header, zip(*cells.rows, strict=True), strict=True))
    chosen = [name for name in header if name.lower() in LABELS]
    if len(chosen) > 1:
        raise ValueError(f"{path} has several columns of classes, {' and '.join(chosen)}; leave one of them")
    labels, classes = _classes(chosen[0], columns.pop(chosen[0]), path) if chosen else (None, ())
    if not columns:
        raise ValueError(f"{path} has no column of features, only {chosen[0]!r}; add columns of numbers")
    values = np.stack([_numbers(name, texts, path) for name, texts in columns.items()], 1)
    _check(values, tuple(columns), path)
    source = f"{len(values):,} rows of {path.name}, {len(columns)} features"
    source += f", classes from its column {chosen[0]!r}" if chosen else ""
    table = torch.from_numpy(values.astype(np.float32))
    return DataSet(table, labels, classes, path.stem, source, feature_names=tuple(columns))


def _header(cells: Any, path: Path) -> tuple[str, ...]:
    """The names of the columns; "column 1" and so on where there are none."""
    width = len(cells.header or cells.rows[0])
    for number, row in enumerate(cells.rows, 1):
        if len(row) != width:
            raise ValueError(f"row {number} of {path} has {len(row)} cells, expected {width} as in its first line")
    names: tuple[str, ...] = cells.header or tuple(f"column {i + 1}" for i in range(width))
    for place, name in enumerate(names, 1):
        if cells.header and _number(name) is not None:
            raise ValueError(f"the first line of {path} has words beside {name!r}; add a line above with names alone")
        if not name:
            raise ValueError(
                f"column {place} of {path} has no name; name it, or leave it out (pandas writes its index so, unless "
                "index=False)"
            )
        if names.count(name) > 1:
            raise ValueError(f"{path} has several columns of the name {name!r}; rename all but one")
    return names


def _number(text: str) -> float | None:
    """The number that a cell holds, infinite and NaN ones too; None of a word."""
    try:
        return float(text)
    except ValueError:
        return None


def _numbers(name: str, texts: tuple[str, ...], path: Path) -> Any:
    found = [_number(text) for text in texts]
    words = [i for i, value in enumerate(found) if value is None and texts[i].strip().lower() not in MISSING]
    if words:
        some = ", ".join(repr(word) for word in list(dict.fromkeys(texts[i] for i in words))[:SHOWN])
        raise ValueError(
            f"the column {name!r} of {path} holds words ({some}, row {words[0] + 1} first) and a GAN of rows is "
            "trained on numbers; write them as numbers, leave the column out, or call it 'class' if it is that"
        )
    values = np.array(found, dtype=np.float64)  # None becomes NaN
    absent = np.flatnonzero(~np.isfinite(values))
    if len(absent):
        raise ValueError(
            f"the column {name!r} of {path} has no finite value in {len(absent)} of {len(texts)} rows, row "
            f"{absent[0] + 1} first; fill them in, or leave these rows or the column out"
        )
    return values


def _check(values: Any, names: tuple[str, ...], path: Path) -> None:
    low, high = values.min(0), values.max(0)
    constant = [repr(name) for name, a, b in zip(names, low, high, strict=True) if a == b]
    if constant:
        raise ValueError(
            f"{path} has the same value in every row of {', '.join(constant)}, which leaves nothing to learn; leave "
            f"{'it' if len(constant) == 1 else 'them'} out"
        )
    for i, name in enumerate(names):
        column = values[:, i]
        if max(-low[i], high[i]) > np.finfo(np.float32).max:
            raise ValueError(f"the column {name!r} of {path} has values that float32 cannot hold; use a larger unit")
        if np.abs(column - column.astype(np.float32)).max() > LOST * column.std():
            raise ValueError(
                f"the column {name!r} of {path} runs from {low[i]:.10g} to {high[i]:.10g}, of which float32 loses "
                "digits; subtract its first value"
            )


def _classes(name: str, texts: tuple[str, ...], path: Path) -> tuple[torch.Tensor, tuple[str, ...]]:
    """Labels, and the words of the column in their order: by number where all are whole numbers."""
    words = [text.strip() for text in texts]
    absent = [i for i, word in enumerate(words) if word.lower() in MISSING]
    if absent:
        raise ValueError(f"row {absent[0] + 1} of {path} has no {name}; fill it in, or leave the row out")
    kinds = set(words)
    if len(kinds) > MAX_CLASSES:
        raise ValueError(
            f"the column {name!r} of {path} has {len(kinds):,} different values, more than the {MAX_CLASSES} that can "
            "be classes; rename it if it is a feature"
        )
    whole = all(kind.isascii() and kind.lstrip("-").isdigit() for kind in kinds)
    names = sorted(kinds, key=lambda kind: (int(kind), kind) if whole else (0, kind))
    index = {kind: i for i, kind in enumerate(names)}
    return torch.tensor([index[word] for word in words], dtype=torch.int64), tuple(names)
