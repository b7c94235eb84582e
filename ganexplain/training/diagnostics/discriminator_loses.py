"""Does the generator get past the discriminator?"""

from __future__ import annotations

from ganexplain.training.diagnostics._history import History
from ganexplain.training.diagnostics._pairs import Pairs

__all__ = ["DiscriminatorLoses"]


class DiscriminatorLoses(Pairs):
    """The share of pairs in which the real scored above the fake: at the optimum of every game a half, from above.

    A discriminator that ranks fakes above reals does not learn, and a generator that goes on rising in its score leaves
    the data.
    """

    name = "discriminator_loses"
    question = "Does the discriminator rank fakes above reals?"
    warn, fail = 0.48, 0.4  # healthy runs end above .72 and stay above .55; a frozen discriminator is at 0
    falling = True
    early = "when the discriminator knows nothing yet"

    def advice(self, history: History) -> str:
        """What strengthens a discriminator."""
        return "it does not keep up with the generator; raise optim.lr_ratio or optim.n_critic, or lower loss.gamma"
