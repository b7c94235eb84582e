"""SNGAN (Miyato et al. 2018): residual networks; spectral norm bounds the slope of every layer of the discriminator.

The norm is estimated by power iteration, one more step of which is taken in every pass in training mode; a critic runs
in eval mode, in which nothing moves. The generator has BatchNorm, as in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, relu
from torch.nn.utils.parametrizations import spectral_norm

from ganexplain.models.families._architecture import Drawer, Projected, Pyramid, initialise, scored

__all__ = ["SNGAN"]


@dataclass(frozen=True)
class Architecture(Pyramid):
    """What both networks are built from, beside resolution, channels, z_dim, num_classes and width.

    Attributes:
        flat_blocks: residual blocks of the discriminator that keep the size, after those that halve it.
    """

    family: ClassVar[str] = "sngan"

    flat_blocks: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.flat_blocks < 0:
            raise ValueError(f"flat_blocks must be 0 or more, got {self.flat_blocks}")


class UpBlock(nn.Module):
    """BatchNorm, ReLU, twice the size, two 3x3 convolutions; beside it the enlarged input through a 1x1 convolution."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(before), nn.BatchNorm2d(after)
        self.conv1, self.conv2 = nn.Conv2d(before, after, 3, 1, 1), nn.Conv2d(after, after, 3, 1, 1)
        self.skip = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) to (N, after, 2H, 2W)."""
        y = self.conv1(interpolate(relu(self.norm1(x)), scale_factor=2))
        made: Tensor = self.conv2(relu(self.norm2(y))) + self.skip(interpolate(x, scale_factor=2))
        return made


class DownBlock(nn.Module):
    """Two 3x3 convolutions with a ReLU before each, then half the size; beside it the input through a 1x1 convolution.

    Args:
        before: channels that come in.
        after: channels that go out.
        first: whether pixels come in, which no ReLU cuts.
        halve: whether the size is halved.
    """

    def __init__(self, before: int, after: int, *, first: bool = False, halve: bool = True) -> None:
        super().__init__()
        self.first, self.halve = first, halve
        self.conv1 = spectral_norm(nn.Conv2d(before, after, 3, 1, 1))
        self.conv2 = spectral_norm(nn.Conv2d(after, after, 3, 1, 1))
        self.skip = spectral_norm(nn.Conv2d(before, after, 1)) if before != after or halve else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) to (N, after, H / 2, W / 2), or of the same size."""
        y = self.conv2(relu(self.conv1(x if self.first else relu(x))))
        beside = x if self.skip is None else self.skip(x)
        return avg_pool2d(y + beside, 2) if self.halve else y + beside


class SNGenerator(Drawer):
    """z, a linear layer, then residual blocks that double the size, tanh."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__(shape)
        widths = shape.widths[::-1]
        self.start = nn.Linear(shape.code_dim, widths[0] * shape.base**2)
        self.unflatten = nn.Unflatten(1, (widths[0], shape.base, shape.base))
        steps = zip(widths, [*widths[1:], widths[-1]], strict=True)
        self.blocks = nn.Sequential(*(UpBlock(before, after) for before, after in steps))
        self.norm, self.last = nn.BatchNorm2d(widths[-1]), nn.Conv2d(widths[-1], shape.channels, 3, 1, 1)
        self.tanh = nn.Tanh()

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) in [-1, 1] of codes (N, z_dim) and, of a conditional one, labels (N,)."""
        maps = self.blocks(self.unflatten(self.start(self.joined(z, labels))))
        images: Tensor = self.tanh(self.last(relu(self.norm(maps))))
        return images


class SNDiscriminator(nn.Module):
    """Residual blocks under spectral norm, the sum over all places, then one linear layer: no sigmoid."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.num_classes = shape.num_classes
        widths = [shape.channels, *shape.widths]
        steps = zip(widths[:-1], widths[1:], strict=True)
        blocks = [DownBlock(before, after, first=i == 0) for i, (before, after) in enumerate(steps)]
        blocks += [DownBlock(widths[-1], widths[-1], halve=False) for _ in range(shape.flat_blocks)]
        self.blocks = nn.Sequential(*blocks)
        self.head = spectral_norm(nn.Linear(widths[-1], 1))
        self.projected = Projected(shape.num_classes, widths[-1]) if shape.num_classes else None
        if self.projected is not None:
            spectral_norm(self.projected.table)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N,) scores of images (N, C, H, W) in [-1, 1] and, of a conditional one, labels (N,)."""
        features = relu(self.blocks(images)).sum((2, 3))
        return scored(self.head, self.projected, features, labels)


class SNGAN:
    """The family's builders; keyword arguments are the fields of `Architecture`."""

    @staticmethod
    def generator(**architecture: Any) -> SNGenerator:
        """A new generator, initialised from torch's current random state."""
        network = SNGenerator(Architecture.read(architecture))
        initialise(network, 0.0)
        return network

    @staticmethod
    def discriminator(**architecture: Any) -> SNDiscriminator:
        """A new discriminator, initialised from torch's current random state; only directions matter of its weights."""
        return SNDiscriminator(Architecture.read(architecture))
