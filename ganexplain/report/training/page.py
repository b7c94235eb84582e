"""The page on a training: one file that needs nothing else, made of what lies in the training's folder."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ganexplain import __version__, pages, store
from ganexplain.models import health
from ganexplain.report.training import charts, folder, lines, samples, words
from ganexplain.report.words import number

KIND = "ganexplain.training-report"
MARK = f'<meta name="kind" content="{KIND}">'
HEAD = 2000  # bytes of a file in which the mark is looked for
PAGE = "training.html"
PACE = 10  # last lines by which the time left is told
MOST_ROWS = 200  # of a table of settings
LONG = 300  # characters of a value
SHOWN_EVENTS = 40


class TrainingReport:
    """What is known of a training, as a page.

    Args:
        run: what lies in its folder; see `ganexplain.report.training.folder.read`.

    The same files give the same bytes.
    """

    def __init__(self, run: folder.Run) -> None:
        self.run = run

    @classmethod
    def of(cls, path: str | Path) -> TrainingReport:
        """Of the folder of a training, also while it goes on.

        Raises:
            FileNotFoundError: there is no such folder.
            ValueError: no training has written into it.
        """
        return cls(folder.read(path))

    @cached_property
    def document(self) -> dict[str, Any]:
        """The verdict and the last numbers as plain JSON; the curves behind them are the lines of ``metrics.jsonl``."""
        run, found = self.run, self.run.health
        return {
            "kind": KIND,
            "version": __version__,
            "name": self.name,
            "title": f"{words.TITLES[None if found is None else found['verdict']]} – {self.name}",
            "verdict": None if found is None else found["verdict"],
            "sentence": words.verdict(found),
            "state": self.state,
            "progress": progress(run),
            "health": found,
            "latest": latest(run),
            "best": best(run),
            "events": [{"step": int(s), "event": e, "words": w} for s, e, w in run.metrics.events],
            "notes": run.notes,
            "lines": folder.METRICS,
        }

    @property
    def name(self) -> str:
        """Family and data of the GAN, or the folder's name where they are not recorded."""
        family, data = self.run.config("model", "family"), self.run.data.get("name")
        known = all(isinstance(part, str) and part for part in (family, data))
        return health.plain_text(f"{family} on {data}") if known else self.run.name

    @property
    def state(self) -> str:
        """How far it has come, in a sentence or two."""
        run, found = self.run, progress(self.run)
        at, total, events = found["step"], run.planned, run.metrics.events
        if at is None:
            return "No step has been recorded yet."
        last = events[-1] if events and events[-1][0] >= at else None
        of = f" of {total:,}" if total else ""
        if last is not None and last[1] == "diverged":
            return f"It ended at step {last[0]:,.0f}{of}: {last[2].rstrip('.') or 'its values were no longer finite'}."
        if last is not None and last[1] == "interrupt":
            return f"It was interrupted at step {last[0]:,.0f}{of} and can be continued."
        if total is not None and at >= total:
            rest = "" if run.card is not None else "; its judge is still to be trained, or could not be"
            return f"All {total:,} steps are taken{rest}."
        if run.card is not None and total is None:
            return f"It is finished: {at:,} steps."
        return f"It has come to step {at:,}{of}; whether it still goes on, its files do not say.{_left(found)}"

    def html(self) -> str:
        """The page: no script, nothing loaded from elsewhere, every text escaped."""
        environment = pages.templates(Path(__file__).parent.parent / "templates", lstrip_blocks=True)
        run, found = self.run, self.run.health
        span = charts.span_of(run)
        parts = [
            ("game", "The game between the two", charts.game(run, span)),
            ("quality", "The samples against held-out reals", charts.quality(run, span)),
        ]
        shown = {
            "doc": self.document,
            "mark": MARK,
            "tone": words.CLASSES.get(self.document["verdict"], ""),
            "readings": readings(found),
            "sections": [(key, title, [_placed(plot) for plot in plots]) for key, title, plots in parts],
            "drawn": {plot.key for _, _, plots in parts for plot in plots},
            "sheets": self._sheets(),
            "newest": self._newest(),
            "facts": self._facts(),
            "pace": list(_pace(progress(run))),
            "number": number,
            "limits": words.limits,
            "marks": words.MARKS,
            "shaded": found is not None,
            "events": self.document["events"][-SHOWN_EVENTS:],
            "skipped": int(self.document["latest"].get("skipped", 0)),
            "older": max(0, len(self.document["events"]) - SHOWN_EVENTS),
            "command": f"ganexplain training-report {shlex.quote(run.name)}",
        }
        return environment.get_template("training.html").render(shown)

    def _sheets(self) -> list[dict[str, Any]]:
        steps = [step for step, _ in self.run.sheets]
        found = []
        for i in samples.chosen(steps):
            png = samples.redrawn(self.run.sheets[i][1], samples.SIDE)
            if png is not None:
                found.append({"step": steps[i], "src": _uri(png)})
        return found

    def _newest(self) -> dict[str, Any] | None:
        """The last sheet, large, beside reals where the finished GAN carries them."""
        if not self.run.sheets:
            return None
        step, path = self.run.sheets[-1]
        png = samples.redrawn(path, samples.LARGE)
        if png is None:
            return None
        reals = None if self.run.reals is None else samples.reals_png(self.run.reals)
        return {"step": step, "src": _uri(png), "reals": None if reals is None else _uri(reals)}

    def _facts(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Tables of what is recorded: settings, data, machine."""
        given, run = self.run.facts, self.run
        rest = {k: v for k, v in given.items() if k not in ("config", "data", "kind", "schema")}
        config = run.config()
        parts = (("Settings", config), ("Data", run.data), ("Seed, machine and versions", rest))
        return [(title, rows) for title, part in parts if (rows := list(_rows(part))[:MOST_ROWS])]


def readings(found: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Every diagnostic with its question, the gravest first, also those that nothing is known of or asked about."""
    known = {row["name"]: row for row in (found or {"readings": []})["readings"]}
    blank = {"value": None, "unit": "", "warn": None, "fail": None, "level": "unknown", "words": "", "step": None}
    names = [*health.DIAGNOSTICS, *(name for name in known if name and name not in health.DIAGNOSTICS)]
    rows = [{**blank, **known.get(name, {}), "name": name} for name in names]
    asked = words.QUESTIONS
    rows.sort(key=lambda row: ("fail", "warn", "ok", "unknown").index(row["level"]))
    return [row | {"question": asked.get(row["name"], ""), "chart": words.CHARTS.get(row["name"], "")} for row in rows]


def progress(run: folder.Run) -> dict[str, Any]:
    """The last step, steps planned, images seen, and seconds so far, per step and left; None where unknown."""
    steps = run.metrics.steps
    at, seconds = steps.steps, steps["seconds"]
    known = np.isfinite(seconds)
    pace = None
    if known.sum() > 1:
        x, t = at[known][-PACE - 1 :], seconds[known][-PACE - 1 :]
        pace = float((t[-1] - t[0]) / (x[-1] - x[0])) if t[-1] > t[0] else None
    last, total = (int(at[-1]) if len(at) else None), run.planned
    left = None if None in (pace, last, total) else max(0, (total or 0) - (last or 0)) * (pace or 0.0)
    seen, so_far = steps.last("seen"), steps.last("seconds")
    return {
        "step": last,
        "planned": total,
        "seen": None if seen is None else int(seen),
        "seconds": so_far,
        "seconds_per_step": pace,
        "seconds_left": left,
    }


def _left(found: Mapping[str, Any]) -> str:
    left, pace = found["seconds_left"], found["seconds_per_step"]
    if not left:
        return ""
    return f" At the pace of its last lines ({words.duration(pace)} a step) about {words.duration(left)} are left."


def latest(run: folder.Run) -> dict[str, float]:
    """The last value of every column that has one."""
    found = {}
    for columns, names in (
        (run.metrics.steps, lines.STEPS),
        (run.metrics.evaluations, lines.EVALUATIONS),
    ):
        for name in names:
            value = columns.last(name)
            if value is not None and name not in found:
                found[name] = value
    return found


def best(run: folder.Run) -> dict[str, Any] | None:
    """The lowest FD and its step; None before a measurement."""
    found = run.metrics.evaluations
    values = found["fd"]
    if not np.isfinite(values).any():
        return None
    i = int(np.nanargmin(values))
    return {"fd": float(values[i]), "step": int(found.steps[i])}


def _rows(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Dotted names and values of nested mappings, as texts of a bounded length."""
    if isinstance(value, Mapping) and value and name.count(".") < 3:
        for key, part in value.items():
            yield from _rows(part, f"{name}.{health.plain_text(str(key))}".lstrip("."))
    elif value not in (None, "", [], {}):
        yield name, _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.6g}"
    if isinstance(value, list):
        text = ", ".join(_shown(part) for part in value[:60]) + (
            f" and {len(value) - 60} more" if len(value) > 60 else ""
        )
    else:
        text = str(value)
    return text if len(text) <= LONG else f"{text[: LONG - 1]}…"


def _placed(plot: charts.Plot) -> dict[str, str]:
    return {"key": plot.key, "title": plot.title, "caption": plot.caption, "alt": plot.alt, "src": _uri(plot.png)}


def _pace(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if found["step"] is not None:
        yield "Steps", f"{found['step']:,}" + (f" of {found['planned']:,}" if found["planned"] else "")
    if found["seen"] is not None:
        yield "Images seen", f"{found['seen']:,}"
    if found["seconds"] is not None:
        yield "Time so far", words.duration(found["seconds"])
    if found["seconds_per_step"] is not None:
        yield "Time a step", f"{words.duration(found['seconds_per_step'])}, over the last lines"
    if found["seconds_left"]:
        yield "Time left", f"about {words.duration(found['seconds_left'])}, at that pace"


def _uri(png: bytes) -> str:
    return pages.inlined({"": png})[""]


def check(out: Path, *, overwrite: bool = False) -> Path:
    """Refuse a file that is something else than an older page on a training.

    Raises:
        ValueError: there is a folder, or another file and ``overwrite`` is false.
    """
    if out.is_dir():
        raise ValueError(f"--out is a file such as {out / PAGE}, and {out} is a folder")
    if out.exists() and not overwrite:
        with out.open("rb") as file:
            if MARK.encode() not in file.read(HEAD):
                raise ValueError(f"{out} is no page on a training; name another file, or overwrite it (--overwrite)")
    return out


def save(report: TrainingReport, out: str | Path, *, overwrite: bool = False) -> Path:
    """Write the page whole or not at all; an older page on a training gives way.

    Raises:
        ValueError: see `check`.
        OSError: it cannot be written; an older page is then untouched.
    """
    return store.write_bytes(check(Path(out), overwrite=overwrite), report.html().encode("utf-8", "replace"))
