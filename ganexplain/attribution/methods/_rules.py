"""Other backward passes for nonlinear functions, whoever calls them: a module, a function or a tensor's own method.

A mode of `torch.overrides` sees every call, so that no hook is needed and a layer may work in place, be a function or
be used many times. What a mode cannot see (TorchScript, functions in another language) `_graph.unruled` finds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

RECTIFIERS = frozenset(
    {
        "relu",
        "relu6",
        "leaky_relu",
        "rrelu",
        "prelu",
        "elu",
        "selu",
        "celu",
        "gelu",
        "silu",
        "mish",
        "softplus",
        "hardswish",
        "threshold",
        "hardtanh",
    }
)
Elementwise = Callable[[Tensor], Tensor]


class _Guided(torch.autograd.Function):
    """A value whose derivative lets positive gradients through alone."""

    @staticmethod
    def forward(ctx: Any, given: Tensor, value: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(slope)
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return ctx.saved_tensors[0] * gradients[0].clamp(min=0), None, None  # in the layout of the value


class Rules(TorchFunctionMode):
    """A mode that replaces calls of functions of the input by what `replaced` makes of them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """The call, or its replacement."""
        name = called(func)
        args, kwargs = subject(args, kwargs or {})
        made = self.replaced(name, func, args, kwargs) if any(map(depends, args)) else None
        return func(*args, **kwargs) if made is None else made

    def replaced(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
        """The replacement of a call, or None for the call itself."""
        raise NotImplementedError


class Guided(Rules):
    """Rectifiers let positive gradients back alone, times their own slope (Springenberg et al. 2015)."""

    def replaced(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
        """The rule for rectifiers."""
        if name not in RECTIFIERS or not depends(args[0]):
            return None
        own = of_one(func, args, kwargs)
        value, overwrites = tried(own, args[0])
        made = _Guided.apply(args[0], value, derivative(own, args[0]))  # type: ignore[no-untyped-call]
        return overwritten(args[0], made) if overwrites else cast(Tensor, made)


def called(function: Any) -> str:
    """The bare name: ``relu`` for ``F.relu``, ``torch.relu_``, ``Tensor.relu`` and the like."""
    return str(getattr(function, "__name__", "")).strip("_")


def subject(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with the input in the first place, also where it came by name."""
    rest = dict(kwargs)
    return ((rest.pop("input"), *args) if "input" in rest else tuple(args)), rest


def depends(value: Any) -> bool:
    """Whether a value is a tensor that depends on the input."""
    return isinstance(value, Tensor) and value.requires_grad


def of_one(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Elementwise:
    """The call as a function of its first argument."""
    return lambda x: function(x, *args[1:], **kwargs)


def tried(function: Elementwise, given: Tensor) -> tuple[Tensor, bool]:
    """The value at ``given``, and whether the function would have written it into ``given``."""
    with torch.no_grad():
        probe = given.detach().clone()
        value = function(probe)
    return value, value is probe


def overwritten(given: Tensor, result: Tensor) -> Tensor:
    """``given`` after ``result`` was written into it, as a function that works in place leaves it."""
    given.copy_(result)
    return given


def derivative(function: Elementwise, at: Tensor) -> Tensor:
    """The derivative of an elementwise function."""
    with torch.enable_grad():
        leaf = at.detach().clone().requires_grad_(True)
        (slope,) = torch.autograd.grad(function(leaf.clone()).sum(), leaf)
    return slope
