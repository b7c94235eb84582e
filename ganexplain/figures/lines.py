"""Signals: lines with coloured spans, one channel below the other. Red speaks for fake, blue for real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ganexplain.figures import style
from ganexplain.figures.maps import BELOW, Frame, colours, diverging
from ganexplain.figures.strips import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, RIGHT = 6.6, 0.14  # inches
LEFT = 0.66  # room for numbers and a channel's name
CHANNEL, SMALLEST, TALLEST = 1.1, 0.42, 7.0  # of one axes, and of all together
TOP, GAP, AXIS, BAR = 0.24, 0.14, 0.46, 0.11
TINT = 0.6  # opacity of a coloured span, so that the line stays the strongest thing

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Lines:
    """A signal as it is drawn.

    Attributes:
        values: (C, L).
        names: C channels, with their units.
        times: (L,).
        clock: unit of the times.
        other: (C, L) drawn thin behind it, such as the baseline, or None.
        other_name: what that is.
    """

    values: Tensor
    names: Sequence[str]
    times: Tensor
    clock: str
    other: Tensor | None = None
    other_name: str = ""

    @classmethod
    def of(cls, form: Any, values: Tensor, other: Tensor | None = None, other_name: str = "") -> Lines:
        """From a `ganexplain.models.signal.Signal`."""
        names = [f"{name}, {unit}" if unit else name for name, unit in zip(form.channels, form.units, strict=True)]
        times = torch.arange(values.shape[-1], dtype=torch.float64) / (form.sample_rate or 1.0)
        return cls(values, names, times, form.clock, other, other_name)


def spans_figure(lines: Lines, labels: Tensor, totals: Tensor, *, unit: str, numbered: Sequence[int] = ()) -> Figure:
    """The signal's channels one below the other, its spans coloured by what they contribute, with a colour bar.

    Args:
        lines: the signal.
        labels: (C, L) of 0 to P - 1.
        totals: (P,) signed, positive for real.
        unit: of the totals.
        numbered: labels that get the numbers 1, 2, ...
    """
    total: Array = totals.detach().cpu().double().numpy()
    high = float(np.abs(total).max(initial=0.0))
    with style.look():
        figure, axes, bar = _frame(len(lines.values))
        where = labels.cpu().numpy()
        for row, (ax, own) in enumerate(zip(axes, where, strict=True)):
            for start, stop, part in runs(own):
                ends = _edge(lines.times, start), _edge(lines.times, stop)
                _shade(ax, ends, float(total[part]), colours(unit, high))
                if part in numbered:
                    _number(ax, sum(ends) / 2, list(numbered).index(part) + 1)
            _line(ax, lines, row)
        _finish(axes, lines)
        if bar is not None:
            Frame(figure, axes, bar).colour_bar(high, f"{unit} per span")
            bar.images[0].set_alpha(TINT)
    return figure


def _shade(axes: Axes, ends: tuple[float, float], value: float, how: dict[str, Any]) -> None:
    import matplotlib

    colour = matplotlib.colormaps[how["cmap"]] if isinstance(how["cmap"], str) else how["cmap"]
    share = (value - how["vmin"]) / (how["vmax"] - how["vmin"])
    axes.axvspan(*ends, facecolor=colour(share), alpha=TINT, edgecolor=style.LINE, linewidth=0.4, zorder=0)


def _number(axes: Axes, x: float, number: int) -> None:
    look = {"boxstyle": "circle,pad=0.2", "facecolor": style.PAPER, "edgecolor": style.INK, "linewidth": 0.7}
    place: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "center", "bbox": look}
    axes.text(x, 0.9, str(number), size=style.SMALL, weight="bold", zorder=4, **place)


def trace_figure(lines: Lines, real: Tensor, *, unit: str) -> Figure:
    """The signal, and below the line of each channel what every sample contributes.

    Args:
        lines: the signal.
        real: (C, L) signed values, positive for real.
        unit: of the values.
    """
    values: Array = real.detach().cpu().double().numpy()
    far = float(np.abs(values).max(initial=0.0)) or 1.0
    with style.look():
        figure, axes, _ = _frame(2 * len(lines.values), bar=False)
        times = lines.times.numpy()
        for row, own in enumerate(values):
            _line(axes[2 * row], lines, row)
            below = axes[2 * row + 1]
            if style.signless(unit):
                below.fill_between(times, 0, own, color="#6a51a3", step="mid", linewidth=0)
            else:
                below.fill_between(times, 0, np.maximum(own, 0), color=style.REAL, step="mid", linewidth=0)
                below.fill_between(times, 0, np.minimum(own, 0), color=style.FAKE, step="mid", linewidth=0)
            below.axhline(0, color=style.INK, linewidth=0.6)
            below.set_ylim(0 if style.signless(unit) else -1.05 * far, 1.05 * far)
            below.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.2g}")
            below.set_ylabel("per sample")
        _finish(axes, lines)
        word = unit.replace("^2", "²")
        axes[-1].set_xlabel(f"{axes[-1].get_xlabel()}; filled: {word} per sample, up for real and down for fake")
    return figure


def plain_figure(lines: Lines) -> Figure:
    """The signal alone."""
    with style.look():
        figure, axes, _ = _frame(len(lines.values), bar=False)
        for row, ax in enumerate(axes):
            _line(ax, lines, row)
        _finish(axes, lines)
    return figure


def overlaid_figure(panels: Tensor, amounts: Sequence[float], names: Sequence[str], like: Lines) -> Figure:
    """Signals of a traversal: one axes a channel, one line an amount, from red to blue as amounts grow; 0 in ink.

    Args:
        panels: (R, A, C, L); the channels of a row stand one below the other.
        amounts: A of the edit.
        names: R labels.
        like: one of the signals, for channels and times.
    """
    rows, _, channels, _ = panels.shape
    far = max((abs(a) for a in amounts), default=1.0) or 1.0
    with style.look():
        figure, axes, bar = _frame(rows * channels)
        for i, ax in enumerate(axes):
            row, channel = divmod(i, channels)
            for amount, line in zip(amounts, panels[row, :, channel].detach().cpu().numpy(), strict=True):
                colour = style.INK if amount == 0 else diverging()(0.5 + 0.4 * amount / far)
                ax.plot(like.times.numpy(), line, color=colour, linewidth=1.2 if amount == 0 else 0.9)
            ax.set_ylabel(like.names[channel])
            if channel == 0:
                ax.set_title(names[row].splitlines()[0], loc="left", weight="bold", pad=2)
        _finish(axes, replace(like, other=None))
        if bar is not None:
            bar.imshow(
                np.linspace(0.1, 0.9, 257)[None], aspect="auto", extent=(-1, 1, 0, 1), cmap=diverging(), vmin=0, vmax=1
            )
            bar.set_yticks([])
            bar.set_xticks((-1, 0, 1), [label(-far), "unedited (black)", label(far)])
            text = "edit along the direction, in standard deviations of the codes"
            place: dict[str, Any] = {"transform": bar.transAxes, "ha": "center", "va": "top"}
            bar.text(0.5, -(BELOW - 0.23) / BAR, text, size=style.SMALL, color=style.MUTED, **place)
    return figure


def _frame(count: int, *, bar: bool = True) -> tuple[Figure, list[Axes], Axes | None]:
    """``count`` axes one below the other, and a colour bar under them."""
    tall = max(SMALLEST, min(CHANNEL, TALLEST / count))
    below = AXIS + (BAR + BELOW if bar else 0)
    height = TOP + count * tall + (count - 1) * GAP + below
    figure = style.figure(WIDTH, height)
    across = (WIDTH - LEFT - RIGHT) / WIDTH

    def place(bottom: float, high: float, left: float = LEFT / WIDTH, wide: float = across) -> Axes:
        return figure.add_axes((left, bottom / height, wide, high / height))

    axes = [place(below + (count - 1 - i) * (tall + GAP), tall) for i in range(count)]
    made = place(BELOW, BAR, 0.5 + LEFT / WIDTH / 2 - 0.2, 0.4) if bar else None
    return figure, axes, made


def _edge(times: Tensor, index: int) -> float:
    """The time at which sample ``index`` begins; a sample lasts until the next."""
    step = float(times[1] - times[0]) if len(times) > 1 else 1.0
    return float(times[0]) + (index - 0.5) * step


def _line(axes: Axes, lines: Lines, row: int) -> None:
    times, own = lines.times.numpy(), lines.values[row].detach().cpu().numpy()
    if lines.other is not None:
        other = lines.other[row].detach().cpu().numpy()
        axes.plot(times, other, color=style.MUTED, linewidth=0.8, linestyle=(0, (4, 2)), label=lines.other_name)
    axes.plot(times, own, color=style.INK, linewidth=1.1, label="signal")
    axes.set_ylabel(lines.names[row])


def _finish(axes: Sequence[Axes], lines: Lines) -> None:
    from matplotlib.ticker import MaxNLocator

    for ax in axes:
        ax.set_xlim(_edge(lines.times, 0), _edge(lines.times, len(lines.times)))
        ax.yaxis.set_major_locator(MaxNLocator(nbins=3))
        if ax is not axes[-1]:
            ax.tick_params(labelbottom=False)
    axes[-1].set_xlabel(f"time, {lines.clock}" if lines.clock == "s" else lines.clock)
    if lines.other is not None:
        axes[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, borderaxespad=0.1)


def runs(labels: np.ndarray[Any, Any]) -> list[tuple[int, int, int]]:
    """(start, stop, label) of each stretch of equal labels.

    >>> runs(np.array([0, 0, 2, 2, 2, 0]))
    [(0, 2, 0), (2, 5, 2), (5, 6, 0)]
    """
    edges = [0, *(np.nonzero(labels[1:] != labels[:-1])[0] + 1).tolist(), len(labels)]
    return [(a, b, int(labels[a])) for a, b in zip(edges, edges[1:], strict=False)]
