"""Are the classes as frequent among the samples as in the data?"""

from __future__ import annotations

from collections.abc import Sequence

from ganexplain.training.diagnostics._history import History
from ganexplain.training.diagnostics._reading import Diagnostic, Gauge

__all__ = ["ModeImbalance"]

EARLY = 1 / 3  # of the plan, before which classes are uneven in every run
KL = (0.3, 0.6)  # healthy runs end at .02 to .37, those that lack half of the classes at .44
LEAST = (0.2, 0.02)  # at .26 to .64, and at 0
EXPECTED = 20  # samples of a class, below which a low number may be chance
ADVICE = "train longer, or change loss.gamma; a conditional GAN makes each class on demand"


class ModeImbalance(Diagnostic):
    """The divergence of the classes of samples from those of the data, and the class that is most often left out."""

    name = "mode_imbalance"
    question = "Are the classes as frequent among the samples as in the data?"

    def gauges(self, history: History) -> Sequence[Gauge] | str:
        """KL(samples || data), and the smallest share of a class beside its share of the data."""
        known = history.measured("classes", "kl")
        if not known:
            return history.unlabelled
        if history.progress < EARLY:
            return f"less than {EARLY:.0%} of the run is over, when classes are uneven in every run"
        value = known[-1][1]
        words = f"the classes of the samples are {value:.2f} nats (KL) from those of the data"
        least = self.least(history)
        return [Gauge(value, "nats", *KL, words, ADVICE), *([] if least is None else [least])]

    @staticmethod
    def least(history: History) -> Gauge | None:
        """The class with the lowest share beside the data's, of those that the number of samples can tell."""
        shares, wanted = history.shares, history.facts.shares
        counted = history.measured("n_fakes")
        if not shares or not wanted or not counted:
            return None
        found = shares[-1][1]
        enough = {name: share for name, share in wanted.items() if share * counted[-1][1] >= EXPECTED}
        if not enough:
            return None
        name = min(enough, key=lambda name: found.get(name, 0.0) / enough[name])
        value = found.get(name, 0.0) / enough[name]
        words = f'the class "{name}" is {value:.2f} times as frequent among the samples as in the data'
        return Gauge(value, "frequency of the rarest class, over that in the data", *LEAST, words, ADVICE, falling=True)
