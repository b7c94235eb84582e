"""All diagnostics of a run, and one verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ganexplain.registry import Registry
from ganexplain.training.diagnostics._history import History
from ganexplain.training.diagnostics._reading import FAIL, OK, UNKNOWN, WARN, Diagnostic, Reading

DIAGNOSTICS: Registry[type[Diagnostic]] = Registry("ganexplain.training.diagnostics", "diagnostic")

HEALTHY, CHECK, UNHEALTHY, EARLY = "HEALTHY", "CHECK", "UNHEALTHY", "TOO EARLY"


@dataclass(frozen=True)
class Health:
    """How a training goes.

    Attributes:
        readings: one of each diagnostic, in alphabetical order.
        step: up to which the run was looked at.
    """

    readings: tuple[Reading, ...]
    step: int

    @property
    def verdict(self) -> str:
        """The verdict: "UNHEALTHY" where a diagnostic fails, else "CHECK" where one warns.

        "HEALTHY" where the samples have been measured too and nothing is wrong, and "TOO EARLY" before that: of samples
        that nobody looked at it is not known whether they are all alike.
        """
        levels = {reading.level for reading in self.readings}
        if FAIL in levels:
            return UNHEALTHY
        if WARN in levels:
            return CHECK
        return HEALTHY if self["mode_collapse"].level == OK else EARLY

    @property
    def words(self) -> str:
        """The verdict in one sentence, with what was not measured."""
        named = {level: self._named(level) for level in (FAIL, WARN, OK, UNKNOWN)}
        unknown = f"; not measured: {_listed(named[UNKNOWN])}" if named[UNKNOWN] else ""
        if self.verdict == EARLY:
            return f"at step {self.step:,} it is too early for a verdict: {self['mode_collapse'].words}"
        if self.verdict == HEALTHY:
            return f"{len(named[OK])} of {len(self.readings)} diagnostics are in order, and none warns{unknown}"
        parts = [
            f"{_listed(named[level])} {word}" for level, word in ((FAIL, "failed"), (WARN, "warned")) if named[level]
        ]
        return f"{', '.join(parts)} at step {self.step:,}{unknown}"

    def __getitem__(self, name: str) -> Reading:
        """The reading of the diagnostic of that name."""
        return {reading.name: reading for reading in self.readings}[name]  # KeyError, never StopIteration

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON: ``verdict``, ``words``, ``step`` and ``readings``."""
        readings = [reading.to_dict() for reading in self.readings]
        return {"verdict": self.verdict, "words": self.words, "step": self.step, "readings": readings}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Health:
        """The health of `to_dict`."""
        return cls(tuple(Reading.from_dict(row) for row in plain["readings"]), plain["step"])

    def _named(self, level: str) -> list[str]:
        return [reading.name.replace("_", " ") for reading in self.readings if reading.level == level]


def examine(history: History) -> Health:
    """Put every diagnostic's question to a run, also while it goes on.

    Args:
        history: of the run so far.
    """
    return Health(tuple(DIAGNOSTICS.get(name)().read(history) for name in DIAGNOSTICS.names()), history.step)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)
