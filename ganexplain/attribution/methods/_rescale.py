"""DeepLIFT's rules: the change of a function between two inputs, handed back to its arguments so that sums hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from ganexplain.attribution.methods._rules import RECTIFIERS, Rules, depends, derivative, of_one, overwritten, tried

ELEMENTWISE = re.compile(
    "sigmoid|tanh|softsign|hardsigmoid|logsigmoid|tanhshrink|hardshrink|softshrink|exp|expm1|log|log1p|log2|log10|logit|"
    "sqrt|rsqrt|reciprocal|square|abs|absolute|clamp|clip|clamp_min|clamp_max|sin|cos|erf|pow"
)
PRODUCTS = ("mul", "multiply", "matmul", "rmatmul", "mm", "bmm")
OVERWRITING = ("mul_", "multiply_", "div_", "divide_", "true_divide_")
POOLS = {f"{kind}max_pool{d}d": d for kind in ("", "adaptive_") for d in (1, 2, 3)}
INSTANCE = ("running_mean", "running_var", "weight", "bias", "use_input_stats", "momentum", "eps")
Pair = tuple[Tensor, Tensor]  # a value for the image and for the baseline
Rule = Callable[[Any, tuple[Any, ...], dict[str, Any], tuple[Any, ...]], Tensor]


class _Sloped(torch.autograd.Function):
    """A value whose derivative is what a rule says."""

    @staticmethod
    def forward(ctx: Any, given: Tensor, value: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(slope)
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return ctx.saved_tensors[0] * gradients[0], None, None  # in the layout of the value


class _Aligned(torch.autograd.Function):
    """The same value, whose gradient comes back in its layout.

    Torch 2.13 reads some gradients wrongly where a batch of one is channels-last and what comes back is not: a stack of
    convolution, ReLU, BatchNorm and a pool had all of its gap from that.
    """

    @staticmethod
    def forward(ctx: Any, given: Tensor) -> Tensor:
        ctx.size, ctx.stride = given.size(), torch.empty_like(given, device="meta").stride()  # dense if given is not
        return given.view_as(given)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients[0].new_empty_strided(ctx.size, ctx.stride).copy_(gradients[0])


class Watch(Rules):
    """Notes what the functions that have a rule are given, while the critic looks at the baseline."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, tuple[Any, ...]]] = []

    def replaced(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
        """No replacement."""
        if rule_of(name, args, kwargs) is not None:
            kept = tuple(a.detach().clone() if isinstance(a, Tensor) and i < 2 else a for i, a in enumerate(args))
            self.seen.append((name, kept))
        return None


class Rescale(Rules):
    """Hands changes back by the rules, while the critic looks at the image.

    Args:
        watch: what it saw of the baseline.
    """

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.seen = iter(watch.seen)

    def replaced(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor | None:
        """The rule's replacement.

        Raises:
            ValueError: the critic runs other functions than for the baseline.
        """
        rule = rule_of(name, args, kwargs)
        if rule is None:
            return None
        other, before = next(self.seen, ("", ()))
        if other != name or [_shape(a) for a in args[:2]] != [_shape(a) for a in before[:2]]:
            raise ValueError(
                f"deep_lift compares the functions that the model runs for image and baseline one by one, got {name!r} "
                f"beside {other or 'none'!r}; use integrated_gradients for a model that branches"
            )
        if rule is _elementwise:
            return rule(func, args, kwargs, before)
        aligned = [_Aligned.apply(a) if depends(a) else a for a in args]  # type: ignore[no-untyped-call]
        made = rule(func, tuple(aligned), kwargs, before)
        return overwritten(args[0], made) if func.__name__ in OVERWRITING else made


def _shape(value: Any) -> Any:
    return tuple(value.shape) if isinstance(value, Tensor) else None


def rule_of(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Rule | None:
    """The rule for a call, or None where there is none or nothing to hand back."""
    both = len(args) > 1 and depends(args[0]) and depends(args[1])
    if name in RECTIFIERS or ELEMENTWISE.fullmatch(name):
        return _elementwise if depends(args[0]) and not both else None
    if name in PRODUCTS:
        return _product if both else None
    if name in ("div", "truediv", "true_divide", "divide"):
        return _quotient if len(args) > 1 and depends(args[1]) else None
    if name == "rdiv":
        return _reversed_quotient
    if name in ("amax", "amin"):
        dim = args[1] if len(args) > 1 else kwargs.get("dim")
        return _extreme if isinstance(dim, int) else None
    if name == "instance_norm":
        return None if _named(args, kwargs, *INSTANCE)[4] is False else _instance_norm
    special: dict[str, Rule] = {
        "layer_norm": _layer_norm,
        "group_norm": _group_norm,
        "softmax": _softmax,
        "logsumexp": _logsumexp,
    }
    return special.get(name) or (_max_pool if name in POOLS and not kwargs.get("return_indices") else None)


def rescaled(function: Callable[[Tensor], Tensor], x: Tensor, x0: Tensor) -> Pair:
    """Values of an elementwise function; its slope is that of the line between the two (the Rescale rule).

    Where the two arguments are as good as equal, the difference of the values has no digits, and the derivative half
    way between them is the slope.
    """
    (value, _), (value0, _) = tried(function, x), tried(function, x0)
    with torch.no_grad():
        step = x - x0
        near = step.abs() <= torch.finfo(x.dtype).eps ** 0.5 * torch.maximum(x.abs(), x0.abs())
        slope = (value - value0) / torch.where(near, torch.ones_like(step), step)
    if near.any():
        slope = torch.where(near, derivative(function, x0 + step / 2), slope)
    made = _Sloped.apply(x, value, slope.detach())  # type: ignore[no-untyped-call]
    return cast(Tensor, made), value0


def product(function: Callable[[Tensor, Tensor], Tensor], a: Pair, b: Pair) -> Pair:
    """Values of a bilinear function; each factor takes its change times the other's mean, so half of what both do."""
    (x, x0), (y, y0) = a, b
    half = function(x, (y.detach() + y0) / 2) + function((x.detach() + x0) / 2, y)
    with torch.no_grad():
        value, value0 = function(x, y), function(x0, y0)
    return value + (half - half.detach()), value0


def _elementwise(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], before: tuple[Any, ...]) -> Tensor:
    own = of_one(func, args, kwargs)
    overwrites = tried(own, args[0][:0])[1]
    value, _ = rescaled(own, args[0], before[0])
    return overwritten(args[0], value) if overwrites else value


def _product(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], before: tuple[Any, ...]) -> Tensor:
    plain: Callable[[Tensor, Tensor], Tensor] = torch.matmul if "mat" in func.__name__ else torch.mul
    plain = {"mm": torch.mm, "bmm": torch.bmm}.get(func.__name__, plain)
    first, second = (args[0], before[0]), (args[1], before[1])
    if func.__name__.startswith("__r"):
        first, second = second, first
    return product(plain, first, second)[0]


def _quotient(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], before: tuple[Any, ...]) -> Tensor:
    inverse = rescaled(torch.reciprocal, args[1], before[1])
    return product(torch.mul, (args[0], before[0]), inverse)[0] if depends(args[0]) else args[0] * inverse[0]


def _reversed_quotient(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], before: tuple[Any, ...]) -> Tensor:
    return cast(Tensor, rescaled(torch.reciprocal, args[0], before[0])[0] * args[1])


def _standardised(x: Pair, dims: tuple[int, ...], eps: float) -> Tensor:
    centred = cast(Pair, tuple(part - part.mean(dims, keepdim=True) for part in x))
    squares = rescaled(torch.square, *centred)
    variance = (part.mean(dims, keepdim=True) for part in squares)
    return product(torch.mul, centred, rescaled(lambda v: torch.rsqrt(v + eps), *variance))[0]


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None, shape: tuple[int, ...]) -> Tensor:
    x = x if weight is None else x * weight.view(shape)
    return x if bias is None else x + bias.view(shape)


def _named(args: tuple[Any, ...], kwargs: dict[str, Any], *names: str) -> list[Any]:
    """The arguments after the first by name."""
    given = dict(zip(names, args[1:], strict=False)) | kwargs
    return [given.get(name) for name in names]


def _instance_norm(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], before: tuple[Any, ...]) -> Tensor:
    _, _, weight, bias, _, _, eps = _named(args, kwargs, *INSTANCE)
    dims = tuple(range(2, args[0].ndim))
    made = _standardised((args[0], before[0]), dims, 1e-5 if eps is None else eps)
    return _affine(made, weight, bias, (1, -1, *[1] * len(dims)))


def _layer_norm(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], before: tuple[Any, ...]) -> Tensor:
    shape, weight, bias, eps = _named(args, kwargs, "normalized_shape", "weight", "bias", "eps")
    made = _standardised((args[0], before[0]), tuple(range(-len(shape), 0)), 1e-5 if eps is None else eps)
    return _affine(made, weight, bias, tuple(shape))


def _group_norm(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], before: tuple[Any, ...]) -> Tensor:
    groups, weight, bias, eps = _named(args, kwargs, "num_groups", "weight", "bias", "eps")
    x, x0 = (part.reshape(len(part), groups, -1) for part in (args[0], before[0]))
    made = _standardised((x, x0), (2,), 1e-5 if eps is None else eps).view_as(args[0])
    return _affine(made, weight, bias, (1, -1, *[1] * (made.ndim - 2)))


def _exponentials(x: Tensor, x0: Tensor, dim: int) -> tuple[Pair, Pair, Tensor]:
    """Exponentials and their sum along ``dim`` after a common shift, and the shift."""
    shift = torch.maximum(x.detach(), x0).amax(dim, keepdim=True)
    parts = rescaled(lambda v: torch.exp(v - shift), x, x0)
    return parts, cast(Pair, tuple(part.sum(dim, keepdim=True) for part in parts)), shift


def _softmax(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], before: tuple[Any, ...]) -> Tensor:
    dim = args[1] if len(args) > 1 else kwargs["dim"]
    parts, total, _ = _exponentials(args[0], before[0], dim)
    return product(torch.mul, parts, rescaled(torch.reciprocal, *total))[0]


def _logsumexp(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], before: tuple[Any, ...]) -> Tensor:
    dim, keep = _named(args, kwargs, "dim", "keepdim")
    _, total, shift = _exponentials(args[0], before[0], dim)
    made = rescaled(torch.log, *total)[0] + shift
    return made if keep else made.squeeze(dim)


def _chosen(x: Pair, first: Tensor, second: Tensor) -> Tensor:
    """The largest of each window, handed back in two steps: up to the larger of both maxima, and from there.

    Args:
        x: (..., L) arguments.
        first: (..., M) where the image's maxima are.
        second: (..., M) where the baseline's are.
    """
    here, there = x[0].gather(-1, first), x[0].gather(-1, second)
    with torch.no_grad():
        value, value0 = x[0].gather(-1, first), x[1].gather(-1, second)
        top = torch.maximum(value, value0)
        steps = value - x[1].gather(-1, first), x[0].gather(-1, second) - value0
        near = [s.abs() <= torch.finfo(s.dtype).eps ** 0.5 * top.abs() for s in steps]
        one = torch.ones_like(value)
        up = torch.where(near[0], one, (top - value0) / torch.where(near[0], one, steps[0]))
        down = torch.where(near[1], 0 * one, (value - top) / torch.where(near[1], one, steps[1]))
    half = up * here + down * there
    return value + (half - half.detach())


def _max_pool(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], before: tuple[Any, ...]) -> Tensor:
    name, rest = func.__name__, {**kwargs, "return_indices": True}
    d = POOLS[name]
    pool = partial(getattr(nn.functional, name), **{k: v for k, v in rest.items() if v is not None})
    with torch.no_grad():
        (value, first), (_, second) = pool(args[0], *args[1:]), pool(before[0], *args[1:])
    flat = args[0].flatten(-d), before[0].flatten(-d)
    return _chosen(flat, first.flatten(-d), second.flatten(-d)).view_as(value)


def _extreme(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], before: tuple[Any, ...]) -> Tensor:
    dim, keep = _named(args, kwargs, "dim", "keepdim")
    sign = 1 if func.__name__ == "amax" else -1
    x, x0 = ((sign * part).movedim(dim, -1) for part in (args[0], before[0]))
    made = _chosen((x, x0), x.detach().argmax(-1, keepdim=True), x0.argmax(-1, keepdim=True))
    made = sign * made
    return made.movedim(-1, dim) if keep else made.squeeze(-1)
