"""What the answers should be: computed from a well-behaved twin of each critic, without any explainer."""

from __future__ import annotations

import copy
from collections.abc import Callable
from math import comb

import torch
from torch import Tensor, nn

Function = Callable[[Tensor], Tensor]


def double(network: nn.Module) -> Function:
    """The network in float64 and eval mode as a function to (N,)."""
    twin = copy.deepcopy(network).double().eval().requires_grad_(False)
    return lambda x: twin(x.double()).reshape(len(x))


def gradient(function: Function, x: Tensor) -> Tensor:
    """(N, C, H, W) float64 gradient of the sum of the outputs."""
    leaf = x.detach().double().requires_grad_(True)
    (found,) = torch.autograd.grad(function(leaf).sum(), leaf)
    return found


def path(function: Function, x: Tensor, baseline: Tensor, points: int = 200) -> Tensor:
    """(N, C, H, W) the gradient integrated on the straight line (midpoint rule) times the difference."""
    step = (x - baseline).double()
    ts = (torch.arange(points, dtype=torch.float64) + 0.5) / points
    return step * torch.stack([gradient(function, baseline.double() + t * step) for t in ts]).mean(0)


def rescale(first: Function, act: Function, second: Function, last: Function, x: Tensor, baseline: Tensor) -> Tensor:
    """(N, C, H, W) DeepLIFT's rescale rule for last(act(second(act(first(x))))), the four in float64.

    With every activation replaced by multiplication with its secant slope, the contributions are gradient times
    difference (Shrikumar et al. 2017, equation 12; Ancona et al. 2018).
    """
    x, base = x.double(), baseline.double()
    slopes, here, there = [], x, base
    for layer in (first, second):
        here, there = layer(here), layer(there)
        change = here - there
        safe = torch.where(change.abs() > 1e-9, change, torch.ones_like(change))
        slopes.append(torch.where(change.abs() > 1e-9, (act(here) - act(there)) / safe, (here > 0).double()))
        here, there = act(here), act(there)

    def linear(z: Tensor) -> Tensor:
        return last(second(first(z) * slopes[0]) * slopes[1])

    return gradient(linear, x) * (x - base)


def worths(function: Function, image: Tensor, baseline: Tensor, segments: Tensor) -> tuple[Tensor, Tensor]:
    """(2^P, P) bool coalitions and the (2^P,) outputs with the others' pixels from the baseline, of one image."""
    n = int(segments.max()) + 1
    keep = ((torch.arange(2**n)[:, None] >> torch.arange(n)) & 1).bool()
    mask = keep[:, segments]  # (2^P, H, W)
    with torch.no_grad():
        return keep, function(torch.where(mask[:, None], image.double(), baseline.double()))


def shapley(function: Function, x: Tensor, baseline: Tensor, segments: Tensor) -> Tensor:
    """(N, P) Shapley values of the segments, by enumeration."""
    n, found = int(segments.max()) + 1, []
    index = torch.arange(2**n)
    for image in x:
        keep, worth = worths(function, image[None], baseline, segments)
        size = keep.sum(1)
        weight = torch.tensor([1 / (n * comb(n - 1, k)) if k < n else 0.0 for k in range(n + 1)], dtype=torch.float64)
        phi = [
            (weight[size[out]] * (worth[out + 2**player] - worth[out])).sum()
            for player in range(n)
            for out in (index[~keep[:, player]],)
        ]
        found.append(torch.stack(phi))
    return torch.stack(found)


def slopes(function: Function, x: Tensor, baseline: Tensor, segments: Tensor, samples: int = 1000) -> Tensor:
    """(N, P) what LIME's ridge regression tends to with ``samples`` samples: fitted to all coalitions."""
    found = []
    for image in x:
        keep, worth = worths(function, image[None], baseline, segments)
        design = keep.double()
        near = torch.exp(-((1 - (design.mean(1)).sqrt()) ** 2) / 0.25**2).sqrt()
        weight = near * samples / len(near)
        design = design - (weight @ design) / weight.sum()
        worth = worth - (weight @ worth) / weight.sum()
        gram = design.T @ (weight[:, None] * design) + torch.eye(design.shape[1], dtype=torch.float64)
        found.append(torch.linalg.solve(gram, design.T @ (weight * worth)))
    return torch.stack(found)


def guided(first: Function, second: Function, last: Function, x: Tensor) -> Tensor:
    """(N, C, H, W) guided backpropagation through ReLUs: negative gradients stop at each (Springenberg et al. 2015)."""

    class Guided(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, z: Tensor) -> Tensor:
            ctx.save_for_backward(z)
            return z.clamp(min=0)

        @staticmethod
        def backward(ctx: object, *given: Tensor) -> Tensor:
            (z,) = ctx.saved_tensors
            return given[0].clamp(min=0) * (z > 0)

    return gradient(lambda z: last(Guided.apply(second(Guided.apply(first(z))))), x)


def cam(features: Function, head: Function, x: Tensor) -> Tensor:
    """(N, h, w) signed Grad-CAM: channels weighted by their mean gradient, summed (Selvaraju et al. 2017, no ReLU)."""
    maps = features(x.double()).detach().requires_grad_(True)
    (slope,) = torch.autograd.grad(head(maps).sum(), maps)
    return (slope.mean((2, 3), keepdim=True) * maps.detach()).sum(1)
