"""A private copy of somebody's network: frozen, in eval mode, nothing in place; the original is never touched."""

from __future__ import annotations

import copy
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

N = TypeVar("N", bound=nn.Module)


def private_copy(network: nn.Module) -> nn.Module:
    """A frozen eval copy that shares nothing with ``network``.

    Old-style spectral norm keeps a non-leaf ``weight`` attribute after a forward in train mode, which ``deepcopy``
    refuses; such tensors are handed to it as detached clones.

    Raises:
        ValueError: a parameter or buffer is not finite, or a BatchNorm has no running statistics, so that the value of
            an image would depend on its neighbours in the batch.
    """
    memo: dict[int, Any] = {}
    for module in network.modules():
        for value in vars(module).values():
            if isinstance(value, Tensor) and not value.is_leaf:
                memo[id(value)] = value.detach().clone()
    twin = copy.deepcopy(network, memo)
    for module in twin.modules():
        if getattr(module, "inplace", False) is True:
            vars(module)["inplace"] = False
    twin.eval().requires_grad_(False)
    for parameter in twin.parameters():
        parameter.grad = None
    _check(twin)
    return twin


def settled(network: N) -> N:
    """The network itself where it is in eval mode, else a `private_copy`: no BatchNorm may learn from what is tried."""
    training = any(module.training for module in network.modules())
    return cast(N, private_copy(network)) if training else network


def in_training(network: nn.Module) -> tuple[str, ...]:
    """Names of the layers in train mode that work otherwise than in eval mode: BatchNorm and dropout."""
    kinds = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)
    return tuple(name or "itself" for name, m in network.named_modules() if isinstance(m, kinds) and m.training)


def _check(network: nn.Module) -> None:
    state = [*network.named_parameters(), *network.named_buffers()]
    for name, value in state:
        if value.is_floating_point() and not torch.isfinite(value).all():
            bad = int((~torch.isfinite(value)).sum())
            raise ValueError(
                f"the weights must be finite, got {bad} NaN or infinite values in {name!r}; load an earlier checkpoint"
            )
    for name, module in network.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is None:
            raise ValueError(
                f"the BatchNorm layer {name!r} has no running statistics, so an image's value would depend on the "
                "others in its batch; rebuild it with track_running_stats=True and let it see real images once"
            )
