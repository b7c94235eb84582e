"""Rows and signals: bars of features with their values, and lines with coloured spans. Red is fake, blue is real."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ganexplain import checks
from ganexplain.figures import style
from ganexplain.figures.bars import NEITHER, bars_figure
from ganexplain.figures.lines import Lines, spans_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 12  # bars of a figure that is drawn without a report
LONGEST = 34  # letters of a name
GAP, RIGHT, ACROSS, DOWN = 0.1, 0.12, 1.5, 0.19  # inches

Array = np.ndarray[Any, np.dtype[np.float64]]


def values_figure(attribution: Any) -> Figure:
    """The strongest features as bars, or a signal with its spans; of one input.

    Raises:
        ValueError: a batch.
    """
    if len(attribution.images) != 1:
        raise ValueError(f"one input is drawn at a time, got {len(attribution.images)}; index the attribution first")
    form, unit = attribution.form, attribution.unit
    sign = 1 if style.signless(unit) else checks.side(attribution.side)
    totals = sign * attribution.totals()[0].double()
    if form.name == "table":
        shown, before = (form.shown(x[0]) for x in (attribution.images, attribution.origins))
        order = totals.abs().argsort(descending=True, stable=True)[:MOST].tolist()
        rows = [(form.players[i], shown[i], before[i] if attribution.compares else "") for i in order]
        errors = None if attribution.error is None else attribution.error[0, order].tolist()
        return features_figure(rows, totals[order].tolist(), errors, unit=unit)
    other = attribution.origins[0] if attribution.compares else None
    lines = Lines.of(form, attribution.images[0], other, attribution.baseline.replace("_", " "))
    return spans_figure(lines, attribution.players[0], totals, unit=unit)


def features_figure(
    rows: Sequence[tuple[str, str, str]], real: Sequence[float], errors: Sequence[float] | None = None, *, unit: str
) -> Figure:
    """Bars of features, each with its value and in brackets that of the baseline.

    Args:
        rows: name, value and the baseline's value as text; an empty one is left out.
        real: signed values, positive for real.
        errors: standard errors, or None.
        unit: of the values.
    """
    names = [_labelled(*row) for row in rows]
    return bars_figure(names, real, errors, unit=unit)


def _labelled(name: str, value: str, before: str) -> str:
    text = f"{_cut(name, 34)} = {_cut(value, 30)}"
    return f"{text}  [{_cut(before, 22)}]" if before and before != value else text


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def changes_figure(changes: Sequence[Sequence[float]], features: Sequence[str], names: Sequence[str]) -> Figure:
    """What one standard deviation along each direction changes, feature by feature, as bars in one column a direction.

    Args:
        changes: R rows of F numbers in standard deviations of the feature.
        features: F names.
        names: R labels.
    """
    values: Array = np.asarray(changes, dtype=np.float64)
    far = float(np.abs(values).max(initial=0.0)) or 1.0
    shown = [_cut(feature, LONGEST) for feature in features]
    left = 0.15 + max(style.extent(name)[0] for name in shown)
    width, height = left + len(names) * (ACROSS + GAP) + RIGHT, DOWN * len(shown) + 0.8
    from matplotlib.ticker import MaxNLocator

    with style.look():
        figure = style.figure(width, height)
        for i, row in enumerate(values):
            box = ((left + i * (ACROSS + GAP)) / width, 0.5 / height, ACROSS / width, DOWN * len(shown) / height)
            axes = figure.add_axes(box)
            axes.barh(range(len(shown)), row, height=0.66, color=NEITHER)
            axes.axvline(0, color=style.INK, linewidth=0.8)
            axes.set(xlim=(-1.08 * far, 1.08 * far), ylim=(len(shown) - 0.5, -0.5))
            axes.set_yticks(range(len(shown)), shown if i == 0 else [""] * len(shown))
            axes.tick_params(axis="y", length=0, labelsize=style.NORMAL, labelcolor=style.INK)
            axes.set_title(_cut(names[i].splitlines()[0], 24), weight="bold")
            axes.spines["left"].set_visible(False)
            axes.grid(axis="y", color=style.LINE, linewidth=0.4)
            axes.set_axisbelow(True)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=4, symmetric=True))
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:.3g}".replace("-", "−"))
        per = ", per standard deviation of the codes" if len(names) > 2 else ""
        text = f"change in standard deviations of the feature{per}" if len(names) > 1 else "change in its sd"
        place: dict[str, Any] = {"ha": "right", "va": "bottom", "size": style.SMALL, "color": style.MUTED}
        figure.text(1 - RIGHT / width, 0.06 / height, text, **place)
    return figure
