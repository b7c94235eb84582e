"""The idx format of the MNIST family (big-endian sizes, then bytes; plain or gzip), and where its files lie."""

from __future__ import annotations

import gzip
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ganexplain.data.sets._dataset import MAX_BYTES, DataSet

UINT8 = 0x08
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")


@dataclass(frozen=True)
class IdxSet:
    """A set of 28x28 images in the four files whose names MNIST and its successors share.

    Attributes:
        name: short name.
        title: as people write it.
        classes: names of the classes.
        first_labels: of the training images; the names of the files do not tell the sets apart, these do.
        torchvision: name of torchvision's folder.
        places: where a package of the system puts the files.
        source: licence and address, in words.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    first_labels: tuple[int, ...]
    torchvision: str
    places: tuple[Path, ...]
    source: str

    def folders(self) -> list[Path]:
        """Where the files are looked for, first to last."""
        roots = [Path(os.environ["GANEXPLAIN_DATA"]).expanduser()] if os.environ.get("GANEXPLAIN_DATA") else []
        roots += [Path("data"), Path.home() / ".cache" / "ganexplain"]
        return [place for root in roots for place in self.within(root)] + list(self.places)

    def within(self, root: Path) -> tuple[Path, ...]:
        """Folders that may hold the files: below ``root`` and named for the set, torchvision's, or ``root`` itself."""
        return root / self.name, root / self.torchvision / "raw", root

    def read(self, path: Path | None) -> DataSet | None:
        """The set from ``path``, or from the first of `folders` that has all four files; None if no folder has.

        Raises:
            FileNotFoundError: ``path`` has no such files.
            ValueError: files of the right names that hold something else.
        """
        for folder in self.folders() if path is None else self.within(path):
            files = [_file(folder, stem) for stem in FILES]
            if all(files):
                return self._from_files(folder, [file for file in files if file])
        if path is not None:
            needs = f"it needs {', '.join(f'{f}.gz' for f in FILES)}, packed or not"
            raise FileNotFoundError(f"no {self.title} files in {path}; {needs}")
        return None

    def made(self, pixels: Tensor, labels: Tensor, n_test: int, origin: str) -> DataSet:
        """The data set of bytes (N, 28, 28) and labels (N,), the last ``n_test`` being the set's own test images."""
        source = f"{self.title} ({origin}), {self.source}"
        return DataSet(pixels[:, None].contiguous(), labels.long(), self.classes, self.name, source, n_test)

    def _from_files(self, folder: Path, files: list[Path]) -> DataSet:
        train, train_labels, test, test_labels = (read_idx(f) for f in files)
        check_pairs(train, train_labels, "train")
        check_pairs(test, test_labels, "t10k")
        if train.shape[1:] != (28, 28):
            raise ValueError(f"{self.title} has images of 28x28, got {tuple(train.shape)}; open idx:{folder}")
        first = tuple(train_labels[: len(self.first_labels)].tolist())
        if first != self.first_labels:
            raise ValueError(
                f"{folder} holds another set under the same file names: its first labels are {list(first)}, "
                f"{self.title} starts with {list(self.first_labels)}; set GANEXPLAIN_DATA to the right folder, "
                f"or name it: {self.name}:FOLDER"
            )
        return self.made(torch.cat([train, test]), torch.cat([train_labels, test_labels]), len(test), "idx files")


def _file(folder: Path, stem: str) -> Path | None:
    return next((p for p in (folder / f"{stem}.gz", folder / stem) if p.is_file()), None)


def check_pairs(images: Tensor, labels: Tensor, part: str) -> None:
    """Raise unless ``images`` (N, H, W) have ``labels`` (N,)."""
    if images.ndim != 3 or labels.ndim != 1 or len(images) != len(labels) or 0 in images.shape:
        raise ValueError(
            f"expected images (N, H, W) with one label each, got {tuple(images.shape)} and {tuple(labels.shape)} in "
            f"the {part} files"
        )


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
