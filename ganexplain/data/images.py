"""Images in: files, PIL images, arrays and tensors become float32 (N, C, H, W) in [-1, 1] by one rule."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.data._decode import READ, SIXTEEN_BITS, as_unit, opaque, open_image
from ganexplain.data._fit import FITS, fit_picture

MAX_VALUES = 2**31  # of a whole folder: 8 GB as float32
MAX_LABELS = 1024
RESIZES = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "nearest": Image.Resampling.NEAREST,
}
NAMES = "png jpg jpeg jpe jfif webp tif tiff bmp gif ppm pgm pbm pnm pfm"
SUFFIXES = frozenset(f".{name}" for name in NAMES.split())

Size = int | tuple[int, int]


def read_image(
    path: str | os.PathLike[str],
    *,
    channels: int | None = None,
    size: Size | None = None,
    resize: str = "bilinear",
    fit: str = "stretch",
) -> Tensor:
    """Read one image file as it is meant to be seen.

    The EXIF orientation is applied; transparency is composited on white, with a warning where there is any; 16-bit
    grey is divided by 65535 and float images must lie in [0, 1]; of an animation the first frame is read.

    Args:
        path: a PNG, JPEG, WebP, TIFF, BMP, GIF or PPM file, told by its content and not by its suffix.
        channels: 1 (ITU-R BT.601 luma, as in PIL) or 3; None keeps grey grey and makes all else colour.
        size: (height, width) or one number for both, in pixels. None keeps the image's own.
        resize: "bilinear", "bicubic", "lanczos", "box" (all smooth when shrinking, as PIL does) or "nearest".
        fit: of an image of other proportions than ``size``: "stretch" it, "crop" its middle, or "pad" it with black.

    Returns:
        (1, C, H, W) float32 in [-1, 1].

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a folder, no image, a damaged one, or one of more than `MAX_PIXELS`.
    """
    _check_wishes(channels, size, resize)
    checks.one_of("fit", fit, FITS)
    return from_picture(open_image(Path(path)), str(path), channels=channels, size=size, resize=resize, fit=fit)


def list_images(folder: str | os.PathLike[str]) -> list[Path]:
    """The image files directly in ``folder``, sorted by name; hidden files are left out.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it is a file, or holds no images.
    """
    folder = Path(folder)
    if not folder.exists():
        raise FileNotFoundError(f"no folder {folder}")
    if not folder.is_dir():
        raise ValueError(f"{folder} is a file, expected a folder of images")
    found = sorted(p for p in folder.iterdir() if _is_image_name(p))
    if not found:
        deeper = sorted({p.parent for p in folder.glob("*/*") if _is_image_name(p)})
        hint = f"; its folder {deeper[0].name!r} has some, name that one" if deeper else f" (read are {READ})"
        raise ValueError(f"no images in {folder}{hint}")
    return found


def expand(paths: Iterable[str | os.PathLike[str]]) -> list[Path]:
    """Files as they come and folders as their images, each once.

    Raises:
        FileNotFoundError: a path does not exist.
        ValueError: a folder without images, or no path at all.
    """
    found: dict[Path, None] = {}
    for path in map(Path, paths):
        if not path.exists():
            raise FileNotFoundError(f"no file or folder {path}")
        found.update(dict.fromkeys(list_images(path) if path.is_dir() else [path]))
    if not found:
        raise ValueError("no images given; name files or folders")
    return list(found)


def read_folder(
    folder: str | os.PathLike[str], *, channels: int | None = None, size: Size | None = None, limit: int | None = None
) -> Tensor:
    """All images of a folder, or one image file, as one batch (N, C, H, W) in [-1, 1].

    Args:
        folder: folder of images of one size, unless ``size`` is given; or one image file.
        channels: see `read_image`.
        size: see `read_image`.
        limit: read at most so many, spread evenly over the sorted names, since sorted names often come in groups.

    Raises:
        FileNotFoundError: there is no such folder or file.
        ValueError: no images, or images of several sizes or channels.
    """
    files = expand([folder])
    if limit is not None:
        checks.positive(limit, "limit")
        files = [files[i * len(files) // limit] for i in range(limit)] if limit < len(files) else files
    batch: list[Tensor] = []
    for file in files:
        image = read_image(file, channels=channels, size=size)
        if batch and image.shape != batch[0].shape:
            raise ValueError(
                f"{files[0].name} is {_described(batch[0])} and {file.name} {_described(image)}, "
                "but a batch has one shape; give a size and a number of channels"
            )
        if image.numel() * len(files) > MAX_VALUES:
            raise ValueError(
                f"{len(files)} images of {_described(image)} do not fit into memory; give a size or a limit"
            )
        batch.append(image)
    return torch.cat(batch)


def to_images(value: Any, *, channels: int | None = None) -> Tensor:
    """Anything that is images as a float32 batch (N, C, H, W) in [-1, 1]; the one rule of conversion.

    Args:
        value: a path; a PIL image; a numpy array, (H, W), (H, W, C), (C, H, W) or a batch (N, ...) of the last two; a
            tensor, (C, H, W) or (N, C, H, W); or a list of these. Bytes run from 0 to 255; floats must lie in [-1, 1]
            already, since [0, 1] cannot be told from them.
        channels: see `read_image`; of files, PIL images and bytes. Floats keep theirs.

    Raises:
        TypeError: of another type, or integers other than bytes.
        ValueError: another shape or range, or an array whose channels may be its first or its last axis.

    >>> to_images(np.full((2, 5), 255, np.uint8)).shape
    torch.Size([1, 1, 2, 5])
    """
    if isinstance(value, (str, os.PathLike)):
        return read_image(value, channels=channels)
    _check_wishes(channels, None, "bilinear")
    if isinstance(value, Image.Image):
        return from_picture(ImageOps.exif_transpose(value), "the image", channels=channels)
    if isinstance(value, np.ndarray):
        return _from_array(value, channels)
    if isinstance(value, Tensor):
        batch = value[None] if value.ndim == 3 else value
        if batch.dtype == torch.uint8 and batch.ndim == 4 and channels not in (None, batch.shape[1]):
            return _pictures(batch.permute(0, 2, 3, 1).cpu().numpy(), channels)
        return checks.images(tensors.from_uint8(batch) if batch.dtype == torch.uint8 else batch).float()
    if isinstance(value, (list, tuple)) and value:
        parts = [to_images(part, channels=channels) for part in value]
        shapes = sorted({_described(part) for part in parts})
        if len(shapes) > 1:
            raise ValueError(
                f"images of one batch must have one shape, got {' and '.join(shapes)}; read them with a size"
            )
        return torch.cat(parts)
    raise TypeError(
        f"images must be a path, PIL image, numpy array, tensor or a list of these, got {type(value).__name__}"
    )


def read_mask(path: str | os.PathLike[str], shape: tuple[int, int]) -> Tensor:
    """Read a picture of regions: every colour is one region.

    Args:
        path: image file without smooth edges; brought to ``shape`` by nearest neighbour.
        shape: (height, width) of the image that it belongs to.

    Returns:
        (H, W) int64 labels 0, 1, ... in the order in which the colours first appear, row by row.

    Raises:
        ValueError: no image, or more than `MAX_LABELS` colours.
    """
    image = open_image(Path(path))
    if not (image.mode in ("I", "F") or image.mode in SIXTEEN_BITS):
        image = image.convert("RGBA")
    pixels = np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.NEAREST))
    keys = np.ascontiguousarray(pixels).view("<u4")[..., 0] if pixels.ndim == 3 else pixels
    colours, first, labels = np.unique(keys.ravel(), return_index=True, return_inverse=True)
    if len(colours) > MAX_LABELS:
        raise ValueError(
            f"a mask has one colour a region, got {len(colours)} colours in {path}, more than {MAX_LABELS}; "
            "save it without smooth edges and not as JPEG"
        )
    rank = np.argsort(np.argsort(first))
    return torch.from_numpy(rank[labels].reshape(shape).astype(np.int64))


def _check_wishes(channels: int | None, size: Size | None, resize: str) -> None:
    if channels not in (None, 1, 3):
        raise ValueError(f"channels must be 1, 3 or None, got {channels}")
    checks.one_of("resize mode", resize, RESIZES)
    if size is not None and min(_pair(size)) < 1:
        raise ValueError(f"size must be positive, got {size}")


def _pair(size: Size) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def _described(image: Tensor) -> str:
    return f"{image.shape[3]}x{image.shape[2]} in {'colour' if image.shape[1] == 3 else 'grey'}"


def _is_image_name(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def from_picture(
    image: Image.Image,
    name: str,
    *,
    channels: int | None = None,
    size: Size | None = None,
    resize: str = "bilinear",
    fit: str = "stretch",
) -> Tensor:
    """`read_image` of what is decoded already; ``name`` is what errors call it."""
    if 0 in image.size:
        raise ValueError(f"{name} has no pixels ({image.width}x{image.height})")
    plain = as_unit(image, name)
    if plain is None:
        grey = image.mode in ("1", "L", "LA", "La")
        mode = {None: "L" if grey else "RGB", 1: "L", 3: "RGB"}[channels]
        plain = opaque(image).convert(mode)
    if size is not None:
        plain = fit_picture(plain, _pair(size), fit, RESIZES[resize])
    pixels = torch.from_numpy(np.array(plain))
    planes = pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)
    if plain.mode != "F":
        return tensors.from_uint8(planes.contiguous())[None]
    return planes.clamp(0, 1).mul(2).sub(1).repeat(channels or 1, 1, 1)[None]  # clamp: bicubic overshoots


def _from_array(array: np.ndarray[Any, Any], channels: int | None) -> Tensor:
    batch = array[None, :, :, None] if array.ndim == 2 else array[None] if array.ndim == 3 else array
    first, last = (batch.ndim == 4 and batch.shape[1] in (1, 3)), batch.ndim == 4 and batch.shape[-1] in (1, 3, 4)
    if (not first and not last) or 0 in batch.shape:
        raise ValueError(
            "an array of images must have the shape (H, W), (H, W, C), (C, H, W) or a batch (N, ...) of these with 1, "
            f"3 or 4 channels, got {array.shape}"
        )
    if first and last and array.ndim > 2:
        raise ValueError(
            f"the channels of an array of the shape {array.shape} may be its first or its last axis; give a tensor "
            "(C, H, W)"
        )
    if not last:
        batch = batch.transpose(0, 2, 3, 1)
    if batch.dtype == np.uint8:
        return _pictures(batch, channels)
    if batch.dtype.kind != "f":
        raise TypeError(f"an array of images must be uint8 or float in [-1, 1], got {batch.dtype}")
    if batch.shape[-1] == 4:
        raise ValueError(
            f"a float array of images has 1 or 3 channels, got {array.shape}; composite it on a background first"
        )
    planes = torch.from_numpy(np.ascontiguousarray(batch, dtype=np.float32)).permute(0, 3, 1, 2)
    return checks.images(planes.contiguous())


def _pictures(batch: np.ndarray[Any, Any], channels: int | None) -> Tensor:
    """Bytes (N, H, W, C) read as PIL images are."""
    plain = batch[..., 0] if batch.shape[-1] == 1 else batch
    pictures = [Image.fromarray(np.ascontiguousarray(one)) for one in plain]
    return torch.cat([from_picture(picture, "the array", channels=channels) for picture in pictures])
