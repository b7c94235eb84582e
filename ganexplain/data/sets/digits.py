"""The 1,797 handwritten digits that come with scikit-learn: 8x8, grey, ten classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ganexplain.data.sets._dataset import DataSet, Wish

__all__ = ["digits"]

SOURCE = (
    "Optical Recognition of Handwritten Digits (Alpaydin and Kaynak 1998, UCI), test part, by scikit-learn; CC BY 4.0"
)
LEVELS = 16  # each of the 8x8 pixels counts the ink in a 4x4 block


def digits(path: Path | None, wish: Wish) -> DataSet:
    """The digits as bytes: the count 0..16 of each pixel becomes 0..255."""
    if path is not None:
        raise ValueError(f"digits come with scikit-learn and are read from no folder, got {path}; write only digits")
    from sklearn.datasets import load_digits

    bunch = load_digits()
    pixels = np.round(np.asarray(bunch.images) * (255 / LEVELS)).astype(np.uint8)
    labels = torch.from_numpy(np.asarray(bunch.target).astype(np.int64))
    return DataSet(torch.from_numpy(pixels)[:, None].contiguous(), labels, tuple("0123456789"), "digits", SOURCE)
