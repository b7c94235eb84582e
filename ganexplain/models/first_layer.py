"""The linear map that a latent code meets first in a generator, found by running codes through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganexplain import tensors

AFFINE = 1e-4  # of the largest input: what counts as rounding where a layer's input is a linear function of the code


@dataclass(frozen=True)
class FirstLayer:
    """The linear map that a latent code meets first.

    Attributes:
        weight: (outputs, d): what a unit step along each latent axis adds to each output.
        gain: (outputs,) factor gamma / sqrt(var + eps) of a BatchNorm that directly follows, or None.
        name: the layer's module path.
    """

    weight: Tensor
    gain: Tensor | None
    name: str


@dataclass(frozen=True)
class Call:
    """One use of a leaf module: its path, itself, and what it was given."""

    name: str
    module: nn.Module
    given: Tensor | None


def first_layer_of(network: Callable[[Tensor], Tensor] | nn.Module, codes: Tensor) -> FirstLayer:
    """Run ``codes`` (2 or more, unlike each other) and see which layer with weights first reads them.

    What a code is joined with, such as a label's embedding, is no part of the map.

    Raises:
        ValueError: that layer is of another kind, or the code reaches it through something that is not linear.
    """
    if not isinstance(network, nn.Module):
        raise TypeError(f"a torch module is needed to read weights from, got {type(network).__name__}")
    calls = _calls(network, codes)
    started = _started(calls)
    layer, name = calls[started].module, calls[started].name
    follower = calls[started + 1].module if started + 1 < len(calls) else None
    return FirstLayer(_matrix(network, layer, name, codes), _gain(follower, layer), name)


def order_of_use(network: nn.Module, codes: Tensor) -> tuple[list[tuple[str, nn.Module]], int]:
    """Module paths and leaf modules in the order in which they work on ``codes``, and the place of the first weights.

    Raises:
        ValueError: none has weights.
    """
    calls = _calls(network, codes)
    return [(call.name, call.module) for call in calls], _started(calls)


def _started(calls: list[Call]) -> int:
    weighted = [i for i, call in enumerate(calls) if list(call.module.parameters(recurse=False))]
    if not weighted:
        raise ValueError("the generator has no module with weights, so there is no first layer to read")
    return next((i for i in weighted if _varies(calls[i].given)), weighted[0])


def _varies(given: Tensor | None) -> bool:
    """Whether a layer's rows differ, as codes do; those of a label's embedding are alike."""
    return given is not None and len(given) > 1 and bool((given[0] != given[1]).any())


def _calls(network: nn.Module, codes: Tensor) -> list[Call]:
    calls: list[Call] = []
    leaves = [(name, m) for name, m in network.named_modules() if not list(m.children())]
    with _watched(network, leaves, lambda name, m, given: calls.append(Call(name, m, given))):
        network(codes)
    return calls


@contextmanager
def _watched(
    network: nn.Module, leaves: list[tuple[str, nn.Module]], see: Callable[[str, nn.Module, Tensor | None], None]
) -> Iterator[None]:
    """Inside the block ``see`` is told of every use of ``leaves``; the network is in eval mode there."""
    if any(isinstance(module, torch.jit.ScriptModule) for module in network.modules()):
        raise ValueError(
            "a TorchScript program does not show its layers; take a method that draws images alone, such as "
            "--method jacobian, coordinate or random"
        )
    hooks, modes = [], [(module, module.training) for module in network.modules()]
    for name, module in leaves:

        def hook(m: nn.Module, given: tuple[object, ...], _: object, name: str = name) -> None:
            first = given[0] if given and isinstance(given[0], Tensor) else None
            see(name, m, None if first is None else first.detach().clone())

        hooks.append(module.register_forward_hook(hook))
    try:
        network.eval()  # in train mode a BatchNorm would take these codes into its statistics
        with torch.no_grad(), tensors.isolated():
            yield
    finally:
        for handle in hooks:
            handle.remove()
        for module, training in modes:
            module.training = training


def _matrix(network: nn.Module, layer: nn.Module, name: str, codes: Tensor) -> Tensor:
    z_dim = codes.shape[1]
    if isinstance(layer, nn.Linear):
        weight = layer.weight.detach()
    elif isinstance(layer, nn.ConvTranspose2d) and layer.groups == 1:
        weight = layer.weight.detach().flatten(1).T  # (d, out, kh, kw): on a 1x1 code every tap is an output of its own
    elif isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1) and layer.groups == 1:
        weight = layer.weight.detach().flatten(1)
    else:
        raise _unread(name, layer, z_dim)
    if weight.shape[1] == z_dim:
        return weight
    return weight @ _route(network, layer, name, codes, weight.shape[1])


def _route(network: nn.Module, layer: nn.Module, name: str, codes: Tensor, inputs: int) -> Tensor:
    """(inputs, d): how the layer's input depends on the code, tried on unit codes and proven on ``codes``."""
    seen: list[Tensor] = []

    def see(_: str, __: nn.Module, given: Tensor | None) -> None:
        if given is not None and not seen:
            seen.append(given)

    unit = torch.eye(codes.shape[1]).to(codes)
    parts = []
    for piece in torch.split(torch.cat([torch.zeros_like(unit[:1]), unit, codes]), 64):
        seen.clear()
        with _watched(network, [(name, layer)], see):
            network(piece)
        parts.append(seen[0].flatten(1) if seen else piece[:, :0])
    read = torch.cat(parts)
    if read.shape[1] != inputs:
        raise _unread(name, layer, len(unit))
    start, route = read[0], read[1 : len(unit) + 1] - read[0]
    away = float((read[len(unit) + 1 :] - start - codes @ route).abs().max())
    if away > AFFINE * float(read.abs().max()):
        raise _unread(name, layer, len(unit))
    return route.T


def _unread(name: str, layer: nn.Module, z_dim: int) -> ValueError:
    return ValueError(
        f"the first layer {name!r} is a {type(layer).__name__} that does not read a code of {z_dim} numbers directly; "
        "override first_layer(space) of the generator"
    )


def _gain(follower: nn.Module | None, layer: nn.Module) -> Tensor | None:
    if not isinstance(follower, nn.modules.batchnorm._BatchNorm) or follower.running_var is None:
        return None
    gamma = torch.ones_like(follower.running_var) if follower.weight is None else follower.weight.detach()
    gain = gamma / (follower.running_var + follower.eps).sqrt()
    if isinstance(layer, nn.ConvTranspose2d):
        return gain.repeat_interleave(layer.kernel_size[0] * layer.kernel_size[1])
    return gain
