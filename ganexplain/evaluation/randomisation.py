"""Critics with random weights: a map that survives them shows the image or the architecture, not the judgement."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ganexplain import tensors
from ganexplain.models.critic import Critic


def randomised(critic: Critic, images: Tensor, *, seed: int) -> Critic | None:
    """The critic with every weight tensor shuffled within itself, or None where there are no weights to reset.

    Shuffling keeps the scale of each layer and forgets what it learned, for modules of any kind (Adebayo et al. 2018 reset
    them). BatchNorm statistics no longer fit then, and a dead network would pass for a changed one: they are measured
    again on ``images`` (N, C, H, W).
    """
    if not isinstance(critic.network, nn.Module):
        return None
    network = copy.deepcopy(critic.network)
    weights = [(name, p) for name, p in network.named_parameters() if p.numel() > 1]
    if not weights:
        return None
    with torch.no_grad():
        for name, weight in weights:
            order = torch.from_numpy(tensors.rng(seed, "shuffle", name).permutation(weight.numel())).to(weight.device)
            weight.copy_(weight.flatten()[order].view_as(weight))
    other = critic._variant()
    other.network = network
    _remeasure(network, other, images)
    return other


def _remeasure(network: nn.Module, critic: Critic, images: Tensor) -> None:
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms or len(images) < 2:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average, so that one pass over the batch is enough
        norm.train()
    with torch.no_grad():
        critic(images)
    network.eval()
