"""Are there steps whose loss or gradient was NaN or infinite?"""

from __future__ import annotations

from collections.abc import Sequence

from ganexplain.training.diagnostics._history import History
from ganexplain.training.diagnostics._reading import Diagnostic, Gauge

__all__ = ["NonFinite"]

SPAN = 1000  # steps that are looked back on
MOST = 10  # one in a hundred
STREAK = 10  # steps in a row, after which a run is ended
ADVICE = "lower optim.lr or raise loss.gamma; if the first steps are skipped already, look for NaN in the data"


class NonFinite(Diagnostic):
    """Counts the steps that were skipped, of the last 1,000 and in a row."""

    name = "non_finite"
    question = "Were steps skipped since a loss or gradient was not finite?"

    def gauges(self, history: History) -> Sequence[Gauge] | str:
        """How many of the last 1,000 steps, and how many in a row."""
        if not history.steps:
            return "no steps have been written down yet"
        counted = history.series("skipped")
        before = [count for step, count in counted if step <= history.step - SPAN]
        skipped = (counted[-1][1] if counted else 0.0) - (before[-1] if before else 0.0)
        longest = max((count for _, count in history.series("non_finite_in_a_row")), default=0.0)
        if any(event.get("event") == "diverged" for event in history.events):
            longest = max(longest, float(STREAK))
        span = min(SPAN, history.step)
        few = f"{skipped:.0f} of the last {span:,} steps were skipped since something was not finite"
        row = f"{longest:.0f} steps in a row were skipped since something was not finite"
        return (
            Gauge(skipped, f"skipped of the last {SPAN:,} steps", 0, MOST, few, ADVICE),
            Gauge(longest, "skipped steps in a row", None, STREAK - 1, row, ADVICE),
        )
