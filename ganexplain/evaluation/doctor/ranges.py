"""The ranges that models are commonly trained on, tried in place of the declared one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ganexplain.evaluation.doctor.area import gain
from ganexplain.models.critic import Critic, auc
from ganexplain.models.preprocess import Preprocess

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # means and deviations of [0, 1] pixels of ImageNet
CLEARLY = 2.58  # standard errors of a difference of AUCs: several alternatives are tried, so 99 % and not 95 %
CHANCE = 0.005  # one tail of the same 99 %
BETTER = 0.02  # AUC that is worth a warning
ACCURATE = 0.05  # balanced accuracy that is worth a failure
NEAR = 0.03  # balanced accuracy by which the threshold of a model that is read as trained may miss the best one
RELIEVED = 0.25  # share of saturated logits that a right range brings back
LARGE = 10.0  # logits whose probability differs from 0 or 1 by less than 5e-5

Pair = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Reading:
    """A critic's logits of the same images, read in one way.

    Attributes:
        reads: the way.
        real: (R,) float64.
        fake: (F,) float64.
        sign: 1, or -1 where fakes score above reals and the logits are to be turned round before they are compared.
    """

    reads: Preprocess
    real: Tensor
    fake: Tensor
    sign: int = 1

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
class Ranges:
    """The declared reading beside other common ones.

    Attributes:
        declared: the reading that was declared.
        others: by name, those that the critic can judge in.
        refused: number of those that it cannot.
        thresholded: whether the logit 0 is the critic's own threshold, so that accuracies can be compared too.
    """

    declared: Reading
    others: dict[str, Reading]
    refused: int
    thresholded: bool

    def gain(self, word: str) -> tuple[float, float]:
        """What another reading gains in AUC after the better sign, with its standard error."""
        return gain(self.declared.turned, self.others[word].turned)

    def more_accurate(self, word: str) -> bool:
        """Whether another reading has a working threshold, is clearly more accurate at it, and no worse in AUC."""
        other, (change, error) = self.others[word], self.gain(word)
        if not self.thresholded or min(other.shares) < 0.5:
            return False
        if not more_accurate(self.declared.turned, other.turned) or change <= -max(BETTER, error):
            return False
        # a discriminator whose threshold has drifted is met by some range by chance: a second sign is needed
        relieved = self.declared.saturated - other.saturated > RELIEVED
        return relieved or clear((change, error)) or other.accuracy > other.attainable - NEAR

    def sorts_better(self, word: str) -> bool:
        """Whether another reading has a clearly better AUC, or is the right way round and no worse."""
        change, error = self.gain(word)
        if self.others[word].sign == self.declared.sign:
            return clear((change, error))
        worse = self.thresholded and more_accurate(self.others[word].turned, self.declared.turned)
        return change >= -BETTER and not worse

    @property
    def better(self) -> list[str]:
        """Names of better readings, the best first, without those that are themselves beaten by the first."""
        found = [word for word in self.others if self.more_accurate(word) or self.sorts_better(word)]
        found.sort(key=self._rank, reverse=True)
        return [word for word in found if word == found[0] or not self._beaten(word, found[0])]

    def _rank(self, word: str) -> tuple[bool, float, float]:
        other = self.others[word]
        accuracy = other.accuracy if self.thresholded else 0.0
        return self.more_accurate(word), accuracy + auc(*other.turned), -other.saturated

    def _beaten(self, word: str, best: str) -> bool:
        pair = self.others[word].turned, self.others[best].turned
        by_accuracy = self.thresholded and more_accurate(*pair)
        return by_accuracy or self.more_accurate(best) > self.more_accurate(word) or clear(gain(*pair))


def compared(critic: Critic, images: Pair, score: Callable[[Tensor, Critic], Tensor], inverted: bool) -> Ranges:
    """Read the same images in every common range.

    Args:
        critic: with the declared reading.
        images: reals (R, C, H, W) and fakes (F, C, H, W) in [-1, 1].
        score: (N,) logits of images by a critic.
        inverted: whether fakes score above reals as declared.
    """
    real, fake = images
    own = Reading(critic.preprocess, score(real, critic), score(fake, critic))
    others, refused = {}, 0
    for word, reads in _common(critic.preprocess, real.shape[1]).items():
        variant = critic.with_preprocess(reads)
        try:
            other = Reading(reads, score(real, variant), score(fake, variant))
        except ValueError:  # fed bytes, a probability saturates or overflows: then that range is not the right one
            refused += 1
            continue
        others[word] = replace(other, sign=-1 if inverted and other.area < 0.5 else 1)
    thresholded = critic.kind != "score" and critic.calibration is None
    return Ranges(replace(own, sign=-1 if inverted else 1), others, refused, thresholded)


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


def _common(declared: Preprocess, channels: int) -> dict[str, Preprocess]:
    ranges = {"[-1, 1]": (-1.0, 1.0), "[0, 1]": (0.0, 1.0), "[0, 255]": (0.0, 255.0)}
    found = {word: replace(declared, value_range=r, mean=None, std=None) for word, r in ranges.items()}
    if (declared.channels or channels) == 3:
        mean, std = IMAGENET
        found["ImageNet mean and std"] = replace(declared, value_range=(0.0, 1.0), mean=mean, std=std)
    return {word: reads for word, reads in found.items() if reads != declared}
