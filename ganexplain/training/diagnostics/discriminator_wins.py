"""Does the discriminator tell nearly every fake from a real?"""

from __future__ import annotations

from ganexplain.training.diagnostics._history import History
from ganexplain.training.diagnostics._pairs import Pairs

__all__ = ["DiscriminatorWins"]


class DiscriminatorWins(Pairs):
    """The share of pairs in which the real scored above the fake: near one, the generator is told nothing."""

    name = "discriminator_wins"
    question = "Does the discriminator tell nearly every fake from a real?"
    # healthy runs end at .72 to .85; frozen generators, and those with a fiftieth of the rate, at .995 to 1
    warn, fail = 0.95, 0.99
    early = "when every fake is told apart"

    def advice(self, history: History) -> str:
        """What weakens a discriminator in this game."""
        penalised = bool(set(history.facts.penalties) & {"r1", "r2"})
        if "gp" in history.facts.penalties:
            return "lower optim.n_critic or optim.lr_ratio"
        raise_ = "raise loss.gamma" if penalised else 'add loss.penalties = ["r1", "r2"]'
        return f"{raise_} or lower optim.lr_ratio; with few images, also add run.augment"
