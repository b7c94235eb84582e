"""The share of pairs in which the discriminator scores the real above the fake: two diagnostics read it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from ganexplain.training.diagnostics._history import History, mean
from ganexplain.training.diagnostics._reading import Diagnostic, Gauge

RECENT = 0.2  # of the steps so far
EARLY = 0.1  # of the plan


class Pairs(Diagnostic):
    """Reads the order of two scores alone, over the last fifth of the steps, and so means the same in every game.

    Attributes:
        warn: threshold.
        fail: threshold.
        falling: whether values below the thresholds are bad.
        early: why it says nothing in the first tenth of a run.
    """

    warn: ClassVar[float]
    fail: ClassVar[float]
    falling: ClassVar[bool] = False
    early: ClassVar[str]

    def gauges(self, history: History) -> Sequence[Gauge] | str:
        """The share of pairs."""
        if history.progress < EARLY:
            return f"less than {EARLY:.0%} of the run is over, {self.early}"
        pairs = history.series("accuracy", recent=RECENT)
        if not pairs:
            return "no step of late was taken"
        share = mean(pairs)
        finding = f"of late the discriminator ranked the real above the fake in {share:.1%} of pairs"
        return (Gauge(share, "share of pairs", self.warn, self.fail, finding, self.advice(history), self.falling),)

    @abstractmethod
    def advice(self, history: History) -> str:
        """What to do in this game."""
