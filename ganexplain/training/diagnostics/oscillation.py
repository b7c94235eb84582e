"""Does the generator go round instead of covering all?"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from ganexplain.training.diagnostics._history import History
from ganexplain.training.diagnostics._reading import Diagnostic, Gauge

__all__ = ["Oscillation"]

EARLY = 0.3  # of the plan, before which classes come and go in every run
LEAST = 3  # changes between consecutive measurements; of the later half of all, the middle one counts
TURNS = 4  # changes of FD at least, for its turns to say something
VARIATION = (0.2, 0.4)  # healthy runs end at .05 to .09, on reals sorted by class at .63 to .8
SWING = (0.1, 0.3)  # at 0 to .02; for data without classes
ADVICE = (
    "the two networks chase each other, or the data are not shuffled; set optim.betas to [0.0, 0.99], lower optim.lr, "
    "or raise loss.gamma"
)


class Oscillation(Diagnostic):
    """How many samples of fixed codes change class between measurements, and how far FD goes to and fro."""

    name = "oscillation"
    question = "Does the generator go round instead of covering all?"

    def gauges(self, history: History) -> Sequence[Gauge] | str:
        """Total variation of the classes, and swings of FD."""
        if not history.evaluations:
            return history.unmeasured
        if history.progress < EARLY:
            return f"less than {EARLY:.0%} of the run is over, when classes come and go in every run"
        found = [gauge for gauge in (self.variation(history), self.swing(history)) if gauge is not None]
        return found or f"there are {len(history.evaluations)} measurements, and more are needed"

    @staticmethod
    def variation(history: History) -> Gauge | None:
        """Total variation between consecutive measurements, the middle one of the later half.

        Not of the latest alone: a rate that falls to nothing stops every generator, wherever it is on its way round.
        """
        rows = [shares for _, shares in history.shares]
        changes = [
            0.5 * sum(abs(one.get(name, 0.0) - two.get(name, 0.0)) for name in one.keys() | two.keys())
            for one, two in zip(rows[:-1], rows[1:], strict=True)
        ]
        if len(changes) < LEAST:
            return None
        value = median(changes[-max(LEAST, (len(changes) + 1) // 2) :])
        words = f"between measurements {value:.0%} of the samples change class (total variation)"
        return Gauge(value, "total variation of the classes between measurements", *VARIATION, words, ADVICE)

    @staticmethod
    def swing(history: History) -> Gauge | None:
        """How much of FD its steps up and down again take, on average over the latest changes.

        A step counts as far as the next one takes it back, so that neither a steady fall nor a plateau counts.
        """
        values = [value for _, value in history.measured("fd")][-(TURNS + 2) :]
        if len(values) < TURNS + 1 or min(values) <= 0:
            return None
        moves = [two - one for one, two in zip(values[:-1], values[1:], strict=True)]
        back = [min(abs(a), abs(b)) if a * b < 0 else 0.0 for a, b in zip(moves[:-1], moves[1:], strict=True)]
        value = sum(back) / len(back) / median(values)
        words = f"FD goes to and fro by {value:.0%} of itself between measurements"
        return Gauge(value, "FD to and fro, over FD", *SWING, words, ADVICE)
