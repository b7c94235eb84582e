"""Bars of latent directions, each beside the image as it is and without that direction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ganexplain.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW, CELL = 0.74, 0.62  # inches: a row, and an image in it
BARS, GAP, MARGIN = 2.6, 0.16, 0.14
TOP, BOTTOM = 0.38, 0.55
LONGEST = 26  # letters of a name, after which it goes on in a second line
REST = "#8c959f"
SURE = 2  # standard errors from which on a value is told from zero
PALE = {style.REAL: "#a9cdf5", style.FAKE: "#f3b4b9"}


@dataclass(frozen=True)
class Bar:
    """One direction.

    Attributes:
        name: what it is called.
        value: positive for real, negative for fake.
        without: (C, H, W) in [-1, 1], the image with this amount at the mean of the origins.
        logit: of that image, higher is more real.
        error: standard error of the value, or None.
        rest: all that no direction is, drawn last and apart.
    """

    name: str
    value: float
    without: Tensor
    logit: float
    error: float | None = None
    rest: bool = False


def codes_figure(image: Tensor, bars: Sequence[Bar], *, unit: str, logit: float, note: str = "") -> Figure:
    """A row for each direction, the largest value on top and the rest below all others.

    Args:
        image: (C, H, W) in [-1, 1], what is explained.
        bars: the directions; at most one of them is the rest.
        unit: of the values.
        logit: of the image, higher is more real.
        note: one line of small print below.

    Raises:
        ValueError: no directions, more than one rest, or images of another size.
    """
    if not bars or sum(bar.rest for bar in bars) > 1:
        raise ValueError(f"a figure of codes needs at least one direction and at most one rest, got {len(bars)} bars")
    for bar in bars:
        if bar.without.shape != image.shape:
            raise ValueError(
                f"the image without {bar.name!r} must have the shape {tuple(image.shape)}, got "
                f"{tuple(bar.without.shape)}"
            )
    ordered = sorted(bars, key=lambda bar: (bar.rest, -abs(bar.value)))
    cell = CELL * image.shape[2] / max(image.shape[1:]), CELL * image.shape[1] / max(image.shape[1:])
    names = [_broken(bar.name) for bar in ordered]
    left = MARGIN + max(style.extent(line)[0] for name in names for line in name.split("\n")) + GAP
    right = left + BARS + GAP
    said = style.extent(f"logit {logit:+.2f} → {logit:+.2f}0", style.SMALL)[0]
    width = max(right + 2 * cell[0] + 2 * GAP + said + MARGIN, 2 * MARGIN + style.extent(note, style.SMALL)[0])
    height = TOP + ROW * len(ordered) + BOTTOM + (0.2 if note else 0)
    with style.look():
        figure = style.figure(width, height)
        low = height - TOP - ROW * len(ordered)
        axes = figure.add_axes((left / width, low / height, BARS / width, ROW * len(ordered) / height))
        _bars(axes, ordered, names, unit)
        place: dict[str, Any] = {"size": style.SMALL, "ha": "center", "va": "bottom", "color": style.MUTED}
        above = (low + ROW * len(ordered) + 0.06) / height
        for k, head in enumerate(("as it is", "without")):
            figure.text((right + k * (cell[0] + GAP) + cell[0] / 2) / width, above, head, **place)
        for i, bar in enumerate(ordered):
            middle = low + ROW * (len(ordered) - i - 0.5)
            for k, shown in enumerate((image, bar.without)):
                at = right + k * (cell[0] + GAP), middle - cell[1] / 2
                style.show(figure.add_axes((at[0] / width, at[1] / height, cell[0] / width, cell[1] / height)), shown)
            text = f"logit {logit:+.2f} → {bar.logit:+.2f}".replace("-", "−")
            at = right + 2 * (cell[0] + GAP), middle
            figure.text(at[0] / width, at[1] / height, text, size=style.SMALL, va="center", color=style.INK)
        if note:
            figure.text(MARGIN / width, 0.08 / height, note, size=style.SMALL, color=style.MUTED, va="bottom")
    return figure


def _bars(axes: Axes, bars: Sequence[Bar], names: Sequence[str], unit: str) -> None:
    from matplotlib.ticker import MaxNLocator

    errors = [bar.error or 0.0 for bar in bars]
    for i, bar in enumerate(bars):
        colour = style.REAL if bar.value > 0 else style.FAKE
        look: dict[str, Any] = {"facecolor": colour, "edgecolor": colour}
        if abs(bar.value) < SURE * errors[i]:
            look = {"facecolor": PALE[colour], "edgecolor": PALE[colour]}
        if bar.rest:
            look = {"facecolor": style.PAPER, "edgecolor": colour, "hatch": "////"}
            axes.axhline(i - 0.5, color=REST, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.barh([i], [bar.value], height=0.44, linewidth=0.8, **look)
        if errors[i]:
            axes.errorbar([bar.value], [i], xerr=[errors[i]], ecolor=style.INK, elinewidth=1.0, capsize=2.5, fmt="none")
    axes.axvline(0, color=style.INK, linewidth=0.8)
    axes.set_yticks(range(len(bars)), names)
    for tick, bar in zip(axes.get_yticklabels(), bars, strict=True):
        tick.set_fontstyle("italic" if bar.rest else "normal")
    axes.tick_params(axis="y", length=0, labelsize=style.NORMAL, labelcolor=style.INK)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    far = max(abs(bar.value) + error for bar, error in zip(bars, errors, strict=True)) or 1.0
    axes.set_xlim(-1.08 * far, 1.08 * far)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, symmetric=True))
    axes.xaxis.set_major_formatter(lambda value, _: f"{abs(value):.3g}")
    axes.spines["left"].set_visible(False)
    axes.set_xlabel(unit + (f", with standard errors; pale below {SURE} of them" if any(errors) else ""))
    place: dict[str, Any] = {"transform": axes.transAxes, "size": style.SMALL, "weight": "bold", "va": "bottom"}
    lift = 1 + 0.06 / (ROW * len(bars))
    axes.text(0, lift, "← speaks for fake", color=style.FAKE, ha="left", **place)
    axes.text(1, lift, "speaks for real →", color=style.REAL, ha="right", **place)


def _broken(name: str) -> str:
    """The name in lines of at most `LONGEST` letters, two at most."""
    import textwrap

    return "\n".join(textwrap.wrap(name, LONGEST, max_lines=2, placeholder=" …")) or name
