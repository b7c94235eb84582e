"""Zero-centred gradient penalties (Mescheder et al. 2018): R1 on reals, R2 on fakes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

NAMES = ("r1", "r2")  # where: r1 on reals, r2 on fakes; both are `squared_slope`


def squared_slope(critic: Callable[[Tensor], Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
    """The critic's logits and the squared norm of each logit's gradient by its own image.

    The norm is summed over channels, rows and columns: a mean would make the penalty 784 times weaker at 28x28.

    Args:
        critic: images (N, C, H, W) to logits (N,).
        images: (N, C, H, W) in [-1, 1].

    Returns:
        Logits (N,) and squared norms (N,), both differentiable by the critic's weights.
    """
    x = images.detach().requires_grad_(True)
    logits = critic(x)
    # the sum's gradient by x holds each image's own gradient, since no image reads another
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return logits, gradient.square().flatten(1).sum(1)
