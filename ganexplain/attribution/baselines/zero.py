"""Zero, as the network reads it."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain.models.critic import Critic

__all__ = ["Zero"]


class Zero:
    """What is read as zero: the training mean where values are standardised, the middle of their range, or mid-grey."""

    name = "zero"
    phrase = "every value at what the judge reads as zero"

    def __call__(self, critic: Critic, images: Tensor) -> Tensor:
        """(1, ...): of one input's shape."""
        return critic.form.unscaled(torch.zeros_like(images[:1]))
