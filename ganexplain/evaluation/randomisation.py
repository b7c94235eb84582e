"""Critics with random weights: a map that survives them shows the image or the architecture, not the judgement."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ganexplain import tensors
from ganexplain.models.critic import Critic

POWER_STEPS = 15  # torch's own number when it sets spectral norm up


def randomised(critic: Critic, images: Tensor, *, seed: int, batch_size: int = 64) -> Critic | None:
    """The critic with every weight tensor shuffled within itself, or None where there are no weights to reset.

    Shuffling keeps the scale of each layer and forgets what it learned, for modules of any kind (Adebayo et al. 2018
    reset them). BatchNorm statistics and the singular vectors of spectral norm no longer fit then, and a dead or
    exploding network would pass for a changed one: they are measured again on ``images`` (N, C, H, W), at most
    ``batch_size`` at a time.
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
    whole = other.together()  # in train mode no batch may be looked at more than once
    _align_spectral_norms(network, whole, images[:1])
    _remeasure_batch_norms(network, whole, images, batch_size)
    return other


def planned(critic: Critic, n_images: int) -> int:
    """Forward passes of `randomised` with ``n_images`` images."""
    if not isinstance(critic.network, nn.Module):
        return 0
    return POWER_STEPS * bool(_spectral_norms(critic.network)) + n_images * bool(_batch_norms(critic.network))


def _align_spectral_norms(network: nn.Module, critic: Critic, images: Tensor) -> None:
    """Let power iteration find the singular vectors of the shuffled weights: one step a forward in train mode."""
    norms = _spectral_norms(network)
    if not norms:
        return
    for module in norms:
        module.train()
    with torch.no_grad():
        for _ in range(POWER_STEPS):
            critic(images)
    network.eval()


def _remeasure_batch_norms(network: nn.Module, critic: Critic, images: Tensor, batch_size: int) -> None:
    norms = _batch_norms(network)
    if not norms or len(images) < 2:
        return
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average, so that one pass over the images is enough
        norm.train()
    with torch.no_grad():
        tensors.batched(critic, batch_size, images)
    network.eval()


def _batch_norms(network: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    return [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]


def _spectral_norms(network: nn.Module) -> list[nn.Module]:
    """Modules under the old spectral norm (a buffer ``weight_u``) or the new one (a parametrization with ``_u``)."""
    old = [
        m
        for m in network.modules()
        if any(name.endswith("_u") and name != "_u" for name, _ in m.named_buffers(recurse=False))
    ]
    return [*old, *(m for m in network.modules() if any(name == "_u" for name, _ in m.named_buffers(recurse=False)))]
