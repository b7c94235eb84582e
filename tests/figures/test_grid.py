"""A sheet of images: every pixel where it belongs."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from ganexplain import tensors
from ganexplain.figures.grid import grid_png


def opened(payload: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(payload)))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_cells_are_the_images_enlarged_and_gaps_are_white(channels: int) -> None:
    pixels = torch.arange(5 * channels * 6, dtype=torch.uint8).reshape(5, channels, 2, 3)
    sheet = opened(grid_png(pixels, columns=3, scale=2))
    assert sheet.shape[:2] == ((2 * 2 + 1) * 2, (3 * 3 + 2) * 2)
    small = sheet[::2, ::2].reshape(5, 11, -1)
    shown = pixels if channels > 2 else pixels[:, :1]
    for i in range(5):
        top, left = (i // 3) * 3, (i % 3) * 4
        assert np.array_equal(small[top : top + 2, left : left + 3], shown[i].permute(1, 2, 0).numpy())
    assert (small[2] == 255).all()  # the gap between the rows
    assert (small[3:, 8:] == 255).all()  # the missing sixth cell
    assert np.array_equal(sheet[1::2, 1::2], sheet[::2, ::2])


def test_floats_are_shown_as_their_bytes_and_bytes_repeat() -> None:
    images = torch.linspace(-1, 1, 64).reshape(1, 1, 8, 8)
    assert grid_png(images) == grid_png(tensors.to_uint8(images)) == grid_png(images)


def test_a_png_carries_no_metadata() -> None:
    picture = Image.open(io.BytesIO(grid_png(torch.zeros(1, 3, 4, 4))))
    assert picture.info == {}


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (torch.zeros(2, 5, 4, 4), {}, "1 to 4 channels"),
        (torch.zeros(0, 1, 4, 4, dtype=torch.uint8), {}, "needs images"),
        (torch.full((1, 1, 4, 4), 3.0), {}, r"must lie in \[-1, 1\]"),
        (torch.zeros(1, 1, 4, 4), {"columns": 0}, "at least 1"),
        (torch.zeros(1, 1, 4, 4), {"scale": 10_000}, "more than"),
    ],
)
def test_errors(images: torch.Tensor, options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        grid_png(images, **options)
