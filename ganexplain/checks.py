"""Checks of what a caller hands in. Every message says what was expected, what came and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import torch
from torch import Tensor

SLACK = 1e-3  # float rounding of images that were [-1, 1] before a resize


def unknown(kind: str, name: str, choices: Iterable[str]) -> ValueError:
    """The error for a name that is not among ``choices``, with the nearest one.

    >>> raise unknown("attribution method", "salency", ["lime", "saliency"])
    Traceback (most recent call last):
    ValueError: unknown attribution method 'salency'; did you mean 'saliency'? (there are: lime, saliency)
    """
    choices = list(choices)
    near = difflib.get_close_matches(name.lower().replace("-", "_"), choices, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return ValueError(f"unknown {kind} {name!r}{hint} (there are: {', '.join(choices)})")


def one_of(kind: str, name: str, choices: Iterable[str]) -> str:
    """Return ``name`` if it is among ``choices``; else raise the error of `unknown`."""
    choices = list(choices)
    if name not in choices:
        raise unknown(kind, name, choices)
    return name


def images(value: Tensor, name: str = "images") -> Tensor:
    """Return ``value`` if it is a finite float batch (N, C, H, W) in [-1, 1].

    Raises:
        TypeError: not a floating tensor.
        ValueError: wrong number of axes, empty, not finite, or outside [-1, 1].
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a tensor (N, C, H, W), got {type(value).__name__}; see ganexplain.data.images")
    if not value.is_floating_point():
        raise TypeError(f"{name} must be float in [-1, 1], got {value.dtype}; use ganexplain.tensors.from_uint8")
    if value.ndim != 4 or 0 in value.shape:
        raise ValueError(f"{name} must have the shape (N, C, H, W), got {tuple(value.shape)}")
    finite(value, name)
    low, high = float(value.detach().min()), float(value.detach().max())
    if low < -1 - SLACK or high > 1 + SLACK:
        hint = "use ganexplain.tensors.from_uint8" if high > 2 else "scale them first"
        raise ValueError(f"{name} must lie in [-1, 1], got [{low:g}, {high:g}]; {hint}")
    return value


def finite(value: Tensor, name: str) -> Tensor:
    """Return ``value`` if it holds neither NaN nor infinity."""
    bad = int((~torch.isfinite(value.detach())).sum())
    if bad:
        raise ValueError(f"{name} must be finite, got {bad} NaN or infinite values of {value.numel()}")
    return value


def positive(value: float, name: str) -> float:
    """Return ``value`` if it is above zero."""
    if not value > 0:
        raise ValueError(f"{name} must be positive, got {value}")
    return value


def side(value: str) -> int:
    """The sign of a side: +1 for "real" (the logit itself), -1 for "fake"."""
    return 1 if one_of("side", value, ("real", "fake")) == "real" else -1
