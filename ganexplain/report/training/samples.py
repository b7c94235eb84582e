"""Sheets of samples as they go into the page: few, decoded and drawn anew, of a bounded size."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ganexplain.figures.grid import grid_png

SHOWN = 8
SIDE, LARGE = 400, 640  # pixels of a sheet among others, and of the last
MOST_BYTES, MOST_PIXELS = 2**24, 2**24  # of a file


def chosen(steps: Sequence[int], most: int = SHOWN) -> list[int]:
    """Which of the sheets are shown: the first, the last, and what lies evenly between.

    >>> chosen([100, 200, 300, 400, 500], 3)
    [0, 2, 4]
    """
    n = len(steps)
    return list(range(n)) if n <= most else sorted({round(i * (n - 1) / (most - 1)) for i in range(most)})


def redrawn(path: Path, side: int) -> bytes | None:
    """A PNG at most ``side`` pixels wide and high without anything but its pixels; None where it cannot be read."""
    from PIL import Image

    if path.stat().st_size > MOST_BYTES:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the size is checked below
            with Image.open(path, formats=["PNG"]) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    return None
                plain = picture.convert("L" if picture.mode in ("1", "L", "LA", "I;16", "I") else "RGB")
    except (
        OSError,
        ValueError,
        SyntaxError,
        Image.DecompressionBombError,
    ):  # what Pillow raises for files that are none
        return None
    scale = side / max(plain.size)
    if scale < 1:
        size = (max(1, round(plain.width * scale)), max(1, round(plain.height * scale)))
        plain = plain.resize(size, Image.Resampling.BOX)
    file = io.BytesIO()
    plain.save(file, "PNG", optimize=True)
    return file.getvalue()


def reals_png(reals: Tensor, columns: int = 10) -> bytes | None:
    """The reals as a sheet, or None where they are no images."""
    if reals.ndim != 4 or not 1 <= reals.shape[1] <= 4 or 0 in reals.shape:
        return None
    if reals.dtype != torch.uint8 or columns * reals.shape[-1] > 4 * LARGE:
        return None
    return grid_png(reals, columns, max(1, round(LARGE / (columns * reals.shape[-1]))))
