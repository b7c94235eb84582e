"""Does the discriminator tell nearly every fake from a real?"""

from __future__ import annotations

from collections.abc import Sequence

from ganexplain.training.diagnostics._history import History, mean
from ganexplain.training.diagnostics._reading import Diagnostic, Gauge

__all__ = ["DiscriminatorWins"]

RECENT = 0.2  # of the steps so far
EARLY = 0.1  # of the plan; a generator that has just begun is always told apart
# healthy runs end at .72 to .85; frozen generators, and those with a fiftieth of the rate, at .995 to 1
WARN, FAIL = 0.95, 0.99


class DiscriminatorWins(Diagnostic):
    """The share of pairs in which the real scored above the fake, over the last fifth of the steps.

    It reads the order of two scores alone, and so means the same in every game.
    """

    name = "discriminator_wins"
    question = "Does the discriminator tell nearly every fake from a real?"

    def gauges(self, history: History) -> Sequence[Gauge] | str:
        """The share of pairs."""
        if history.progress < EARLY:
            return f"less than {EARLY:.0%} of the run is over, when every fake is told apart"
        pairs = history.series("accuracy", recent=RECENT)
        if not pairs:
            return "no step of late was taken"
        share = mean(pairs)
        finding = f"of late the discriminator ranked the real above the fake in {share:.1%} of pairs"
        return (Gauge(share, "share of pairs", WARN, FAIL, finding, self.advice(history)),)

    def advice(self, history: History) -> str:
        """What weakens a discriminator in this game."""
        penalised = bool(set(history.facts.penalties) & {"r1", "r2"})
        if "gp" in history.facts.penalties:
            return "lower optim.n_critic or optim.lr_ratio"
        raise_ = "raise loss.gamma" if penalised else 'add loss.penalties = ["r1", "r2"]'
        return f"{raise_} or lower optim.lr_ratio; with few images, also add run.augment"
