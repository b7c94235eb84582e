"""The pictures of one explained row or signal: bars with values, lines with coloured spans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ganexplain.explanation import Explanation
from ganexplain.figures import style
from ganexplain.figures.bars import bars_figure
from ganexplain.figures.lines import Lines, plain_figure, spans_figure, trace_figure
from ganexplain.figures.rows import features_figure
from ganexplain.report.pictures import NUMBERED, Picture, coloured, mapped, sign_of

BARS = 12  # features that are drawn


def row_pictures(explanation: Explanation, entry: Mapping[str, Any]) -> dict[str, Picture]:
    """Of a row: the bars of its strongest features with their values.

    Args:
        explanation: what is drawn.
        entry: its part of `ganexplain.report.content.document`.
    """
    unit, parts = explanation.primary.unit, entry["regions"][:BARS]
    sign = sign_of(explanation.side, unit)
    rows = [(p["position"], p["shown"], p["before"] or "") for p in parts]
    figure = features_figure(rows, [sign * p["value"] for p in parts], _errors(parts), unit=unit)
    told = ", ".join(f"{p['position']} {_side(sign * p['value'], unit)}" for p in parts[:3])
    return {"bars": Picture(style.png(figure), f"Bars of the strongest features of {entry['name']}: {told}")}


def signal_pictures(explanation: Explanation, entry: Mapping[str, Any]) -> dict[str, Picture]:
    """Of a signal: its line with coloured spans, bars, and what every sample contributes where a method says so.

    Args:
        explanation: what is drawn.
        entry: its part of `ganexplain.report.content.document`.
    """
    first, name, form = explanation.primary, entry["name"], explanation.form
    unit, parts = first.unit, entry["regions"][:NUMBERED]
    sign = sign_of(explanation.side, unit)
    other = first.origins[0] if first.compares else None
    lines = Lines.of(form, explanation.image[0], other, f"baseline: {first.baseline.replace('_', ' ')}")
    numbered = [p["label"] for p in parts]
    told = ", ".join(f"{p['number']} at {p['position']} {_side(sign * p['value'], unit)}" for p in parts[:3])
    spans = spans_figure(lines, explanation.regions, sign * explanation.totals(), unit=unit, numbered=numbered)
    names = [f"{p['number']}  {p['position']}" for p in parts]
    bars = bars_figure(names, [sign * p["value"] for p in parts], _errors(parts), unit=unit)
    found = {
        "spans": Picture(style.png(spans), f"The signal {name}, {coloured(unit, 'spans')}; strongest: {told}"),
        "bars": Picture(style.png(bars), f"Bars of the strongest spans of {name}: {told}"),
    }
    fine = mapped(explanation)
    if fine is not None:
        attribution = explanation.attributions[fine]
        own = sign_of(explanation.side, attribution.unit) * attribution.values[0]
        figure = trace_figure(Lines.of(form, explanation.image[0]), own, unit=attribution.unit)
        text = f"What every sample of {name} contributes, by {fine.replace('_', ' ')}"
        found["raw"] = Picture(style.png(figure), text)
    return found


def small(explanation: Explanation) -> bytes | None:
    """A thumbnail: the line of a signal; a row has none."""
    if explanation.form.name != "signal":
        return None
    return style.png(plain_figure(Lines.of(explanation.form, explanation.image[0])))


def _errors(parts: list[Mapping[str, Any]]) -> list[float] | None:
    return None if parts[0]["error"] is None else [p["error"] for p in parts]


def _side(real: float, unit: str) -> str:
    if style.signless(unit) or not real:
        return "for no side"
    return "for real" if real > 0 else "for fake"
