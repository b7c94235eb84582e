"""The verdicts of a patch discriminator over the pixels that they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from torch import Tensor

from ganexplain.figures import maps, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNCOVERED = "#e6e9ed"  # pixels that no patch sees; never a colour of the scale
ROOM = 0.2  # of the panel: the least height of a box that holds its number
EDGE = 0.1  # of the panel: a number beside a box keeps this distance from the edge


class Placed(Protocol):
    """What `patch_figure` reads; see `ganexplain.models.patches.PatchMap`."""

    @property
    def logits(self) -> Tensor:
        """(h, w), higher is more real."""
        ...

    @property
    def placed(self) -> Tensor:
        """(H, W), NaN where no patch lies."""
        ...

    @property
    def boxes(self) -> Tensor:
        """(h, w, 4) top, left, bottom, right."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the largest box."""
        ...

    @property
    def whole(self) -> bool:
        """Every cell sees the whole image."""
        ...

    @property
    def inside(self) -> float | None:
        """The share of its gradient inside its box where it does so beside its box."""
        ...

    @property
    def threshold(self) -> float:
        """Logit below which the verdict is "fake"."""
        ...

    @property
    def unit(self) -> str:
        """Of the logits."""
        ...

    @property
    def most_fake(self) -> tuple[int, int]:
        """The cell with the lowest logit."""
        ...

    @property
    def most_real(self) -> tuple[int, int]:
        """The cell with the highest logit."""
        ...


def patch_figure(patches: Placed, image: Tensor) -> Figure:
    """The image with its most fake and its most real patch, and beside it the placed map.

    The colours are one scale about the threshold, so a map that is red all over is fake all over. A pixel shows the
    mean over the patches that see it, which is calmer than single patches; those in frames have their own logits.

    Args:
        patches: the placed map of ``image``.
        image: (C, H, W) in [-1, 1].

    Raises:
        ValueError: the map belongs to an image of another size.
    """
    if patches.placed.shape != image.shape[-2:]:
        raise ValueError(
            f"the map is one of an image of {tuple(patches.placed.shape)} pixels, got {tuple(image.shape[-2:])}"
        )
    h, w = patches.logits.shape
    with style.look():
        frames = maps.frame(image.shape[-2:], panels=2, title=True)
        first, second = frames.axes
        style.show(first, image)
        first.set_title("the image")
        away = (patches.placed - patches.threshold).abs()
        high = float(away.nan_to_num(0.0).max())
        second.set_title(f"what {h} × {w} patches say" if h * w > 1 else "what one patch says")
        _draw(second, patches, image, high)
        for axes in (first, second):
            _outline(axes, patches)
        _bar(frames, patches, high)
        _scale(frames, patches)
    return frames.figure


def _draw(axes: Axes, patches: Placed, image: Tensor, high: float) -> None:
    from matplotlib.patches import Rectangle

    values = patches.placed.detach().cpu().double().numpy() - patches.threshold
    height, width = values.shape
    if np.isnan(values).any():
        frame = Rectangle(
            (-0.5, -0.5), width, height, facecolor=UNCOVERED, edgecolor=style.LINE, hatch="////", lw=0, zorder=-1
        )
        axes.add_patch(frame)
    axes.imshow(np.ma.masked_invalid(values), interpolation="nearest", **maps.colours("logit", high))
    maps.draw_edges(axes, image)
    style.bare(axes)


def _outline(axes: Axes, patches: Placed) -> None:
    """The boxes of the most fake and of the most real patch, each with its logit."""
    from matplotlib.patches import Rectangle

    h, w = patches.logits.shape
    marked = [(patches.most_fake, style.FAKE), (patches.most_real, style.REAL)]
    for n, (cell, colour) in enumerate(marked[: 2 if h * w > 1 else 1]):
        top, left, bottom, right = patches.boxes[cell].tolist()
        if bottom == top or (n and cell == marked[0][0]):
            continue
        place = (left - 0.5, top - 0.5)
        for line, width in ((style.PAPER, 2.6), (colour, 1.4)):
            frame = Rectangle(place, right - left, bottom - top, fill=False, edgecolor=line, linewidth=width)
            frame.set_clip_on(False)
            axes.add_patch(frame)
        _number(axes, float(patches.logits[cell]), (top, left, bottom, right), colour, low=n == 1)


def _number(axes: Axes, logit: float, box: tuple[int, ...], colour: str, *, low: bool) -> None:
    """The logit at the top of its box, or for ``low`` at the bottom; beside a box that is too small for it."""
    from matplotlib.patheffects import withStroke

    top, left, bottom, right = box
    width, height = axes.get_xlim()[1] + 0.5, axes.get_ylim()[0] + 0.5
    inside = bottom - top >= ROOM * height
    low = low if inside or top > EDGE * height else True
    low = low if inside or bottom < (1 - EDGE) * height else False
    middle = min(max((left + right) / 2, EDGE * width), (1 - EDGE) * width) - 0.5
    text: dict[str, Any] = {"ha": "center", "weight": "bold", "size": style.NORMAL, "color": colour}
    upwards = low if inside else not low
    shift = (0, 2) if upwards else (0, -2)
    at = (middle, (bottom if low else top) - 0.5)
    drawn = axes.annotate(
        maps.number(logit), at, shift, textcoords="offset points", va="bottom" if upwards else "top", **text
    )
    drawn.set_path_effects([withStroke(linewidth=2.2, foreground=style.PAPER)])


def _bar(frames: maps.Frame, patches: Placed, high: float) -> None:
    """The scale about the threshold, with signed logits at its ends."""
    bar, centre = frames.bar, patches.threshold
    bar.imshow(np.linspace(-1, 1, 257)[None], aspect="auto", extent=(-1, 1, 0, 1), **maps.colours("logit", 1.0))
    bar.set_yticks([])
    ends = [centre - high, centre, centre + high]
    bar.set_xticks([-1, 0, 1], [maps.number(v) for v in ends] if high else ["", maps.number(centre), ""])
    first, _, last = bar.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
    for spine in bar.spines.values():
        spine.set(visible=True, color=style.LINE)
    bar.tick_params(labelsize=style.NORMAL, labelcolor=style.INK, pad=2)
    text: dict[str, Any] = {"transform": bar.transAxes, "size": style.NORMAL, "va": "top"}
    low = -(maps.BELOW - 0.23) / maps.BAR
    bar.text(0, low, "← fake", color=style.FAKE, weight="bold", ha="left", **text)
    bar.text(0.5, low, patches.unit, color=style.INK, ha="center", **text)
    bar.text(1, low, "real →", color=style.REAL, weight="bold", ha="right", **text)


def _scale(frames: maps.Frame, patches: Placed) -> None:
    """How large a receptive field is, drawn to the image's scale below it."""
    from matplotlib.lines import Line2D

    (height, width), figure = patches.size, frames.figure
    if not width:
        return
    panel, deep, inch = frames.axes[0].get_position(), frames.bar.get_position(), 1 / figure.get_figheight()
    y, left = (deep.y0 + deep.y1) / 2, panel.x0
    right = left + width * panel.width / patches.placed.shape[1]
    ticks = [y - 0.04 * inch, y + 0.04 * inch]
    for xs, ys in (([left, right], [y, y]), ([left, left], ticks), ([right, right], ticks)):
        figure.add_artist(Line2D(xs, ys, color=style.INK, linewidth=1.2, transform=figure.transFigure))
    said = f"a patch: {height} × {width} pixels"
    if patches.whole:
        said += "\nand a little of all the image" if patches.inside is not None else "\nall of them see everything"
    figure.text(left, deep.y0 - 0.05 * inch, said, size=style.NORMAL, va="top", color=style.INK)
