"""Counterfactuals: an image before and after its change, the difference, and the way of the logit to the other side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from ganexplain.figures import style
from ganexplain.figures.maps import GAP, MARGIN, PANEL, TALLEST, TITLE_LINE, number
from ganexplain.figures.strips import fitted, line

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 4.2, 2.1  # inches of a curve
LEFT, BOTTOM, TOP, RIGHT = 0.62, 0.46, 0.28, 0.14
ROW = 0.27
WRAP = 0.94  # of the width, since `fitted` counts letters, and some are wide
UNDER = 0.24  # below the images, for the words of the verdict
TINT = 0.06  # opacity of the two sides of the threshold
FACTORS = (1, 2, 5)  # times powers of ten: how much a difference is amplified
LOUDEST = 0.995  # quantile of the changes that becomes black or white

Step = tuple[str, float]


def change_figure(
    before: Tensor, after: Tensor, *, logits: tuple[float, float], threshold: float, unit: str = "logit", note: str = ""
) -> Figure:
    """The image before, after, and the signed difference: grey is no change, brighter and darker as they are.

    A difference that would hardly be seen is amplified, and its title says by how much.

    Args:
        before: (C, H, W) in [-1, 1].
        after: (C, H, W).
        logits: of the two.
        threshold: below which an image is called fake.
        unit: "logit" or "score".
        note: small print below.

    Raises:
        ValueError: no images of one shape.
    """
    if before.shape != after.shape:
        raise ValueError(f"before and after must be of one shape, got {tuple(before.shape)} and {tuple(after.shape)}")
    factor, changed = amplification(before, after), bool((before != after).any())
    loud = f"change × {factor:g}" if factor != 1 else "change"
    heads = [f"{name}: {unit} {number(value)}" for name, value in zip(("before", "after"), logits, strict=True)]
    panels = [before, after, (factor * (after - before)).clamp(-1, 1)]
    with style.look():
        figure, each = _panels(before.shape[-2:], note)
        for axes, image, head in zip(each, panels, [*heads, loud if changed else "no change"], strict=True):
            style.show(axes, image)
            axes.set_title(head)
        for axes, value in zip(each, logits, strict=False):
            _side(axes, value, threshold)
        legend = "white: brighter, black: darker" if before.shape[0] == 1 else "grey: no change"
        _below(each[2], legend)
    return figure


def amplification(before: Tensor, after: Tensor) -> float:
    """1, 2 or 5 times a power of ten by which the difference is multiplied, so that its strong values fill the scale.

    >>> import torch
    >>> amplification(torch.zeros(1, 8, 8), torch.full((1, 8, 8), 0.004))
    200.0
    """
    size = (after - before).abs().detach().double().flatten()
    size = size[size > 0]
    if not len(size):
        return 1.0
    wanted = 1 / float(np.quantile(size.cpu().numpy(), LOUDEST))
    if wanted < 2:
        return 1.0
    power = 10 ** math.floor(math.log10(wanted * (1 + 1e-3)))
    return float(max(f * power for f in FACTORS if f * power <= wanted * (1 + 1e-3)))


def path_figure(path: Sequence[tuple[float, float]], *, threshold: float, unit: str = "logit") -> Figure:
    """The logit on the way from the image to its changed form, and where the verdict turns.

    Args:
        path: (fraction of the change, logit).
        threshold: below which an image is called fake.
        unit: "logit" or "score".

    Raises:
        ValueError: fewer than two points.
    """
    if len(path) < 2:
        raise ValueError(f"a path has at least two points, got {len(path)}")
    share, logit = (np.array(part) for part in zip(*path, strict=True))
    with style.look():
        figure = style.figure(WIDTH, HEIGHT)
        axes = _axes(figure, LEFT)
        axes.plot(100 * share, logit, color=style.INK, linewidth=1.2, marker="o", markersize=2.2, zorder=3)
        axes.set_xlim(0, 100)
        low, high = _limits([*logit, threshold])
        axes.set_ylim(low, high)
        axes.axhspan(low, threshold, color=style.FAKE, alpha=TINT, linewidth=0)
        axes.axhspan(threshold, high, color=style.REAL, alpha=TINT, linewidth=0)
        axes.axhline(threshold, color=style.MUTED, linewidth=0.8, linestyle=(0, (4, 2)))
        axes.set_xlabel("share of the change, %")
        axes.set_ylabel(unit)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))
        place: dict[str, Any] = {"size": style.SMALL, "weight": "bold", "va": "bottom"}
        axes.text(0, 1.02, f"below {number(threshold)}: fake", color=style.FAKE, transform=axes.transAxes, **place)
        axes.text(1, 1.02, "above: real", color=style.REAL, ha="right", transform=axes.transAxes, **place)
    return figure


def repair_figure(
    start: float,
    steps: Sequence[Step],
    *,
    threshold: float,
    unit: str = "logit",
    shares: Sequence[float] | None = None,
) -> Figure:
    """The logit after each part that was replaced, from top to bottom, until the verdict turns.

    Args:
        start: the image's logit.
        steps: (part, logit after it) in their order.
        threshold: below which an image is called fake.
        unit: "logit" or "score".
        shares: of the difference to the baseline that is replaced after each step, printed on the right; or None.

    Raises:
        ValueError: not as many shares as steps.
    """
    if shares is not None and len(shares) != len(steps):
        raise ValueError(f"shares must be {len(steps)}, one for each step, got {len(shares)}")
    names, logits = ["as it is", *(name for name, _ in steps)], [start, *(logit for _, logit in steps)]
    names = [name if i == 0 else f"{i}. {name}" for i, name in enumerate(names)]
    notes = ["", *(f"{100 * share:.0f} %" for share in shares or ())]
    left = MARGIN + max(style.extent(name)[0] for name in names) + 0.14
    right = RIGHT + (max(style.extent("replaced", style.SMALL)[0], 0.3) if shares is not None else 0.0)
    width, rows = left + WIDTH - 1.4 + right, len(names)
    height = TOP + ROW * rows + BOTTOM
    with style.look():
        figure = style.figure(width, height)
        axes = figure.add_axes((left / width, BOTTOM / height, (width - left - right) / width, ROW * rows / height))
        low, high = _limits([*logits, threshold])
        axes.set_xlim(low, high)
        axes.set_ylim(rows - 0.5, -0.5)
        axes.axvspan(low, threshold, color=style.FAKE, alpha=TINT, linewidth=0)
        axes.axvspan(threshold, high, color=style.REAL, alpha=TINT, linewidth=0)
        axes.axvline(threshold, color=style.MUTED, linewidth=0.8, linestyle=(0, (4, 2)))
        axes.plot(logits, range(rows), color=style.MUTED, linewidth=1.0, zorder=2)
        colours = [style.FAKE if logit < threshold else style.REAL for logit in logits]
        axes.scatter(logits, range(rows), s=22, color=colours, zorder=3)
        axes.set_yticks(range(rows), names)
        axes.tick_params(axis="y", length=0, labelsize=style.NORMAL, labelcolor=style.INK)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))
        axes.set_xlabel(f"{unit} after each step; {number(threshold)} is the threshold")
        _heads(axes, notes if shares is not None else None)
    return figure


def _heads(axes: Axes, notes: Sequence[str] | None) -> None:
    place: dict[str, Any] = {"transform": axes.transAxes, "size": style.SMALL, "va": "bottom"}
    axes.text(0, 1.02, "← fake", color=style.FAKE, weight="bold", ha="left", **place)
    axes.text(1, 1.02, "real →", color=style.REAL, weight="bold", ha="right", **place)
    if notes is None:
        return
    axes.text(1.02, 1.02, "replaced", color=style.MUTED, ha="left", **place)
    for row, note in enumerate(notes):
        where: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center", "ha": "left"}
        axes.text(1.02, row, note, size=style.SMALL, color=style.MUTED, **where)


def _axes(figure: Figure, left: float) -> Axes:
    box = (left / WIDTH, BOTTOM / HEIGHT, (WIDTH - left - RIGHT) / WIDTH, (HEIGHT - BOTTOM - TOP) / HEIGHT)
    return figure.add_axes(box)


def _limits(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 1.0
    return low - room, high + room


def _side(axes: Axes, logit: float, threshold: float) -> None:
    fake = logit < threshold
    colour = style.FAKE if fake else style.REAL
    _below(axes, f"judged {'fake' if fake else 'real'}", color=colour, weight="bold")


def _below(axes: Axes, text: str, **how: Any) -> None:
    look = {"color": style.MUTED, **how}
    axes.text(0.5, -0.03, text, transform=axes.transAxes, size=style.SMALL, ha="center", va="top", **look)


def _panels(shape: tuple[int, ...], note: str) -> tuple[Figure, list[Axes]]:
    """Three axes for images of ``shape`` (height, width) side by side, and small print below, wrapped."""
    across = min(PANEL, TALLEST * shape[1] / shape[0])
    down = across * shape[0] / shape[1]
    width = 2 * MARGIN + 3 * max(across, PANEL) + 2 * GAP
    lines = fitted(note, round(WRAP * (width - 2 * MARGIN) * style.DPI)) if note else []
    printed = len(lines) * line(style.SMALL) / style.DPI
    below = UNDER + printed + (MARGIN if lines else 0)
    height = MARGIN + TITLE_LINE + down + below
    figure = style.figure(width, height)
    pitch = max(across, PANEL) + GAP
    lefts = [MARGIN + i * pitch + (max(across, PANEL) - across) / 2 for i in range(3)]
    each = [figure.add_axes((left / width, below / height, across / width, down / height)) for left in lefts]
    for k, text in enumerate(lines):
        top = (MARGIN + printed - k * line(style.SMALL) / style.DPI) / height
        figure.text(MARGIN / width, top, text, size=style.SMALL, color=style.MUTED, va="top")
    return figure, each
