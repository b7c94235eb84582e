"""Data sets, one a file; each reads itself into memory as a `DataSet`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ganexplain.checks import unknown
from ganexplain.data.sets._dataset import DataSet
from ganexplain.registry import Registry

__all__ = ["DATA_SETS", "DataSet", "open_data"]

# each part reads (path or None, resolution or None, channels or None); the last two are wishes that may save memory
Reader = Callable[[Path | None, int | None, int | None], DataSet]

DATA_SETS: Registry[Reader] = Registry("ganexplain.data.sets", "data set")
NEEDS_PATH = {"folder", "npz"}


def open_data(spec: str | Path, *, resolution: int | None = None, channels: int | None = None) -> DataSet:
    """A data set by name or from a path, square, with a side that is a multiple of 4.

    Args:
        spec: a name such as "fashion-mnist", "mnist" or "digits", a folder of images, or a .npz file. Where a set's
            own files are in an unusual folder, NAME:FOLDER.
        resolution: side in pixels; None keeps the images' own, or goes to the nearest multiple of 4.
        channels: 1 to 4; None keeps the images' own.

    Raises:
        ValueError: unknown name, or contents that are no images.
        FileNotFoundError: a path that does not exist, or a set that is neither on disk nor to be had.
    """
    text, path = str(spec), Path(spec).expanduser()
    named = [name for name in DATA_SETS.names() if name not in NEEDS_PATH]
    name, colon, folder = text.strip().partition(":")
    stem = name.lower().replace("-", "_")
    if stem in named and bool(colon) == bool(folder):
        found = DATA_SETS.get(stem)(Path(folder).expanduser() if folder else None, resolution, channels)
    elif path.suffix.lower() == ".npz":
        found = DATA_SETS.get("npz")(path, resolution, channels)
    elif path.is_dir():
        found = DATA_SETS.get("folder")(path, resolution, channels)
    elif path.exists():
        raise ValueError(
            f"{path} is neither a folder of images nor a .npz file; put the images in a folder or save a .npz"
        )
    elif path.parent != Path("."):
        raise FileNotFoundError(f"no folder or file {path}")
    else:
        raise unknown("data set", text, [n.replace("_", "-") for n in named] + ["FOLDER", "FILE.npz"])
    return found.fitted(resolution=resolution, channels=channels)
