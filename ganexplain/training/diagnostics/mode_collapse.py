"""Are the samples all alike?"""

from __future__ import annotations

from collections.abc import Sequence

from ganexplain.training.diagnostics._history import History
from ganexplain.training.diagnostics._reading import Diagnostic, Gauge

__all__ = ["ModeCollapse"]

EARLY = 1 / 3  # of the plan, before which recall and classes are low in every run
DIVERSITY = (0.7, 0.3)  # healthy runs end at .95 to 1.01, those without a code at .004
RECALL = (0.1, 0.02)  # at .6 to .8, and at 0
CLASSES = (0.9, 0.5)
ADVICE = (
    "if FD still falls, train longer; else take the relativistic loss with r1 and r2, change loss.gamma, or lower "
    "optim.lr"
)


class ModeCollapse(Diagnostic):
    """How varied samples are beside held-out images: in distance, in what they reach, in classes.

    Precision is not read: a collapsed generator may reach 1.
    """

    name = "mode_collapse"
    question = "Are the samples all alike?"

    def gauges(self, history: History) -> Sequence[Gauge] | str:
        """Diversity, and after a third of the run recall and classes."""
        if not history.evaluations:
            return history.unmeasured
        found = []
        spread = history.measured("diversity")
        if spread:
            value = spread[-1][1]
            words = f"two samples are {value:.2f} times as far apart as two held-out images"
            found.append(Gauge(value, "ratio of mean distances", *DIVERSITY, words, ADVICE, falling=True))
        if history.progress < EARLY:
            return found or f"less than {EARLY:.0%} of the run is over"
        reached = history.measured("recall")
        if reached:
            value = reached[-1][1]
            words = f"the samples reach {value:.1%} of the held-out images (recall)"
            found.append(Gauge(value, "recall", *RECALL, words, ADVICE, falling=True))
        present, of = history.measured("classes", "present"), history.measured("classes", "of")
        if present and of and of[-1][1] > 0:
            value = present[-1][1] / of[-1][1]
            words = f"{present[-1][1]:.0f} of {of[-1][1]:.0f} classes are among the samples"
            found.append(Gauge(value, "classes present, of all", *CLASSES, words, ADVICE, falling=True))
        return found or "the measurements hold neither diversity nor recall nor classes"
