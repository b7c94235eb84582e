"""DCGAN (Radford et al. 2016) for any resolution that is a multiple of 4, without normalisation by default.

BatchNorm couples the images of a batch and spectral norm changes on every training forward: both make an explanation
depend on more than the image, so the default has neither and relies on R1 and R2 for stability.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from ganexplain import checks
from ganexplain.models.families._architecture import Drawer, Projected, Pyramid, initialise, scored

__all__ = ["DCGAN"]

SLOPE = 0.2
NORMS = ("none", "batch")


@dataclass(frozen=True)
class Architecture(Pyramid):
    """What both networks are built from, beside resolution, channels, z_dim, num_classes and width.

    Attributes:
        norm: "none" or "batch".
        depth: 3x3 convolutions after each enlargement of the generator.
        critic_depth: 3x3 convolutions after each halving of the discriminator.
    """

    family: ClassVar[str] = "dcgan"

    norm: str = "none"
    depth: int = 0
    critic_depth: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.one_of("norm", self.norm, NORMS)
        if min(self.depth, self.critic_depth) < 0:
            raise ValueError(f"depth and critic_depth must be 0 or more, got {self.depth} and {self.critic_depth}")


class DCGenerator(Drawer):
    """z, a linear layer, then transposed convolutions 4x4 with stride 2, tanh."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__(shape)
        widths = shape.widths[::-1]
        self.start = nn.Linear(shape.code_dim, widths[0] * shape.base**2)
        self.unflatten = nn.Unflatten(1, (widths[0], shape.base, shape.base))
        layers: list[nn.Module] = [*_norm(shape.norm, widths[0]), nn.LeakyReLU(SLOPE)]
        for before, after in zip(widths[:-1], widths[1:], strict=True):
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1), *_norm(shape.norm, after), nn.LeakyReLU(SLOPE)]
            layers += _smooth(after, shape.depth, shape.norm)
        if shape.depth:  # the last enlargement keeps features, and a 3x3 convolution draws the pixels from them
            last = max(shape.width // 2, shape.channels)
            layers += [nn.ConvTranspose2d(widths[-1], last, 4, 2, 1), *_norm(shape.norm, last), nn.LeakyReLU(SLOPE)]
            layers += [*_smooth(last, shape.depth - 1, shape.norm), nn.Conv2d(last, shape.channels, 3, 1, 1), nn.Tanh()]
        else:
            layers += [nn.ConvTranspose2d(widths[-1], shape.channels, 4, 2, 1), nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) in [-1, 1] of codes (N, z_dim) and, of a conditional one, labels (N,)."""
        images: Tensor = self.layers(self.unflatten(self.start(self.joined(z, labels))))
        return images


class DCDiscriminator(nn.Module):
    """Convolutions 4x4 with stride 2, then one linear layer: no sigmoid, one score an image."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.num_classes = shape.num_classes
        widths = [shape.channels, *shape.widths]
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(zip(widths[:-1], widths[1:], strict=True)):
            norm = _norm(shape.norm, after) if i else []
            layers += [nn.Conv2d(before, after, 4, 2, 1), *norm, nn.LeakyReLU(SLOPE)]
            layers += _smooth(after, shape.critic_depth, shape.norm)
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Linear(widths[-1] * shape.base**2, 1)
        self.projected = Projected(shape.num_classes, self.head.in_features) if shape.num_classes else None

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N,) scores of images (N, C, H, W) in [-1, 1] and, of a conditional one, labels (N,)."""
        return scored(self.head, self.projected, self.layers(images), labels)


def _norm(kind: str, width: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(width)] if kind == "batch" else []


def _smooth(width: int, depth: int, norm: str) -> list[nn.Module]:
    """``depth`` 3x3 convolutions that keep size and width."""
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [nn.Conv2d(width, width, 3, 1, 1), *_norm(norm, width), nn.LeakyReLU(SLOPE)]
    return layers


class DCGAN:
    """The family's builders; keyword arguments are the fields of `Architecture`."""

    @staticmethod
    def generator(**architecture: Any) -> DCGenerator:
        """A new generator, initialised from torch's current random state."""
        network = DCGenerator(Architecture.read(architecture))
        initialise(network, SLOPE)
        return network

    @staticmethod
    def discriminator(**architecture: Any) -> DCDiscriminator:
        """A new discriminator, initialised from torch's current random state."""
        network = DCDiscriminator(Architecture.read(architecture))
        initialise(network, SLOPE)
        return network
