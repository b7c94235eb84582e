"""The moving average of a generator's weights: the network that is exported, steadier than any single step."""

from __future__ import annotations

import torch
from torch import nn


def decay(seen: int, batch: int, half_life: float) -> float:
    """How much of the average survives a step of ``batch`` images.

    The half-life grows to ``half_life`` images and is never above a twentieth of the images seen, so that the random
    start is soon forgotten (Karras et al. 2020, ADA, appendix).

    >>> round(decay(10**6, 100, 1000.0), 4)  # ten such steps halve the weight of the past
    0.933
    """
    life = min(half_life, 0.05 * seen)
    return 0.5 ** (batch / life) if life > 0 else 0.0


@torch.no_grad()
def update(average: nn.Module, network: nn.Module, keep: float) -> None:
    """``average <- keep * average + (1 - keep) * network`` for parameters; buffers are copied."""
    for mean, weight in zip(average.parameters(), network.parameters(), strict=True):
        mean.lerp_(weight.detach(), 1.0 - keep)
    for kept, buffer in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(buffer)
