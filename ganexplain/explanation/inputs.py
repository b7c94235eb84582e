"""What is explained, as the critic reads it: files, PIL images, arrays and tensors by one rule, at the judge's size."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganexplain import checks
from ganexplain.data.images import to_images
from ganexplain.models.critic import Critic
from ganexplain.models.forms import Form, Images
from ganexplain.models.preprocess import Preprocess, resized

LONGEST = 512  # pixels of the longer side of an image whose judge declares no size


@dataclass(frozen=True)
class Given:
    """One input as it is judged and explained.

    Attributes:
        image: (1, C, H, W) in [-1, 1]; a row (1, F) or a signal (1, C, L) in its own units.
        notes: what a reader must know of how it was read, one sentence each.
        name: of its file; empty where there is none.
    """

    image: Tensor
    notes: tuple[str, ...] = ()
    name: str = ""


def read(critic: Critic, value: Any) -> Given:
    """One input of the critic, in the size at which it is judged.

    Args:
        critic: says what it reads, and in which size; where it declares none, images keep their own up to `LONGEST`
            pixels of the longer side.
        value: an image as `ganexplain.data.images.to_images` takes it; a row (F,) or (1, F), or a signal (C, L) or
            (1, C, L), as a tensor or array.

    Raises:
        FileNotFoundError: there is no such file.
        TypeError: it is of another type.
        ValueError: it cannot be read, lies in another range, or is more than one.
    """
    form = critic.form
    if not isinstance(form, Images):
        return Given(_one(form, _values(form, value)))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        floats = isinstance(value, Tensor) and value.is_floating_point()
        batch = value[None] if floats and value.ndim == 3 else value
        image = batch if floats else to_images(value, channels=critic.preprocess.channels)
    _one(form, image)
    filled = tuple(str(warning.message) for warning in told)  # such as a transparency that was filled
    fitted, notes = _fitted(image, critic.preprocess)
    name = Path(value).name if isinstance(value, (str, os.PathLike)) else ""
    return Given(fitted, (*filled, *_doubts(value, image), *notes), readable(name))


def readable(name: str) -> str:
    """A file name that every text can hold: bytes that are no UTF-8 become question marks."""
    return name.encode("utf-8", "replace").decode()


def _values(form: Form, value: Any) -> Tensor:
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
        value = torch.from_numpy(np.ascontiguousarray(value, dtype=np.float32))
    if not isinstance(value, Tensor):
        raise TypeError(
            f"a {form.one} must be a tensor or an array of numbers, got {type(value).__name__}; files are read by "
            f"ganexplain.data.{'tables' if form.name == 'table' else 'signals'}"
        )
    return value[None] if value.ndim == form.ndim - 1 else value


def _one(form: Form, value: Tensor) -> Tensor:
    """``value`` if it is one valid input."""
    if len(form.check(value, form.one)) != 1:
        shape = "1, C, H, W" if form.ndim == 4 else ", ".join(map(str, (1, *value.shape[1:])))
        raise ValueError(f"one {form.one} ({shape}) is explained at a time, got {len(value)}; loop over them")
    return value


def _doubts(value: Any, image: Tensor) -> tuple[str, ...]:
    """Floats in [0, 1] cannot be told from a bright image in [-1, 1], so they are read as one, and it is said."""
    floats = (isinstance(value, Tensor) and value.is_floating_point()) or (
        isinstance(value, np.ndarray) and value.dtype.kind == "f"
    )
    low, high = float(image.min()), float(image.max())
    if not floats or low < 0 or high > 1 + checks.SLACK or high - low < 0.5:
        return ()
    return (
        f"the image lies in [{low:.2g}, {high:.2g}] and is read as a bright one in [-1, 1]; if it was meant in [0, 1], "
        "give it as 2 * image - 1",
    )


def _fitted(image: Tensor, reads: Preprocess) -> tuple[Tensor, tuple[str, ...]]:
    """The image at the size at which it is judged, and what its reader must know of that."""
    height, width = image.shape[-2:]
    shape, note = reads.shape, ""
    if shape is None and max(height, width) > LONGEST:
        factor = LONGEST / max(height, width)
        shape = max(1, round(height * factor)), max(1, round(width * factor))
        note = f"the image was shrunk from {width} x {height} to {shape[1]} x {shape[0]} pixels before it was judged"
    if shape is None or shape == (height, width):
        return image, ()
    if not note:
        stretched = abs(height / width - shape[0] / shape[1]) > 0.05 * shape[0] / shape[1]
        what = "stretched" if stretched else "resized"
        note = f"the judge reads {shape[1]} x {shape[0]} pixels, so the image of {width} x {height} was {what}"
    return resized(image, shape, reads.resize).clamp(-1, 1), (note,)  # bicubic overshoots
