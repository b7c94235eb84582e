"""How an image of any shape becomes one of a given shape: its middle, all of it squeezed, or all of it with bars."""

from __future__ import annotations

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate, pad

from ganexplain import tensors

FITS = ("crop", "stretch", "pad")


def cropped(height: int, width: int, wanted: tuple[int, int]) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the largest middle part in the proportions of ``wanted`` (height, width).

    An odd rest is cut off below and to the right, as in StyleGAN's data set tool.

    >>> cropped(10, 31, (8, 8))
    (0, 10, 10, 10)
    """
    scale = min(height / wanted[0], width / wanted[1])
    h, w = (min(side, max(1, round(scale * to))) for side, to in ((height, wanted[0]), (width, wanted[1])))
    return (height - h) // 2, (width - w) // 2, h, w


def contained(height: int, width: int, wanted: tuple[int, int]) -> tuple[int, int, int, int]:
    """(top, left, height, width) inside ``wanted`` (height, width) of the whole image in its own proportions.

    >>> contained(10, 30, (9, 9))
    (3, 0, 3, 9)
    """
    scale = min(wanted[0] / height, wanted[1] / width)
    h, w = (min(to, max(1, round(scale * side))) for side, to in ((height, wanted[0]), (width, wanted[1])))
    return (wanted[0] - h) // 2, (wanted[1] - w) // 2, h, w


def fit_picture(image: Image.Image, wanted: tuple[int, int], fit: str, resample: Image.Resampling) -> Image.Image:
    """The picture at ``wanted`` (height, width); bars are black."""
    height, width = wanted
    if (image.height, image.width) == wanted:
        return image
    if fit == "crop":  # cut before resizing, or the filter would mix in what lies outside
        top, left, h, w = cropped(image.height, image.width, wanted)
        image = image.crop((left, top, left + w, top + h))
    if fit != "pad":
        return image if (image.height, image.width) == wanted else image.resize((width, height), resample)
    top, left, h, w = contained(image.height, image.width, wanted)
    framed = Image.new(image.mode, (width, height))
    framed.paste(image.resize((w, h), resample), (left, top))
    return framed


def fit_bytes(images: Tensor, wanted: tuple[int, int], fit: str) -> Tensor:
    """Bytes (N, C, H, W) at ``wanted`` (height, width), bilinear and smoothed; bars are black."""
    height, width = images.shape[2:]
    if fit == "crop":
        top, left, h, w = cropped(height, width, wanted)
        images = images[:, :, top : top + h, left : left + w]
    top, left, h, w = contained(height, width, wanted) if fit == "pad" else (0, 0, *wanted)
    bars = (left, wanted[1] - w - left, top, wanted[0] - h - top)

    def change(batch: Tensor) -> Tensor:
        sized = interpolate(tensors.from_uint8(batch), (h, w), mode="bilinear", antialias=True)
        return pad(tensors.to_uint8(sized), bars)

    return images.contiguous() if images.shape[2:] == torch.Size(wanted) else tensors.batched(change, 512, images)


def described(height: int, width: int, wanted: tuple[int, int], fit: str) -> str:
    """What `fit_bytes` does to images of that size, in words.

    >>> described(10, 31, (8, 8), "crop")
    'centre-cropped from 10x31 to 10x10, resized to 8x8 (bilinear, smoothed)'
    """
    to, how = f"{wanted[0]}x{wanted[1]}", "(bilinear, smoothed)"
    if height * wanted[1] == width * wanted[0]:
        return f"resized from {height}x{width} to {to} {how}"
    if fit == "stretch":
        return f"stretched from {height}x{width} to {to} {how}"
    if fit == "pad":
        _, _, h, w = contained(height, width, wanted)
        return f"resized from {height}x{width} to {h}x{w} {how}, padded with black to {to}"
    _, _, h, w = cropped(height, width, wanted)
    cut = f"centre-cropped from {height}x{width} to {h}x{w}"
    return cut if (h, w) == wanted else f"{cut}, resized to {to} {how}"
