"""What the architectures of all families share: the images' size, the code's length, and the first weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

import torch
from torch import nn

from ganexplain import checks


@dataclass(frozen=True)
class Images:
    """The options that every family has; a family's architecture adds its own.

    Attributes:
        resolution: side of the images in pixels, a multiple of 4.
        channels: 1 to 4.
        z_dim: length of a latent code.
    """

    family: ClassVar[str]

    resolution: int = 28
    channels: int = 1
    z_dim: int = 64

    def __post_init__(self) -> None:
        if self.resolution < 4 or self.resolution % 4:
            raise ValueError(f"resolution must be a multiple of 4, got {self.resolution}; resize the images")
        if not 1 <= self.channels <= 4:
            raise ValueError(f"channels must be 1 to 4, got {self.channels}")
        checks.positive(self.z_dim, "z_dim")

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> Self:
        """An architecture from plain options; an unknown one raises with the nearest name."""
        for name in options:
            checks.one_of(f"option of the family {cls.family}", name, [f.name for f in fields(cls)])
        return cls(**options)


def initialise(network: nn.Module, slope: float) -> None:
    """He-normal weights for a leaky slope, zero biases: with no norm layer the scale must come from the weights.

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
