"""What a wiring is, and the images and networks that wirings are made of."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import ganexplain as ge
from ganexplain import tensors
from ganexplain.models.critic import Critic
from ganexplain.models.generator import Generator

ASSETS = os.environ.get("GANEXPLAIN_ASSETS", "")
EXAMPLES = Path(__file__).parents[2] / "examples"
N = 150  # images of a kind


@dataclass(frozen=True)
class Subject:
    """A model as its user wired it, with the user's images."""

    model: Critic | Generator
    real: Tensor | None
    fake: Tensor | None = None


@dataclass(frozen=True)
class Wiring:
    """One way to wire a model.

    Attributes:
        name: what was done.
        build: makes the subject; may raise the error that names the fault.
        named: the findings of which one must warn or fail; empty for a right wiring.
        says: a regular expression that such a finding's words, or the error, must match.
        assets: whether it needs other people's weights.
    """

    name: str
    build: Callable[[], Subject]
    named: tuple[str, ...] = ()
    says: str = ""
    assets: bool = False

    @property
    def right(self) -> bool:
        """Nothing is wrong with it."""
        return not self.named


class Step(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Any], network: nn.Module | None = None) -> None:
        super().__init__()
        self.function, self.network = function, network

    def forward(self, x: Tensor) -> Any:
        """The function of the network's output, or of ``x``."""
        return self.function(x) if self.network is None else self.function(self.network(x))


@cache
def gan() -> ge.GAN:
    """The bundled GAN."""
    return ge.bundled("fashion")


def reals() -> Tensor:
    """(N, 1, 28, 28) held-out reals."""
    kept = gan().reals
    if kept is None:
        raise ValueError("the bundled GAN has no reals")
    return tensors.from_uint8(kept[:N])


@cache
def fakes() -> Tensor:
    """(N, 1, 28, 28) fresh samples."""
    return gan().samples(N, seed=77)


def judge() -> nn.Module:
    """A copy of the bundled judge: [-1, 1] to logits (N,)."""
    found = gan().judge
    if found is None:
        raise ValueError("the bundled GAN has no judge")
    return copy.deepcopy(found).requires_grad_(True)


def before(function: Callable[[Tensor], Tensor], network: nn.Module) -> nn.Module:
    """``function`` in front of a network."""
    return nn.Sequential(Step(function), network)


def after(network: nn.Module, function: Callable[[Any], Any]) -> nn.Module:
    """``function`` behind a network."""
    return Step(function, network)


def normed(slope: float = 0.2, *, seen: bool = True) -> nn.Module:
    """The judge with a BatchNorm after its second convolution that undoes nothing: same logits, and it remembers."""
    network = judge()
    inner = list(network.layers)  # type: ignore[union-attr, arg-type]
    norm = nn.BatchNorm2d(inner[2].out_channels)
    if seen:
        with torch.no_grad():
            fed = nn.Sequential(*inner[:3])(torch.cat([reals(), fakes()]))
            variance, mean = torch.var_mean(fed, (0, 2, 3), correction=0)
            norm.running_mean, norm.running_var = mean.clone(), variance.clone()  # type: ignore[assignment]
            norm.weight.copy_((variance + norm.eps).sqrt())
            norm.bias.copy_(mean)
    inner[1], inner[3] = nn.LeakyReLU(slope), nn.LeakyReLU(slope)
    network.layers = nn.Sequential(*inner[:3], norm, *inner[3:])
    return network.eval()


def subject(network: nn.Module, *, real: Tensor | None = None, fake: Tensor | None = None, **said: Any) -> Subject:
    """A critic on the bundled images, or on others."""
    return Subject(ge.Critic(network, **said), reals() if real is None else real, fakes() if fake is None else fake)


def tinted(images: Tensor, tint: tuple[float, float, float]) -> Tensor:
    """(N, 3, H, W): grey images in one hue."""
    return (images + 1) * torch.tensor(tint).view(1, 3, 1, 1) - 1


def example(name: str) -> str:
    """The name of an example's factory."""
    return str(EXAMPLES / name)
