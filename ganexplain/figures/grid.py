"""A sheet of images as a PNG, drawn with Pillow alone, so that training needs no plotting library."""

from __future__ import annotations

import io

import torch
from torch import Tensor

from ganexplain import checks, tensors

MAX_PIXELS = 64 * 2**20
GAP = 1  # pixels between cells, before enlargement


def grid_png(images: Tensor, columns: int = 10, scale: int = 2) -> bytes:
    """The images row by row, enlarged by whole pixels, as the bytes of a PNG without any metadata.

    Args:
        images: (N, C, H, W) in [-1, 1] or uint8, C from 1 to 4 (of two channels the first is shown).
        columns: images a row.
        scale: side of the square that each pixel becomes.

    Raises:
        ValueError: no images, a channel count outside 1 to 4, or a sheet that would be too large.
    """
    from PIL import Image

    pixels = images if images.dtype == torch.uint8 else tensors.to_uint8(checks.images(images))
    if pixels.ndim != 4 or 0 in pixels.shape or pixels.shape[1] > 4:
        raise ValueError(f"a grid needs images (N, C, H, W) with 1 to 4 channels, got {tuple(pixels.shape)}")
    if columns < 1 or scale < 1:
        raise ValueError(f"columns and scale must be at least 1, got {columns} and {scale}")
    sheet = _sheet(pixels.cpu(), min(columns, len(pixels)))
    if sheet.shape[1] * sheet.shape[2] * scale**2 > MAX_PIXELS:
        raise ValueError(f"the sheet would have more than {MAX_PIXELS} pixels; draw fewer images or a smaller scale")
    array = sheet.permute(1, 2, 0).contiguous().numpy()
    if array.shape[2] < 3:
        array = array[:, :, 0]
    picture = Image.fromarray(array)
    picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _sheet(pixels: Tensor, columns: int) -> Tensor:
    """(C, rows * (H + GAP) - GAP, columns * (W + GAP) - GAP) bytes; gaps and missing cells are white."""
    n, c, height, width = pixels.shape
    rows = -(-n // columns)
    sheet = torch.full((c, rows * (height + GAP) - GAP, columns * (width + GAP) - GAP), 255, dtype=torch.uint8)
    for i in range(n):
        top, left = (i // columns) * (height + GAP), (i % columns) * (width + GAP)
        sheet[:, top : top + height, left : left + width] = pixels[i]
    return sheet
