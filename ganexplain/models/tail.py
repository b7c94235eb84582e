"""The sigmoid or softmax at the end of a network, cut off so that logits do not saturate."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain import tensors


def cut(network: nn.Module | Callable[[Tensor], Any], x: Tensor, *, classes: bool) -> nn.Module | None:
    """The network without its tail, if on samples putting it back gives the network's own output; else None.

    Args:
        network: as it is.
        x: (N, C, H, W) images as the network reads them; no batch is larger.
        classes: whether the tail is a softmax over several outputs, or a sigmoid.
    """
    if not isinstance(network, nn.Module):
        return None
    noise = tensors.normal(0, "tail", shape=tuple(x[:1].shape)).to(x)
    probes = torch.cat([x[:4], 0.3 * x[:4], noise, 0.1 * noise])
    pieces = [probes[i : i + len(x)] for i in range(0, len(probes), len(x))]  # no batch above the caller's
    for found in without_tail(network):
        if all(_same(network, found, piece, classes) for piece in pieces):
            return found
    return None


def _same(network: nn.Module, cut_off: nn.Module, piece: Tensor, classes: bool) -> bool:
    with torch.no_grad(), tensors.isolated():
        whole = network(piece.clone())
    with torch.no_grad(), tensors.isolated():  # the same noise, where the network draws any
        before = cut_off(piece.clone())
    if not isinstance(whole, Tensor) or not isinstance(before, Tensor) or before.shape != whole.shape:
        return False
    after = torch.softmax(before.flatten(1), 1).view_as(before) if classes else torch.sigmoid(before)
    return torch.allclose(after, whole, atol=1e-5, rtol=1e-4)


def without_tail(network: nn.Module) -> Iterator[nn.Module]:
    """Copies in each of which one sigmoid or softmax module is the identity, the last registered first.

    Order of registration is not order of use: whether a module is the tail is for the caller to verify on samples.
    """
    named = network.named_modules(remove_duplicate=False)  # one sigmoid may serve as gate and as tail, under two names
    tails = [name for name, m in named if name and isinstance(m, (nn.Sigmoid, nn.Softmax))]
    for name in reversed(tails):
        cut = copy.deepcopy(network)
        parent, _, child = name.rpartition(".")
        setattr(cut.get_submodule(parent), child, nn.Identity())
        yield cut
