"""Is the gradient penalty neither so strong that nothing is learned beside it, nor one-sided?"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ganexplain.training import losses
from ganexplain.training.diagnostics._history import History, mean
from ganexplain.training.diagnostics._reading import Diagnostic, Gauge

__all__ = ["PenaltyBalance"]

RECENT = 0.2
TOLD = 0.6  # share of pairs, below which there is little that a loss could gain
GAIN = (0.1, 0.02)  # healthy runs end at .2 to .66, with 1,000 times the weight at .01
LOAD = (1.0, 10.0)  # at .001 to .007; at 126 in one run with 100 times the learning rate
SIDES = (5.0, 25.0)  # at 1.1; no run was sabotaged for this or the next one
SLOPE = (1.0, 10.0)  # at .01


class PenaltyBalance(Diagnostic):
    """What the penalty leaves of the game.

    A discriminator that ranks a share p of pairs rightly could gain 1 - H(p) of the loss of one that tells nothing
    apart, H in bits (Fano's bound for one yes or no). Held flat by its penalty it gains far less than it ranks: scores
    are in the right order and all but equal. Where the score has no scale (Wasserstein), the slope itself is read.
    """

    name = "penalty_balance"
    question = "Does the penalty leave the discriminator room to learn?"

    def gauges(self, history: History) -> Sequence[Gauge] | str:
        """Gain beside ranking, penalty beside loss, R2 beside R1, and slopes beside 1."""
        if not history.facts.penalties:
            return "the run has no gradient penalty"
        made = (self.sides(history), self.gain(history), self.load(history), self.slope(history))
        found = [gauge for gauge in made if gauge is not None]
        return found or "no penalty has been computed yet, or too few pairs are told apart"

    @staticmethod
    def sides(history: History) -> Gauge | None:
        """R1 and R2, the larger over the smaller."""
        r1, r2 = (mean(history.series(name, recent=RECENT)) for name in ("r1", "r2"))
        if not (r1 > 0 and r2 > 0):
            return None
        value = max(r1 / r2, r2 / r1)
        words = f"the squared slope is {r1:.3g} at reals and {r2:.3g} at fakes, a ratio of {value:.2g}"
        advice = "the discriminator is smooth on one side alone; penalise both, with r1 and r2"
        return Gauge(value, "ratio of R1 and R2, the larger over the smaller", *SIDES, words, advice)

    @staticmethod
    def gain(history: History) -> Gauge | None:
        """The loss gained over that which the ranking would allow."""
        balance = losses.get(history.facts.loss).balance[0]
        share, loss = (mean(history.series(name, recent=RECENT)) for name in ("accuracy", "loss_d"))
        if not balance or not share >= TOLD or math.isnan(loss):
            return None
        p = min(share, 0.999)
        possible = 1 + p * math.log2(p) + (1 - p) * math.log2(1 - p)
        value = (balance - loss) / balance / possible
        words = (
            f"the discriminator ranks {share:.0%} of pairs rightly, and its loss gains {value:.1%} of what that allows"
        )
        advice = "the penalty holds its scores all but equal; lower loss.gamma by a factor of ten or more"
        # a loss above the balance gains nothing, for reasons that have nothing to do with a penalty
        return (
            None
            if value < 0
            else Gauge(value, "gain of the loss, of what the ranking allows", *GAIN, words, advice, falling=True)
        )

    @staticmethod
    def load(history: History) -> Gauge | None:
        """The weighted penalty over the loss of a discriminator that tells nothing apart."""
        balance = losses.get(history.facts.loss).balance[0]
        gamma = mean(history.series("gamma", recent=RECENT))
        parts = [mean(s) for name in ("r1", "r2") if (s := history.series(name, recent=RECENT))]
        if not balance or not parts or math.isnan(gamma):
            return None
        value = gamma / 2 * sum(parts) / balance
        words = f"the penalty is {value:.2g} times the loss of a discriminator that tells nothing apart"
        advice = "it outweighs the game; lower optim.lr, or change loss.gamma by a factor of ten either way"
        return Gauge(value, "penalty, over the loss at balance", *LOAD, words, advice)

    @staticmethod
    def slope(history: History) -> Gauge | None:
        """The mean squared distance of slopes from 1, which a penalty between reals and fakes asks for."""
        off = history.series("gp", recent=RECENT)
        if not off:
            return None
        value = mean(off)
        words = f"slopes between reals and fakes are {math.sqrt(value):.2g} off 1 (root of the mean square)"
        return Gauge(value, "mean squared distance of slopes from 1", *SLOPE, words, "raise loss.gp or lower optim.lr")
