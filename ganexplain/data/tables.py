"""Rows of tables from files: CSV with or without a header, .npy and .npz. Nothing in a file is run."""

from __future__ import annotations

import csv
import zipfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

MAX_BYTES = 2**28  # of a file, before anything of it is read
MAX_ROWS = 100_000
MAX_VALUES = 2**26
SUFFIXES = (".csv", ".tsv", ".txt", ".npy", ".npz")
DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Cells:
    """The text of a table.

    Attributes:
        header: names of the columns, or None where the first line holds numbers too.
        rows: text by row and column.
    """

    header: tuple[str, ...] | None
    rows: list[list[str]]


def read_cells(path: str | Path, *, limit: int = MAX_ROWS) -> Cells:
    """The cells of a CSV file: the delimiter is found out, a header is a first line with a cell that is no number.

    Args:
        path: of the file.
        limit: rows that are read at most.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is too large, no text, or has no rows.
    """
    path = checked(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            start = file.readline()
            delimiter = max(DELIMITERS, key=start.count)
            file.seek(0)
            lines = [row for row in islice(csv.reader(file, delimiter=delimiter), limit + 1) if any(row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no CSV file in UTF-8 ({error}); save it as one") from error
    header = None
    if lines and not all(map(_number, lines[0])):
        header, lines = tuple(cell.strip() for cell in lines[0]), lines[1:]
    if not lines:
        raise ValueError(f"{path} has no rows{'' if header is None else ' below its header'}; expected one at least")
    return Cells(header, lines[:limit])


def read_array(path: str | Path) -> Tensor:
    """The float32 array of a .npy file, or the only one (or "x", "X", "data") of a .npz.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is too large, damaged, holds objects, or several arrays.
    """
    path = checked(path)
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            array = found if isinstance(found, np.ndarray) else _one_of(found)
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} cannot be read as an array: {' '.join(str(error).split())}") from error
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{path} holds {array.dtype}, expected numbers; save the numeric columns alone")
    if array.size > MAX_VALUES:
        raise ValueError(f"{path} holds {array.size:,} numbers, at most {MAX_VALUES:,} are read; save a part of it")
    return torch.from_numpy(np.array(array, dtype=np.float32))


def _one_of(found: np.lib.npyio.NpzFile) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    with found:
        sizes = sum(info.file_size for info in found.zip.infolist()) if found.zip is not None else 0
        if sizes > 8 * MAX_VALUES:
            raise ValueError(f"it unpacks to {sizes:,} bytes, at most {8 * MAX_VALUES:,} are read")
        files: list[str] = list(found.files)
        named = [name for name in files if name in ("x", "X", "data")] or files
        if len(named) != 1 and named[0] not in ("x", "X", "data"):
            raise ValueError(f"there are the arrays {', '.join(named)}; save one of them, or call it x")
        array: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = found[named[0]]
        return array


def checked(path: str | Path) -> Path:
    """The path, if the file is there and of a size that can be read.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is a folder, or too large.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no file {path}")
    if path.is_dir():
        raise ValueError(f"{path} is a folder, expected a file ({', '.join(SUFFIXES)})")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"{path} has {size:,} bytes, at most {MAX_BYTES:,} are read; cut it into parts")
    return path


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return not text.strip()  # an empty cell is a missing value, no name
    return True
