"""What a critic says of an image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganexplain import checks

POOR_AUC = 0.75  # a critic below this on held-out images can hardly tell real from fake
LOW = 0.05  # share of the known reals below the threshold of a score that nobody has calibrated
UNSURE = (0.4, 0.6)  # probabilities between which no verdict is given


@dataclass(frozen=True)
class Calibration:
    """What a critic's logit means, measured on images that it was not trained on.

    Attributes:
        threshold: logit at which the calibrated probability of "real" is one half.
        slope: probability = sigmoid(slope * (logit - threshold)) (Platt scaling).
        auc: P(logit of a real > logit of a fake), on images used neither for training nor for threshold and slope.
        real_share: share of reals that the probability assumes.
        n_real: number of held-out reals behind ``auc``.
        n_fake: number of fakes behind ``auc``.
        pooled: measured on images of all classes, each judged under its own label, so that it holds for every class.
    """

    threshold: float
    slope: float
    auc: float | None
    real_share: float = 0.5
    n_real: int = 0
    n_fake: int = 0
    pooled: bool = False


@dataclass(frozen=True)
class Verdict:
    """A critic's judgement of N images.

    Attributes:
        logit: (N,), higher is more real.
        threshold: logit below which an image is called fake.
        probability: (N,) of "real", or None for a score that nobody has calibrated.
        auc: the critic's held-out AUC, or None if unknown.
        placed: whether the threshold means anything; not so for a score where no reals are known.
    """

    logit: Tensor
    threshold: float
    probability: Tensor | None
    auc: float | None
    placed: bool = True

    @property
    def is_fake(self) -> Tensor:
        """(N,) bool: the logit lies below the threshold."""
        return self.logit < self.threshold

    @property
    def unsure(self) -> Tensor:
        """(N,) bool: the critic's AUC is poor, the probability lies near one half, or nothing places the threshold."""
        if not self.placed:
            return torch.ones_like(self.logit, dtype=torch.bool)
        if self.auc is not None and self.auc < POOR_AUC:
            return torch.ones_like(self.logit, dtype=torch.bool)
        if self.probability is None:
            return torch.zeros_like(self.logit, dtype=torch.bool)
        return (self.probability > UNSURE[0]) & (self.probability < UNSURE[1])

    def evidence(self, side: str) -> Tensor:
        """(N,) distance of the logit from the threshold, positive when it speaks for ``side`` ("real" or "fake")."""
        return checks.side(side) * (self.logit - self.threshold)


def platt(real: Tensor, fake: Tensor, real_share: float = 0.5) -> tuple[float, float]:
    """Threshold and slope of P(real) = sigmoid(slope * (logit - threshold)) by logistic regression (Platt 1999)."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    logit = torch.cat([real, fake]).double()
    centre, spread = float(logit.mean()), max(float(logit.std()), 1e-12)
    target = np.r_[np.ones(len(real)), np.zeros(len(fake))]
    shares = np.full(len(real), real_share / len(real)), np.full(len(fake), (1 - real_share) / len(fake))
    weight = np.concatenate(shares) * len(target)
    scaled = ((logit - centre) / spread).numpy()[:, None]
    fit = LogisticRegression(C=100.0, tol=1e-8, max_iter=1000).fit(scaled, target, sample_weight=weight)
    a, b = float(fit.coef_[0, 0]), float(fit.intercept_[0])
    if a <= 0:
        raise ValueError(
            "the fakes have higher logits than the reals, so nothing can be calibrated; the polarity may be inverted: "
            "say polarity='fake' if a high output means fake, or the other real_class"
        )
    return centre - spread * b / a, a / spread


def auc(real: Tensor, fake: Tensor) -> float:
    """P(a real's logit > a fake's), ties one half.

    >>> auc(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 1.0]))
    0.875
    """
    difference = real.double()[:, None] - fake.double()[None]
    return float((difference > 0).double().mean() + 0.5 * (difference == 0).double().mean())
