"""The reals that a critic's logits are compared with."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Reference:
    """Real images that a critic's logits are compared with.

    Attributes:
        images: (R, C, H, W) in [-1, 1], or what else the critic reads.
        logits: (R,) the critic's own, higher is more real.
    """

    images: Tensor
    logits: Tensor

    @property
    def iqr(self) -> float:
        """Interquartile range of the logits: the natural unit of a change."""
        low, high = torch.quantile(self.logits.double(), self.logits.new_tensor([0.25, 0.75]).double())
        return float(high - low)

    def quantile(self, share: float) -> float:
        """The logit that ``share`` of the reals lie below."""
        return float(torch.quantile(self.logits.double(), share))

    @property
    def range(self) -> tuple[float, float]:
        """Lowest and highest logit of the reals."""
        return float(self.logits.min()), float(self.logits.max())
