"""The discriminator of StyleGAN2 (Karras et al. 2020) in plain layers: gains are folded into weights."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from ganexplain.models.foreign._stylegan2_parts import (
    EPSILON,
    ROOT2,
    Assumed,
    Mapping,
    Supply,
    convolution,
    dense,
    low_pass,
)


class StyleGAN2Discriminator(nn.Module):
    """Images (N, C, H, W) in [-1, 1] to logits (N, 1); the minibatch deviation looks at groups of images.

    A LeakyReLU commutes with a positive factor, so that the gain sqrt(2) after it, and the 1 / sqrt(2) of a residual
    sum, are in the weights before it: what is left are `nn.Conv2d`, `nn.LeakyReLU` and `nn.Linear`.

    Attributes:
        resolution: side of the images in pixels.
        channels: of the images.
        architecture: "resnet", "skip" or "orig".
        num_classes: 0 for an unconditional one.
        widths: maps after each block.
    """

    def __init__(self, supply: Supply, sizes: list[int], assumed: Assumed) -> None:
        super().__init__()
        self.sizes = sizes
        self.resolution = sizes[0]
        first = supply.at(f"b{sizes[0]}")
        self.channels = first.shape("fromrgb.weight")[1]
        self.architecture = "orig"
        if first.has("skip.weight"):
            self.architecture = "resnet"
        elif supply.has("b4.fromrgb.weight"):
            self.architecture = "skip"
        width, self.widths = 0, []
        for size in sizes:
            block = Block(supply.at(f"b{size}"), width, self.channels, self.architecture, assumed)
            self.add_module(f"b{size}", block)
            width = block.width
            self.widths.append(width)
        self.mapping = None
        if supply.has("mapping.embed.weight"):
            self.mapping = Mapping(supply.at("mapping"), assumed, reads_z=False)
        self.num_classes = self.mapping.num_classes if self.mapping else 0
        outputs = self.mapping.w_dim if self.mapping else 1
        self.b4 = Epilogue(supply.at("b4"), width, self.channels, assumed, outputs)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Logits (N, 1) of images (N, C, H, W), and of classes (N,) int64 where the network knows some.

        Raises:
            ValueError: the network knows classes, and none were given.
        """
        if self.mapping is not None and labels is None:
            raise ValueError(f"this network judges an image given its class; give labels, 0 to {self.num_classes - 1}")
        x: Tensor = images.new_zeros(())
        for size in self.sizes:
            x, images = self.get_submodule(f"b{size}")(x, images)
        x = self.b4(x, images)
        if self.mapping is not None:
            asked = self.mapping(None, labels)
            x = (x * asked).sum(1, keepdim=True) / asked.shape[1] ** 0.5
        return x


class Activated(nn.Sequential):
    """A convolution and its LeakyReLU, times sqrt(2) and ``gain``; behind the low-pass filter where the size is halved.

    Attributes:
        width: maps that it makes.
    """

    def __init__(
        self, supply: Supply, inputs: int, side: int, assumed: Assumed, *, gain: float = 1.0, down: bool = False
    ) -> None:
        fir = supply.fir()
        before = [low_pass(fir, inputs, padding=2)] if down else []
        stride, padding = (2, 0) if down else (1, side // 2)
        layer = convolution(supply, inputs, side, stride=stride, padding=padding, gain=gain * ROOT2)
        after = [assumed.cut(gain)] if assumed.clamp else []
        super().__init__(*before, layer, nn.LeakyReLU(assumed.slope), *after)
        self.width = layer.out_channels


class Block(nn.Module):
    """Half the size: two convolutions, beside a skip connection of maps or of images where the names say so."""

    def __init__(self, supply: Supply, width: int, channels: int, architecture: str, assumed: Assumed) -> None:
        super().__init__()
        fir = supply.fir()
        self.fromrgb = Activated(supply.at("fromrgb"), channels, 1, assumed) if not width or _skips(supply) else None
        self.smaller = low_pass(fir, channels, stride=2, padding=1) if architecture == "skip" else None
        width = width if self.fromrgb is None else self.fromrgb.width
        self.conv0 = Activated(supply.at("conv0"), width, 3, assumed)
        half = 0.5**0.5 if architecture == "resnet" else 1.0
        self.conv1 = Activated(supply.at("conv1"), self.conv0.width, 3, assumed, gain=half, down=True)
        self.skip = None
        if architecture == "resnet":
            side = supply.at("skip")
            before = low_pass(side.fir(), width, stride=2, padding=1)
            self.skip = nn.Sequential(before, convolution(side, width, 1, padding=0, gain=half))
        self.width = self.conv1.width

    def forward(self, x: Tensor, images: Tensor) -> tuple[Tensor, Tensor]:
        """Maps and images of half the size."""
        if self.fromrgb is not None:
            x = x + self.fromrgb(images)
        if self.smaller is not None:
            images = self.smaller(images)
        through = self.conv1(self.conv0(x))
        return (through if self.skip is None else through + self.skip(x)), images


class Epilogue(nn.Module):
    """Minibatch deviation, a convolution and two dense layers, at 4 x 4."""

    def __init__(self, supply: Supply, width: int, channels: int, assumed: Assumed, outputs: int) -> None:
        super().__init__()
        uncut = replace(assumed, clamp=0.0)  # the official code cuts all convolutions but this one
        self.fromrgb = Activated(supply.at("fromrgb"), channels, 1, uncut) if _skips(supply) else None
        supply.drop("resample_filter")
        spare = supply.shape("conv.weight")[1] - width
        if spare < 0:
            raise ValueError(f"{supply.prefix}conv reads {width + spare} maps, and the block before makes {width}")
        self.deviation = Deviation(assumed.group, spare)
        self.conv = Activated(supply.at("conv"), width + spare, 3, assumed)
        self.fc = dense(supply.at("fc"), self.conv.width * 16, gain=ROOT2)
        self.act = nn.LeakyReLU(assumed.slope)
        self.out = dense(supply.at("out"), self.fc.out_features, outputs)

    def forward(self, x: Tensor, images: Tensor) -> Tensor:
        """(N, outputs) of maps (N, width, 4, 4)."""
        if self.fromrgb is not None:
            x = x + self.fromrgb(images)
        x = self.conv(self.deviation(x)).flatten(1)
        found: Tensor = self.out(self.act(self.fc(x)))
        return found


class Deviation(nn.Module):
    """Appends how much the maps of a group of images differ: standard deviations, averaged over maps and pixels.

    Args:
        group: images in a group; a batch that it does not divide has groups of the largest size below that does.
        count: maps that are appended, each over a share of the maps that are there; 0 for none.
    """

    def __init__(self, group: int, count: int) -> None:
        super().__init__()
        self.group, self.count = group, count

    def forward(self, x: Tensor) -> Tensor:
        """(N, C + count, H, W)."""
        if not self.count:
            return x
        n, _, height, width = x.shape
        group = max(g for g in range(1, min(self.group, n) + 1) if n % g == 0)
        members = x.reshape(group, n // group, self.count, -1, height, width)
        apart = (members.var(0, unbiased=False) + EPSILON).sqrt().mean((2, 3, 4))
        return torch.cat([x, apart.repeat(group, 1)[:, :, None, None].expand(n, self.count, height, width)], 1)


def _skips(supply: Supply) -> bool:
    return supply.has("fromrgb.weight")
