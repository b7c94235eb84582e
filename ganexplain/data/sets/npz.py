"""Arrays saved by numpy: ``images`` or ``x``, and ``labels`` or ``y`` where there are labels; nothing pickled."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ganexplain.data.sets._dataset import MAX_BYTES, DataSet, Wish

__all__ = ["npz"]

IMAGE_KEYS = ("images", "x")
LABEL_KEYS = ("labels", "y")


def npz(path: Path | None, wish: Wish) -> DataSet:
    """Images uint8, or float in [0, 1] or [-1, 1]; (N, H, W), (N, C, H, W) or (N, H, W, C).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no images in one of these forms.
    """
    if path is None:
        raise ValueError("an npz data set needs a path to a .npz file")
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    arrays = _arrays(path)
    key = next((k for k in IMAGE_KEYS if k in arrays), None)
    if key is None:
        raise ValueError(f"{path} must hold an array 'images' or 'x', got {sorted(arrays)}")
    pixels, layout = _channels_first(arrays[key], f"{key} of {path}")
    labels, names = _labels(next((arrays[k] for k in LABEL_KEYS if k in arrays), None), path)
    source = f"{path.name}, array {key!r}, {layout}"
    return DataSet(torch.from_numpy(np.ascontiguousarray(pixels)), labels, names, path.stem, source)


def _arrays(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        if size > 4 * MAX_BYTES:  # float images may be four times their bytes
            raise ValueError(f"{path} unfolds to {size} bytes, more than the {4 * MAX_BYTES} that are read")
        with np.load(path, allow_pickle=False) as file:
            return {k: file[k] for k in file.files if k in (*IMAGE_KEYS, *LABEL_KEYS)} or dict.fromkeys(file.files)
    except zipfile.BadZipFile:
        raise ValueError(f"{path} is not a .npz file; save it with numpy.savez(path, images=...)") from None
    except ValueError as problem:
        if "allow_pickle" in str(problem):
            raise ValueError(
                f"{path} holds pickled objects, which are never loaded; save plain number arrays"
            ) from None
        raise


def _channels_first(array: Any, name: str) -> tuple[Any, str]:
    """Bytes (N, C, H, W), and in words how the axes were read."""
    if array.ndim == 3:
        pixels, layout = array[:, None], "grey (N, H, W)"
    elif array.ndim == 4 and array.shape[1] <= 4:
        pixels, layout = array, "channels first (N, C, H, W)"
    elif array.ndim == 4 and array.shape[3] <= 4:
        pixels, layout = array.transpose(0, 3, 1, 2), "channels last (N, H, W, C), moved to the front"
    else:
        raise ValueError(
            f"{name} must be (N, H, W), (N, C, H, W) or channels last (N, H, W, C) with C <= 4, got {array.shape}"
            + ("; save rows of a table as .csv" if array.ndim == 2 else "")
        )
    return _bytes(pixels, name), layout


def _bytes(pixels: Any, name: str) -> Any:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.size == 0 or pixels.dtype.kind not in "fiu":
        raise ValueError(f"{name} must be uint8, or float in [0, 1] or [-1, 1], got {pixels.dtype} {pixels.shape}")
    low, high = float(pixels.min()), float(pixels.max())
    if pixels.dtype.kind != "f" and low >= 0 and high <= 255:
        return pixels.astype(np.uint8)
    if pixels.dtype.kind == "f" and low >= -1 and high <= 1:  # false for NaN as well
        scaled = pixels * 255 if low >= 0 else (pixels + 1) * 127.5
        return np.round(scaled).astype(np.uint8)
    raise ValueError(f"{name} must be uint8, or float in [0, 1] or [-1, 1], got {pixels.dtype} in [{low:g}, {high:g}]")


def _labels(array: Any, path: Path) -> tuple[torch.Tensor | None, tuple[str, ...]]:
    """Any label values, numbers or words, as indices into their sorted list."""
    if array is None:
        return None, ()
    if array.ndim != 1 or array.dtype.kind not in "iuUSb":
        raise ValueError(f"labels of {path} must be one whole number or word an image, got {array.dtype} {array.shape}")
    values, index = np.unique(array, return_inverse=True)
    return torch.from_numpy(index.astype(np.int64)), tuple(str(v) for v in values.tolist())
