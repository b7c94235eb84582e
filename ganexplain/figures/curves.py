"""Curves over the steps of a training, with the values that a diagnostic warns of shaded, and events on the time axis.

A line that stands for many measurements is drawn as their mean inside the range from the lowest to the highest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ganexplain.figures import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH, HEIGHT = 5.2, 2.75  # inches
LEFT, RIGHT, TOP, BOTTOM = 0.78, 0.16, 0.36, 0.46
LOOKS: dict[str, dict[str, Any]] = {  # by what is drawn; told apart by dashes too, for those who see no colours
    "discriminator": {"color": "#6a51a3"},
    "generator": {"color": "#1a7f37", "linestyle": (0, (5, 1.5))},
    "real": {"color": style.REAL},
    "fake": {"color": style.FAKE, "linestyle": (0, (5, 1.5))},
    "held out": {"color": "#2f9bb3", "linestyle": (0, (1.5, 1.5))},
    "first": {"color": style.INK},
    "second": {"color": style.ACCENT, "linestyle": (0, (5, 1.5))},
    "third": {"color": "#0969da", "linestyle": (0, (1.5, 1.5))},
    "fourth": {"color": "#8250df", "linestyle": (0, (6, 1.5, 1, 1.5))},
}
HANDLE = 0.39  # inches that a name's line and gaps take in a legend
WIDE = 10.0  # highest over lowest value from which an axis is logarithmic
TIGHT = 0.07  # share of an axis in which no word fits
LEVELS = {"warn": "#fdf1c9", "fail": "#fbd9d5"}  # opaque: what fails lies inside what warns
NAMES = {"warn": "#7a4b00", "fail": "#a40e26"}
EVENTS = {  # by name, with its colour and dashes
    "resume": (style.REAL, (0, (2, 2))),
    "interrupt": (style.ACCENT, (0, (4, 2))),
    "diverged": (style.FAKE, (0, ())),
    "other": (style.MUTED, (0, (1, 1))),
}

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Line:
    """One series.

    Attributes:
        name: in the legend.
        look: a key of `LOOKS`.
        steps: (N,), rising.
        values: (N,), NaN where nothing was measured.
        low: (N,) the lowest of the measurements behind each value, or None.
        high: (N,) the highest, or None.
        dots: mark every value, because there are few.
    """

    name: str
    look: str
    steps: Array
    values: Array
    low: Array | None = None
    high: Array | None = None
    dots: bool = False


@dataclass(frozen=True)
class Band:
    """Values that a diagnostic speaks up for: those above its threshold, or below it."""

    limit: float
    level: str  # "warn" or "fail"
    above: bool = True


@dataclass(frozen=True)
class Rule:
    """A value to compare with, named where it is drawn."""

    value: float
    name: str


@dataclass(frozen=True)
class Mark:
    """Something that happened at a step: a key of `EVENTS`, or "skipped" for steps that were left out."""

    step: float
    event: str


@dataclass(frozen=True)
class Chart:
    """What one figure shows.

    Attributes:
        unit: of the values, with what they are.
        lines: at least one.
        bands: thresholds of diagnostics.
        rules: values to compare with.
        log: a logarithmic axis where values of one sign range over more than a decade; the others are left out.
        bounds: ends of the axis where the values have a range of their own, else None.
        zero: whether 0 is on the axis.
    """

    unit: str
    lines: Sequence[Line]
    bands: Sequence[Band] = ()
    rules: Sequence[Rule] = ()
    log: bool = False
    bounds: tuple[float, float] | None = None
    zero: bool = False


@dataclass(frozen=True)
class Span:
    """The time axis that all figures of a run share: its ends in steps, and what happened on it."""

    first: float
    last: float
    marks: Sequence[Mark] = field(default=())


def curves_figure(chart: Chart, span: Span) -> Figure:
    """One chart.

    Raises:
        ValueError: there is no line, or none has a finite value.
    """
    if not any(np.isfinite(line.values).any() for line in chart.lines):
        raise ValueError("a chart needs at least one line with a finite value")
    with style.look():
        figure = style.figure(WIDTH, HEIGHT)
        box = (LEFT / WIDTH, BOTTOM / HEIGHT, (WIDTH - LEFT - RIGHT) / WIDTH, (HEIGHT - TOP - BOTTOM) / HEIGHT)
        axes = figure.add_axes(box)
        for line in chart.lines:
            _line(axes, line, chart.log)
        _scale(axes, chart)
        for band in sorted(chart.bands, key=lambda b: b.level == "fail"):
            _band(axes, band)
        _rules(axes, chart.rules)
        time_axis(axes, span)
        axes.set_ylabel(chart.unit)
        legend(axes)
    return figure


def _line(axes: Axes, line: Line, log: bool) -> None:
    def shown(values: Array) -> Array:
        return np.where(values > 0, values, np.nan) if log else values

    look = dict(LOOKS[line.look])
    dots: dict[str, Any] = {"marker": "o", "markersize": 3} if line.dots or len(line.steps) == 1 else {}
    if line.low is not None and line.high is not None:
        axes.fill_between(line.steps, shown(line.low), shown(line.high), color=look["color"], alpha=0.18, linewidth=0)
    axes.plot(line.steps, shown(line.values), linewidth=1.2, label=line.name, **look, **dots)


def _scale(axes: Axes, chart: Chart) -> None:
    """The ends of the value axis, and its ticks."""
    from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

    low, high = extremes(chart)
    if chart.log and high > WIDE * low:
        axes.set_yscale("log")
        few = high < 200 * low
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,), numticks=8))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_formatter(NullFormatter())
        low, high = low / 1.25, high * 1.25
    elif chart.bounds is None:
        room = 0.07 * (high - low) or max(abs(high), 1.0) * 0.1
        low, high = low - room * (low != 0), high + room
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("-", "−"))
    axes.set_ylim(low, high)


def extremes(chart: Chart) -> tuple[float, float]:
    """The lowest and the highest value that a chart's axis has to hold, above zero where it may be logarithmic.

    What warns is always in sight, so that one sees how far from it a curve is; what fails only where it is near.
    """
    if chart.bounds is not None:
        return chart.bounds
    drawn = [v for line in chart.lines for v in (line.values, line.low, line.high) if v is not None]
    named = [rule.value for rule in chart.rules]
    named += [0.0] if chart.zero else []
    values = np.concatenate([*drawn, np.array(named, dtype=np.float64)])
    values = values[np.isfinite(values) & ((values > 0) | (not chart.log))]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.1, 1.0)
    limits = [band.limit for band in chart.bands if band.level == "warn"]
    far = 2 * max([high, *limits])
    limits += [band.limit for band in chart.bands if band.level == "fail" and low / 2 <= band.limit <= far]
    return min([low, *limits]), max([high, *limits])


def _band(axes: Axes, band: Band) -> None:
    low, high = axes.get_ylim()
    ends = (max(band.limit, low), high) if band.above else (low, min(band.limit, high))
    if ends[0] >= ends[1]:
        return
    axes.axhspan(*ends, facecolor=LEVELS[band.level], linewidth=0, zorder=0)
    word = f"{band.level} {'above' if band.above else 'below'} {_plain(band.limit)}"
    share = axes.transAxes.inverted().transform(axes.transData.transform((1.0, band.limit)))[1]
    tight = (1 - share if band.above else share) < TIGHT  # the name stands on the other side of the threshold, apart
    upwards = band.above != tight
    axes.annotate(
        word,
        (0.66 if tight else 1, band.limit),
        xycoords=("axes fraction", "data"),
        xytext=(-3, 2.0 if upwards else -2.0),
        textcoords="offset points",
        ha="right",
        va="bottom" if upwards else "top",
        size=style.SMALL - 1,
        color=NAMES[band.level],
        zorder=4,
    )


def _plain(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _rules(axes: Axes, rules: Sequence[Rule]) -> None:
    from matplotlib.patheffects import withStroke

    low, high = axes.get_ylim()
    for rule in rules:
        if not low <= rule.value <= high:
            continue
        axes.axhline(rule.value, color=style.MUTED, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
        place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
        height = axes.transAxes.inverted().transform(axes.transData.transform((0.0, rule.value)))[1]
        under = height > 0.9  # above it would be among the names of the lines
        look: dict[str, Any] = {"ha": "left", "va": "top" if under else "bottom", "size": style.SMALL - 1}
        name = axes.annotate(
            rule.name, (0, rule.value), xytext=(4, -2 if under else 2), color=style.MUTED, zorder=4, **place, **look
        )
        name.set_path_effects([withStroke(linewidth=2, foreground=style.PAPER)])  # curves may run behind it


def time_axis(axes: Axes, span: Span) -> None:
    """Steps along the axis, with what happened at them."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(span.first, max(span.last, span.first + 1))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("step")
    _marks(axes, span)


def _marks(axes: Axes, span: Span) -> None:
    named = set()
    for mark in span.marks:
        if mark.event == "skipped":
            continue
        colour, dashes = EVENTS.get(mark.event, EVENTS["other"])
        label = mark.event if mark.event not in named else None
        axes.axvline(mark.step, color=colour, linestyle=dashes, linewidth=0.9, alpha=0.8, label=label, zorder=1)
        named.add(mark.event)
    skipped = [mark.step for mark in span.marks if mark.event == "skipped"]
    if skipped:
        place = axes.get_xaxis_transform()
        look: dict[str, Any] = {"marker": "^", "markersize": 4, "linestyle": "none", "color": style.FAKE}
        axes.plot(skipped, [0.02] * len(skipped), transform=place, clip_on=False, label="skipped", zorder=5, **look)


def legend(axes: Axes) -> None:
    """Names above the axes, in one row, as large as fits."""
    handles, names = axes.get_legend_handles_labels()
    if not names:
        return
    across = axes.bbox.width / style.DPI
    taken = sum(style.extent(name, style.SMALL)[0] + HANDLE for name in names)
    size = style.SMALL * min(1.0, across / taken)
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "ncols": len(names)}
    axes.legend(
        handles, names, fontsize=size, handlelength=1.9, columnspacing=1.1, borderaxespad=0.2, borderpad=0, **place
    )
