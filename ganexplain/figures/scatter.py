"""Generated rows over real ones: the first two columns as points, or one column as two histograms."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ganexplain.figures import style

SIDE = 4.0  # inches
MOST = 4000  # points of either kind
POINT = 3.0
BINS = 60


def scatter_png(fakes: Tensor, reals: Tensor | None, names: Sequence[str]) -> bytes:
    """A sheet of rows as PNG; the axes show where the reals are, so that sheets of one run compare.

    Args:
        fakes: (N, F) generated rows.
        reals: (M, F) real rows, or None.
        names: of the F columns.

    Raises:
        ValueError: no rows, or another number of names.
    """
    if fakes.ndim != 2 or not len(fakes) or fakes.shape[1] != len(names):
        raise ValueError(f"a scatter needs rows (N, {len(names)}), got {tuple(fakes.shape)}")
    kinds = [("real", reals, style.MUTED), ("generated", fakes, style.FAKE)]
    shown = [(name, rows[:MOST].detach().double().cpu(), color) for name, rows, color in kinds if rows is not None]
    ends = [_ends(shown[0][1][:, column]) for column in range(min(2, len(names)))]
    with style.look():
        figure = style.figure(SIDE, SIDE)
        axes = figure.add_axes((0.16, 0.12, 0.8, 0.78))
        for name, rows, color in shown:
            across, *up = (column.numpy() for column in rows.T[:2])
            if up:
                axes.scatter(across, up[0], POINT, color=color, linewidths=0, alpha=0.6, label=name)
            else:
                axes.hist(across, BINS, range=ends[0], density=True, histtype="step", color=color, label=name)
        axes.set_xlim(*ends[0])
        axes.set_xlabel(names[0])
        axes.set_ylabel("density" if len(names) == 1 else names[1])
        if len(names) > 1:
            axes.set_ylim(*ends[1])
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, markerscale=3)
        return style.png(figure)


def _ends(values: Tensor) -> tuple[float, float]:
    """The range of the finite values, and a fifth more on either side."""
    known = values[torch.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    margin = 0.2 * (high - low) or 1.0
    return low - margin, high + margin
