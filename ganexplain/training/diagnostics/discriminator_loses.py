"""Does the generator get past the discriminator?"""

from __future__ import annotations

from collections.abc import Sequence

from ganexplain.training.diagnostics._history import History, mean
from ganexplain.training.diagnostics._reading import Diagnostic, Gauge

__all__ = ["DiscriminatorLoses"]

RECENT = 0.2  # of the steps so far
EARLY = 0.1  # of the plan; networks that have just been drawn know nothing
WARN, FAIL = 0.48, 0.4  # healthy runs end above .72 and stay above .55; a frozen discriminator is at 0


class DiscriminatorLoses(Diagnostic):
    """The share of pairs in which the real scored above the fake, over the last fifth of the steps.

    At the optimum of every game it is a half, from above: a discriminator that ranks fakes above reals does not learn,
    and a generator that goes on rising in its score leaves the data.
    """

    name = "discriminator_loses"
    question = "Does the discriminator rank fakes above reals?"

    def gauges(self, history: History) -> Sequence[Gauge] | str:
        """The share of pairs."""
        if history.progress < EARLY:
            return f"less than {EARLY:.0%} of the run is over, when the discriminator knows nothing yet"
        pairs = history.series("accuracy", recent=RECENT)
        if not pairs:
            return "no step of late was taken"
        share = mean(pairs)
        finding = f"of late the discriminator ranked the real above the fake in {share:.1%} of pairs"
        advice = "it does not keep up with the generator; raise optim.lr_ratio or optim.n_critic, or lower loss.gamma"
        return (Gauge(share, "share of pairs", WARN, FAIL, finding, advice, falling=True),)
