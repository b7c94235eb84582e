"""What a run leaves in its folder while it goes on: ``metrics.jsonl``, sheets of samples, TensorBoard's events."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganexplain import store
from ganexplain.figures.grid import grid_png
from ganexplain.models.gan import GAN
from ganexplain.training.events import Events
from ganexplain.training.loop import Step

FILE = "metrics.jsonl"
AVERAGED = (
    *("loss_d", "loss_g", "r1", "r2", "gp", "accuracy"),
    *("logit_real", "logit_fake", "grad_d", "grad_g"),
)
LATEST = ("skipped", "lr", "gamma", "seen", "seconds")
LONGEST_LINE = 2**20  # characters; more than a measurement of a thousand classes takes


class Recorder:
    """Writes a line of means every ``every`` steps and a sheet of the same codes every ``sheets`` steps.

    Each line of ``metrics.jsonl`` is a JSON object with "kind" ("steps", "evaluation" or "event") and "step".

    Args:
        folder: where; made if missing.
        every: steps a line; the first step has one of its own.
        sheets: steps a sheet.
        n: samples a sheet.
        after: a run that is continued after this step keeps its lines up to it; None replaces an older file.
        events: what also goes to TensorBoard, or None.

    Attributes:
        lines: all lines of the run.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        every: int = 50,
        sheets: int = 1000,
        n: int = 100,
        after: int | None = None,
        events: Events | None = None,
    ) -> None:
        if min(every, sheets, n) < 1:
            raise ValueError(f"every, sheets and n must be at least 1, got {every}, {sheets} and {n}")
        self.folder, self.every, self.sheets, self.n = Path(folder), every, sheets, n
        self.events = events
        self.window: list[Step] = []
        self.streak = 0  # non-finite steps in a row, over windows
        self.lines = [] if after is None else [line for line in read_lines(self.folder) if line["step"] <= after]
        text = "".join(_text(line) for line in self.lines)
        store.write_bytes(self.folder / FILE, text.encode())

    @property
    def last(self) -> dict[str, Any] | None:
        """The last line of means."""
        return next((line for line in reversed(self.lines) if line["kind"] == "steps"), None)

    def add(self, step: Step, gan: GAN) -> None:
        """Take one step in."""
        self.window.append(step)
        if step.step % self.every == 0 or step.step == 1:
            self.flush()
        if step.step % self.sheets == 0:
            self.sheet(gan, f"samples-{step.step:06d}.png")

    def flush(self) -> None:
        """Write the line of the steps since the last one; means over the steps that were taken."""
        if not self.window:
            return
        longest = 0
        for one in self.window:
            self.streak = 0 if one.finite else self.streak + 1
            longest = max(longest, self.streak)
        found = {name: _finite(getattr(step, name) for step in self.window) for name in AVERAGED}
        line: dict[str, Any] = {name: sum(values) / len(values) if values else None for name, values in found.items()}
        pairs = found["accuracy"]
        line |= {"accuracy_min": min(pairs, default=None), "accuracy_max": max(pairs, default=None)}
        line |= {name: getattr(self.window[-1], name) for name in LATEST}
        line["non_finite_in_a_row"] = longest
        step, self.window = self.window[-1].step, []
        self._write("steps", step, line)

    def evaluation(self, step: int, found: Mapping[str, Any]) -> None:
        """Write what a measurement found."""
        self._write("evaluation", step, found)

    def event(self, step: int, event: str, words: str) -> None:
        """Write that something happened: "resume", "interrupt", "diverged" ..."""
        self._write("event", step, {"event": event, "words": words})

    def sheet(self, gan: GAN, name: str) -> Path:
        """Draw the sheet of samples now."""
        path = store.write_bytes(self.folder / name, samples_png(gan, self.n))
        if self.events:
            self.events.picture(path)
        return path

    def close(self) -> None:
        """Nothing more is written."""
        if self.events:
            self.events.close()

    def state(self) -> dict[str, Any]:
        """The steps that are in no line yet, so that a continued run writes the lines that it would have written."""
        return {"window": [asdict(step) for step in self.window], "streak": self.streak}

    def load(self, state: Mapping[str, Any]) -> None:
        """Continue from a `state`."""
        names = [field.name for field in fields(Step)]
        self.window = [Step(**{name: step[name] for name in names}) for step in state["window"]]
        self.streak = int(state["streak"])

    def _write(self, kind: str, step: int, found: Mapping[str, Any]) -> None:
        line = {"kind": kind, "step": step, **{k: v for k, v in found.items() if k not in ("kind", "step")}}
        self.lines.append(line)
        with (self.folder / FILE).open("a", encoding="utf-8") as file:
            file.write(_text(line))
        if self.events:
            self.events.line(line)


def read_lines(folder: str | Path) -> Iterator[dict[str, Any]]:
    """The lines of a run's ``metrics.jsonl``, also while it is written; half a line is left out.

    Args:
        folder: of the run.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        while text := file.readline(LONGEST_LINE):
            line = _read(text)
            if line is not None:
                yield line


def _read(text: str) -> dict[str, Any] | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(line, dict) and isinstance(line.get("kind"), str) and type(line.get("step")) is int
    return line if whole else None


def _text(line: Mapping[str, Any]) -> str:
    return json.dumps(line, allow_nan=False) + "\n"


def _finite(values: Iterator[float | None]) -> list[float]:
    return [value for value in values if value is not None and math.isfinite(value)]


def samples_png(gan: GAN, n: int = 100) -> bytes:
    """A sheet of ``n`` samples of fixed codes; of a conditional GAN a column a class; of rows, a scatter."""
    if gan.generator.form.name != "images":
        from ganexplain.figures.scatter import scatter_png

        return scatter_png(gan.samples(20 * n, seed=0), gan.reals, getattr(gan.generator.form, "names", ()))
    classes = gan.generator.num_classes
    if not classes:
        return sheet_png(gan.samples(n, seed=0))
    columns = classes if 2 <= classes <= 20 else 10
    n = max(columns, n - n % columns)
    labelled: dict[str, Any] = {"labels": torch.arange(n) % classes}
    return sheet_png(gan.samples(n, seed=0, **labelled), columns)


def sheet_png(samples: Tensor, columns: int = 10) -> bytes:
    """A sheet about 600 pixels wide."""
    return grid_png(samples, columns, max(1, round(600 / (columns * samples.shape[-1]))))
