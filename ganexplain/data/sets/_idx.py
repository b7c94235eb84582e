"""The idx format of the MNIST family: big-endian sizes, then bytes; gzip-compressed or plain."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import torch
from torch import Tensor

from ganexplain.data.sets._dataset import MAX_BYTES

UINT8 = 0x08


def read_idx(path: str | Path) -> Tensor:
    """The uint8 tensor in an idx file of any number of axes.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no idx file of bytes, it is cut short, or it is larger than a data set may be.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)  # bounded, since a small gzip file may unfold into anything
    except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
        raise ValueError(f"{path} is not a readable gzip file: {problem}") from None
    if len(raw) > MAX_BYTES:
        raise ValueError(f"{path} unfolds to more than {MAX_BYTES} bytes, more than a data set may hold")
    if len(raw) < 4 or raw[:2] != b"\0\0" or raw[2] != UINT8 or not raw[3]:
        raise ValueError(
            f"{path} must be an idx file of bytes, 000008 and an axis count first, got {raw[:4].hex() or 'nothing'}"
        )
    start = 4 + 4 * raw[3]
    shape = [int.from_bytes(raw[i : i + 4], "big") for i in range(4, start, 4)]
    wanted = 1
    for size in shape:
        wanted *= size
    if len(raw) != start + wanted:
        raise ValueError(f"{path} must hold {wanted} bytes after its header, got {len(raw) - start}; copy it again")
    return torch.frombuffer(bytearray(raw[start:]), dtype=torch.uint8).reshape(shape)
