"""The median of the reals."""

from __future__ import annotations

from torch import Tensor

from ganexplain.attribution.baselines._reals import known_reals
from ganexplain.models.critic import Critic

__all__ = ["Median"]


class Median:
    """The median of the reference reals, value by value: what is usual, whatever a few outliers do to a mean."""

    name = "median"
    phrase = "the median of what is known to be real, value by value"

    def __call__(self, critic: Critic, images: Tensor) -> Tensor:
        """(1, ...): of one input's shape; a category is the word that most reals have."""
        middle = known_reals(critic, images).images.median(0, keepdim=True).values
        return critic.form.settled(middle, known_reals(critic, images).images)
