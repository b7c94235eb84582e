"""What every data set is: bytes, labels where there are any, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganexplain import store, tensors

MAX_BYTES = 4 * 2**30  # a data set is held in memory whole
MAX_SIDE = 1024
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in PIL's conversion to grey


@dataclass(frozen=True, eq=False)
class DataSet:
    """Images in memory.

    Attributes:
        images: (N, C, H, W) uint8, C from 1 to 4.
        labels: (N,) int64 indices into ``class_names``, or None.
        class_names: names of the classes; empty without labels.
        name: short name.
        source: where it came from, its licence, and what was done to it, in words.
        official_test: how many rows at the end are the set's own test images; 0 where it has none.
    """

    images: Tensor
    labels: Tensor | None
    class_names: tuple[str, ...]
    name: str
    source: str
    official_test: int = 0
    _cache: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        images = self.images
        if images.dtype != torch.uint8:
            raise TypeError(f"images of a data set must be uint8, got {images.dtype}")
        if images.ndim != 4 or 0 in images.shape or not 1 <= images.shape[1] <= 4:
            raise ValueError(
                f"images of a data set must have the shape (N, C, H, W) with 1 to 4 channels, got {tuple(images.shape)}"
            )
        if max(images.shape[2:]) > MAX_SIDE or images.numel() > MAX_BYTES:
            raise ValueError(
                f"a data set may hold {MAX_BYTES} bytes and sides of {MAX_SIDE} pixels, got {tuple(images.shape)}; "
                "pass a smaller resolution or fewer images"
            )
        if self.labels is None:
            return
        if self.labels.dtype != torch.int64 or self.labels.shape != (len(images),):
            raise ValueError(
                f"labels must be int64 ({len(images)},), got {self.labels.dtype} {tuple(self.labels.shape)}"
            )
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= len(self.class_names):
            raise ValueError(f"labels must lie in [0, {len(self.class_names) - 1}], got [{low}, {high}]")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def fingerprint(self) -> str:
        """16 hex digits over images and labels."""
        if "fingerprint" not in self._cache:
            labels = {} if self.labels is None else {"labels": self.labels}
            self._cache["fingerprint"] = store.fingerprint({"images": self.images, **labels})
        return self._cache["fingerprint"]

    @property
    def resolution(self) -> int:
        """Side of the images in pixels; square images only.

        Raises:
            ValueError: the images are not square.
        """
        height, width = self.images.shape[2:]
        if height != width:
            raise ValueError(f"images must be square, got {height}x{width}; pass a resolution")
        return int(height)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.images.shape[1])

    def fitted(self, *, resolution: int | None = None, channels: int | None = None) -> DataSet:
        """The set at a square ``resolution`` and with ``channels``; what was changed is added to ``source``.

        Without a resolution, sides that are square multiples of 4 stay, others become the nearest multiple of 4 of the
        shorter side.
        """
        height, width = self.images.shape[2:]
        if resolution is None:
            resolution = height if height == width and height % 4 == 0 else max(4, 4 * round(min(height, width) / 4))
        if resolution < 4 or resolution % 4 or resolution > MAX_SIDE:
            raise ValueError(f"resolution must be a multiple of 4 from 4 to {MAX_SIDE}, got {resolution}")
        images, source = self.images, self.source
        if channels is not None and channels != self.channels:
            images = _with_channels(images, channels)
            source += f"; {self.channels} channels to {channels}"
        if (height, width) != (resolution, resolution):
            images = _resized(images, resolution)
            source += f"; resized from {height}x{width} to {resolution}x{resolution} (bilinear, smoothed)"
        return self if images is self.images else replace(self, images=images, source=source, _cache={})


def _resized(images: Tensor, side: int) -> Tensor:
    if len(images) * images.shape[1] * side**2 > MAX_BYTES:
        raise ValueError(f"{len(images)} images of {side}x{side} are over {MAX_BYTES} bytes; pass a smaller resolution")

    def shrink(batch: Tensor) -> Tensor:
        grown = interpolate(tensors.from_uint8(batch), (side, side), mode="bilinear", antialias=True)
        return tensors.to_uint8(grown)

    return tensors.batched(shrink, 512, images)


def _with_channels(images: Tensor, wanted: int) -> Tensor:
    have = images.shape[1]
    if have == 1 and 2 <= wanted <= 4:
        return images.repeat(1, wanted, 1, 1)
    if have == 4 and wanted in (1, 3):  # drops the alpha channel
        return _with_channels(images[:, :3], wanted)
    if have == 3 and wanted == 3:
        return images
    if have == 3 and wanted == 1:
        return tensors.batched(_luma, 512, images)
    raise ValueError(f"cannot make {wanted} channels out of {have}; grey can become 2 to 4, colour can become 1")


def _luma(batch: Tensor) -> Tensor:
    weights = torch.tensor(LUMA).view(1, 3, 1, 1)
    return (batch.float() * weights).sum(1, keepdim=True).round().clamp(0, 255).to(torch.uint8)
