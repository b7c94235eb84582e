"""Data sets, one a file; each reads itself into memory as a `DataSet`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ganexplain.checks import unknown
from ganexplain.data.sets._dataset import DataSet, Wish
from ganexplain.data.sets._gaussians import gaussians, grid, ring
from ganexplain.registry import Registry

__all__ = ["DATA_SETS", "DataSet", "Wish", "gaussians", "grid", "open_data", "ring"]

Reader = Callable[[Path | None, Wish], DataSet]

DATA_SETS: Registry[Reader] = Registry("ganexplain.data.sets", "data set")
BY_FILE = {".npz": "npz", ".csv": "rows", ".tsv": "rows"}
NEEDS_PATH = {"folder", "npz", "rows"}
FORMS = ["idx:FOLDER", "FOLDER", "FILE.npz", "FILE.csv"]


def open_data(
    spec: str | Path, *, resolution: int | None = None, channels: int | None = None, fit: str = "crop"
) -> DataSet:
    """A data set by name or from a path; images become square, with a side that is a multiple of 4.

    Args:
        spec: a name such as "fashion-mnist", "mnist", "digits", "ring-8" or "grid-25"; a folder of images, in class
            folders or not, or in ``train`` and ``test``; a .npz file; a .csv file of rows; or idx:FOLDER for any set in
            the files of the MNIST family. Where a named set's own files are in an unusual folder, NAME:FOLDER.
        resolution: side in pixels; None keeps the images' own, or goes to the nearest multiple of 4.
        channels: 1 to 4; None keeps the images' own.
        fit: of images that are not square: "crop" keeps the middle (as StyleGAN's data set tool and torchvision's
            CenterCrop do), "stretch" distorts them, "pad" adds black bars. What was done is said in ``source``.

    Raises:
        ValueError: unknown name, contents of another kind, or a wish that cannot be met.
        FileNotFoundError: a path that does not exist, or a set that is neither on disk nor to be had.
    """
    wish = Wish(resolution, channels, fit)
    text, path = str(spec), Path(spec).expanduser()
    named = [name for name in DATA_SETS.names() if name not in NEEDS_PATH]
    name, colon, folder = text.strip().partition(":")
    stem = name.lower().replace("-", "_")
    if stem in named and bool(colon) == bool(folder):
        found = DATA_SETS.get(stem)(Path(folder).expanduser() if folder else None, wish)
    elif path.is_dir():
        found = DATA_SETS.get("folder")(path, wish)
    elif path.suffix.lower() in BY_FILE:
        found = DATA_SETS.get(BY_FILE[path.suffix.lower()])(path, wish)
    elif path.exists():
        raise ValueError(
            f"{path} is neither a folder of images nor a .npz or .csv file; put images in a folder or save a .npz"
            + (", unpack a .zip" if path.suffix.lower() == ".zip" else "")
        )
    elif path.parent != Path("."):
        raise FileNotFoundError(f"no folder or file {path}")
    else:
        raise unknown("data set", text, [n.replace("_", "-") for n in named if n != "idx"] + FORMS)
    return found.fitted(resolution=resolution, channels=channels, fit=fit)
