"""Gradient penalties: R1 at reals and R2 at fakes (Mescheder et al. 2018), or a slope of 1 between them (WGAN-GP)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

NAMES = ("r1", "r2", "gp")  # r1 and r2 are `squared_slope` at reals and at fakes, gp is `off_unit_slope` between them
TINY = 1e-12  # under the root, whose own slope is infinite at zero


def squared_slope(critic: Callable[[Tensor], Tensor], images: Tensor) -> tuple[Tensor, Tensor]:
    """The critic's logits and the squared norm of each logit's gradient by its own image.

    The norm is summed over channels, rows and columns: a mean would make the penalty 784 times weaker at 28x28.

    Args:
        critic: images (N, C, H, W), or rows (N, F), to logits (N,).
        images: (N, C, H, W) in [-1, 1], or rows (N, F).

    Returns:
        Logits (N,) and squared norms (N,), both differentiable by the critic's weights.
    """
    x = images.detach().requires_grad_(True)
    logits = critic(x)
    # the sum's gradient by x holds each image's own gradient, since no image reads another
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return logits, gradient.square().flatten(1).sum(1)


def off_unit_slope(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, at: Tensor) -> Tensor:
    """How far each slope is from 1, squared, at points between reals and fakes (Gulrajani et al. 2017, equation 3).

    Args:
        critic: images (N, C, H, W), or rows (N, F), to logits (N,).
        real: (N, ...).
        fake: (N, ...).
        at: (N,) from 0, at the real, to 1, at the fake.

    Returns:
        (N,) values of (norm - 1) ** 2, differentiable by the critic's weights.
    """
    share = at.reshape(-1, *[1] * (real.ndim - 1))
    _, squared = squared_slope(critic, torch.lerp(real.detach(), fake.detach(), share))
    return ((squared + TINY).sqrt() - 1).square()
