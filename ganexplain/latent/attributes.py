"""What can be read off any image without labels: attributes that a boundary can be found for by name."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def brightness(images: Tensor) -> Tensor:
    """Mean lightness."""
    return _grey(images).mean((1, 2))


def contrast(images: Tensor) -> Tensor:
    """Standard deviation of the lightness over the image."""
    return _grey(images).flatten(1).std(1)


def sharpness(images: Tensor) -> Tensor:
    """Mean size of the lightness's step from pixel to pixel, as a share of the contrast: fine detail."""
    grey = _grey(images)
    steps = grey.diff(dim=1).abs().mean((1, 2)) + grey.diff(dim=2).abs().mean((1, 2))
    return steps / contrast(images).clamp(min=1e-6)


def horizontal(images: Tensor) -> Tensor:
    """Where the light is from left (-1) to right (1): the centre of mass of the lightness."""
    return _centre(_grey(images).mean(1))


def vertical(images: Tensor) -> Tensor:
    """Where the light is from bottom (-1) to top (1): the centre of mass of the lightness."""
    return -_centre(_grey(images).mean(2))


def symmetry(images: Tensor) -> Tensor:
    """Likeness of the lightness to its mirror image: their correlation, 1 for a symmetric image."""
    grey = _grey(images)
    grey = grey - grey.mean((1, 2), keepdim=True)
    return (grey * grey.flip(2)).sum((1, 2)) / grey.square().sum((1, 2)).clamp(min=1e-12)


def size(images: Tensor) -> Tensor:
    """Share of pixels that differ from the border's median lightness by more than a quarter of the range."""
    grey = _grey(images)
    border = torch.cat([grey[:, 0], grey[:, -1], grey[:, :, 0], grey[:, :, -1]], 1).median(1).values
    # a soft step, since a count of pixels has ties
    return torch.sigmoid(20 * ((grey - border[:, None, None]).abs() - 0.5)).mean((1, 2))


def redness(images: Tensor) -> Tensor:
    """Red less the mean of green and blue."""
    rgb = _colour(images)
    return (rgb[:, 0] - (rgb[:, 1] + rgb[:, 2]) / 2).mean((1, 2))


def blueness(images: Tensor) -> Tensor:
    """Blue less the mean of red and green."""
    rgb = _colour(images)
    return (rgb[:, 2] - (rgb[:, 0] + rgb[:, 1]) / 2).mean((1, 2))


def colourfulness(images: Tensor) -> Tensor:
    """Mean distance between a pixel's largest and smallest channel: 0 for grey."""
    rgb = _colour(images)
    return (rgb.amax(1) - rgb.amin(1)).mean((1, 2))


ATTRIBUTES: dict[str, Callable[[Tensor], Tensor]] = {
    f.__name__: f
    for f in (
        brightness, contrast, sharpness, horizontal, vertical, symmetry, size, redness, blueness, colourfulness,
    )
}  # fmt: skip
"""Name to a function of images (N, C, H, W) in [-1, 1] that returns one number each, (N,). A new one goes here."""

COLOUR = ("redness", "blueness", "colourfulness")  # make no sense for grey images


def names(channels: int) -> tuple[str, ...]:
    """The attributes that images with so many channels have."""
    return tuple(name for name in ATTRIBUTES if channels >= 3 or name not in COLOUR)


def _grey(images: Tensor) -> Tensor:
    """(N, H, W) lightness in [-1, 1]; of two channels the first."""
    if images.shape[1] < 3:
        return images[:, 0]
    return torch.einsum("nchw,c->nhw", images[:, :3], images.new_tensor(LUMA))


def _colour(images: Tensor) -> Tensor:
    if images.shape[1] < 3:
        raise ValueError(
            f"the attributes {', '.join(COLOUR)} need colour, and these images have {images.shape[1]} channel(s); "
            f"use one of {', '.join(names(1))}"
        )
    return images[:, :3]


def _centre(profile: Tensor) -> Tensor:
    """(N,) centre of mass from -1 to 1 of profiles (N, L) of lightness, where black weighs nothing."""
    weight = (profile + 1).clamp(min=0)
    places = torch.linspace(-1, 1, profile.shape[1]).to(profile)
    return (weight * places).sum(1) / weight.sum(1).clamp(min=1e-6)
