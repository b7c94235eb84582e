"""Sheets of samples: the grids in which most GAN repositories store their images, cut into single images."""

from __future__ import annotations

import torch
from torch import Tensor


def cut(sheet: Tensor, size: int, padding: int) -> Tensor:
    """The images of a sheet, row by row; empty places at the end of the sheet are left out.

    Args:
        sheet: (1, C, H, W), tiles with ``padding`` pixels between, and around them too or not (as torchvision's
            ``save_image`` writes them, or bare).
        size: side of a tile in pixels.
        padding: pixels between two tiles.

    Returns:
        (N, C, size, size).

    Raises:
        ValueError: tiles of that size and padding do not fill the sheet.

    >>> cut(torch.zeros(1, 1, 8, 14) + torch.arange(14), 4, 2).shape
    torch.Size([2, 1, 4, 4])
    """
    if size < 1 or padding < 0:
        raise ValueError(f"tiles have a positive size and a padding of 0 or more, got {size} and {padding}")
    rows, columns = _corners(sheet.shape[2], size, padding), _corners(sheet.shape[3], size, padding)
    if rows is None or columns is None:
        raise ValueError(
            f"a sheet of {sheet.shape[3]}x{sheet.shape[2]} pixels does not consist of tiles of {size} pixels with "
            f"{padding} between; give size and padding as the sheet was written"
        )
    found = [sheet[0, :, y : y + size, x : x + size] for y in rows for x in columns]
    while len(found) > 1 and bool((found[-1] == found[-1].amin((1, 2), keepdim=True)).all()):
        found.pop()  # the rest of the last row is filled with one value
    return torch.stack(found)


def _corners(length: int, size: int, padding: int) -> list[int] | None:
    """Where the tiles of one axis start, or None where they do not fit."""
    for border in (padding, 0):
        count, rest = divmod(length - 2 * border + padding, size + padding)
        if rest == 0 and count > 0:
            return [border + i * (size + padding) for i in range(count)]
    return None
