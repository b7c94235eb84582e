"""Regions of an image: where they are, which number each has, and what each speaks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from ganexplain.figures import style
from ganexplain.figures.maps import Frame, colours, draw_edges, frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

OUTLINE = 0.9  # points


def region_figure(totals: Tensor, labels: Tensor, image: Tensor, *, unit: str, numbered: Sequence[int] = ()) -> Figure:
    """Regions coloured by what they contribute in total, with a colour bar.

    Args:
        totals: (P,) signed, positive for real.
        labels: (H, W) of 0 to P - 1.
        image: (C, H, W) in [-1, 1], whose edges are drawn below the outlines.
        unit: of the totals.
        numbered: labels that get the numbers 1, 2, ...
    """
    with style.look():
        frames = frame(image.shape[-2:])
        draw_regions(frames, labels, totals, image, unit)
        draw_numbers(frames.axes[-1], labels, numbered)
    return frames.figure


def outline_figure(labels: Tensor, image: Tensor, *, numbered: Sequence[int] = ()) -> Figure:
    """The image with the outlines of its regions, and numbers on those of ``numbered``."""
    from ganexplain.figures.maps import MARGIN, PANEL, TALLEST

    height, width = image.shape[-2:]
    across = min(PANEL, TALLEST * width / height)
    down = across * height / width
    with style.look():
        figure = style.figure(PANEL + 2 * MARGIN, down + 2 * MARGIN)
        total = PANEL + 2 * MARGIN, down + 2 * MARGIN
        box = ((total[0] - across) / 2 / total[0], MARGIN / total[1], across / total[0], down / total[1])
        axes = figure.add_axes(box)
        style.show(axes, image)
        draw_outlines(axes, labels, "#ffffff", 1.8)
        draw_outlines(axes, labels, style.INK, 0.7)
        draw_numbers(axes, labels, numbered)
    return figure


def draw_regions(frames: Frame, labels: Tensor, totals: Tensor, image: Tensor, unit: str) -> None:
    """Colour the regions in the last panel; the colours end at the largest absolute total."""
    total = totals.detach().cpu().double().numpy()
    high = float(np.abs(total).max(initial=0.0))
    axes = frames.axes[-1]
    values = total[labels.cpu().numpy()]
    axes.imshow(values, interpolation="nearest", **colours(unit, high))
    draw_edges(axes, image)
    draw_outlines(axes, labels, style.MUTED, OUTLINE)
    style.bare(axes)
    frames.colour_bar(high, f"{unit} per region")


def draw_outlines(axes: Axes, labels: Tensor, colour: str, width: float) -> None:
    """Lines along the pixel edges between regions (H, W)."""
    from matplotlib.collections import LineCollection

    grid = labels.cpu().numpy()
    rows, columns = np.nonzero(grid[:, 1:] != grid[:, :-1])  # between a pixel and its right neighbour
    segments = [((c + 0.5, r - 0.5), (c + 0.5, r + 0.5)) for r, c in zip(rows, columns, strict=True)]
    rows, columns = np.nonzero(grid[1:] != grid[:-1])
    segments += [((c - 0.5, r + 0.5), (c + 0.5, r + 0.5)) for r, c in zip(rows, columns, strict=True)]
    axes.add_collection(LineCollection(segments, colors=colour, linewidths=width, capstyle="projecting"))


def draw_numbers(axes: Axes, labels: Tensor, numbered: Sequence[int]) -> None:
    """The numbers 1, 2, ... inside the regions of ``numbered``, each at the pixel deepest inside its region."""
    look: dict[str, Any] = {
        "boxstyle": "circle,pad=0.25",
        "facecolor": "#ffffff",
        "edgecolor": style.INK,
        "linewidth": 0.7,
    }
    for i, label in enumerate(numbered):
        row, column = deepest(labels, label)
        axes.text(column, row, str(i + 1), size=style.SMALL, weight="bold", ha="center", va="center", bbox=look)


def deepest(labels: Tensor, label: int) -> tuple[int, int]:
    """(row, column) of the pixel of a region that is farthest from other regions and from the image's edge."""
    from scipy.ndimage import distance_transform_edt

    inside = np.pad(labels.cpu().numpy() == label, 1)
    depth = distance_transform_edt(inside)[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(row), int(column)
