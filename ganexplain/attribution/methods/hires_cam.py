"""HiResCAM."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ganexplain.attribution.methods._cam import ActivationMap

__all__ = ["HiResCam"]


class HiResCam(ActivationMap):
    """Gradient times activation of a layer, summed over its channels: logits, place by place (Draelos and Carin 2020).

    Where all that follows the layer is piecewise linear (convolutions, LeakyReLU, max-pooling, BatchNorm in eval mode,
    linear layers, the mean over a patch map), the values sum to the logit less what the biases behind the layer give
    on this piece: the share of the logit that came through the layer. Behind a curved layer (sigmoid inside,
    InstanceNorm, minibatch statistics) or a head of several classes they need not, so no sum is promised.
    """

    name: ClassVar[str] = "hires_cam"

    def _on_grid(self, activation: Tensor, gradient: Tensor) -> Tensor:
        return (gradient * activation).sum(1)
