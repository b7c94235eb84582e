"""The share of each class among the samples of a training, over its steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ganexplain.figures import style
from ganexplain.figures.curves import BOTTOM, LEFT, RIGHT, WIDTH, Array, Span, legend, time_axis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW, TALLEST, BAR = 0.2, 6.0, 0.11  # inches


def shares_figure(names: Sequence[str], steps: Array, shares: Array, span: Span, of: int = 0) -> Figure:
    """The share of each class among the samples as a strip of cells, a row a class, a column a measurement.

    Args:
        names: C classes that are drawn.
        steps: (T,) at which they were measured, rising.
        shares: (T, C) from 0 to 1.
        span: the time axis.
        of: how many classes there are; 0 says that all are drawn.

    Raises:
        ValueError: shapes that do not fit.
    """
    if shares.shape != (len(steps), len(names)) or not shares.size:
        raise ValueError(f"shares must have the shape ({len(steps)}, {len(names)}), got {shares.shape}")
    shown = [name if len(name) <= 14 else name[:13] + "…" for name in names]
    size = style.SMALL if len(names) <= TALLEST / ROW else max(2.0, style.SMALL * TALLEST / ROW / len(names))
    left = 0.2 + max(style.extent(name, size)[0] for name in shown)
    tall = min(TALLEST, ROW * len(names))
    height = 0.3 + tall + BOTTOM + BAR + 0.38
    width = WIDTH + max(0.0, left - LEFT)
    with style.look():
        figure = style.figure(width, height)
        axes = figure.add_axes(
            (left / width, (BOTTOM + BAR + 0.38) / height, (width - left - RIGHT) / width, tall / height)
        )
        edges = _edges(steps, span)
        even = 1 / (of or len(names))
        top = max(2 * even, float(shares.max()))
        mesh = axes.pcolormesh(
            edges, np.arange(len(names) + 1) - 0.5, shares.T, cmap="Blues", vmin=0, vmax=top, rasterized=True
        )
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_yticks(range(len(names)), shown, fontsize=size)
        axes.tick_params(axis="y", length=0, labelcolor=style.INK)
        time_axis(axes, span)
        legend(axes)
        bar = figure.add_axes((left / width, 0.34 / height, 0.45 * (width - left - RIGHT) / width, BAR / height))
        figure.colorbar(mesh, cax=bar, orientation="horizontal")
        bar.set_xticks((0, even, top), ["0", f"{even:.2g}: even", f"{top:.2g}"] if top > 1.7 * even else None)
        bar.set_title("share of the samples", size=style.SMALL, color=style.MUTED, loc="left", pad=2)
    return figure


def _edges(steps: Array, span: Span) -> Array:
    """(T + 1,) where the cells of measurements begin and end: half way between them."""
    between = (steps[1:] + steps[:-1]) / 2
    reach = (steps[1] - steps[0]) / 2 if len(steps) > 1 else max(span.last - span.first, 1.0) / 2
    return np.concatenate([[max(span.first, steps[0] - reach)], between, [max(span.last, steps[-1] + 0.5)]])
