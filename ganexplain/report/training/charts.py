"""The curves of the page on a training: which lines each holds, and the thresholds that its diagnostics set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ganexplain.figures import style
from ganexplain.figures.curves import Band, Chart, Line, Mark, Rule, Span, curves_figure
from ganexplain.figures.shares import shares_figure
from ganexplain.report.training import words
from ganexplain.report.training.folder import Run
from ganexplain.report.training.lines import Array, Columns, thinned
from ganexplain.report.words import number

POINTS = 1200  # of a line that are drawn
MOST_MARKS, MOST_CLASSES = 200, 40
EVENTS = {"resume": "resume", "interrupt": "interrupt", "diverged": "diverged"}


@dataclass(frozen=True)
class Plot:
    """A figure of the page: its key, heading, caption, alternative text and PNG."""

    key: str
    title: str
    caption: str
    alt: str
    png: bytes


def span_of(run: Run) -> Span:
    """The time axis: from 0 to the last step that anything is known of."""
    metrics = run.metrics
    ends = [part.steps[-1] for part in (metrics.steps, metrics.evaluations) if len(part)]
    resumed = {step for step, name, _ in metrics.events if name == "resume"}  # which says that it was interrupted
    told = [e for e in metrics.events if e[1] != "interrupt" or e[0] not in resumed]
    marks = [Mark(step, EVENTS.get(name, "other")) for step, name, _ in told][-MOST_MARKS:]
    steps, skipped = metrics.steps.steps, metrics.steps["skipped"]
    grown = np.diff(np.nan_to_num(skipped), prepend=0.0) > 0
    marks += [Mark(float(step), "skipped") for step in steps[grown][:MOST_MARKS]]
    return Span(0.0, float(max(ends, default=1.0)), tuple(marks))


def game(run: Run, span: Span) -> list[Plot]:
    """How the two players stand: losses, accuracy, logits, penalties, gradients, schedules."""
    charts = {
        "losses": _losses(run),
        "accuracy": _accuracy(run),
        "logits": _logits(run),
        "overfitting": _derived("overfitting", run, "share of the gap", "overfitting"),
        "penalties": _plain(run, "squared slope", {"r1": "R1, at reals", "r2": "R2, at fakes", "gp": "GP"}, log=True),
        "ratio": _ratio(run),
        "gradients": _players(run, "norm of the gradient", "grad", log=True),
        "rates": _plain(run, "learning rate", {"lr": "generator"}, zero=True),
        "gamma": _plain(run, "gamma", {"gamma": "R1 and R2"}, zero=True) if _penalised(run) else None,
    }
    return list(_drawn(charts, span))


def quality(run: Run, span: Span) -> list[Plot]:
    """How good the samples are: distances, coverage, classes, diversity, memorisation."""
    found = run.metrics.evaluations
    floor, ceiling = found.last("fd_floor"), found.last("fd_ceiling")
    rules = [Rule(value, name) for value, name in ((floor, "floor: reals"), (ceiling, "ceiling: noise")) if value]
    shown = {"precision": "precision", "recall": "recall", "density": "density", "coverage": "coverage"}
    lines = _measured(found, shown)
    top = max((float(np.nanmax(line.values)) for line in lines), default=1.0)
    charts = {
        "fd": _chart("FD", _measured(found, {"fd": "samples"}), rules=rules, log=True),
        "kid": _chart("KID", _spread(_measured(found, {"kid": "samples"}), found)),
        "coverage": _chart("share (density: ratio)", lines, bounds=(0.0, max(1.0, top) * 1.02)),
        "kl": _chart(
            "nats", _measured(found, {"classes.kl": "samples"}), bands=bands(run, "mode_imbalance"), zero=True
        ),
        "variation": _derived("variation", run, "share of the samples", "oscillation"),
        "diversity": _chart(
            "ratio", _measured(found, {"diversity": "samples"}), bands=bands(run, "mode_collapse"), zero=True
        ),
        "memorisation": _chart(
            "ratio", _measured(found, {"memorisation": "samples"}), rules=[Rule(1.0, "held-out reals")], zero=True
        ),
    }
    plots = [replace(plot, caption=plot.caption + words.measured(plot.key, run)) for plot in _drawn(charts, span)]
    strip = _strip(run, span)
    place = next((i for i, plot in enumerate(plots) if plot.key in ("kl", "variation")), len(plots))
    return plots[:place] + strip + plots[place:]


def _drawn(charts: dict[str, Chart | None], span: Span) -> Iterator[Plot]:
    for key, chart in charts.items():
        if chart is not None:
            title, caption = words.CAPTIONS[key]
            yield Plot(key, title, caption, _alt(title, chart), style.png(curves_figure(chart, span)))


def _alt(title: str, chart: Chart) -> str:
    """The curve in words: where each line ends, and between which values it has been."""
    told = []
    for line in chart.lines:
        known = line.values[np.isfinite(line.values)]
        low, high, last = (number(float(v)) for v in (known.min(), known.max(), known[-1]))
        told.append(
            f"{line.name} {last} at step {line.steps[np.isfinite(line.values)][-1]:,.0f}, between {low} and {high}"
        )
    return f"{title} over steps, {chart.unit}: {'; '.join(told)}"


def _chart(unit: str, lines: list[Line], **more: Any) -> Chart | None:
    return Chart(unit, lines, **more) if lines else None


def _line(columns: Columns, column: str, name: str, look: str, ends: tuple[str, str] | None = None) -> Line | None:
    """A column as a line, thinned; ``ends`` are columns with the lowest and the highest behind each value."""
    steps, values = columns.steps, columns[column]
    if not np.isfinite(values).any():
        return None
    at, mean, low, high = thinned(steps, values, POINTS)
    if ends is not None:
        low = thinned(steps, columns[ends[0]], POINTS)[2]
        high = thinned(steps, columns[ends[1]], POINTS)[3]
    spread = ends is not None or len(at) < len(steps)
    return Line(name, look, at, mean, low if spread else None, high if spread else None)


def _penalised(run: Run) -> bool:
    return any(run.metrics.steps.last(name) is not None for name in ("r1", "r2"))


def _plain(run: Run, unit: str, names: dict[str, str], *, log: bool = False, zero: bool = False) -> Chart | None:
    looks = ("first", "second", "third")
    made = (_line(run.metrics.steps, c, name, look) for (c, name), look in zip(names.items(), looks, strict=False))
    lines = [line for line in made if line is not None and (not log or (line.values > 0).any())]
    return _chart(unit, lines, log=log, zero=zero)


def _players(run: Run, unit: str, stem: str, **more: Any) -> Chart | None:
    pairs = ((f"{stem}_d", "discriminator"), (f"{stem}_g", "generator"))
    lines = [line for c, name in pairs if (line := _line(run.metrics.steps, c, name, name)) is not None]
    if more.get("log"):
        lines = [line for line in lines if (line.values > 0).any()]
    return _chart(unit, lines, **more)


def _losses(run: Run) -> Chart | None:
    loss, rules = run.config("loss", "name"), []
    if isinstance(loss, str) and loss in words.BALANCED:
        values, names = words.BALANCED[loss]
        if values[0] == values[1]:
            rules = [Rule(values[0], f"balanced: {names[0]}")]
        else:
            rules = [Rule(v, f"{who} balanced: {n}") for who, v, n in zip("DG", values, names, strict=True)]
    return _players(run, "loss", "loss", rules=rules)


def _accuracy(run: Run) -> Chart | None:
    line = _line(
        run.metrics.steps, "accuracy", "mean; shaded: lowest to highest", "first", ("accuracy_min", "accuracy_max")
    )
    if line is None:
        return None
    low = float(np.nanmin(np.fmin(line.values, line.values if line.low is None else line.low)))
    held = bands(run, "discriminator_wins") + bands(run, "discriminator_loses")
    return Chart("share of pairs", [line], held, [Rule(0.5, "guessing")], bounds=(min(0.45, low), 1.01))


def _logits(run: Run) -> Chart | None:
    found, steps = run.metrics.evaluations, run.metrics.steps
    lines = [_line(steps, "logit_real", "real", "real"), _line(steps, "logit_fake", "fake", "fake")]
    dotted = {"logits.train": ("train", "first"), "logits.held_out": ("held out", "held out")}
    for column, (name, look) in dotted.items():
        lines += [
            Line(line.name, look, line.steps, line.values, dots=True) for line in _measured(found, {column: name})
        ]
    return _chart("logit", [line for line in lines if line is not None])


def _ratio(run: Run) -> Chart | None:
    steps = run.metrics.steps
    r1, r2 = steps["r1"], steps["r2"]
    known = (r1 > 0) & (r2 > 0)
    if not known.any():
        return None
    at, mean, low, high = thinned(steps.steps[known], r2[known] / r1[known], POINTS)
    held = bands(run, "penalty_balance")
    return Chart("R2 / R1", [Line("R2 / R1", "first", at, mean, low, high)], held, [Rule(1.0, "alike")], log=True)


def _measured(found: Columns, names: dict[str, str]) -> list[Line]:
    """Columns of the evaluations as lines with dots."""
    looks, lines = iter(("first", "second", "third", "fourth")), []
    for column, name in names.items():
        values, look = found[column], next(looks)
        known = np.isfinite(values)
        if known.any():
            at, mean, low, high = thinned(found.steps[known], values[known], POINTS)
            few = len(at) == int(known.sum())
            ends = {} if few else {"low": low, "high": high}
            lines.append(Line(name, look, at, mean, dots=few and len(at) <= 60, **ends))
    return lines


def _spread(made: list[Line], found: Columns) -> list[Line]:
    """KID with its standard deviation over subsets, where nothing was thinned."""
    known = np.isfinite(found["kid"])
    sd = found["kid_sd"][known]
    return [
        line if len(sd) != len(line.steps) else replace(line, low=line.values - sd, high=line.values + sd)
        for line in made
    ]


def _derived(key: str, run: Run, unit: str, diagnostic: str) -> Chart | None:
    steps, values = (overfitting if key == "overfitting" else variation)(run)
    if not np.isfinite(values).any():
        return None
    line = Line("discriminator" if key == "overfitting" else "samples", "first", steps, values, dots=len(steps) <= 60)
    return Chart(unit, [line], bands(run, diagnostic), zero=True)


def overfitting(run: Run) -> tuple[Array, Array]:
    """Steps and (D(train) - D(held out)) / (D(train) - D(fake)); NaN where train is not above fake."""
    found = run.metrics.evaluations
    train, held_out, fake = (found[f"logits.{name}"] for name in ("train", "held_out", "fake"))
    gap = train - fake
    return found.steps, np.where(gap > 1e-9, (train - held_out) / np.where(gap > 1e-9, gap, 1.0), np.nan)


def variation(run: Run) -> tuple[Array, Array]:
    """Steps and total variation between the class shares of each measurement and of the one before it."""
    rows = run.metrics.shares
    names = list(dict.fromkeys(name for _, shares in rows for name in shares))
    table = _table(rows, names)
    steps = np.array([step for step, _ in rows], dtype=np.float64)
    return steps[1:], 0.5 * np.abs(np.diff(table, axis=0)).sum(1) if len(rows) > 1 else np.zeros(0)


def _table(rows: list[tuple[float, dict[str, float]]], names: list[str]) -> Array:
    return np.array([[shares.get(name, 0.0) for name in names] for _, shares in rows], dtype=np.float64)


def _strip(run: Run, span: Span) -> list[Plot]:
    rows = run.metrics.shares
    names = list(rows[-1][1]) if rows else []
    if not names:
        return []
    if len(rows) > POINTS:
        rows = [rows[i] for i in np.linspace(0, len(rows) - 1, POINTS).astype(int)]
    table = np.clip(np.nan_to_num(_table(rows, names)), 0, 1)
    order = (
        sorted(np.argsort(table[-1], kind="stable")[:MOST_CLASSES]) if len(names) > MOST_CLASSES else range(len(names))
    )
    kept = [int(i) for i in order]
    steps = np.array([step for step, _ in rows], dtype=np.float64)
    title, caption = words.CAPTIONS["shares"]
    shown = [names[i] for i in kept]
    least, most = (int(f(table[-1])) for f in (np.argmin, np.argmax))
    alt = (
        f"Share of each of {len(names)} classes among the samples; at the end {names[most]} is most common "
        f"({number(float(table[-1][most]))}) and {names[least]} least ({number(float(table[-1][least]))})"
    )
    figure = shares_figure(shown, steps, table[:, kept], span, len(names))
    return [
        Plot(
            "shares",
            title,
            caption + words.measured("shares", run) + words.classes_told(names, len(kept)),
            alt,
            style.png(figure),
        )
    ]


def bands(run: Run, diagnostic: str) -> list[Band]:
    """The thresholds of a diagnostic, where its reading is about what the chart shows."""
    rows = [] if run.health is None else [row for row in run.health["readings"] if row["name"] == diagnostic]
    known = words.UNITS.get(diagnostic, ())
    found = []
    for row in rows[:1]:
        if not any(word in row["unit"].lower() for word in known):
            continue
        above = not words.falling(row)
        for level in ("warn", "fail"):
            limit = row[level]
            if isinstance(limit, list):
                found += [Band(limit[0], level, above=False), Band(limit[1], level, above=True)]
            elif limit is not None:
                found.append(Band(limit, level, above))
    return found
