"""A folder of pictures; where it has subfolders, their names are the classes."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.data.sets._dataset import DataSet

__all__ = ["folder"]

DEFAULT_CHANNELS = 3


def folder(path: Path | None, resolution: int | None, channels: int | None) -> DataSet:
    """Every picture in the folder and its subfolders, in the order of their names.

    Pictures directly in the folder have labels only where there are no subfolders with pictures, that is, none.

    Raises:
        FileNotFoundError: there is no such folder, or no picture in it.
        ValueError: pictures of several sizes and no ``resolution``, or pictures both beside and in subfolders.
    """
    if path is None or not path.is_dir():
        raise FileNotFoundError(f"no folder {path}")
    subfolders = [sub for sub in sorted(path.iterdir()) if sub.is_dir() and not sub.name.startswith(".")]
    classes = {sub.name: found for sub in subfolders if (found := _pictures(sub))}
    loose = _pictures(path)
    if classes and loose:
        raise ValueError(
            f"{path} has pictures both directly in it ({loose[0].name}) and in subfolders ({next(iter(classes))}); "
            "put all of them in subfolders (classes) or none"
        )
    files = loose or [file for group in classes.values() for file in group]
    if not files:
        raise FileNotFoundError(f"no picture in {path}")
    images = _read(files, resolution, channels)
    labels = None
    if classes:
        labels = torch.tensor([i for i, group in enumerate(classes.values()) for _ in group], dtype=torch.int64)
    name = path.resolve().name
    return DataSet(images, labels, tuple(classes), name, f"{len(files)} pictures of the folder {name}")


def _pictures(path: Path) -> list[Path]:
    """The pictures directly in ``path``, none being no error, since one folder of several may hold other files."""
    from ganexplain.data.images import SUFFIXES

    names = sorted(path.iterdir())
    return [p for p in names if p.suffix.lower() in SUFFIXES and not p.name.startswith(".") and p.is_file()]


def _read(files: list[Path], resolution: int | None, channels: int | None) -> Tensor:
    from ganexplain.data.images import read_image

    first = read_image(files[0], size=resolution)
    wanted = channels or (1 if first.shape[1] == 1 else DEFAULT_CHANNELS)
    rows: list[Tensor] = []
    for file in files:
        row = read_image(file, channels=wanted, size=resolution)
        if rows and row.shape != rows[0].shape:
            sizes = " and ".join(f"{r.shape[3]}x{r.shape[2]}" for r in (rows[0], row))
            raise ValueError(f"the pictures have several sizes, {sizes} ({file.name}); pass a resolution")
        rows.append(tensors.to_uint8(row))
    return torch.cat(rows)
