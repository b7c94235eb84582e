"""The smallest change of values in L1."""

from __future__ import annotations

from ganexplain import checks
from ganexplain.attribution.counterfactuals._base import Search
from ganexplain.attribution.counterfactuals._boundary import Boundary
from ganexplain.attribution.counterfactuals._descent import Descent, beginnings
from ganexplain.attribution.counterfactuals._linear import nearest_l1
from ganexplain.attribution.counterfactuals._measures import Change
from ganexplain.models.critic import Critic

__all__ = ["PixelL1"]


class PixelL1(Search):
    """The smallest sum of changes of the pixels that turns the verdict: few pixels, each as far as the range allows.

    Exact for a linear critic, a local minimum for others, see `PixelL2`.

    Args:
        critic: the critic whose verdict is to turn.
        n_starts: searches, of which the best counts; the first begins at the image itself.
        max_steps: gradients a search, at most, of up to three.
        batch_size: the largest batch that the critic sees.
    """

    name = "pixel_l1"
    needs = "gradients"

    def __init__(self, critic: Critic, *, n_starts: int = 3, max_steps: int = 80, batch_size: int = 64) -> None:
        super().__init__(critic, batch_size=batch_size)
        self.n_starts = int(checks.positive(n_starts, "n_starts"))
        self.max_steps = int(checks.positive(max_steps, "max_steps"))

    def _change(self, boundary: Boundary, seed: int) -> Change:
        begin = beginnings(boundary, self.n_starts, seed, self.name)
        found, _ = Descent(boundary, nearest_l1, 1, self.max_steps).run(begin)
        return Change(found, facts={"n_starts": self.n_starts, "max_steps": self.max_steps, "seed": seed})
