"""One way of reading images against others: by AUC, by accuracy at the logit 0, by what BatchNorm saw in training."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ganexplain.evaluation.doctor.area import gain
from ganexplain.evaluation.doctor.fingerprint import Fingerprint, certainty, refuted
from ganexplain.models.critic import Critic
from ganexplain.models.preprocess import Preprocess
from ganexplain.models.verdict import auc

CLEARLY = 2.58  # standard errors of a difference of AUCs: several alternatives are tried, so 99 % and not 95 %
CHANCE = 0.005  # one tail of the same 99 %
BETTER = 0.02  # AUC that is worth a warning
ACCURATE = 0.05  # balanced accuracy that is worth a failure
TIED = 1.25  # ratio of two distances that are alike
NEAR = 0.03  # balanced accuracy by which the threshold of a model that is read as trained may miss the best one
RELIEVED = 0.25  # share of saturated logits that a right range brings back
LARGE_GAIN, SURELY = 0.1, 4.0  # gain in AUC, and in standard errors, that leaves no doubt
LARGE = 10.0  # logits whose probability differs from 0 or 1 by less than 5e-5

Pair = tuple[Tensor, Tensor]
Variant = tuple[Callable[[], Critic], Mapping[str, Any]]  # what makes a critic, and what a spec would say to have it


@dataclass(frozen=True)
class Reading:
    """A critic's logits of the same images, read in one way.

    Attributes:
        critic: that reads them so.
        real: (R,) float64.
        fake: (F,) float64; empty without fakes.
        sign: 1, or -1 where fakes score above reals and the logits are to be turned round before they are compared.
        fit: what BatchNorm layers were fed, beside what they saw in training; None without such layers.
        proposal: what a spec would say to have it so.
    """

    critic: Critic
    real: Tensor
    fake: Tensor
    sign: int = 1
    fit: Fingerprint | None = None
    proposal: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reads(self) -> Preprocess:
        """How images are read."""
        return self.critic.preprocess

    @property
    def judged(self) -> bool:
        """Whether there are images of both kinds, so that there is an AUC."""
        return len(self.real) > 0 and len(self.fake) > 0

    @property
    def turned(self) -> Pair:
        """Logits (R,) and (F,) with reals above fakes."""
        return self.sign * self.real, self.sign * self.fake

    @property
    def area(self) -> float:
        """AUC, as it came."""
        return auc(self.real, self.fake)

    @property
    def shares(self) -> tuple[float, float]:
        """Share of the reals and of the fakes that are right at the logit 0, turned round where need be."""
        real, fake = correct(*self.turned)
        return float(real.double().mean()), float(fake.double().mean())

    @property
    def accuracy(self) -> float:
        """Balanced accuracy at the logit 0, turned round where need be."""
        return sum(self.shares) / 2

    @property
    def attainable(self) -> float:
        """Largest balanced accuracy at any threshold."""
        real, fake = self.turned
        cuts = torch.cat([real, fake])[:, None]
        return float(((real >= cuts).double().mean(1) + (fake < cuts).double().mean(1)).max() / 2)

    @property
    def saturated(self) -> float:
        """Share of the logits beyond 10."""
        return float((torch.cat([self.real, self.fake]).abs() > LARGE).double().mean())


@dataclass(frozen=True)
class Contest:
    """The declared reading beside others.

    Attributes:
        declared: the reading that was declared.
        others: by name, those that the critic can judge in, the commoner first.
        refused: number of those that it cannot.
        thresholded: whether the logit 0 is the critic's own threshold, so that accuracies can be compared too.
    """

    declared: Reading
    others: dict[str, Reading]
    refused: int
    thresholded: bool

    @property
    def fitted(self) -> bool:
        """Whether there is BatchNorm to go by."""
        return self.declared.fit is not None

    def gain(self, word: str) -> tuple[float, float]:
        """What another reading gains in AUC after the better sign, with its standard error."""
        return gain(self.declared.turned, self.others[word].turned) if self.declared.judged else (0.0, math.inf)

    def fits(self, word: str) -> str:
        """How sure BatchNorm makes it that the model was trained on another reading; empty for not at all.

        What is only likely by BatchNorm is undecided where the AUC speaks against it; nothing is certain where two
        readings fit alike.
        """
        found = certainty(self.declared.fit, self.others[word].fit)
        change, error = self.gain(word)
        if (
            found == "certain"
            and sum(_distance(o) <= TIED * _distance(self.others[word]) for o in self.others.values()) > 1
        ):
            return "likely"
        return "undecided" if found == "likely" and clear((-change, error)) else found

    def more_accurate(self, word: str) -> bool:
        """Whether another reading has a working threshold, is clearly more accurate at it, and no worse in AUC."""
        other, (change, error) = self.others[word], self.gain(word)
        if not self.thresholded or not other.judged or min(other.shares) < 0.5:
            return False
        if not more_accurate(self.declared.turned, other.turned) or change <= -max(BETTER, error):
            return False
        # a discriminator whose threshold has drifted is met by some range by chance: a second sign is needed
        relieved = self.declared.saturated - other.saturated > RELIEVED
        return relieved or clear((change, error)) or other.accuracy > other.attainable - NEAR

    def sorts_better(self, word: str) -> bool:
        """Whether another reading has a clearly better AUC, or is the right way round and no worse."""
        if not self.declared.judged:
            return False
        change, error = self.gain(word)
        if self.others[word].sign == self.declared.sign:
            return clear((change, error))
        worse = self.thresholded and more_accurate(self.others[word].turned, self.declared.turned)
        return change >= -BETTER and not worse

    @cached_property
    def by_fit(self) -> str:
        """The reading that BatchNorm makes at least likely, of several alike the first; empty for none or unknown."""
        if not self.fitted or not self.others:
            return ""
        least = min(_distance(other) for other in self.others.values())
        best = next(word for word, other in self.others.items() if _distance(other) <= TIED * least)  # the commonest
        return best if self.fits(best) in ("certain", "likely") else ""

    @cached_property
    def better(self) -> list[str]:
        """Names of better readings, the best first, without those that are themselves beaten by the first."""
        if self.by_fit:
            return [self.by_fit]
        possible = [word for word in self.others if not refuted(self.declared.fit, self.others[word].fit)]
        found = [word for word in possible if self.more_accurate(word) or self.sorts_better(word)]
        best = max(found, key=self._rank, default="")
        commonest = next((word for word in found if self._alike(word, best)), "")
        found.sort(key=lambda word: (word == commonest, *self._rank(word)), reverse=True)
        return [word for word in found if word == found[0] or not self._beaten(word, found[0])]

    @property
    def best(self) -> Reading:
        """The best of the better readings, else the declared one."""
        return self.others[self.better[0]] if self.better else self.declared

    def certainty(self, word: str) -> str:
        """How sure it is that the model was trained on a reading of `better`."""
        if self.fits(word) in ("certain", "likely"):
            return self.fits(word)
        change, error = self.gain(word)
        turned = self.others[word].sign != self.declared.sign
        if len(self.better) > 1:
            return "likely" if self.more_accurate(word) and not turned and not self.fitted else "undecided"
        large = (change > LARGE_GAIN and change > SURELY * error) or (self.more_accurate(word) and not turned)
        if large and self.fitted:
            return "likely"  # BatchNorm does not confirm it
        return "certain" if large else "undecided" if turned else "likely"

    def evidence(self, word: str) -> str:
        """The numbers behind that."""
        told, other = [], self.others[word]
        if other.fit is not None and self.declared.fit is not None:
            off = other.fit.distance, self.declared.fit.distance
            told.append(f"BatchNorm statistics off by {off[0]:.2g} against {off[1]:.2g}")
        if other.judged:
            change, error = self.gain(word)
            areas = f"AUC {auc(*other.turned):.3f} against {auc(*self.declared.turned):.3f}"
            told.append(f"{areas} ({change:+.3f} +- {error:.3f})")
            if self.thresholded and self.more_accurate(word):
                told.append(f"right at its threshold {other.accuracy:.0%} against {self.declared.accuracy:.0%}")
        return "; ".join(told)

    def _rank(self, word: str) -> tuple[bool, float, float]:
        other = self.others[word]
        accuracy = other.accuracy if self.thresholded else 0.0
        return self.more_accurate(word), accuracy + auc(*other.turned), -other.saturated

    def _alike(self, word: str, best: str) -> bool:
        """Whether two readings do equally well, so that the commoner is to be preferred."""
        one, other = self._rank(word), self._rank(best)
        return one[0] == other[0] and abs(one[1] - other[1]) < BETTER and other[2] - one[2] < RELIEVED

    def _beaten(self, word: str, best: str) -> bool:
        pair = self.others[word].turned, self.others[best].turned
        by_accuracy = self.thresholded and more_accurate(*pair)
        return by_accuracy or self.more_accurate(best) > self.more_accurate(word) or clear(gain(*pair))


def compared(declared: Reading, variants: Mapping[str, Variant], look: Callable[[Critic], Reading]) -> Contest:
    """Read the same images in other ways.

    Args:
        declared: the reading to compare with; its sign says whether fakes score above reals.
        variants: by name; each is made when its turn comes, and let go.
        look: the reading of a critic.
    """
    others, refused = {}, 0
    for word, (make, proposal) in variants.items():
        try:
            other = look(make())
        except (ValueError, RuntimeError):  # fed bytes, a probability saturates or overflows: not the right range
            refused += 1
            continue
        turned = declared.sign < 0 and other.judged and other.area < 0.5
        others[word] = replace(other, sign=-1 if turned else 1, proposal=proposal)
    critic = declared.critic
    return Contest(declared, others, refused, critic.kind != "score" and critic.calibration is None)


def _distance(reading: Reading) -> float:
    return math.inf if reading.fit is None else reading.fit.distance


def clear(better: tuple[float, float]) -> bool:
    """Whether a gain in AUC, given with its standard error, is large and no chance."""
    return better[0] > BETTER and better[0] > CLEARLY * better[1]


def more_accurate(before: Pair, after: Pair) -> bool:
    """Whether the balanced accuracy at the logit 0 is larger afterwards, clearly and by no chance."""
    better, chance = improvement(before, after)
    return better > ACCURATE and chance < CHANCE


def correct(real: Tensor, fake: Tensor) -> Pair:
    """Which reals (R,) and which fakes (F,) are judged right at the logit 0, where a tie is called real."""
    return real >= 0, fake < 0


def improvement(before: Pair, after: Pair) -> tuple[float, float]:
    """Balanced accuracy after minus before on the same images, and the chance of that much or more.

    The exact test of McNemar (1947) with weights: of the images that are right in one reading only, each falls to
    either side with probability 1/2; a real weighs 1 / R and a fake 1 / F, as in the balanced accuracy.

    >>> before, after = (torch.ones(8), torch.ones(8)), (torch.ones(8), -torch.ones(8))
    >>> improvement(before, after) == (0.5, 0.5 ** 8)
    True
    """
    pairs = list(zip(correct(*before), correct(*after), strict=True))
    gained = [int((new & ~old).sum()) for old, new in pairs]
    changed = [int((new ^ old).sum()) for old, new in pairs]
    n_real, n_fake = len(before[0]), len(before[1])

    def weight(real: int, fake: int) -> int:
        return real * n_fake + fake * n_real  # whole numbers, so that ties are ties

    seen, ways = weight(*gained), 0
    for real in range(changed[0] + 1):
        for fake in range(changed[1] + 1):
            if weight(real, fake) >= seen:
                ways += math.comb(changed[0], real) * math.comb(changed[1], fake)
    value = (2 * seen - weight(*changed)) / (2 * n_real * n_fake)
    return value, ways / 2 ** sum(changed)
