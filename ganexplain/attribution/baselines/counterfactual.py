"""The image on the other side of the critic's boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganexplain import checks
from ganexplain.models.critic import Critic

if TYPE_CHECKING:
    from ganexplain.attribution.baselines import Origin

__all__ = ["CounterfactualBaseline"]


class CounterfactualBaseline:
    """The image changed as little as possible until the critic judges it otherwise: what decides is what differs.

    The change is the smallest in root mean square (`ganexplain.attribution.counterfactuals.pixel_l2`). Where no eye
    sees it, it is an adversarial example: the map then shows where the critic is brittle, and the note says so.

    Args:
        n_starts: places from which the search begins.
        max_steps: of each of them.
        seed: of the search.
        batch_size: the largest batch that the critic sees while searching.
    """

    name = "counterfactual"
    phrase = "the same image changed as little as possible until it is judged otherwise"

    def __init__(self, *, n_starts: int = 3, max_steps: int = 40, seed: int = 0, batch_size: int = 64) -> None:
        self.n_starts, self.max_steps = n_starts, max_steps
        self.seed, self.batch_size = int(seed), int(checks.positive(batch_size, "batch_size"))

    def __call__(self, critic: Critic, images: Tensor) -> Origin:
        """(N, C, H, W), each image with its change.

        Raises:
            ValueError: the critic lets no gradient through, or gives a score that nothing places.
        """
        from ganexplain.attribution.baselines import Origin
        from ganexplain.attribution.counterfactuals.pixel_l2 import PixelL2

        search = PixelL2(critic, n_starts=self.n_starts, max_steps=self.max_steps, batch_size=self.batch_size)
        found = [search.find(image[None], seed=self.seed) for image in images.detach()]
        unseen = sum(f.flipped and f.visible == "none" for f in found)
        kept = sum(not f.flipped for f in found)
        notes = (
            *((UNSEEN.format(_of(unseen, len(found))),) if unseen else ()),
            *((KEPT.format(_of(kept, len(found))),) if kept else ()),
        )
        return Origin(torch.cat([f.changed for f in found]).to(images), self.name, notes=notes)


UNSEEN = (
    "the counterfactual baseline differs from {} by a change that no eye sees, an adversarial example: the map shows "
    "where the critic is brittle, not what looks fake or real"
)
KEPT = "no small change was found that turns the verdict of {}: the counterfactual baseline is judged as it is"


def _of(count: int, total: int) -> str:
    return "the image" if total == 1 else f"{count} of {total} images"
