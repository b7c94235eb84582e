"""Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): 70,000 grey pictures of clothes, 28x28, ten classes, MIT licence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ganexplain.data.sets._dataset import DataSet
from ganexplain.data.sets._idx import IdxSet

__all__ = ["fashion_mnist"]

FASHION_MNIST = IdxSet(
    name="fashion-mnist",
    title="Fashion-MNIST",
    classes=("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"),
    first_labels=(9, 0, 0, 3, 0, 2, 7, 2, 5, 5),
    torchvision="FashionMNIST",
    places=(Path("/usr/share/datasets/fashion-mnist"),),  # Debian's package dataset-fashion-mnist
    source="MIT licence, Zalando SE, https://github.com/zalandoresearch/fashion-mnist",
)


def fashion_mnist(path: Path | None, resolution: int | None, channels: int | None) -> DataSet:
    """The 60,000 training images, then the official 10,000 test images.

    Raises:
        FileNotFoundError: the files are in none of the folders and cannot be fetched.
        ValueError: files of the right names that hold something else.
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
    pixels = torch.from_numpy(np.asarray(table.data).reshape(-1, 28, 28).astype(np.uint8))
    labels = torch.from_numpy(np.asarray(table.target).astype(np.uint8))
    return FASHION_MNIST.made(pixels, labels, 10_000, "openml.org, data set 40996")
