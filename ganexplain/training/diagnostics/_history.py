"""What a run has written down, as its diagnostics read it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ganexplain.training.config import Config

Line = Mapping[str, Any]
Series = list[tuple[int, float]]


@dataclass(frozen=True)
class Facts:
    """What the lines do not say themselves.

    Attributes:
        steps: planned steps of the run.
        loss: name of the game; see `ganexplain.training.losses.LOSSES`.
        penalties: names of the penalties.
        gp: weight of the penalty "gp".
        shares: share of each class among the training images; None without labels, or where they are not known.
    """

    steps: int
    loss: str = "relativistic"
    penalties: tuple[str, ...] = ("r1", "r2")
    gp: float = 10.0
    shares: Mapping[str, float] | None = None

    @classmethod
    def of(cls, config: Config, *, shares: Mapping[str, float] | None = None) -> Facts:
        """The facts of a config."""
        loss = config.loss
        return cls(config.run.steps, loss.name, loss.penalties, loss.gp, shares)


class History:
    """The lines of ``metrics.jsonl`` and the facts of the run.

    Where steps were done again, as after a run was continued from an earlier checkpoint, the later lines count.

    Args:
        lines: each with "kind" ("steps", "evaluation" or "event") and "step"; other kinds are left out.
        facts: of the run.

    Attributes:
        steps: lines of means over steps, in the order of their steps.
        evaluations: lines of measurements.
        events: lines of what happened.
    """

    def __init__(self, lines: Iterable[Line], facts: Facts) -> None:
        self.facts = facts
        kept: list[Line] = []
        for line in lines:
            if not isinstance(line, Mapping) or not isinstance(line.get("step"), int):
                raise ValueError(f'each line of a history must be a mapping with "kind" and "step", got {line!r:.80}')
            if kept and kept[-1]["step"] > line["step"]:  # the run was continued from before: all from here on is new
                kept = [old for old in kept if old["step"] < line["step"]]
            kept.append(line)
        self.steps, self.evaluations, self.events = (
            [line for line in kept if line.get("kind") == kind] for kind in ("steps", "evaluation", "event")
        )

    @classmethod
    def read(cls, path: str | Path, facts: Facts) -> History:
        """The history in a file; a last line that is cut, since it is being written, is left out.

        Raises:
            FileNotFoundError: no such file.
            ValueError: another line is damaged.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"no history {path}; a run writes it as metrics.jsonl into its folder")
        texts = path.read_text(encoding="utf-8", errors="replace").splitlines()
        lines = []
        for number, text in enumerate(texts, 1):
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError as problem:
                if number < len(texts):
                    raise ValueError(f"line {number} of {path} is not JSON ({problem}); cut the file there") from None
        return cls(lines, facts)

    def until(self, step: int) -> History:
        """The history as it was at a step."""
        lines = (*self.steps, *self.evaluations, *self.events)
        return History(sorted((x for x in lines if x["step"] <= step), key=lambda line: int(line["step"])), self.facts)

    @cached_property
    def step(self) -> int:
        """The last step that is written down; 0 where none is."""
        return max((int(part[-1]["step"]) for part in (self.steps, self.evaluations, self.events) if part), default=0)

    @property
    def progress(self) -> float:
        """How much of the run is over."""
        return self.step / max(self.facts.steps, 1)

    def series(self, name: str, *, recent: float = 1.0) -> Series:
        """Steps and finite values of a column of the lines of means.

        Args:
            name: of the column.
            recent: how much of the steps so far, counted from the last one.
        """
        return _series(self.steps, name, self.step * (1 - recent))

    def measured(self, *names: str) -> Series:
        """Steps and finite values of a column of the measurements; several names lead into nested mappings."""
        return _series(self.evaluations, names[0], -1, names[1:])

    @cached_property
    def shares(self) -> list[tuple[int, dict[str, float]]]:
        """Steps and the share of each class among the samples; of measurements without classes nothing."""
        found = []
        for line in self.evaluations:
            classes = line.get("classes")
            if isinstance(classes, Mapping) and classes.get("shares"):
                found.append((int(line["step"]), {k: float(v) for k, v in classes["shares"].items()}))
        return found

    @property
    def unmeasured(self) -> str:
        """Why nothing is known of the samples."""
        return "no measurement of the samples has been made yet"

    @property
    def unlabelled(self) -> str:
        """Why nothing is known of the classes of the samples."""
        return "the data have no classes" if self.evaluations else self.unmeasured


def mean(series: Series) -> float:
    """Mean of the values; NaN of none."""
    return math.fsum(value for _, value in series) / len(series) if series else math.nan


def _series(lines: list[Line], name: str, after: float, path: tuple[str, ...] = ()) -> Series:
    found = []
    for line in lines:
        value: Any = line.get(name) if line["step"] > after else None
        for part in path:
            value = value.get(part) if isinstance(value, Mapping) else None
        if isinstance(value, int | float) and math.isfinite(value):
            found.append((int(line["step"]), float(value)))
    return found
