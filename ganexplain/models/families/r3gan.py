"""R3GAN (Huang et al. 2024): modern residual networks without normalisation, for the relativistic game with R1 and R2.

Each block is the identity when training begins, since its last convolution starts at zero and the others small (Fixup,
Zhang et al. 2019), which makes norm layers needless. Unlike in the paper the generator ends in tanh, so that images
lie in [-1, 1], and sizes change by plain bilinear enlargement and averages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from ganexplain import checks
from ganexplain.models.families._architecture import Drawer, Projected, Pyramid, initialise, scored

__all__ = ["R3GAN"]

SLOPE = 0.2
CONVOLUTIONS = 3  # of a block, the m of Fixup


@dataclass(frozen=True)
class Architecture(Pyramid):
    """What both networks are built from, beside resolution, channels, z_dim, num_classes and width.

    Attributes:
        blocks: residual blocks of each size.
        expansion: channels inside a block as a multiple of those outside.
        group: channels that a 3x3 convolution sees together; it must divide them.
    """

    family: ClassVar[str] = "r3gan"

    blocks: int = 1
    expansion: int = 2
    group: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("blocks", "expansion", "group"):
            checks.positive(getattr(self, name), name)
        if self.width * self.expansion % self.group:
            raise ValueError(f"group must divide width * expansion = {self.width * self.expansion}, got {self.group}")

    @property
    def sizes(self) -> list[int]:
        """Channels of the maps from the image's own size down to the smallest."""
        return [self.width, *self.widths]


class Block(nn.Module):
    """x plus 1x1 to more channels, grouped 3x3, 1x1 back, with a LeakyReLU between."""

    def __init__(self, width: int, shape: Architecture) -> None:
        super().__init__()
        inner = width * shape.expansion
        self.layers = nn.Sequential(
            nn.Conv2d(width, inner, 1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(inner, inner, 3, 1, 1, groups=inner // shape.group),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(inner, width, 1, bias=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, width, H, W) to the same."""
        changed: Tensor = x + self.layers(x)
        return changed


class R3Generator(Drawer):
    """A learned basis weighed by z, then residual blocks and bilinear enlargements, tanh."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__(shape)
        widths = shape.sizes[::-1]
        self.weights = nn.Linear(shape.code_dim, widths[0], bias=False)
        self.basis = nn.Parameter(torch.randn(widths[0], shape.base, shape.base))
        self.stages = nn.ModuleList(_stage(width, shape) for width in widths)
        self.widened = nn.ModuleList(_pointwise(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True))
        self.last = nn.Conv2d(widths[-1], shape.channels, 1)
        self.tanh = nn.Tanh()

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) in [-1, 1] of codes (N, z_dim) and, of a conditional one, labels (N,)."""
        x = self.stages[0](self.basis * self.weights(self.joined(z, labels))[:, :, None, None])
        for change, stage in zip(self.widened, self.stages[1:], strict=True):
            x = stage(interpolate(change(x), scale_factor=2, mode="bilinear", align_corners=False))
        images: Tensor = self.tanh(self.last(x))
        return images


class R3Discriminator(nn.Module):
    """Residual blocks and averages of 2x2 down to the smallest maps, which a learned basis reads: no sigmoid."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.num_classes = shape.num_classes
        widths = shape.sizes
        self.first = nn.Conv2d(shape.channels, widths[0], 1)
        self.stages = nn.ModuleList(_stage(width, shape) for width in widths)
        self.widened = nn.ModuleList(_pointwise(a, b) for a, b in zip(widths[:-1], widths[1:], strict=True))
        self.basis = nn.Conv2d(widths[-1], widths[-1], shape.base, groups=widths[-1], bias=False)
        self.head = nn.Linear(widths[-1], 1, bias=False)
        self.projected = Projected(shape.num_classes, widths[-1]) if shape.num_classes else None

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N,) scores of images (N, C, H, W) in [-1, 1] and, of a conditional one, labels (N,)."""
        x = self.stages[0](self.first(images))
        for change, stage in zip(self.widened, self.stages[1:], strict=True):
            x = stage(change(avg_pool2d(x, 2)))
        features = self.basis(x).flatten(1)
        return scored(self.head, self.projected, features, labels)


def _stage(width: int, shape: Architecture) -> nn.Sequential:
    return nn.Sequential(*(Block(width, shape) for _ in range(shape.blocks)))


def _pointwise(before: int, after: int) -> nn.Module:
    return nn.Identity() if before == after else nn.Conv2d(before, after, 1, bias=False)


@torch.no_grad()
def _fixed_up(network: nn.Module) -> None:
    """He-normal weights; in blocks, zero at the end and smaller before it, the more so the more blocks there are."""
    initialise(network, SLOPE)
    blocks = [module for module in network.modules() if isinstance(module, Block)]
    for block in blocks:
        *inner, last = [layer for layer in block.layers if isinstance(layer, nn.Conv2d)]
        last.weight.zero_()
        for layer in inner:
            layer.weight.mul_(len(blocks) ** (-1 / (2 * CONVOLUTIONS - 2)))
    for module in network.modules():  # what no activation follows must not grow by one's gain
        if isinstance(module, (nn.Linear, nn.Conv2d)) and not any(module in block.layers for block in blocks):
            module.weight.mul_(((1 + SLOPE**2) / 2) ** 0.5)


class R3GAN:
    """The family's builders; keyword arguments are the fields of `Architecture`."""

    @staticmethod
    def generator(**architecture: Any) -> R3Generator:
        """A new generator, initialised from torch's current random state."""
        network = R3Generator(Architecture.read(architecture))
        _fixed_up(network)
        return network

    @staticmethod
    def discriminator(**architecture: Any) -> R3Discriminator:
        """A new discriminator, initialised from torch's current random state."""
        network = R3Discriminator(Architecture.read(architecture))
        _fixed_up(network)
        return network
