"""The black image."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain.models.critic import Critic

__all__ = ["Black"]


class Black:
    """Every pixel at -1, which is black whatever range the network itself reads."""

    name = "black"
    phrase = "a black image"

    def __call__(self, critic: Critic, images: Tensor) -> Tensor:
        """(1, C, H, W)."""
        return torch.full_like(images[:1], -1.0)
