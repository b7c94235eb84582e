"""Bars of signed contributions: fake to the left in red, real to the right in blue, with their standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ganexplain.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 4.2  # inches
ROW = 0.27
TOP, BOTTOM, MARGIN = 0.3, 0.5, 0.12
NEITHER = "#6a51a3"  # of amounts without a sign


def bars_figure(
    names: Sequence[str], real: Sequence[float], errors: Sequence[float] | None = None, *, unit: str
) -> Figure:
    """Horizontal bars, the first name on top.

    Args:
        names: one label a bar.
        real: signed values, positive for real.
        errors: standard errors, drawn as whiskers, or None.
        unit: of the values.

    Raises:
        ValueError: no bars, or not as many values as names.
    """
    if not names or len(names) != len(real):
        raise ValueError(f"bars need as many names as values and at least one, got {len(names)} and {len(real)}")
    left = MARGIN + max(style.extent(name)[0] for name in names) + 0.12
    width, height = left + WIDTH - 1.4 + MARGIN, TOP + ROW * len(names) + BOTTOM
    from matplotlib.ticker import MaxNLocator

    with style.look():
        figure = style.figure(width, height)
        box = (left / width, BOTTOM / height, (width - left - 0.3) / width, ROW * len(names) / height)
        axes = figure.add_axes(box)
        errors = errors if errors and any(errors) else None  # of an exact method there is nothing to draw
        signless = style.signless(unit)
        colours = [NEITHER if signless else style.REAL if v > 0 else style.FAKE for v in real]
        whiskers = {"ecolor": style.INK, "elinewidth": 1.0, "capsize": 2.5}
        axes.barh(range(len(names)), real, xerr=errors, height=0.62, color=colours, error_kw=whiskers)
        axes.axvline(0, color=style.INK, linewidth=0.8)
        axes.set_yticks(range(len(names)), names)
        axes.tick_params(axis="y", length=0, labelsize=style.NORMAL, labelcolor=style.INK)
        axes.set_ylim(len(names) - 0.5, -0.5)
        far = max(abs(v) + e for v, e in zip(real, errors or [0.0] * len(real), strict=True)) or 1.0
        axes.set_xlim(0 if signless else -1.08 * far, 1.08 * far)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, symmetric=not signless))
        axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):.3g}")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(unit.replace("^2", "²") + (", with standard errors" if errors else ""))
        place: dict[str, Any] = {"transform": axes.transAxes, "size": style.SMALL, "weight": "bold", "va": "bottom"}
        if signless:
            return figure
        axes.text(0, 1.02, "← speaks for fake", color=style.FAKE, ha="left", **place)
        axes.text(1, 1.02, "speaks for real →", color=style.REAL, ha="right", **place)
    return figure
