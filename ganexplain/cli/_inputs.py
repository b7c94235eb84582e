"""Rows and signals for the command line, read as the critic's form says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from ganexplain.cli._explaining import Subject
    from ganexplain.models.forms import Form

MOST = 24  # rows or signals of one file that are explained; more would fill a page that nobody reads


def subjects(form: Form, paths: Sequence[Path]) -> list[Subject]:
    """The rows or signals of files; ``rows.csv#57`` takes row 57 alone, ``rows.csv#3-8`` six of them.

    Raises:
        FileNotFoundError: a path does not exist.
        ValueError: a file cannot be read, or has no such row.
    """
    from ganexplain.cli._explaining import Subject

    found = []
    for path in paths:
        file, first, last = _chosen(path)
        values = batch(form, file)
        if last > len(values):
            raise ValueError(f"{file} has {len(values)} {form.many}, so there is no {form.one} {last}")
        stop = last or min(len(values), MOST)
        left = f"the first {MOST} of {len(values):,} {form.many} are explained; {file.name}#57 takes number 57"
        notes = (left,) if not last and len(values) > MOST else ()
        for i in range((first or 1) - 1, stop):
            name = file.name if len(values) == 1 else f"{file.name} {form.one} {i + 1}"
            found.append(Subject(name, values[i : i + 1], file, notes))
            notes = ()
    return found


def _chosen(path: Path) -> tuple[Path, int, int]:
    """The file, and the first and the last row that is asked for; 0 for all."""
    head, mark, tail = str(path).rpartition("#")
    if path.exists() or not mark:
        return path, 0, 0
    first, _, last = tail.partition("-")
    if not first.isdecimal() or (last and not last.isdecimal()) or not 1 <= int(first) <= int(last or first):
        raise ValueError(f"{path.name} must end in the number of a row, or two of them: rows.csv#57, rows.csv#3-8")
    return Path(head), int(first), int(last or first)


def batch(form: Form, path: Path, limit: int | None = None) -> Tensor:
    """The rows or signals of a file, or of the files of a folder.

    Raises:
        FileNotFoundError: there is no such file, or the folder is empty.
        ValueError: a file cannot be read, or does not fit the form.
    """
    import torch

    from ganexplain.data import signals, tables

    kinds = tables.SUFFIXES if form.name == "table" else signals.SUFFIXES
    if not path.is_dir():
        return _read(form, path)[:limit]
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in kinds)
    if not files:
        raise FileNotFoundError(f"no {form.many} in {path}; they are read from {', '.join(kinds)}")
    parts = [_read(form, file) for file in files]
    sizes = {tuple(part.shape[1:]) for part in parts}
    if len(sizes) > 1:
        raise ValueError(f"{path} holds {form.many} of different shapes {sorted(sizes)}; bring them to one length")
    return torch.cat(parts)[:limit]


def _read(form: Form, path: Path) -> Tensor:
    from ganexplain.data.signals import read_signals
    from ganexplain.data.tables import read_array, read_cells
    from ganexplain.models.signal import Signal
    from ganexplain.models.table import Table

    try:
        if isinstance(form, Table):
            if path.suffix.lower() in (".npy", ".npz"):
                array = read_array(path)
                return form.check(array[None] if array.ndim == 1 else array)
            cells = read_cells(path)
            return form.check(form.encode(cells.rows, cells.header))
        values, rate = read_signals(path)
        if isinstance(form, Signal) and rate and form.sample_rate and abs(rate - form.sample_rate) > 0.5:
            raise ValueError(
                f"it has {rate:g} samples per second, and the critic reads {form.sample_rate:g}; resample it"
            )
        return form.check(values)
    except ValueError as error:
        said = str(error)
        raise ValueError(said if str(path) in said else f"{path}: {said}") from error
