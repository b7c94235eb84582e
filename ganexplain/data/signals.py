"""Signals from files: .npy, .npz, CSV with a column a channel, and .wav. Nothing in a file is run."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganexplain.data.tables import MAX_VALUES, checked, read_array, read_cells

SUFFIXES = (".npy", ".npz", ".csv", ".tsv", ".txt", ".wav")


def read_signals(path: str | Path) -> tuple[Tensor, float | None]:
    """Signals (N, C, L) float32 and their samples per second, where the file says so.

    An array (L,) is one channel, (C, L) one signal, (N, C, L) many. A CSV file holds one signal: a column a channel, a
    line a sample. Sound in whole numbers is read as -1 to 1.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is of another kind, too large or damaged.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".wav":
        return _sound(checked(path))
    if suffix in (".npy", ".npz"):
        array = read_array(path)
        if not 1 <= array.ndim <= 3 or 0 in array.shape:
            raise ValueError(f"{path} has the shape {tuple(array.shape)}, expected (L,), (C, L) or (N, C, L)")
        return array.reshape(*[1] * (3 - array.ndim), *array.shape), None
    if suffix not in SUFFIXES:
        raise ValueError(f"{path} is of an unknown kind; signals are read from {', '.join(SUFFIXES)}")
    cells = read_cells(path, limit=MAX_VALUES)
    try:
        values = np.array([[float(cell) for cell in row] for row in cells.rows], dtype=np.float32)
    except ValueError as error:
        raise ValueError(f"{path} has a cell that is no number, or lines of different lengths: {error}") from error
    return torch.from_numpy(values.T.copy())[None], None


def _sound(path: Path) -> tuple[Tensor, float]:
    from scipy.io import wavfile

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # of chunks that hold no sound
            rate, samples = wavfile.read(path)
    except (ValueError, struct.error, EOFError) as error:
        raise ValueError(f"{path} cannot be read as sound: {' '.join(str(error).split())}") from error
    values = np.asarray(samples)
    if values.size > MAX_VALUES or not values.size:
        raise ValueError(f"{path} holds {values.size:,} samples, expected 1 to {MAX_VALUES:,}")
    if values.dtype == np.uint8:  # the only unsigned kind, around 128
        values = (values.astype(np.float32) - 128) / 128
    elif values.dtype.kind == "i":
        values = values.astype(np.float32) / float(np.iinfo(values.dtype).max + 1)
    values = values.astype(np.float32)
    return torch.from_numpy(values.reshape(len(values), -1).T.copy())[None], float(rate)
