"""Images out: one PNG an image."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image
from torch import Tensor

from ganexplain import checks, store, tensors


def write_images(images: Tensor, folder: str | Path, *, prefix: str = "") -> list[Path]:
    """Write images as PNG files ``folder/prefix000.png`` and so on, in their order; files of those names are replaced.

    Args:
        images: (N, C, H, W) in [-1, 1] with 1 or 3 channels.
        folder: is made where there is none.
        prefix: put before the number.

    Raises:
        ValueError: images are out of range or have another number of channels; a prefix that names another folder.
    """
    checks.images(images)
    if images.shape[1] not in (1, 3):
        raise ValueError(f"images must have 1 or 3 channels, got {images.shape[1]}; write them one channel at a time")
    if Path(prefix).name != prefix:
        raise ValueError(f"prefix must be part of a file's name, got {prefix!r}; name the folder in folder")
    digits, paths = max(3, len(str(len(images) - 1))), []
    for i, image in enumerate(tensors.to_uint8(images).cpu()):
        pixels = image[0] if len(image) == 1 else image.permute(1, 2, 0)
        buffer = io.BytesIO()
        Image.fromarray(pixels.contiguous().numpy()).save(buffer, format="PNG")
        paths.append(store.write_bytes(Path(folder) / f"{prefix}{i:0{digits}}.png", buffer.getvalue()))
    return paths
