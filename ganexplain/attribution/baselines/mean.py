"""The mean of the reals."""

from __future__ import annotations

from torch import Tensor

from ganexplain.attribution.baselines._reals import known_reals
from ganexplain.models.critic import Critic

__all__ = ["Mean"]


class Mean:
    """The mean of the critic's reference reals: smooth, and often judged more real than any real."""

    name = "mean"
    phrase = "the mean of the real images that are known"

    def __call__(self, critic: Critic, images: Tensor) -> Tensor:
        """(1, C, H, W)."""
        return known_reals(critic, images).images.mean(0, keepdim=True)
