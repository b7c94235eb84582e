"""``metrics.jsonl`` as columns of numbers: read line by line, with limits, whatever is in it.

The file may be in use: its last line may be cut. It may be anybody's: what is no number is NaN, and nothing is taken
on trust but its steps.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from ganexplain.models.health import plain_text

LONGEST = 2**18  # bytes of a line
MOST_LINES, MOST_EVENTS, MOST_CLASSES = 1_000_000, 1000, 1000
FURTHEST = 1e15  # step; beyond, doubles are no longer whole numbers
STEPS = (
    *("loss_d", "loss_g", "r1", "r2", "gp", "accuracy", "accuracy_min", "accuracy_max", "logit_real", "logit_fake"),
    *("grad_d", "grad_g", "skipped", "non_finite_in_a_row", "lr", "gamma", "seen", "seconds"),
)
EVALUATIONS = (
    *(
        "fd",
        "fd_floor",
        "fd_ceiling",
        "fd_images",
        "kid",
        "kid_sd",
        "precision",
        "recall",
        "density",
        "coverage",
        "diversity",
        "memorisation",
    ),
    *("logits.train", "logits.held_out", "logits.fake", "classes.present", "classes.of", "classes.kl"),
    *("classes.reader_accuracy", "n_fakes", "seconds"),
)
TEXTS = ("fd_space", "classes.reader")

Array = np.ndarray[Any, np.dtype[np.float64]]


class Columns:
    """Numbers by name and step; a step that comes again replaces what came since it, as a continued run does.

    Args:
        names: of the columns.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._steps, self._values = array("d"), {name: array("d") for name in names}

    def add(self, step: float, line: Mapping[str, Any]) -> None:
        """One line; ``logits.train`` is the entry ``train`` of its ``logits``."""
        self._steps.append(step)
        for name, values in self._values.items():
            values.append(number(_at(line, name)))

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def steps(self) -> Array:
        """(N,) rising."""
        kept: Array = np.asarray(self._steps, dtype=np.float64)[self._kept()]
        return kept

    def __getitem__(self, name: str) -> Array:
        """(N,) values of a column, NaN where a line had no number."""
        kept: Array = np.asarray(self._values[name], dtype=np.float64)[self._kept()]
        return kept

    def _kept(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        return latest(np.asarray(self._steps, dtype=np.float64))

    def last(self, name: str) -> float | None:
        """The last value that is a number, or None."""
        known = self[name][np.isfinite(self[name])]
        return float(known[-1]) if len(known) else None


@dataclass
class Metrics:
    """What the lines say.

    Attributes:
        steps: means over the steps between lines, by the names of `STEPS`.
        evaluations: measurements of the samples, by the names of `EVALUATIONS`.
        shares: per evaluation with classes, its step and the share of each class among the samples.
        events: step, name and words of what happened.
        told: texts of the last measurement, such as the name of its feature space.
        notes: what could not be read, one sentence each.
    """

    steps: Columns = field(default_factory=lambda: Columns(STEPS))
    evaluations: Columns = field(default_factory=lambda: Columns(EVALUATIONS))
    shares: list[tuple[float, dict[str, float]]] = field(default_factory=list)
    events: list[tuple[float, str, str]] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def take(self, line: Any) -> bool:
        """Take one line in; whether it was understood."""
        if not isinstance(line, dict):
            return False
        step, kind = number(line.get("step")), line.get("kind")
        if not 0 <= step <= FURTHEST:
            return False
        if kind == "steps":
            self.steps.add(step, line)
        elif kind == "evaluation":
            self.evaluations.add(step, line)
            self._classes(step, line)
            self.told = {name: text for name in TEXTS if (text := plain_text(_at(line, name)))}
        elif kind == "event" and len(self.events) < MOST_EVENTS:
            self.events.append((step, plain_text(line.get("event")) or "event", plain_text(line.get("words"))))
        return kind in ("steps", "evaluation", "event")

    def _classes(self, step: float, line: Mapping[str, Any]) -> None:
        shares = _at(line, "classes.shares")
        if not isinstance(shares, Mapping) or not 0 < len(shares) <= MOST_CLASSES:
            return
        self.shares.append((step, {plain_text(str(name)): number(value) for name, value in shares.items()}))


def read(path: Path) -> Metrics:
    """The lines of a file; see `Metrics.notes` for what was left out."""
    found, unread = Metrics(), 0
    with path.open("rb") as file:
        for i, (line, whole) in enumerate(_lines(file)):
            if i >= MOST_LINES:
                found.notes.append(f"Only the first {MOST_LINES:,} lines of {path.name} were read.")
                break
            if not line.strip():
                continue
            known = _parsed(line)
            if known is None and not whole:
                found.notes.append(
                    f"The last line of {path.name} is cut, as while it is being written; it is left out."
                )
            elif known is None or not found.take(known):
                unread += 1
    if unread:
        are = "line that is" if unread == 1 else "lines that are"
        found.notes.append(f"{unread:,} {are} not as ganexplain writes them left out of {path.name}.")
    known = np.array([step for step, _ in found.shares])
    found.shares = [row for row, kept in zip(found.shares, latest(known), strict=True) if kept]
    return found


def _lines(file: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Lines with whether they end in a line break; one that is too long comes as one that is no JSON."""
    while line := file.readline(LONGEST):
        whole = line.endswith(b"\n")
        if not whole and len(line) == LONGEST:
            line = b"{"
            while not whole and (more := file.readline(LONGEST)):
                whole = more.endswith(b"\n")
        yield line, whole


def _parsed(line: bytes) -> Any:
    """The JSON, or None where it is none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _at(line: Mapping[str, Any], name: str) -> Any:
    found: Any = line
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def latest(steps: Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """(N,) which lines hold: those after which neither the same nor an earlier step comes.

    >>> latest(np.array([1.0, 2.0, 3.0, 2.0, 3.0, 3.0])).tolist()
    [True, False, False, True, False, True]
    """
    from_here = np.minimum.accumulate(steps[::-1])[::-1]
    return steps < np.append(from_here[1:], np.inf)


def number(value: Any) -> float:
    """A number as float; NaN for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if abs(value) < 1e300 else math.nan


def thinned(steps: Array, values: Array, most: int) -> tuple[Array, Array, Array, Array]:
    """At most ``most`` points: means of neighbours, with the lowest and the highest behind each.

    Args:
        steps: (N,), rising.
        values: (N,), NaN where there is none.
        most: at least 1.

    Returns:
        steps, means, lowest and highest, (M,) each; the steps are the last of their neighbours.

    >>> [part.tolist() for part in thinned(np.arange(4.0), np.array([1.0, 3.0, np.nan, 5.0]), 2)]
    [[1.0, 3.0], [2.0, 5.0], [1.0, 5.0], [3.0, 5.0]]
    """
    if len(steps) <= most:
        return steps, values, values, values
    edges = np.linspace(0, len(steps), most + 1).astype(int)
    starts, ends = edges[:-1], edges[1:]
    finite = np.isfinite(values)
    count = np.add.reduceat(finite, starts)
    total = np.add.reduceat(np.where(finite, values, 0.0), starts)
    mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    low, high = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    return steps[ends - 1], mean, low, high
