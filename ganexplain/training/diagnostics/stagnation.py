"""Do the samples still get better, before they are as good as they can be?"""

from __future__ import annotations

from collections.abc import Sequence

from ganexplain.training.diagnostics._history import History, Series
from ganexplain.training.diagnostics._reading import Diagnostic, Gauge

__all__ = ["Stagnation"]

LEAST = 3  # measurements
BETTER = 0.02  # of the best distance so far above the floor: an improvement that counts
NEAR = 0.05  # of the way from floor to ceiling, within which samples may rest
WARN, FAIL = 0.4, 0.55  # healthy runs end at .33 or less, those that stop learning after a tenth at .92
WORSE = (1.5, 3.0)


class Stagnation(Diagnostic):
    """How much of the planned run has passed since the best FD improved, and how far above it FD has risen.

    Both are of what FD lies above its floor, that of training images, so that a space of other units changes nothing.
    Samples within a twentieth of the way from floor to noise may rest.
    """

    name = "stagnation"
    question = "Do the samples still get better?"

    def gauges(self, history: History) -> Sequence[Gauge] | str:
        """Time without improvement, and the rise above the best."""
        found, floors, ceilings = (history.measured(name) for name in ("fd", "fd_floor", "fd_ceiling"))
        if not found:
            return history.unmeasured
        if len(found) < LEAST or not floors or not ceilings:
            return f"there are {len(found)} measurements, and at least {LEAST} are needed"
        floor, span = floors[-1][1], max(ceilings[-1][1] - floors[-1][1], 1e-12)
        above = [(step, max(fd - floor, 0.0) / span) for step, fd in found]
        step, best = improved(above)
        idle = 0.0 if best < NEAR else (above[-1][0] - step) / max(history.facts.steps, 1)
        still = f"FD has not improved for {idle:.0%} of the planned steps, {best:.0%} of the way from floor to noise"
        finding = still if idle else f"the best FD is {best:.1%} of the way from floor to noise"
        advice = "change the learning rate, widen the networks, or stop here"
        # twice in a row, since one measurement may be off
        rise = min(value for _, value in above[-2:]) / max(best, NEAR)
        grown = f"FD above its floor is {rise:.1f} times the best, of step {step:,}"
        return (
            Gauge(idle, "share of the planned steps without improvement", WARN, FAIL, finding, advice),
            Gauge(rise, "FD above its floor, over the best", *WORSE, grown, "take the best checkpoint; lower optim.lr"),
        )


def improved(above: Series) -> tuple[int, float]:
    """Step of the last improvement that counts, and the best value."""
    step, mark = above[0]
    for at, value in above[1:]:
        if value < mark * (1 - BETTER):
            step, mark = at, value
    return step, min(value for _, value in above)
