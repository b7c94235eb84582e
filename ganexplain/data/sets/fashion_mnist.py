"""Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): 70,000 grey pictures of clothes, 28x28, ten classes, MIT licence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganexplain.data.sets._dataset import DataSet, Wish
from ganexplain.data.sets._idx import IdxSet

__all__ = ["fashion_mnist"]

TRAIN, TEST = 60_000, 10_000  # images, a tenth of each class

FASHION_MNIST = IdxSet(
    name="fashion-mnist",
    title="Fashion-MNIST",
    classes=("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
    first_labels=(9, 0, 0, 3, 0, 2, 7, 2, 5, 5),
    torchvision="FashionMNIST",
    places=(Path("/usr/share/datasets/fashion-mnist"),),  # Debian's package dataset-fashion-mnist
    source="MIT licence, Zalando SE, https://github.com/zalandoresearch/fashion-mnist",
)


def fashion_mnist(path: Path | None, wish: Wish) -> DataSet:
    """The 60,000 training images, then the official 10,000 test images.

    Where no folder has the files, scikit-learn fetches them from openml.org (30 MB) once and keeps them in its own
    data folder, SCIKIT_LEARN_DATA or else ``~/scikit_learn_data``.

    Raises:
        FileNotFoundError: the files are in none of the folders and cannot be fetched.
        ValueError: files of the right names, or a download, that hold something else.
    """
    return FASHION_MNIST.read(path) or _fetched()


def _fetched() -> DataSet:
    from sklearn.datasets import fetch_openml

    try:
        table = fetch_openml("Fashion-MNIST", version=1, as_frame=False, parser="liac-arff")
    except Exception as problem:  # any of the network's failures; the cause is kept in the chain
        raise FileNotFoundError(
            "Fashion-MNIST is not on this machine and could not be fetched from openml.org "
            f"({type(problem).__name__}); install Debian's dataset-fashion-mnist or put its four idx files "
            "into a folder named by GANEXPLAIN_DATA"
        ) from problem
    rows, labels = np.asarray(table.data), torch.from_numpy(np.asarray(table.target).astype(np.int64))
    _check(rows, labels)
    pixels = torch.from_numpy(rows.reshape(-1, 28, 28).astype(np.uint8))
    origin = "openml.org, data set 40996, kept in scikit-learn's data folder"
    return FASHION_MNIST.made(pixels, labels, TEST, origin)


def _check(rows: Any, labels: torch.Tensor) -> None:
    """Raise unless the download is the set in its official order, by what can be told without the files themselves."""
    fits = rows.shape == (TRAIN + TEST, 28 * 28) and labels.shape == (TRAIN + TEST,)
    if fits:
        first = tuple(labels[: len(FASHION_MNIST.first_labels)].tolist()) == FASHION_MNIST.first_labels
        parts = [torch.bincount(part.clamp(min=0)).tolist() for part in (labels[:TRAIN], labels[TRAIN:])]
        bytes_ = rows.min() == 0 and rows.max() == 255 and bool((rows == rows.round()).all())
        fits = first and bytes_ and parts == [[TRAIN // 10] * 10, [TEST // 10] * 10]
    if not fits:
        raise ValueError(
            f"openml.org sent something else than Fashion-MNIST's {TRAIN + TEST:,} images in their official order; "
            f"empty scikit-learn's data folder, or put the set's four idx files into a folder named by GANEXPLAIN_DATA"
        )
