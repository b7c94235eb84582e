"""From what a network returns to one logit an image, higher = more real."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ganexplain import checks

KINDS = ("logit", "probability", "score", "classes", "class_probabilities")
POOLS = ("mean", "max", "min", "logsumexp")
PROBABILITIES = ("probability", "class_probabilities")

OutputPicker = Callable[[Any], Tensor]
Pool = str | tuple[int, int] | None


NEAREST = 2.0**-24  # half a unit in the last place of a float32 just below one


def logit_of(probability: Tensor, *, bare: str = "logit", clip: bool = False) -> Tensor:
    """log(p / (1 - p)), refused where p has no digits left, or with ``clip`` read as `NEAREST` from there.

    Raises:
        ValueError: p is 0 or 1 exactly, so that neither logit nor gradient can be recovered.
    """
    outside = (probability < 0) | (probability > 1)
    if outside.any():
        raise ValueError(
            f"a probability must lie in [0, 1], got {float(probability.detach().min()):g} to "
            f"{float(probability.detach().max()):g}; say output={bare!r}"
        )
    if clip:
        return torch.logit(probability.clamp(NEAREST, 1 - NEAREST))
    saturated = int(((probability == 0) | (probability == 1)).sum())
    if saturated:
        raise ValueError(
            f"the model's probability saturates at 0 or 1 for {saturated} of {len(probability)} images, so the logit "
            f"is lost; return the value before the sigmoid or softmax and say output={bare!r}"
        )
    return torch.logit(probability)


def to_logit(raw: Any, kind: str, *, pool: Pool, real_class: int, polarity: str, clip: bool = False) -> Tensor:
    """(N,) logits from a network's output.

    Args:
        raw: (N,), (N, 1), (N, 1, 1, 1), a patch map (N, 1, h, w), or (N, K) for classes.
        kind: one of `KINDS`.
        pool: how the detector pools its patch map, on its own values and in its own polarity; (i, j) picks one cell.
        real_class: column of the class "real" where there are several.
        polarity: "real" when a high output means real, "fake" when it means fake.
        clip: see `logit_of`.
    """
    raw = _tensor(raw)
    if kind in ("classes", "class_probabilities"):
        return _classes(raw, kind, real_class, clip)
    flat = pooled(raw, pool)
    logit = logit_of(flat, clip=clip) if kind == "probability" else flat
    return logit if polarity == "real" else -logit


def pooled(raw: Tensor, pool: Pool) -> Tensor:
    """(N,) from one number an image, or from a patch map (N, 1, h, w) pooled as `POOLS` or a cell says."""
    if isinstance(pool, tuple):
        return _cell(grid(raw), pool)
    n = _rows(raw)
    if raw.numel() == n:
        return raw.reshape(n)
    _check_map(raw)
    if pool is None:
        raise ValueError(
            f"the model returns a patch map {tuple(raw.shape)}; say how it is pooled: pool='mean', another of "
            f"{POOLS}, or a cell (i, j)"
        )
    patches = raw.reshape(n, -1)
    if pool == "logsumexp":
        return patches.logsumexp(1)
    if pool == "mean":
        return patches.mean(1)
    return patches.amax(1) if checks.one_of("pool", pool, POOLS) == "max" else patches.amin(1)


def cells(raw: Any, kind: str, *, polarity: str, clip: bool = False) -> Tensor:
    """(N, h, w) logits of the cells of a patch map; see `to_logit`.

    Raises:
        ValueError: classes, or several numbers an image that are no map.
    """
    if kind in ("classes", "class_probabilities"):
        raise ValueError(f"output={kind!r} gives classes of the whole image, which has no cells")
    found = grid(_tensor(raw))
    logit = logit_of(found, clip=clip) if kind == "probability" else found
    return logit if polarity == "real" else -logit


def grid(raw: Tensor) -> Tensor:
    """(N, h, w) of a patch map (N, 1, h, w), of one along a line (N, 1, w), or of one number an image."""
    n = _rows(raw)
    if raw.numel() == n:
        return raw.reshape(n, 1, 1)
    _check_map(raw)
    return raw.reshape(n, -1, raw.shape[-1])


def is_map(raw: Tensor, kind: str) -> bool:
    """Whether ``raw`` holds several numbers an image that are no classes."""
    return kind not in ("classes", "class_probabilities") and raw.numel() > len(raw)


def _cell(found: Tensor, cell: tuple[int, int]) -> Tensor:
    (i, j), (rows, columns) = cell, found.shape[1:]
    if not (0 <= i < rows and 0 <= j < columns):
        last = (rows - 1, columns - 1)
        raise ValueError(f"the patch map has {rows} x {columns} cells, (0, 0) to {last}, got the cell {cell}")
    return found[:, i, j]


def _rows(raw: Tensor) -> int:
    if raw.ndim == 0:
        raise ValueError("the model must return one row an image, got one number for all; keep the axis of the batch")
    return len(raw)


def _tensor(raw: Any) -> Tensor:
    if not isinstance(raw, Tensor):
        raise TypeError(
            f"the model must return a tensor, got {type(raw).__name__}; say output=lambda out: out[0], or the like"
        )
    return raw


def _check_map(raw: Tensor) -> None:
    if raw.ndim == 2 or (raw.ndim > 1 and raw.shape[1] != 1):
        raise ValueError(
            f"the model returns {tuple(raw.shape)}, several numbers an image; say output='classes' with real_class, "
            "or pick one with output=lambda out: out[:, 0]"
        )


def _classes(raw: Tensor, kind: str, real_class: int, clip: bool) -> Tensor:
    if raw.ndim < 2 or raw.numel() != raw.shape[0] * raw.shape[1] or raw.shape[1] < 2:
        raise ValueError(
            f"output={kind!r} needs two or more numbers an image (N, K), got {tuple(raw.shape)}; say output='logit'"
        )
    z = raw.reshape(raw.shape[0], -1)
    if not 0 <= real_class < z.shape[1]:
        raise ValueError(f"real_class must be 0 to {z.shape[1] - 1}, got {real_class}")
    if kind == "class_probabilities":
        return logit_of(z[:, real_class], bare="classes", clip=clip)
    sums_to_one = bool(((z.detach() >= 0).all(1) & ((z.detach().sum(1) - 1).abs() < 1e-4)).all())
    if sums_to_one:
        raise ValueError(
            "output='classes' needs logits, got rows that sum to one (a softmax); say output='class_probabilities'"
        )
    others = torch.cat([z[:, :real_class], z[:, real_class + 1 :]], 1)
    return z[:, real_class] - others.logsumexp(1)
