"""How much memory an image costs a critic, and the largest batch that stays within a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganexplain import tensors

if TYPE_CHECKING:
    from ganexplain.models.critic import Critic

BUDGET = 4 * 2**30  # bytes: what a small machine can give


def per_image(critic: Critic, image: Tensor) -> int:
    """Bytes that one image holds while a gradient is computed.

    It is what autograd keeps of a forward pass, weights not counted. Resident memory grows by
    about that on a CPU: 0.05 GiB an image for ResNet-50 at 256 px, and 0.19 where 0.15 are kept for Xception at 299 px.
    A pass without gradients needs less.

    Args:
        critic: the critic, in the form in which it will be run.
        image: (1, C, H, W) in [-1, 1], or one of what else the critic reads.
    """
    weights = {value.untyped_storage().data_ptr() for value in (*critic.parameters(), *critic.buffers())}
    kept: dict[int, int] = {}

    def pack(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return value

    leaf = image[:1].detach().clone().requires_grad_(True)
    with (
        torch.enable_grad(),
        tensors.isolated(),
        torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value),
    ):
        logit = critic(leaf)  # held until all is counted, or an address would be used again
        found = sum(size for place, size in kept.items() if place not in weights)
    del logit
    return found


def fitting(critic: Critic, image: Tensor, batch_size: int, *, budget: int = BUDGET) -> int:
    """The largest batch, at most ``batch_size`` and at least one, whose gradients stay within ``budget`` bytes.

    The answer depends on the network and the size of the image alone, never on what the machine has free, so that the
    same call gives the same bits everywhere.

    Args:
        critic: the critic.
        image: (1, C, H, W) in [-1, 1].
        batch_size: the largest batch that is wanted.
        budget: bytes for all that a batch holds.

    Raises:
        ValueError: batch_size or budget is not positive.
    """
    if batch_size < 1 or budget < 1:
        raise ValueError(f"batch_size and budget must be at least 1, got {batch_size} and {budget}")
    return int(min(batch_size, max(1, budget // max(1, per_image(critic, image)))))
