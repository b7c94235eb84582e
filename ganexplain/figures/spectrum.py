"""The eigenvalue profile of a set of directions beside what chance gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ganexplain.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def spectrum(values: Sequence[float], threshold: float, n_kept: int, *, title: str = "") -> Figure:
    """Draw eigenvalues in descending order; those above the random threshold are dark, the kept ones have a ring.

    Args:
        values: eigenvalues, descending, not negative.
        threshold: what the largest eigenvalue of a random matrix stays below in 95 % of cases.
        n_kept: how many directions were returned.
        title: one line above.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    positive = [v for v in values if v > 0]
    floor = min([*positive, threshold]) / 2  # a zero has no place on a logarithmic axis; it is drawn at its foot
    heights = [max(v, floor) for v in values]
    top = max([*heights, threshold]) * 1.8
    places = range(len(values))
    above = [v > threshold for v in values]
    with style.look():
        figure = style.figure(6.4, 3.2)
        axes = figure.add_axes((0.12, 0.15, 0.85, 0.72))
        axes.set_yscale("log")
        axes.vlines(places, floor, heights, colors=[style.INK if a else style.LINE for a in above], linewidth=1.2)
        for mask, colour in ((True, style.INK), (False, style.MUTED)):
            chosen = [i for i in places if above[i] is mask]
            axes.scatter(chosen, [heights[i] for i in chosen], s=9, color=colour, zorder=3)
        kept: dict[str, Any] = {"s": 42, "facecolor": "none", "edgecolor": style.ACCENT, "linewidth": 1.2, "zorder": 4}
        axes.scatter(range(n_kept), heights[:n_kept], label=f"the {n_kept} directions shown", **kept)
        chance = "95 % of random matrices stay below"
        axes.axhline(threshold, color=style.FAKE, linewidth=1, linestyle=(0, (4, 3)), label=chance)
        axes.legend(loc="upper right")
        axes.set(xlim=(-0.8, len(values) - 0.2), ylim=(floor, top))
        axes.set(xlabel="direction, from 0", ylabel="eigenvalue")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if top / floor > 50 else (1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        figure.text(0.02, 0.93, title, size=style.TITLE, weight="bold", va="center")
    return figure
