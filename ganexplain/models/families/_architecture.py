"""What the architectures of all families share: sizes, the code's length, classes, and the first weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from ganexplain import checks
from ganexplain.models.generator import Generator

EMBEDDING = 64  # numbers that stand for a class beside the code, at most


@dataclass(frozen=True)
class Images:
    """The options that every family has; a family's architecture adds its own.

    Attributes:
        resolution: side of the images in pixels, a multiple of 4.
        channels: 1 to 4.
        z_dim: length of a latent code.
        num_classes: how many classes the networks are told apart by; 0 for an unconditional GAN.
    """

    family: ClassVar[str]

    resolution: int = 28
    channels: int = 1
    z_dim: int = 64
    num_classes: int = 0

    def __post_init__(self) -> None:
        if self.resolution < 4 or self.resolution % 4:
            raise ValueError(f"resolution must be a multiple of 4, got {self.resolution}; resize the images")
        if not 1 <= self.channels <= 4:
            raise ValueError(f"channels must be 1 to 4, got {self.channels}")
        checks.positive(self.z_dim, "z_dim")
        if self.num_classes < 0 or self.num_classes == 1:
            raise ValueError(f"num_classes must be 0 (no classes) or at least 2, got {self.num_classes}")

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Self:
        """An architecture from plain options; an unknown one raises with the nearest name."""
        for name in options:
            checks.one_of(f"option of the family {cls.family}", name, [f.name for f in fields(cls)])
        return cls(**options)

    @property
    def code_dim(self) -> int:
        """Length of what the generator's first layer reads: the code, and the class beside it."""
        return self.z_dim + min(self.num_classes, EMBEDDING)


@dataclass(frozen=True)
class Pyramid(Images):
    """Maps whose side halves as their channels double.

    Attributes:
        width: channels of the largest maps; they double as the side halves, up to 8 * width.
    """

    width: int = 32

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.positive(self.width, "width")

    @property
    def levels(self) -> int:
        """How often the side is halved: at least once, then down to 4 or to an odd number."""
        side, levels = self.resolution // 2, 1
        while side > 4 and side % 2 == 0:
            side, levels = side // 2, levels + 1
        return levels

    @property
    def widths(self) -> list[int]:
        """Channels after each halving."""
        return [self.width * min(2**i, 8) for i in range(self.levels)]

    @property
    def base(self) -> int:
        """Side of the smallest maps."""
        return int(self.resolution // 2**self.levels)


class Embedded(nn.Module):
    """The class of an image as numbers beside its code.

    Args:
        shape: whose ``num_classes`` is above 0.
    """

    def __init__(self, shape: Images) -> None:
        super().__init__()
        self.table = nn.Embedding(shape.num_classes, shape.code_dim - shape.z_dim)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        """(N, code_dim) of codes (N, z_dim) and labels (N,) int64."""
        return torch.cat([z, self.table(labels)], 1)


class Drawer(Generator):
    """A generator of a family: its sizes, and the class beside the code.

    Args:
        shape: what it is built from.
    """

    def __init__(self, shape: Images) -> None:
        super().__init__()
        self.z_dim, self.resolution, self.channels = shape.z_dim, shape.resolution, shape.channels
        self.num_classes = shape.num_classes
        self.embedded = Embedded(shape) if shape.num_classes else None

    def joined(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """(N, code_dim), what the first layer reads, of codes (N, z_dim).

        Args:
            z: codes.
            labels: (N,) int64 classes; None takes the one that the generator stands at, see `Generator.given`.

        Raises:
            ValueError: a conditional generator that stands at no class and got no labels, or labels without classes.
        """
        if labels is None or self.embedded is None:
            labels = self.labels(len(z), labels)
        return z if self.embedded is None or labels is None else self.embedded(z, labels)


class Projected(nn.Module):
    """What the class adds to a score: <E(y), phi(x)> (Miyato and Koyama 2018, equation 3).

    Args:
        num_classes: above 0.
        width: of the features phi.
    """

    def __init__(self, num_classes: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(num_classes, width)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """(N,) of features (N, width) and labels (N,) int64."""
        shares: Tensor = self.table(labels) * features
        return shares.sum(1)


def scored(head: nn.Module, projected: Projected | None, features: Tensor, labels: Tensor | None) -> Tensor:
    """(N,) scores of features (N, width): what the last layer says, and of a conditional network the class.

    Raises:
        ValueError: labels where there are no classes, or none where there are some.
    """
    score: Tensor = head(features).flatten()
    if projected is None:
        if labels is not None:
            raise ValueError("labels were given, but this network knows no classes; leave them out")
        return score
    if labels is None:
        raise ValueError("this network judges an image given its class; say the class of every row: labels (N,) int64")
    of_class: Tensor = projected(features, labels)
    return score + of_class


def initialise(network: nn.Module, slope: float) -> None:
    """He-normal weights for a leaky slope, zero biases: with no norm layer the scale must come from the weights.

    Embeddings keep torch's standard normal numbers, as codes have, but those of a projection, which are scaled as a
    linear layer's are.

    Args:
        network: changed in place, from torch's current random state.
        slope: of the LeakyReLU between the layers.
    """
    for module in network.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            fan_in = module.weight[0].numel()
            if isinstance(module, nn.ConvTranspose2d):  # each output sees kernel / stride taps of every input
                fan_in = module.in_channels * module.kernel_size[0] ** 2 // module.stride[0] ** 2
            with torch.no_grad():
                module.weight.normal_(0, (2 / (1 + slope**2) / fan_in) ** 0.5)
                if module.bias is not None:
                    module.bias.zero_()
        elif isinstance(module, Projected):
            with torch.no_grad():
                module.table.weight.mul_(module.table.embedding_dim**-0.5)
