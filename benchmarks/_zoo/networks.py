"""The critics of the zoo beside those of the tests, and their parts for the oracles."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks._zoo import truths
from tests._critics import SIDE, Net, Seen

BLACK = -1.0


def black(channels: int = 1, side: int = SIDE) -> Tensor:
    """(1, channels, side, side) the black image."""
    return torch.full((1, channels, side, side), BLACK)


def grid(n: int, side: int = SIDE) -> Tensor:
    """(side, side) labels of n x n cells."""
    place = torch.arange(side) * n // side
    return place[:, None] * n + place[None]


class Smooth(Net):
    """Convolutions with another activation or norm between them."""

    def __init__(self, *, act: nn.Module, norm: type[nn.Module] | None = None) -> None:
        super().__init__()
        self.one, self.two = act, copy.deepcopy(act)
        if norm is not None:
            self.norm_one, self.norm_two = norm([6, 4, 4]), norm([8, 2, 2])


class Rectified(nn.Module):
    """Two convolutions and a linear layer with ReLUs as modules, as functions, or as one module used twice."""

    def __init__(self, style: str = "module") -> None:
        super().__init__()
        source = Net()
        self.first, self.second, self.last = source.first, source.second, source.last
        self.one, self.style = nn.ReLU(inplace=style == "inplace"), style
        self.two = self.one if style == "reused" else nn.ReLU(inplace=style == "inplace")

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 8, 8) to (N, 1)."""
        relu = nn.functional.relu
        x = relu(self.first(x)) if self.style == "functional" else self.one(self.first(x))
        x = relu(self.second(x)) if self.style == "functional" else self.two(self.second(x))
        return self.last(x.flatten(1))


class Corner(nn.Module):
    """Sees brightness in one corner through a convolution, and weighs it: the map of a CAM must point there."""

    def __init__(self, weight: float, bias: float = 0.0) -> None:
        super().__init__()
        self.second, self.act = nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.ReLU()
        with torch.no_grad():
            self.second.weight.fill_(1 / 9)
            self.second.weight[1].neg_()
        self.weight, self.bias = weight, bias

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, 1)."""
        return self.weight * self.act(self.second(x))[:, :1].mean((2, 3)) + self.bias


def corner_images() -> Tensor:
    """(2, 1, 8, 8) dark images with one bright corner each."""
    x = torch.full((2, 1, SIDE, SIDE), -0.6)
    x[0, :, :3, :3], x[1, :, -3:, -3:] = 0.9, 0.9
    return x


class Classes(nn.Module):
    """A linear critic as two classes; a softmax, a module, ends it."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.head, self.tail = nn.Linear(weight.numel(), 2), nn.Softmax(1)
        with torch.no_grad():
            self.head.weight.copy_(torch.stack([-0.5 * weight.flatten(), 0.5 * weight.flatten()]))
            self.head.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 2); the second column is "real"."""
        return self.tail(self.head(x.flatten(1)))


class Sure(nn.Module):
    """A linear critic whose sigmoid, a module at the tail, is saturated."""

    def __init__(self, weight: Tensor, bias: float = 40.0) -> None:
        super().__init__()
        self.head, self.tail = nn.Linear(weight.numel(), 1), nn.Sigmoid()
        with torch.no_grad():
            self.head.weight.copy_(weight.flatten()[None])
            self.head.bias.fill_(bias)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, 1)."""
        return self.tail(self.head(x.flatten(1)))


class Spied(Net):
    """A `Net` that notes the batches it sees, copies included, and raises at a chosen call."""

    def __init__(self, *, fail_at: int = 0, keep: bool = False, **given: Any) -> None:
        super().__init__(**given)
        self.seen, self.keep = Seen(), keep
        self.seen.fail_at = fail_at
        self.kept = Seen()  # shared by copies; its list holds inputs

    @property
    def inputs(self) -> list[Any]:
        """The inputs that were seen, where they are kept."""
        return self.kept.batches

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 8, 8) to (N, 1)."""
        self.seen.batches.append(len(x))
        if self.keep:
            self.inputs.append(x.detach().clone())
        out = super().forward(x)
        if len(self.seen.batches) == self.seen.fail_at:
            raise RuntimeError(f"call {self.seen.fail_at} fails")
        return out


class Compares(Net):
    """A `Net` whose last layer also sees how much the images of the batch differ (Karras et al. 2018)."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 8, 8) to (N, 1)."""
        spread = (x.var(0, unbiased=False) + 1e-8).sqrt().mean()
        return super().forward(x) + 10 * spread


class Alone(nn.Module):
    """Any network, one image at a time."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 8, 8) to (N, 1)."""
        return torch.cat([self.net(image) for image in x.split(1)])


def weights(seed: int = 1, channels: int = 1) -> Tensor:
    """(1, channels, 8, 8) of a linear critic."""
    return torch.randn(1, channels, SIDE, SIDE, generator=torch.Generator().manual_seed(seed)) / 8


def leaky(x: Tensor) -> Tensor:
    """The activation of `Net`."""
    return nn.functional.leaky_relu(x, 0.2)


def rescaled(net: Net, x: Tensor, baseline: Tensor, act: truths.Function = leaky) -> Tensor:
    """(N, 1, 8, 8) what the rescale rule gives for a `Net` without norms."""
    twin = copy.deepcopy(net).double().eval().requires_grad_(False)
    return truths.rescale(twin.first, act, twin.second, lambda z: twin.last(z.flatten(1)).flatten(), x, baseline)
