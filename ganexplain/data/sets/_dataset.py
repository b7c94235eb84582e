"""What every data set is: images or rows, labels where there are any, and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ganexplain import checks, store, tensors
from ganexplain.data._fit import FITS, described, fit_bytes

MAX_BYTES = 4 * 2**30  # a data set is held in memory whole
MAX_SIDE = 1024
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in PIL's conversion to grey


@dataclass(frozen=True)
class Wish:
    """The form in which images are asked for; a reader that makes them so at once saves memory.

    Attributes:
        resolution: side in pixels, a multiple of 4, or None.
        channels: 1 to 4, or None.
        fit: what becomes of images that are not square: "crop", "stretch" or "pad".
    """

    resolution: int | None = None
    channels: int | None = None
    fit: str = "crop"

    def __post_init__(self) -> None:
        side = self.resolution
        if side is not None and (side < 4 or side % 4 or side > MAX_SIDE):
            raise ValueError(f"resolution must be a multiple of 4 from 4 to {MAX_SIDE}, got {side}")
        if self.channels not in (None, 1, 2, 3, 4):
            raise ValueError(f"channels must be 1 to 4, got {self.channels}")
        checks.one_of("fit", self.fit, FITS)


@dataclass(frozen=True, eq=False)
class DataSet:
    """Images, or rows of a table, in memory.

    Attributes:
        images: (N, C, H, W) uint8, C from 1 to 4; of rows, (N, F) float32 in the units of the file.
        labels: (N,) int64 indices into ``class_names``, or None.
        class_names: names of the classes; empty without labels.
        name: short name.
        source: where it came from, its licence, and what was done to it, in words.
        official_test: how many rows at the end are the set's own test images; 0 where it has none.
        feature_names: of rows, the names of their F columns; empty for images.
        units: of rows, unit by feature where known.
        modes: (K, F) centres of the Gaussians that the rows were drawn from, mode ``labels``, or None.
        sigma: standard deviation of each of these Gaussians, or None.

    Raises:
        TypeError: bytes or floats expected, others given.
        ValueError: a wrong shape, too many bytes, rows that are not finite, or labels that do not fit.
    """

    images: Tensor
    labels: Tensor | None
    class_names: tuple[str, ...]
    name: str
    source: str
    official_test: int = 0
    feature_names: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    modes: Tensor | None = None
    sigma: float | None = None
    _cache: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.feature_names:
            _check_rows(self.images, self.feature_names)
        else:
            _check_images(self.images)
        if not 0 <= self.official_test < len(self.images):
            raise ValueError(f"official_test must be 0 to {len(self.images) - 1}, got {self.official_test}")
        if self.labels is None:
            return
        if self.labels.dtype != torch.int64 or self.labels.shape != (len(self),):
            raise ValueError(f"labels must be int64 ({len(self)},), got {self.labels.dtype} {tuple(self.labels.shape)}")
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= len(self.class_names):
            raise ValueError(f"labels must lie in [0, {len(self.class_names) - 1}], got [{low}, {high}]")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def fingerprint(self) -> str:
        """16 hex digits over images and labels."""
        labels = {} if self.labels is None else {"labels": self.labels}
        return self._kept("fingerprint", {"images": self.images, **labels})

    def _kept(self, name: str, contents: dict[str, Tensor]) -> str:
        if name not in self._cache:
            self._cache[name] = store.fingerprint(contents)
        return self._cache[name]

    def record(self) -> dict[str, Any]:
        """What a run must find unchanged when it goes on, as plain JSON; see `ganexplain.data.recorded`."""
        labels = self.labels
        counts = None if labels is None else torch.bincount(labels, minlength=len(self.class_names)).tolist()
        return {
            "name": self.name,
            "source": self.source,
            "fingerprint": self.fingerprint,
            "images_fingerprint": self._kept("images", {"images": self.images}),
            "labels_fingerprint": None if labels is None else self._kept("labels", {"labels": labels}),
            "class_names": list(self.class_names),
            "class_counts": counts,
            "feature_names": list(self.feature_names),
            "n": len(self),
            "shape": list(self.images.shape[1:]),
            "official_test": self.official_test,
        }

    @property
    def resolution(self) -> int:
        """Side of the images in pixels; square images only.

        Raises:
            ValueError: the images are not square, or the set is one of rows.
        """
        self._images_only("resolution")
        height, width = self.images.shape[2:]
        if height != width:
            raise ValueError(f"images must be square, got {height}x{width}; pass a resolution")
        return int(height)

    @property
    def channels(self) -> int:
        """Number of channels.

        Raises:
            ValueError: the set is one of rows.
        """
        self._images_only("channels")
        return int(self.images.shape[1])

    def _images_only(self, what: str) -> None:
        if self.feature_names:
            raise ValueError(
                f"{self.name} is a set of rows with {len(self.feature_names)} features, only images have {what}; "
                "leave it out"
            )

    def fitted(self, *, resolution: int | None = None, channels: int | None = None, fit: str = "crop") -> DataSet:
        """The set at a square ``resolution`` and with ``channels``; what was changed is added to ``source``.

        Args:
            resolution: side in pixels; without one, sides that are square multiples of 4 stay, others become the
                nearest multiple of 4 of the shorter side (of the longer one with "pad").
            channels: 1 to 4; None keeps the images' own.
            fit: of images that are not square: "crop" keeps the middle, "stretch" distorts, "pad" adds black bars.

        Raises:
            ValueError: a wish that cannot be met, or any wish of a set of rows.
        """
        Wish(resolution, channels, fit)
        if self.feature_names:
            for name in [n for n, wish in (("a resolution", resolution), ("channels", channels)) if wish is not None]:
                self._images_only(name)
            return self
        height, width = self.images.shape[2:]
        base = max(height, width) if fit == "pad" else min(height, width)
        side = resolution or (height if height == width and height % 4 == 0 else max(4, 4 * round(base / 4)))
        images, source = self.images, self.source
        if channels is not None and channels != self.channels:
            images = _with_channels(images, channels)
            source += f"; {self.channels} channels to {channels}"
        if (height, width) != (side, side):
            if len(images) * images.shape[1] * side**2 > MAX_BYTES:
                raise ValueError(
                    f"{len(images)} images of {side}x{side} are over {MAX_BYTES} bytes; pass a smaller resolution"
                )
            images = fit_bytes(images, (side, side), fit)
            source += f"; {described(height, width, (side, side), fit)}"
        return self if images is self.images else replace(self, images=images, source=source)


def _check_images(images: Tensor) -> None:
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


def _check_rows(rows: Tensor, names: tuple[str, ...]) -> None:
    if rows.dtype != torch.float32:
        raise TypeError(f"rows of a data set must be float32, got {rows.dtype}")
    if rows.ndim != 2 or rows.shape[1] != len(names) or not len(rows):
        raise ValueError(
            f"rows of a data set must have the shape (N, {len(names)}), a column a feature, got {tuple(rows.shape)}"
        )
    if len(set(names)) < len(names):
        raise ValueError(f"the features must have different names, got {', '.join(names)}")
    if 4 * rows.numel() > MAX_BYTES:
        raise ValueError(f"a data set may hold {MAX_BYTES} bytes, got {tuple(rows.shape)} of 4 each; take fewer rows")
    checks.finite(rows, "rows of a data set")


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
