"""What a layer of a generator says to latent codes."""

from __future__ import annotations

import contextlib
import difflib

import torch
from torch import Tensor, nn

from ganexplain import tensors
from ganexplain.models.first_layer import order_of_use
from ganexplain.models.generator import Generator

NORMS = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)
SHAPES = (nn.Identity, nn.Flatten, nn.Unflatten, nn.Dropout)
NEAREST = 5


class _ReachedError(Exception):
    """Ends a forward once the layer has spoken: what comes after it costs most and is not needed."""


def first_block(generator: Generator) -> str:
    """Module path of the first layer with weights, or of the last of the norms and activations that directly follow.

    An activation that is a function and no module is not seen; the block then ends before it.

    Raises:
        ValueError: the generator has no module with weights.
    """
    order, started = order_of_use(generator, generator.sample(2, seed=0))
    name, seen = order[started][0], {id(module) for _, module in order[: started + 1]}
    for path, module in order[started + 1 :]:
        if id(module) in seen:  # used again: its first call, which is what is read, was another one
            break
        seen.add(id(module))
        if isinstance(module, NORMS) or type(module).__module__ == nn.ReLU.__module__:
            name = path
        elif not isinstance(module, SHAPES):
            break
    return name


def module_named(generator: Generator, path: str) -> nn.Module:
    """The module at ``path``.

    Raises:
        ValueError: there is none; the message names the nearest.
    """
    modules: dict[str, nn.Module] = {name: module for name, module in generator.named_modules() if name}
    if path not in modules:
        ends = [name for name in modules if name.endswith(f".{path}")]  # a wrapped network has its own paths inside
        near = [*ends, *difflib.get_close_matches(path, modules, n=NEAREST, cutoff=0.3)]
        listed = ", ".join(dict.fromkeys(near[:NEAREST] or [*modules][:NEAREST])) or "none, since it has no modules"
        raise ValueError(f"the generator has no layer {path!r}; the nearest are: {listed}")
    return modules[path]


def activations(generator: Generator, layer: str, codes: Tensor, space: str) -> Tensor:
    """(N, D) what ``layer`` says to codes (N, d) when it first runs: flattened, on the CPU, in its own precision.

    Raises:
        ValueError: there is no such layer, or it does not run, or its output has no axis of N.
        TypeError: its output is no tensor.
    """
    caught: list[object] = []

    def keep(_module: nn.Module, _inputs: object, output: object) -> None:
        caught.append(output.detach().clone() if isinstance(output, Tensor) else output)
        raise _ReachedError

    hook = module_named(generator, layer).register_forward_hook(keep)
    try:
        with torch.no_grad(), tensors.isolated(), contextlib.suppress(_ReachedError):
            generator.synthesize(codes, space)
    finally:
        hook.remove()
    if not caught:
        raise ValueError(f"the layer {layer!r} does not run when images are made from {space}; choose another")
    output = caught[0]
    if not isinstance(output, Tensor):
        raise TypeError(f"the layer {layer!r} must return a tensor, got {type(output).__name__}; choose one inside it")
    if output.ndim < 2 or len(output) != len(codes):
        raise ValueError(
            f"the layer {layer!r} must return one row a code, ({len(codes)}, ...), got {tuple(output.shape)}; choose "
            "another"
        )
    return output.flatten(1).cpu()
