"""The distribution of the reals."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.attribution.baselines._reals import known_reals
from ganexplain.models.critic import Critic

__all__ = ["Reals"]


class Reals:
    """A set of the critic's reference reals: the explanation is the mean over them, and depends on none alone.

    Args:
        n: how many at most; a method that takes one baseline at a time does its work once for each.
    """

    name = "reals"
    phrase = "real images that are known, one after another, whose mean is shown"

    def __init__(self, n: int = 16) -> None:
        self.n = int(checks.positive(n, "n"))

    def __call__(self, critic: Critic, images: Tensor) -> Tensor:
        """(1, K, C, H, W), the same ones for all images."""
        reals = known_reals(critic, images).images
        chosen = tensors.rng(0, "reals").permutation(len(reals))[: self.n]
        return reals[torch.from_numpy(chosen).to(reals.device)][None]
