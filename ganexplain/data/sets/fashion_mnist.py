"""Fashion-MNIST (Xiao, Rasul and Vollgraf 2017): 70,000 grey pictures of clothes, 28x28, ten classes, MIT licence."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganexplain.data.sets._dataset import DataSet
from ganexplain.data.sets._idx import read_idx

__all__ = ["fashion_mnist"]

CLASSES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
LICENCE = "MIT licence, Zalando SE"
# MNIST's files have the same names; the first labels tell the two apart
FIRST_LABELS = [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def folders() -> list[Path]:
    """Where the four idx files are looked for, first to last."""
    roots = [Path(os.environ["GANEXPLAIN_DATA"]).expanduser()] if os.environ.get("GANEXPLAIN_DATA") else []
    roots += [Path("data"), Path.home() / ".cache" / "ganexplain"]
    return [place for root in roots for place in (root / "fashion-mnist", root)] + [DEBIAN]


def fashion_mnist(path: Path | None, resolution: int | None, channels: int | None) -> DataSet:
    """The 60,000 training images, then the official 10,000 test images.

    Raises:
        FileNotFoundError: the files are in none of the folders and cannot be fetched.
        ValueError: files of the right names that hold something else.
    """
    places = [path] if path else folders()
    for folder in places:
        files = [_file(folder, stem) for stem in FILES]
        if all(files):
            return _from_files(folder, [file for file in files if file])
    if path:
        raise FileNotFoundError(f"no Fashion-MNIST files in {path}; it needs {', '.join(f + '.gz' for f in FILES)}")
    return _fetched()


def _file(folder: Path, stem: str) -> Path | None:
    return next((p for p in (folder / f"{stem}.gz", folder / stem) if p.is_file()), None)


def _from_files(folder: Path, files: list[Path]) -> DataSet:
    train, train_labels, test, test_labels = (read_idx(f) for f in files)
    for name, images, labels in (("train", train, train_labels), ("t10k", test, test_labels)):
        if images.ndim != 3 or tuple(images.shape[1:]) != (28, 28) or labels.shape != (len(images),):
            raise ValueError(
                f"{folder} must hold 28x28 images with one label each, got {tuple(images.shape)} and "
                f"{tuple(labels.shape)} in the {name} files"
            )
    if train_labels[:10].tolist() != FIRST_LABELS:
        raise ValueError(
            f"{folder} holds another set under the same file names: its first labels are {train_labels[:10].tolist()}, "
            f"Fashion-MNIST starts with {FIRST_LABELS}; set GANEXPLAIN_DATA to the right folder"
        )
    return _made(torch.cat([train, test]), torch.cat([train_labels, test_labels]), len(test), "idx files")


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
    return _made(pixels, labels, 10_000, "openml.org, data set 40996")


def _made(pixels: Tensor, labels: Tensor, n_test: int, origin: str) -> DataSet:
    source = f"Fashion-MNIST ({origin}), {LICENCE}, https://github.com/zalandoresearch/fashion-mnist"
    return DataSet(pixels[:, None].contiguous(), labels.long(), CLASSES, "fashion-mnist", source, n_test)
