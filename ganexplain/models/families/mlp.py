"""A fully connected generator against two strided convolutions with dropout: the small MNIST GAN of the tutorials.

The default is the network of the published recipe whose faults docs/seed-recipe.md lists, in working form: layers are
built once, the generator ends in tanh, and the discriminator has one linear head, whose only output is a score.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

from torch import Tensor, nn

from ganexplain import checks
from ganexplain.models.families._architecture import Images, initialise
from ganexplain.models.generator import Generator

__all__ = ["MLP"]

KERNEL = 5


@dataclass(frozen=True)
class Architecture(Images):
    """What both networks are built from, beside resolution, channels and z_dim.

    Attributes:
        widths: units of the generator's hidden layers.
        critic_width: channels of both convolutions.
        slope: of every LeakyReLU; .3 is what Keras takes by default, torch takes .01.
        dropout: share of the discriminator's features that is dropped in training; never in a critic.
    """

    family: ClassVar[str] = "mlp"

    z_dim: int = 100
    widths: tuple[int, ...] = (256, 512, 1024)
    critic_width: int = 64
    slope: float = 0.3
    dropout: float = 0.3

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.widths, (list, tuple)) or not all(isinstance(w, int) and w > 0 for w in self.widths):
            raise ValueError(f"widths must be a list of positive whole numbers, got {self.widths!r}")
        checks.positive(self.critic_width, "critic_width")
        for name in ("slope", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in [0, 1), got {getattr(self, name)}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of an image."""
        return self.channels, self.resolution, self.resolution


class MLPGenerator(Generator):
    """z, linear layers with LeakyReLU, tanh, and the pixels put into rows and columns."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.z_dim, self.resolution, self.channels = shape.z_dim, shape.resolution, shape.channels
        widths = [shape.z_dim, *shape.widths]
        layers: list[nn.Module] = []
        for before, after in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.Linear(before, after), nn.LeakyReLU(shape.slope)]
        self.layers = nn.Sequential(
            *layers, nn.Linear(widths[-1], prod(shape.shape)), nn.Tanh(), nn.Unflatten(1, shape.shape)
        )

    def forward(self, z: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1] of codes (N, z_dim)."""
        images: Tensor = self.layers(z)
        return images


class ConvDiscriminator(nn.Module):
    """Two 5x5 convolutions with stride 2, each with LeakyReLU and dropout, then one linear layer: no sigmoid."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before in (shape.channels, shape.critic_width):
            # padded alike on both sides; Keras' "same" pads the left side less, which shifts the maps by a pixel
            layers += [nn.Conv2d(before, shape.critic_width, KERNEL, 2, KERNEL // 2), nn.LeakyReLU(shape.slope)]
            layers += [nn.Dropout(shape.dropout)] if shape.dropout else []
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Linear(shape.critic_width * (shape.resolution // 4) ** 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(N,) scores of images (N, C, H, W) in [-1, 1]."""
        score: Tensor = self.head(self.layers(images)).flatten()
        return score


class MLP:
    """The family's builders; keyword arguments are the fields of `Architecture`."""

    @staticmethod
    def generator(**architecture: Any) -> MLPGenerator:
        """A new generator, initialised from torch's current random state."""
        shape = Architecture.read(architecture)
        network = MLPGenerator(shape)
        initialise(network, shape.slope)
        return network

    @staticmethod
    def discriminator(**architecture: Any) -> ConvDiscriminator:
        """A new discriminator, initialised from torch's current random state."""
        shape = Architecture.read(architecture)
        network = ConvDiscriminator(shape)
        initialise(network, shape.slope)
        return network
