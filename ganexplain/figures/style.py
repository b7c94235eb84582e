"""What every figure shares: look, sizes, colours, and PNG bytes that depend on nothing but the figure.

No pyplot, hence no global figure list and no window; the user's matplotlibrc has no say, so the same numbers give the
same bytes. Build a figure inside ``with look():`` and hand it to `png`.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from ganexplain import tensors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Figure  # for the annotations of layers that may not name matplotlib

DPI = 150
INK, MUTED, LINE, PAPER = "#1b1f24", "#59636e", "#c9d1d9", "#ffffff"
REAL, FAKE, ACCENT = "#0969da", "#cf222e", "#9a6700"  # evidence for real, for fake, and what is marked
DIVERGING = "RdBu"  # red is fake, blue is real; symmetric about 0
SMALL, NORMAL, TITLE = 7.0, 8.0, 10.0  # points

_LOOK = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so the same glyphs everywhere
    "font.size": NORMAL,
    "axes.titlesize": NORMAL,
    "axes.labelsize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "text.color": INK,
    "text.parse_math": False,  # a name with two dollar signs is a name
    "axes.labelcolor": INK,
    "axes.edgecolor": LINE,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
}


def signless(unit: str) -> bool:
    """Whether amounts in ``unit`` are squares, and so speak for no side.

    >>> signless("(logit per unit)^2 per pixel"), signless("logit per pixel")
    (True, False)
    """
    return "^2" in unit


@contextlib.contextmanager
def look() -> Iterator[None]:
    """Matplotlib's own defaults and this look inside the block; the caller's settings come back afterwards.

    Dollar signs are plain text here, so a logarithmic axis needs plain numbers: ``set_major_formatter("{x:g}")``.
    """
    import matplotlib

    defaults = {k: v for k, v in matplotlib.rcParamsDefault.items() if not k.startswith(("backend", "interactive"))}
    with matplotlib.rc_context({**defaults, **_LOOK}):
        yield


def figure(width: float, height: float) -> Figure:
    """An empty figure of ``width`` by ``height`` inches that pyplot knows nothing of."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=DPI)


def png(figure: Figure) -> bytes:
    """The figure as PNG: same figure, same bytes (no date, no version of matplotlib inside)."""
    file = io.BytesIO()
    with look():
        figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return file.getvalue()


def show(axes: Axes, image: Tensor) -> None:
    """Draw one image (C, H, W) in [-1, 1], its pixels as squares, without ticks."""
    axes.imshow(pixels(image), interpolation="nearest")
    bare(axes)


def pixels(image: Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Bytes (H, W, 3) of one image (C, H, W) in [-1, 1]; grey is repeated, a fourth channel is left out."""
    if image.ndim != 3 or image.shape[0] not in (1, 3, 4):
        raise ValueError(f"image must have the shape (C, H, W) with 1, 3 or 4 channels, got {tuple(image.shape)}")
    rgb = image.expand(3, -1, -1) if image.shape[0] == 1 else image[:3]
    return tensors.to_uint8(rgb).permute(1, 2, 0).cpu().numpy()


def bare(axes: Axes, colour: str = LINE, width: float = 0.8) -> None:
    """No ticks, and a thin frame on all four sides."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(visible=True, color=colour, linewidth=width)


@lru_cache(maxsize=4096)
def extent(text: str, size: float = NORMAL, weight: str = "normal") -> tuple[float, float]:
    """Width and height in inches of ``text`` at ``size`` points, so that a margin can be made as wide as its labels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    with look():
        empty = figure(1, 1)
        renderer = FigureCanvasAgg(empty).get_renderer()
        box = empty.text(0, 0, text, size=size, weight=weight).get_window_extent(renderer)
    return float(box.width) / DPI, float(box.height) / DPI


def outside(figure: Figure, slack: float = 0.5) -> list[str]:
    """Texts that the figure's edge clips by more than ``slack`` pixels; every figure's test wants an empty list."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    with look():
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        renderer, frame, clipped = canvas.get_renderer(), figure.bbox, []
        undrawn = _undrawn_ticks(figure)
        for text in figure.findobj(Text):
            if not text.get_visible() or not text.get_text().strip() or id(text) in undrawn:
                continue
            box = text.get_window_extent(renderer)
            low = min(box.x0 - frame.x0, box.y0 - frame.y0)
            high = min(frame.x1 - box.x1, frame.y1 - box.y1)
            if min(low, high) < -slack:
                clipped.append(text.get_text())
    return clipped


def _undrawn_ticks(figure: Figure) -> set[int]:
    """Tick labels beyond the view limits or of axes switched off: matplotlib keeps them but does not draw them."""
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            gone = not (axes.axison and axis.get_visible())
            for tick in [*axis.majorTicks, *axis.minorTicks]:
                if gone or not low <= tick.get_loc() <= high:
                    hidden |= {id(tick.label1), id(tick.label2)}
    return hidden
