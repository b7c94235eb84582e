"""Fully connected generators: the small MNIST GAN of the tutorials, and GANs of rows of a table.

For images the default is the network of the published recipe whose faults docs/seed-recipe.md lists, in working form:
layers are built once, the generator ends in tanh, and the discriminator, two strided convolutions with dropout, has one
linear head, whose only output is a score. For rows both networks are chains of linear layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ganexplain import checks
from ganexplain.models.families._architecture import Drawer, Images, Projected, initialise, scored
from ganexplain.models.table import Table

__all__ = ["MLP"]

KERNEL = 5


@dataclass(frozen=True)
class Architecture(Images):
    """What both networks are built from, beside resolution, channels, z_dim and num_classes.

    Attributes:
        widths: units of the generator's hidden layers.
        critic_width: channels of both convolutions.
        critic_widths: units of the hidden layers of a discriminator of rows.
        slope: of every LeakyReLU; .3 is what Keras takes by default, torch takes .01.
        dropout: share of the discriminator's features that is dropped in training; never in a critic.
        table: arguments of `Table`, such as {"names": ["age"], "mean": [40.0], "std": [9.0]}, of a GAN that makes rows;
            {} for one that makes images. Rows have neither resolution nor channels.
    """

    family: ClassVar[str] = "mlp"

    z_dim: int = 100
    widths: Sequence[int] = (256, 512, 1024)
    critic_width: int = 64
    critic_widths: Sequence[int] = (128, 128, 128)
    slope: float = 0.3
    dropout: float = 0.3
    table: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("widths", "critic_widths"):
            given = getattr(self, name)
            if not isinstance(given, (list, tuple)) or not all(isinstance(w, int) and w > 0 for w in given):
                raise ValueError(f"{name} must be a list of positive whole numbers, got {given!r}")
        checks.positive(self.critic_width, "critic_width")
        for name in ("slope", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} must lie in [0, 1), got {getattr(self, name)}")
        if not isinstance(self.table, Mapping):
            raise TypeError(f"table must be a table of Table's arguments, got {self.table!r}")

    @property
    def form(self) -> Table | None:
        """What the rows are; None for images."""
        return Table(**self.table) if self.table else None

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, height, width) of an image, or (features,) of a row."""
        form = self.form
        return (self.channels, self.resolution, self.resolution) if form is None else (len(form.columns),)


class MLPGenerator(Drawer):
    """z, linear layers with LeakyReLU; for images tanh, and the pixels put into rows and columns."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__(shape)
        form = shape.form
        if form is not None:
            self.form, self.resolution, self.channels = form, 0, 0
        self.table = form
        layers = [*_chain([shape.code_dim, *shape.widths], shape.slope)]
        layers.append(nn.Linear(shape.widths[-1] if shape.widths else shape.code_dim, prod(shape.shape)))
        self.layers = nn.Sequential(*layers, *([nn.Tanh(), nn.Unflatten(1, shape.shape)] if form is None else []))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, C, H, W) in [-1, 1], or rows (N, F) in their own units, of codes (N, z_dim) and any labels."""
        return self.form.unscaled(self.raw(z, labels))

    def raw(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """The same before rows are put into their own units: what the discriminator reads."""
        made: Tensor = self.layers(self.joined(z, labels))
        return made if self.table is None else _shared(made, self.table)


class MLPDiscriminator(nn.Module):
    """Features, then one linear layer: no sigmoid.

    Of images the features are two 5x5 convolutions with stride 2, each with LeakyReLU and dropout; of scaled rows,
    linear layers with LeakyReLU.
    """

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.num_classes = shape.num_classes
        if shape.form is not None:
            self.layers = nn.Sequential(*_chain([*shape.shape, *shape.critic_widths], shape.slope))
            width = shape.critic_widths[-1] if shape.critic_widths else shape.shape[0]
        else:
            self.layers = nn.Sequential(*_convolutions(shape), nn.Flatten())
            width = shape.critic_width * (shape.resolution // 4) ** 2
        self.head = nn.Linear(width, 1)
        self.projected = Projected(shape.num_classes, width) if shape.num_classes else None

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N,) scores of images (N, C, H, W) in [-1, 1], or scaled rows (N, F), and any labels (N,)."""
        return scored(self.head, self.projected, self.layers(x), labels)


def _chain(widths: Sequence[int], slope: float) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in zip(widths[:-1], widths[1:], strict=True):
        layers += [nn.Linear(before, after), nn.LeakyReLU(slope)]
    return layers


def _shared(rows: Tensor, table: Table) -> Tensor:
    """Rows (N, F) with the columns of each category as shares that sum to one, as a table's rows must have them."""
    if not table.categories:
        return rows
    features = torch.split(rows, [len(table.categories.get(name, (None,))) for name in table.names], 1)
    named = zip(table.names, features, strict=True)
    return torch.cat([part.softmax(1) if name in table.categories else part for name, part in named], 1)


def _convolutions(shape: Architecture) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before in (shape.channels, shape.critic_width):
        # padded alike on both sides; Keras' "same" pads the left side less, which shifts the maps by a pixel
        layers += [nn.Conv2d(before, shape.critic_width, KERNEL, 2, KERNEL // 2), nn.LeakyReLU(shape.slope)]
        layers += [nn.Dropout(shape.dropout)] if shape.dropout else []
    return layers


def _initialise(network: nn.Module, shape: Architecture) -> None:
    if shape.form is None:  # rows need torch's own weights, which are smaller: with large ones samples do not sharpen
        initialise(network, shape.slope)


class MLP:
    """The family's builders; keyword arguments are the fields of `Architecture`."""

    @staticmethod
    def generator(**architecture: Any) -> MLPGenerator:
        """A new generator, initialised from torch's current random state."""
        shape = Architecture.read(architecture)
        network = MLPGenerator(shape)
        _initialise(network, shape)
        return network

    @staticmethod
    def discriminator(**architecture: Any) -> MLPDiscriminator:
        """A new discriminator, initialised from torch's current random state."""
        shape = Architecture.read(architecture)
        network = MLPDiscriminator(shape)
        _initialise(network, shape)
        return network
