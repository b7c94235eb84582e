"""Decoding of image files: by content, bounded before decoding, the right way up."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import BmpImagePlugin as Bmp
from PIL import GifImagePlugin as Gif
from PIL import Image, ImageOps
from PIL import JpegImagePlugin as Jpeg
from PIL import PngImagePlugin as Png
from PIL import PpmImagePlugin as Ppm
from PIL import TiffImagePlugin as Tiff
from PIL import WebPImagePlugin as WebP

MAX_PIXELS = 2**26  # 8192 x 8192: 800 MB as float32 colour
READ = "PNG, JPEG, WebP, TIFF, BMP, GIF, PPM"
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N")

# The classes are called directly: Image.open would also try the formats that run programs (PostScript), and warns of
# large images by a limit that is global state.
_FORMATS: tuple[tuple[Callable[[bytes], bool], type[Any]], ...] = (
    (lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"), Png.PngImageFile),
    (lambda head: head.startswith(b"\xff\xd8\xff"), Jpeg.JpegImageFile),
    (lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP", WebP.WebPImageFile),
    (lambda head: head.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")), Tiff.TiffImageFile),
    (lambda head: head.startswith((b"GIF87a", b"GIF89a")), Gif.GifImageFile),
    (lambda head: head.startswith(b"BM"), Bmp.BmpImageFile),
    (lambda head: head[:1] == b"P" and head[1:2] in b"123456fF" and head[2:3].isspace(), Ppm.PpmImageFile),
)


def open_image(path: Path) -> Image.Image:
    """The decoded image, the right way up."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder, expected an image file")
    if not path.exists():
        raise FileNotFoundError(f"no image file {path}")
    with path.open("rb") as file:
        head = file.read(16)
        file.seek(0)
        reader = next((reader for accepts, reader in _FORMATS if accepts(head)), None)
        if reader is None:
            raise ValueError(f"{path} is {'empty' if not head else 'no image'}; read are {READ}")
        try:
            image = reader(file, str(path))
            width, height = image.size
            if 0 < width * height <= MAX_PIXELS:
                upright: Image.Image = ImageOps.exif_transpose(image)
                upright.load()
                upright.format = image.format  # says what a 32-bit integer means
                return upright
        except Exception as error:  # a damaged byte leads decoders to SyntaxError, struct.error, KeyError, ...
            reason = str(error) or type(error).__name__
            raise ValueError(f"{path} is damaged or of a kind that cannot be read: {reason}") from error
    if width * height == 0:
        raise ValueError(f"{path} has no pixels ({width}x{height})")
    raise ValueError(f"{path} has {width}x{height} pixels, more than the {MAX_PIXELS} that are read; shrink it first")


def as_unit(image: Image.Image, name: str) -> Image.Image | None:
    """A 16-bit or float image as float in [0, 1], since PIL's own conversion to bytes clips at 255; None for bytes."""
    if image.mode == "I" and image.format not in ("PNG", "PPM"):
        raise ValueError(f"{name} holds 32-bit integers, whose white is unknown; save it with 8 or 16 bits")
    if image.mode == "I" or image.mode in SIXTEEN_BITS:
        return Image.fromarray((np.asarray(image).astype(np.float64) / 65535).astype(np.float32))
    if image.mode != "F":
        return None
    values = np.asarray(image)
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise ValueError(
            f"the float image {name} must lie in [0, 1], got {values.min():g} to {values.max():g}; rescale it"
        )
    return image


def opaque(image: Image.Image) -> Image.Image:
    """The image on a white ground, with a warning where that shows through."""
    if not image.has_transparency_data:
        return image
    rgba = image.convert("RGBA")
    if np.asarray(rgba)[..., 3].min() < 255:
        warnings.warn(
            "transparent pixels are composited on white, which a critic sees as part of the image", stacklevel=4
        )
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
