"""From the caller's images to what a network was trained on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganexplain import checks

RESIZES = ("bilinear", "bicubic", "nearest", "bilinear-aliased")
ORDERS = ("rgb", "bgr")  # OpenCV's is the second
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in PIL's conversion to grey


@dataclass(frozen=True)
class Preprocess:
    """How images (N, C, H, W) in [-1, 1] become a network's input.

    Attributes:
        value_range: the range that the network reads, before mean and std.
        size: (height, width) or one number for both; None takes the caller's size.
        resize: "bilinear" and "bicubic" smooth when shrinking, as PIL does; "bilinear-aliased" does not; or "nearest".
        mean: per channel, in units of ``value_range``.
        std: per channel, in units of ``value_range``.
        channels: number that the network reads; grey is repeated, colour weighted to grey. None takes what comes.
        order: "rgb", or "bgr" for a network trained on images read by OpenCV; mean and std are in the same order.
    """

    value_range: tuple[float, float] = (-1.0, 1.0)
    size: int | tuple[int, int] | None = None
    resize: str = "bilinear"
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    channels: int | None = None
    order: str = "rgb"

    def __post_init__(self) -> None:
        checks.one_of("resize mode", self.resize, RESIZES)
        checks.one_of("order of channels", self.order, ORDERS)
        low, high = self.value_range
        if not low < high:
            raise ValueError(f"value_range must be (low, high) with low < high, got {self.value_range}")

    @property
    def shape(self) -> tuple[int, int] | None:
        """(height, width) that the network reads, or None for any."""
        return (self.size, self.size) if isinstance(self.size, int) else self.size

    def __call__(self, images: Tensor) -> Tensor:
        """Convert images (N, C, H, W) in [-1, 1]; differentiable, and the caller's tensor is never handed on itself."""
        x = _channels(images, self.channels)
        if self.shape is not None and tuple(x.shape[-2:]) != self.shape:
            x = resized(x, self.shape, self.resize)
        if self.order == "bgr" and x.shape[1] == 3:
            x = x.flip(1)
        low, high = self.value_range
        if (low, high) != (-1.0, 1.0):
            x = (x + 1) * ((high - low) / 2) + low
        if self.mean is not None:
            x = x - x.new_tensor(self.mean).view(1, -1, 1, 1)
        if self.std is not None:
            x = x / x.new_tensor(self.std).view(1, -1, 1, 1)
        return x.clone() if x is images else x


def resized(images: Tensor, shape: tuple[int, int], mode: str = "bilinear") -> Tensor:
    """Resize (N, C, H, W) to (N, C, *shape) in one of `RESIZES`."""
    smooth = mode in ("bilinear", "bicubic")
    return torch.nn.functional.interpolate(images, shape, mode=mode.removesuffix("-aliased"), antialias=smooth)


def _channels(images: Tensor, wanted: int | None) -> Tensor:
    have = images.shape[1]
    if wanted is None or have == wanted:
        return images
    if have == 1:
        return images.expand(-1, wanted, -1, -1)
    if have == 3 and wanted == 1:
        return (images * images.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
    raise ValueError(f"images must have {wanted} channels (or 1, which is repeated), got {have}")
