"""A baseline that was made once and keeps its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor

from ganexplain.models.critic import Critic

if TYPE_CHECKING:  # an origin can be made of what is fixed, and be fixed
    from ganexplain.attribution.baselines import Origin


class Fixed:
    """Images, codes or rows made before, used as the baseline of every critic.

    Args:
        made: (1 or N, *coordinates), or of a set (1 or N, K, *coordinates).
        name: what reports call it.
        n: how many baselines it stands for.
        fill: see `ganexplain.attribution.baselines.Origin`.
        notes: what a reader must know of it, one sentence each.
    """

    def __init__(
        self,
        made: Tensor,
        name: str,
        n: int = 1,
        *,
        fill: Callable[[Tensor, Tensor], Tensor] | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.made, self.name, self.n = made, name, n
        self.fill, self.notes = fill, notes

    def __call__(self, critic: Critic, images: Tensor) -> Tensor | Origin:
        """What was made."""
        from ganexplain.attribution.baselines import Origin

        if self.fill is None and not self.notes:
            return self.made
        if self.made.ndim == images.ndim:
            return Origin(self.made, self.name, fill=self.fill, notes=self.notes)
        return Origin(self.made.mean(1), self.name, self.made, fill=self.fill, notes=self.notes)
