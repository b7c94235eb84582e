"""Any set in the files of the MNIST family (KMNIST, EMNIST, one of your own): idx:FOLDER."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganexplain.data.sets._dataset import DataSet, Wish
from ganexplain.data.sets._idx import check_pairs, read_idx

__all__ = ["idx"]

TRAIN, TEST = ("train",), ("t10k", "test")


def idx(path: Path | None, wish: Wish) -> DataSet:
    """The training images of the folder, then its test images where it has these files too.

    The files are known by their names, such as ``train-images-idx3-ubyte.gz``; of the letters of EMNIST (Cohen et al.
    2017), which are stored lying on their side, rows and columns are exchanged.

    Raises:
        FileNotFoundError: there are no such files.
        ValueError: several sets in one folder, damaged files, or images without a label each.
    """
    if path is None:
        raise ValueError("idx needs the folder of the files of an MNIST-like set; write idx:FOLDER")
    if not path.is_dir():
        raise FileNotFoundError(f"no folder {path}")
    raw = path / "raw"  # torchvision's
    place = raw if raw.is_dir() and not any(path.glob("*-ubyte*")) else path
    first = _file(place, TRAIN, "images"), _file(place, TRAIN, "labels")
    last = _file(place, TEST, "images"), _file(place, TEST, "labels")
    train = _pair(first, "train", path)
    test = _pair(last, "test", path) if any(last) else None
    images, labels = train if test is None else tuple(map(torch.cat, zip(train, test, strict=True)))
    home = path.resolve()
    name = (home.parent if home.name == "raw" else home).name
    files = sum(map(bool, (*first, *last)))
    source = f"{files} idx files of the folder {name}{'' if test else ', no test images'}"
    if first[0] and first[0].name.lower().startswith("emnist"):
        images, source = images.transpose(1, 2), f"{source}; rows and columns exchanged, so that EMNIST stands upright"
    values, index = np.unique(labels.numpy(), return_inverse=True)
    names = tuple(map(str, values.tolist()))
    return DataSet(
        images[:, None].contiguous(),
        torch.from_numpy(index.astype(np.int64)),
        names,
        name,
        source,
        0 if test is None else len(test[0]),
    )


def _pair(files: tuple[Path | None, Path | None], part: str, path: Path) -> tuple[Tensor, Tensor]:
    if files[0] is None or files[1] is None:
        missing = "images" if files[0] is None else "labels"
        raise FileNotFoundError(
            f"no {part} {missing} in {path}; their file is called {part if part == 'train' else 't10k'}-{missing}-idx"
            f"{3 if missing == 'images' else 1}-ubyte, packed (.gz) or not"
        )
    images, labels = read_idx(files[0]), read_idx(files[1])
    check_pairs(images, labels, part)
    return images, labels


def _file(folder: Path, parts: tuple[str, ...], kind: str) -> Path | None:
    """The only file of that part and kind; of a packed and an unpacked one, the packed."""
    found: dict[str, Path] = {}
    for file in sorted(folder.iterdir()):
        name = file.name.lower()
        words = name.removesuffix(".gz").replace(".", "-").split("-")
        if name.startswith(".") or "ubyte" not in words or kind not in words or not file.is_file():
            continue
        if any(part in words for part in parts):
            found[name.removesuffix(".gz")] = file
    if len(found) > 1:
        raise ValueError(f"{folder} holds several sets ({' and '.join(found)}); give each a folder of its own")
    return next(iter(found.values()), None)
