"""Statistics over a whole map held fixed, so that what remains of a network's gradient is what its convolutions see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

REDUCTIONS = ("mean", "sum", "std", "var", "std_mean", "var_mean", "amax", "amin", "norm", "logsumexp")
POOLS = ("adaptive_avg_pool2d", "adaptive_max_pool2d")
EPS = 1e-5  # of every norm of torch where none is given


class Holding(TorchFunctionMode):
    """Inside the block, norms and reductions over a whole map pass no gradient through their statistics.

    The values stay as they are. It sees modules, functions and hand-written norms alike, but not inside TorchScript.

    Attributes:
        held: names of the functions that were met.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held: set[str] = set()

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """See `torch.overrides.TorchFunctionMode`."""
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        value = func(*args, **kwargs)
        x = args[0] if args else kwargs.get("input")
        if not isinstance(x, Tensor) or x.ndim < 3 or not x.requires_grad:
            return value
        scale = _scale(name, x, args, kwargs) if name in SCALES else None
        if scale is not None:
            self.held.add(name)
            return value.detach() + (x - x.detach()) * scale.detach()
        if _over_all(name, x, args, kwargs) or (name in POOLS and _is_single(value)):
            self.held.add(name)
            return _detached(value)
        return value


def _scale(name: str, x: Tensor, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor | None:
    """What a norm with fixed statistics multiplies each value with, or None where it has none over the map."""
    given = {**dict(zip(SCALES[name], args, strict=False)), **kwargs}
    eps = given.get("eps", EPS)
    weight = given.get("weight")
    if name == "layer_norm":
        n = len(given["normalized_shape"])
        if n < 2:
            return None  # over the channels of one place
        scale = (x.var(tuple(range(-n, 0)), unbiased=False, keepdim=True) + eps).rsqrt()
        return scale if weight is None else torch.mul(scale, weight)
    if name == "instance_norm" and not given.get("use_input_stats", True):
        return None
    groups = int(given.get("num_groups", x.shape[1]))
    parts = x.reshape(len(x), groups, -1)
    scale = (parts.var(2, unbiased=False) + eps).rsqrt().repeat_interleave(x.shape[1] // groups, 1)
    scale = scale if weight is None else torch.mul(scale, weight)
    return scale.reshape(*scale.shape, *(1 for _ in x.shape[2:]))


SCALES = {  # parameters of torch's functions, in their order
    "instance_norm": ("input", "running_mean", "running_var", "weight", "bias", "use_input_stats", "momentum", "eps"),
    "group_norm": ("input", "num_groups", "weight", "bias", "eps"),
    "layer_norm": ("input", "normalized_shape", "weight", "bias", "eps"),
}


def _over_all(name: str, x: Tensor, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
    """Whether a reduction runs over all places of a map (N, C, H, W) or (N, C, places)."""
    if name not in REDUCTIONS:
        return False
    place = 2 if name == "norm" else 1
    axes = kwargs.get("dim", args[place] if len(args) > place else None)
    if axes is None or isinstance(axes, bool):
        return True
    over = {int(a) % x.ndim for a in (axes if isinstance(axes, Iterable) else (axes,))}
    return over >= set(range(2, x.ndim)) and x[0, 0].numel() > 1


def _is_single(value: Any) -> bool:
    found = value[0] if isinstance(value, tuple) else value
    return isinstance(found, Tensor) and found.shape[-2:].numel() == 1


def _detached(value: Any) -> Any:
    return tuple(v.detach() for v in value) if isinstance(value, tuple) else value.detach()
