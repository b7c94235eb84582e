"""Does the discriminator know the training images by heart, and does the generator copy them?"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from ganexplain.training.diagnostics._history import History, mean
from ganexplain.training.diagnostics._reading import Diagnostic, Gauge

__all__ = ["Overfitting"]

LATEST = 3  # measurements, of which the middle one counts
RECENT = 0.2
TOLD = 0.55  # share of pairs, below which the discriminator's means differ by chance alone
WARN, FAIL = 0.3, 0.6  # healthy runs end below .2, those on 64 images above 1.2
CLOSER_WARN, CLOSER_FAIL = 0.3, 0.5  # chosen without a run that copies: on 64 images .1, in healthy runs -.5


class Overfitting(Diagnostic):
    """Where held-out images lie between training images and fakes (Karras et al. 2020, ADA, equation 1).

    r_v = (E D(train) - E D(held out)) / (E D(train) - E D(fake)): 0 where held-out images score as training images do,
    1 where they score as fakes do. Factors and constants of the score cancel. The sign of D(train) is not read: it
    means nothing in games whose score has no zero.
    """

    name = "overfitting"
    question = "Does the discriminator know the training images by heart?"

    def gauges(self, history: History) -> Sequence[Gauge] | str:
        """r_v, and how much nearer to training images than held-out ones the fakes are."""
        found = [gauge for gauge in (self.gap(history), self.copies(history)) if gauge is not None]
        if found:
            return found
        if not history.evaluations:
            return history.unmeasured
        return f"the discriminator tells fakes from reals in fewer than {TOLD:.0%} of pairs, so its means say nothing"

    def gap(self, history: History) -> Gauge | None:
        """r_v, the middle one of the latest three."""
        pairs = history.series("accuracy", recent=RECENT)
        if pairs and mean(pairs) < TOLD:
            return None
        means = {name: dict(history.measured("logits", name)) for name in ("train", "held_out", "fake")}
        steps = [step for step in means["train"] if step in means["held_out"] and step in means["fake"]]
        rows = [(means["train"][step], means["held_out"][step], means["fake"][step]) for step in steps[-LATEST:]]
        shares = [(train - held_out) / (train - fake) for train, held_out, fake in rows if train > fake]
        if not shares:
            return None
        share = median(shares)
        place = "as training images do" if share <= 0 else f"{share:.0%} of the way from training images to fakes"
        return Gauge(
            share,
            "share of the gap between training images and fakes",
            WARN,
            FAIL,
            f"held-out images score {place}",
            "the discriminator learns the training images by heart; add images or run.augment, or raise loss.gamma",
        )

    @staticmethod
    def copies(history: History) -> Gauge | None:
        """One less the ratio of the distances to the nearest training image, of fakes and of held-out images."""
        ratios = history.measured("memorisation")
        if not ratios:
            return None
        closer = 1 - ratios[-1][1]
        side = f"{abs(closer):.0%} {'nearer to' if closer > 0 else 'farther from'}"
        return Gauge(
            closer,
            "nearness to training images, beyond that of held-out ones",
            CLOSER_WARN,
            CLOSER_FAIL,
            f"samples are {side} their nearest training image than held-out images are",
            "the generator copies; add images or run.augment, or stop earlier",
        )
