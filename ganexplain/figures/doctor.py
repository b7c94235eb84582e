"""What the doctor saw: logits of each kind, other readings, BatchNorm's memory, the network's own input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from ganexplain.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 6.2  # inches
MARGIN, ROW = 0.12, 0.27
NOISE = "#8c959f"
COLOURS = {"reals": style.REAL, "fakes": style.FAKE, "noise": NOISE}
BINS = 40
MOST = 6  # readings whose layers are drawn
DECLARED = "declared"


def logits_figure(logits: Mapping[str, Sequence[float]], threshold: float, unit: str) -> Figure:
    """Histograms of the logits of reals, fakes and noise, one above the other, with the threshold.

    Args:
        logits: by kind.
        threshold: below it an image is called fake.
        unit: of the logits.

    Raises:
        ValueError: no logits.
    """
    if not logits:
        raise ValueError("a histogram needs logits of at least one kind")
    low, high = _range([v for name, values in logits.items() if name != "noise" for v in values], threshold)
    edges = np.linspace(low, high, BINS + 1)
    left, height = MARGIN + max(style.extent(name)[0] for name in logits) + 0.16, 0.75
    total = 0.16 + height * len(logits) + 0.5
    with style.look():
        figure = style.figure(WIDTH, total)
        for i, (name, values) in enumerate(logits.items()):
            bottom = 0.5 + height * (len(logits) - 1 - i)
            width = WIDTH - left - MARGIN
            axes = figure.add_axes((left / WIDTH, bottom / total, width / WIDTH, (height - 0.12) / total))
            colour = COLOURS.get(name, style.ACCENT)
            axes.hist(np.clip(values, low, high), bins=edges.tolist(), color=colour, alpha=0.85)
            axes.axvline(threshold, color=style.INK, linewidth=1.0)
            axes.set_yticks([])
            axes.set_xlim(low, high)
            axes.spines["left"].set_visible(False)
            axes.text(-0.02, 0.4, name, transform=axes.transAxes, ha="right", va="center", color=colour, weight="bold")
            if i < len(logits) - 1:
                axes.tick_params(labelbottom=False)
            if i == 0:
                _split(axes, threshold)
        axes.set_xlabel(f"{unit}; what lies beyond is counted at the edge")
    return figure


def _split(axes: Axes, threshold: float) -> None:
    """The words left and right of the threshold, where there is room for them."""
    low, high = axes.get_xlim()
    place = (threshold - low) / (high - low)
    if place > 0.2:
        axes.text(
            place - 0.01, 1.04, "← called fake", transform=axes.transAxes, ha="right", va="bottom", size=style.SMALL
        )
    if place < 0.8:
        axes.text(
            place + 0.01, 1.04, "called real →", transform=axes.transAxes, ha="left", va="bottom", size=style.SMALL
        )


def _range(values: Sequence[float], threshold: float) -> tuple[float, float]:
    known = np.asarray(values if len(values) else [threshold], dtype=float)
    low, high = float(min(known.min(), threshold)), float(max(known.max(), threshold))
    pad = 0.05 * (high - low) or 1.0
    return low - pad, high + pad


def readings_figure(areas: Mapping[str, float], fits: Mapping[str, Sequence[float]]) -> Figure:
    """Bars of the AUC and of BatchNorm's distance for every way in which the images were read.

    Args:
        areas: AUC by reading, the declared one first; empty where there is none.
        fits: distance of each BatchNorm layer by reading; empty where there is none.

    Raises:
        ValueError: both are empty.
    """
    names = list(dict.fromkeys([*areas, *fits]))
    if not names:
        raise ValueError("readings need an AUC or a BatchNorm distance each")
    means = {name: float(np.mean(values)) for name, values in fits.items()}
    panels = [(a, t, e) for a, t, e in ((areas, "AUC", 1.0), (means, "BatchNorm's distance", None)) if a]
    left = MARGIN + max(style.extent(name, weight="bold")[0] for name in names) + 0.14
    total, gap = MARGIN + ROW * len(names) + 0.5, 0.3
    wide = {1: 3.6, 2: 2.1}[len(panels)]
    width = left + len(panels) * (wide + gap)
    with style.look():
        figure = style.figure(width, total)
        for i, (values, title, end) in enumerate(panels):
            place = (left + i * (wide + gap)) / width, 0.5 / total, wide / width, ROW * len(names) / total
            _bars(figure.add_axes(place), names, values, title, end)
            if i:
                figure.axes[-1].tick_params(labelleft=False)
    return figure


def _bars(axes: Axes, names: Sequence[str], values: Mapping[str, float], title: str, end: float | None) -> None:
    best = max(values.values()) if end else min(values.values())
    for row, name in enumerate(names):
        if name not in values:
            axes.text(0, row, " cannot be judged", va="center", size=style.SMALL, color=style.MUTED)
            continue
        chosen = values[name] == best
        axes.barh(row, values[name], height=0.62, color=style.ACCENT if chosen else style.LINE)
        weight = "bold" if chosen else "normal"
        axes.text(values[name], row, f" {values[name]:.2f}", va="center", size=style.SMALL, weight=weight)
    axes.set_yticks(range(len(names)), names)
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == DECLARED else "normal")
    axes.tick_params(axis="y", length=0, labelsize=style.NORMAL, labelcolor=style.INK)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, 1.16 * (end or max(*values.values(), 0.1)))
    axes.spines["left"].set_visible(False)
    if end:
        axes.axvline(0.5, color=style.MUTED, linewidth=0.8, linestyle=":")
        axes.set_xticks([0, 0.5, 1])
    axes.set_xlabel(f"{title} (larger is better)" if end else f"{title} (0 fits)")


def layers_figure(fits: Mapping[str, Sequence[float]], layers: Sequence[str]) -> Figure:
    """How far each BatchNorm layer's input is from what it saw in training, for the declared and the best readings.

    Args:
        fits: distances (L,) by reading, the declared one first.
        layers: the L names, in the order of use.

    Raises:
        ValueError: nothing to draw, or not one distance a layer.
    """
    if not fits or any(len(values) != len(layers) for values in fits.values()):
        raise ValueError(f"each reading needs one distance for each of the {len(layers)} layers, and there must be one")
    order = sorted(fits, key=lambda name: float(np.mean(fits[name])))[:MOST]
    shown = list(dict.fromkeys([*order[: MOST - 1], *(name for name in fits if name == DECLARED)]))
    high, left = 2.2, 0.55
    key = max(style.extent(name, size=style.SMALL)[0] for name in shown) + 0.3
    below = 0.3 + (max(style.extent(name, size=style.SMALL)[0] for name in layers) if len(layers) <= 12 else 0.2)
    total = MARGIN + high + below
    with style.look():
        figure = style.figure(WIDTH, total)
        axes = figure.add_axes((left / WIDTH, below / total, (WIDTH - left - key - 0.1) / WIDTH, high / total))
        for rank, name in enumerate(shown):
            line = {"color": style.FAKE, "linestyle": "--"} if name == DECLARED else {"color": _shade(rank, len(shown))}
            axes.plot(range(len(layers)), fits[name], marker="o", markersize=3.5, linewidth=1.4, label=name, **line)
        axes.set_ylim(0, 1.08 * max(max(fits[name]) for name in shown))
        axes.set_ylabel("distance (0 fits)")
        if len(layers) <= 12:
            axes.set_xticks(range(len(layers)), layers, rotation=90)
        axes.set_xlim(-0.4, len(layers) - 0.6)
        if len(layers) > 12:
            axes.set_xlabel("BatchNorm layers in the order of use")
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)
    return figure


def _shade(rank: int, n: int) -> tuple[float, float, float]:
    """Ink for the first, paler for the others."""
    pale = 0.15 + 0.6 * rank / max(n - 1, 1)
    return pale * 0.8, pale * 0.9, pale


def seen_figure(images: Tensor, span: tuple[float, float], given: Sequence[int]) -> Figure:
    """The images as the network reads them, their own lowest value black and their highest white.

    Args:
        images: (N, C, H, W) in [-1, 1].
        span: the lowest and highest value that the network reads.
        given: how many of them are reals and how many fakes.
    """
    words = f"what the network reads: values from {span[0]:.3g} (black) to {span[1]:.3g} (white)"
    return rows_figure(images, given, ("reals", "fakes"), words)


def rows_figure(images: Tensor, given: Sequence[int], names: tuple[str, str], words: str = "") -> Figure:
    """Images of two kinds, a row each.

    Args:
        images: (N, C, H, W) in [-1, 1], the first kind first.
        given: how many there are of each kind.
        names: of the kinds.
        words: below them.
    """
    both = (names[0], images[: given[0]]), (names[1], images[given[0] : given[0] + given[1]])
    rows = [(name, part) for name, part in both if len(part)]
    columns = max(len(part) for _, part in rows)
    left, side, gap = MARGIN + max(style.extent(name)[0] for name, _ in rows) + 0.1, 0.66, 0.05
    width = left + columns * (side + gap) + MARGIN
    width = max(width, 4.2)
    total = 0.12 + len(rows) * (side + gap) + 0.34
    with style.look():
        figure = style.figure(width, total)
        for i, (name, part) in enumerate(rows):
            bottom = total - 0.12 - (i + 1) * (side + gap) + gap
            figure.text(
                (left - 0.08) / width, (bottom + side / 2) / total, name, ha="right", va="center", weight="bold"
            )
            for j, image in enumerate(part):
                place = ((left + j * (side + gap)) / width, bottom / total, side / width, side / total)
                style.show(figure.add_axes(place), image[:3] if len(image) in (3, 4) else image[:1])
        figure.text(left / width, 0.1 / total, words, size=style.SMALL, color=style.MUTED)
    return figure
