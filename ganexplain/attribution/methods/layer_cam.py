"""Layer-CAM."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ganexplain import checks
from ganexplain.attribution.chart import BaselineLike, Domain
from ganexplain.attribution.methods._cam import ActivationMap
from ganexplain.models.critic import Critic

__all__ = ["LayerCam"]


class LayerCam(ActivationMap):
    """A layer's maps weighted by their positive gradients, for both sides (Jiang et al. 2021, equations 6 and 7).

    Args:
        critic: the critic to explain.
        domain: of pixels or regions.
        baseline: plays no role in the values; it is only shown beside the map.
        layer: name of a layer; None takes the last convolution that returns more than one cell.
        evidence: "both", or one published map alone: "real" or "fake".
        batch_size: the largest batch that the critic sees.

    The published map of a side is R_side = relu(sum over channels of relu(gradient of the side's logit) * activation):
    it is never negative, and the maps of the two sides are no opposites. Here the map for "real" is R_real - R_fake and
    the map for "fake" its exact negative; ``evidence="real"`` explained for "real" is R_real itself, and
    ``evidence="fake"`` explained for "fake" is R_fake. Where the outer relu cuts nothing off, as right before and
    behind a ReLU, where no activation that counts is negative, R_real - R_fake is the map of HiResCAM.
    """

    name: ClassVar[str] = "layer_cam"
    unit: ClassVar[str] = "a.u."

    def __init__(
        self,
        critic: Critic,
        *,
        domain: Domain | None = None,
        baseline: BaselineLike = None,
        layer: str | None = None,
        evidence: str = "both",
        batch_size: int = 64,
    ) -> None:
        super().__init__(critic, domain=domain, baseline=baseline, layer=layer, batch_size=batch_size)
        self.evidence = checks.one_of("evidence", evidence, ("both", "real", "fake"))

    def _on_grid(self, activation: Tensor, gradient: Tensor) -> Tensor:
        real, fake = (((sign * gradient).relu() * activation).sum(1).relu() for sign in (1, -1))
        if self.evidence == "both":
            return real - fake
        return real if self.evidence == "real" else -fake
