"""Grad-CAM."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ganexplain.attribution.methods._cam import ActivationMap

__all__ = ["GradCam"]

CANCELLED = 1000  # roundings: a mean gradient below so many, in every channel, is none


class GradCam(ActivationMap):
    """A layer's maps, each weighted by its mean gradient and added up (Selvaraju et al. 2017, equations 1 and 2).

    The published map ends in a ReLU and is stretched to its own range, so that evidence for the other side vanishes and
    every map looks equally strong; both are left out here. The sum means nothing: gradients are averaged over places,
    so the map may lie where the critic never looked. `hires_cam` is its faithful sister.
    """

    name: ClassVar[str] = "grad_cam"
    unit: ClassVar[str] = "a.u."

    def _on_grid(self, activation: Tensor, gradient: Tensor) -> Tensor:
        weight = gradient.mean((2, 3), keepdim=True)
        size = gradient.abs().mean((2, 3), keepdim=True)
        left = weight.abs().amax((1, 2, 3)) > CANCELLED * torch.finfo(gradient.dtype).eps * size.amax((1, 2, 3))
        if not bool((left | (size.amax((1, 2, 3)) == 0)).all()):
            raise ValueError(
                f"the gradients of the layer cancel over its map, as before an InstanceNorm, so {self.name} would show "
                "rounding alone; name the layer behind the normalisation, or use hires_cam"
            )
        return (weight * activation).sum(1)
