"""The smallest change of values in L2."""

from __future__ import annotations

from ganexplain import checks
from ganexplain.attribution.counterfactuals._base import Search
from ganexplain.attribution.counterfactuals._boundary import Boundary
from ganexplain.attribution.counterfactuals._descent import Descent, beginnings
from ganexplain.attribution.counterfactuals._linear import nearest_l2
from ganexplain.attribution.counterfactuals._measures import Change
from ganexplain.models.critic import Critic

__all__ = ["PixelL2"]


class PixelL2(Search):
    """The smallest change of the pixels in root mean square that turns the verdict: often an adversarial example.

    Exact for a linear critic, a local minimum for others: several searches begin at the image and around it. Values
    stay in [-1, 1], those of rows and signals in the range of the known reals; words of a table stay as they are.

    Args:
        critic: the critic whose verdict is to turn.
        n_starts: searches, of which the best counts; the first begins at the image itself.
        max_steps: gradients a search, at most, of up to three.
        batch_size: the largest batch that the critic sees.
    """

    name = "pixel_l2"
    needs = "gradients"

    def __init__(self, critic: Critic, *, n_starts: int = 3, max_steps: int = 40, batch_size: int = 64) -> None:
        super().__init__(critic, batch_size=batch_size)
        self.n_starts = int(checks.positive(n_starts, "n_starts"))
        self.max_steps = int(checks.positive(max_steps, "max_steps"))

    def _change(self, boundary: Boundary, seed: int) -> Change:
        begin = beginnings(boundary, self.n_starts, seed, self.name)
        found, _ = Descent(boundary, nearest_l2, 2, self.max_steps).run(begin)
        return Change(found, facts={"n_starts": self.n_starts, "max_steps": self.max_steps, "seed": seed})
