"""Cropped, stretched or padded: against PIL's own operations and against pixels that can be counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from ganexplain.data._fit import FITS, contained, cropped, described
from ganexplain.data.images import read_image
from ganexplain.data.sets import DataSet, open_data
from ganexplain.tensors import to_uint8

SIDES = st.integers(1, 300)


def picture(height: int, width: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def pixels(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


@given(SIDES, SIDES, SIDES, SIDES)
def test_a_crop_is_inside_in_the_middle_and_as_large_as_it_can_be(h: int, w: int, to_h: int, to_w: int) -> None:
    top, left, height, width = cropped(h, w, (to_h, to_w))
    assert height in range(1, h + 1)
    assert width in range(1, w + 1)
    assert 0 <= (h - height) - 2 * top <= 1
    assert 0 <= (w - width) - 2 * left <= 1
    assert height == h or width == w
    assert abs(height * to_w - width * to_h) <= max(to_h, to_w)  # the proportions, to a pixel
    if to_h == to_w:
        assert height == width == min(h, w)


@given(SIDES, SIDES, SIDES, SIDES)
def test_what_is_padded_is_whole_and_touches_two_edges(h: int, w: int, to_h: int, to_w: int) -> None:
    top, left, height, width = contained(h, w, (to_h, to_w))
    assert height == to_h or width == to_w
    assert top + height <= to_h
    assert left + width <= to_w
    assert ImageOps.contain(Image.new("L", (w, h)), (to_w, to_h)).size in near(width, height)


def near(width: int, height: int) -> list[tuple[int, int]]:
    """PIL rounds the quotient of the sides, not the scaled side: the two may differ by a pixel."""
    return [(width + i, height + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]


@pytest.mark.parametrize(("height", "width"), [(20, 32), (32, 20), (21, 32), (16, 16), (8, 16)])
def test_the_default_is_pils_own_crop_and_resize(tmp_path: Path, height: int, width: int) -> None:
    source = picture(height, width)
    source.save(tmp_path / "a.png")
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2  # as torchvision and StyleGAN
    cut = source.crop((left, top, left + side, top + side))
    data = open_data(tmp_path, resolution=16)
    assert torch.equal(data.images[0], pixels(cut.resize((16, 16), Image.Resampling.BILINEAR)))
    if (height - width) % 2 == 0 and side == 16:
        assert torch.equal(data.images[0], pixels(ImageOps.fit(source, (16, 16))))


@pytest.mark.parametrize(("height", "width"), [(20, 32), (32, 16), (48, 32), (8, 4)])
def test_stretched_and_padded_are_pils(tmp_path: Path, height: int, width: int) -> None:
    source, bilinear = picture(height, width), Image.Resampling.BILINEAR
    source.save(tmp_path / "a.png")
    padded = ImageOps.pad(source, (16, 16), bilinear)
    assert torch.equal(open_data(tmp_path, resolution=16, fit="pad").images[0], pixels(padded))
    stretched = source.resize((16, 16), bilinear)
    assert torch.equal(open_data(tmp_path, resolution=16, fit="stretch").images[0], pixels(stretched))
    assert torch.equal(to_uint8(read_image(tmp_path / "a.png", size=16))[0], pixels(stretched))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(("height", "width"), [(20, 32), (32, 16), (7, 33)])
def test_arrays_are_fitted_as_files_are(tmp_path: Path, fit: str, height: int, width: int) -> None:
    source = picture(height, width)
    source.save(tmp_path / "a.png")
    of_file = open_data(tmp_path, resolution=12, fit=fit).images
    of_array = DataSet(pixels(source)[None], None, (), "a", "").fitted(resolution=12, fit=fit).images
    assert (of_file.int() - of_array.int()).abs().max() <= 1  # PIL computes in whole numbers


def test_what_was_done_is_said() -> None:
    data = DataSet(torch.full((2, 1, 10, 30), 9, dtype=torch.uint8), None, (), "a", "made")
    assert data.fitted(resolution=12).source == (
        "made; centre-cropped from 10x30 to 10x10, resized to 12x12 (bilinear, smoothed)"
    )
    assert "stretched from 10x30 to 12x12" in data.fitted(resolution=12, fit="stretch").source
    padded = data.fitted(resolution=12, fit="pad")
    assert padded.source.endswith("to 4x12 (bilinear, smoothed), padded with black to 12x12")
    assert padded.images[:, :, 4:8].unique().tolist() == [9]
    assert padded.images.sum() == 2 * 9 * 4 * 12
    assert data.fitted(fit="pad").resolution == 32  # nothing lost: nearest to the longer side
    assert data.fitted().resolution == 8
    assert described(12, 30, (12, 12), "crop") == "centre-cropped from 12x30 to 12x12"
    with pytest.raises(ValueError, match="unknown fit 'corp'; did you mean 'crop'"):
        data.fitted(fit="corp")


def test_the_crop_lets_nothing_in_from_outside(tmp_path: Path) -> None:
    array = np.zeros((16, 48), np.uint8)
    array[:, 16:32] = 255
    Image.fromarray(array).save(tmp_path / "a.png")
    for resolution in (4, 16, 32):
        assert open_data(tmp_path, resolution=resolution).images.unique().tolist() == [255]
