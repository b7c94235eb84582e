"""What a diagnostic finds: a number, what it is compared with, and what that means in words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from ganexplain.training.diagnostics._history import History

OK, WARN, FAIL, UNKNOWN = "ok", "warn", "fail", "unknown"
ORDER = (UNKNOWN, OK, WARN, FAIL)


@dataclass(frozen=True)
class Reading:
    """What one diagnostic says of a run.

    Attributes:
        name: of the diagnostic.
        value: the statistic; None where it could not be measured.
        unit: what it counts.
        warn: threshold, beyond which one should look; None where there is none.
        fail: threshold, beyond which the run is not healthy.
        level: "ok", "warn", "fail", or "unknown" where it was not measured.
        words: one sentence with the number; where something is wrong, with advice; where it was not measured, why.
        step: up to which it looked.
    """

    name: str
    value: float | None
    unit: str
    warn: float | None
    fail: float | None
    level: str
    words: str
    step: int

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Reading:
        """The reading of `to_dict`."""
        return cls(**plain)


@dataclass(frozen=True)
class Gauge:
    """One statistic of a diagnostic, which may have several; the worst speaks.

    Attributes:
        value: the statistic.
        unit: what it counts.
        warn: threshold; None never warns.
        fail: threshold; None never fails.
        finding: what was found, with the number.
        advice: what to do if that is bad.
        falling: whether values below the thresholds are bad.
    """

    value: float
    unit: str
    warn: float | None
    fail: float | None
    finding: str
    advice: str
    falling: bool = False

    @property
    def level(self) -> str:
        """The level: "ok", "warn" or "fail"; a threshold itself is not beyond it."""
        for level, limit in ((FAIL, self.fail), (WARN, self.warn)):
            if limit is not None and (self.value < limit if self.falling else self.value > limit):
                return level
        return OK


class Diagnostic(ABC):
    """Base of all diagnostics; each is a file of this package.

    Attributes:
        name: the file's stem.
        question: what it asks.
    """

    name: ClassVar[str]
    question: ClassVar[str]

    @abstractmethod
    def gauges(self, history: History) -> Sequence[Gauge] | str:
        """The statistics, the one that is drawn as a curve first; a text where none can be measured, which says why."""

    def read(self, history: History) -> Reading:
        """What is found in a run's history."""
        found = self.gauges(history)
        if isinstance(found, str):
            return Reading(self.name, None, "", None, None, UNKNOWN, f"not measured: {found}", history.step)
        worst = max(found, key=lambda gauge: ORDER.index(gauge.level))
        words = worst.finding if worst.level == OK else f"{worst.finding}: {worst.advice}"
        return Reading(self.name, worst.value, worst.unit, worst.warn, worst.fail, worst.level, words, history.step)
