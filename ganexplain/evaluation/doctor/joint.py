"""Before a verdict is turned round: range and slope of the activations together, as either alone may hide the other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ganexplain.evaluation.doctor import architecture, ranges
from ganexplain.evaluation.doctor.contest import BETTER, RELIEVED, Contest, Reading, Variant
from ganexplain.evaluation.doctor.contest import more_accurate as more_right
from ganexplain.evaluation.doctor.fingerprint import refuted
from ganexplain.models.critic import Critic
from ganexplain.models.preprocess import Preprocess
from ganexplain.models.verdict import POOR_AUC, auc

CLOSE = 0.05  # sum of AUC and accuracy by which readings are alike


def variants(critic: Critic, channels: int) -> dict[str, Variant]:
    """The critic with every other slope in every common range, the commoner first."""
    own = critic.preprocess
    reads = {"": own, **ranges.ranges(own, channels)}
    slopes = {word: one for word, one in architecture.variants(critic).items() if architecture.SLOPE in one[1]}
    found: dict[str, Variant] = {}
    for word, read in reads.items():
        for slope, (make, said) in slopes.items():
            name = f"{slope} in {word}" if word else slope
            found[name] = partial(_made, make, read), {**ranges.proposal(own, read), **said}
    return found


def _made(make: Callable[[], Critic], reads: Preprocess) -> Critic:
    return make().with_preprocess(reads)


def upright(tried: Contest) -> str:
    """The commonest of the readings that tell real from fake best without being turned round; empty for none.

    It must do so at least as well as the declared reading does after it is turned round.
    """
    declared = tried.declared
    least = max(auc(*declared.turned) - BETTER, POOR_AUC)
    good = {
        word: one
        for word, one in tried.others.items()
        if one.sign > 0 and one.judged and one.area >= least and not refuted(declared.fit, one.fit)
    }
    if not good:
        return ""
    best = max(_merit(tried, one) for one in good.values())
    alike = {word: one for word, one in good.items() if _merit(tried, one) > best - CLOSE}
    least_saturated = min(one.saturated for one in alike.values())
    return next(word for word, one in alike.items() if one.saturated < least_saturated + RELIEVED)


def convincing(tried: Contest, word: str) -> bool:
    """Whether a reading is also more accurate at its threshold, or saturates far less, than the declared one."""
    declared, other = tried.declared, tried.others[word]
    if not tried.thresholded or min(other.shares) < 0.5:
        return False
    return more_right(declared.turned, other.turned) or declared.saturated - other.saturated > RELIEVED


def _merit(tried: Contest, one: Reading) -> float:
    return one.area + (one.accuracy if tried.thresholded else 0.0)
