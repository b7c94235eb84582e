"""A baseline that was made once and keeps its name."""

from __future__ import annotations

from torch import Tensor

from ganexplain.models.critic import Critic


class Fixed:
    """Images, codes or rows made before, used as the baseline of every critic.

    Args:
        made: (1 or N, *coordinates), or of a set (1 or N, K, *coordinates).
        name: what reports call it.
        n: how many baselines it stands for.
    """

    def __init__(self, made: Tensor, name: str, n: int = 1) -> None:
        self.made, self.name, self.n = made, name, n

    def __call__(self, critic: Critic, images: Tensor) -> Tensor:
        """What was made."""
        return self.made
