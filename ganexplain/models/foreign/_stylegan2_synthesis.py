"""From styles to images: the layers of StyleGAN2's generator (Karras et al. 2020)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganexplain.models.foreign._stylegan2_parts import (
    EPSILON,
    ROOT2,
    TAPS,
    Assumed,
    Supply,
    convolution,
    dense,
)


class Synthesis(nn.Module):
    """Images of styles, from 4 x 4 up to the full size."""

    num_ws: int
    s_slices: dict[str, slice]

    def __init__(self, supply: Supply, sizes: list[int], w_dim: int, assumed: Assumed) -> None:
        super().__init__()
        self.sizes = sizes
        skips = len(sizes) > 1 and supply.has(f"b{sizes[1]}.skip.weight")
        self.architecture = "resnet" if skips else "skip" if supply.has("b4.torgb.weight") else "orig"
        width, self.largest = 0, 0
        for size in sizes:
            block = Block(supply.at(f"b{size}"), size, width, w_dim, assumed)
            self.add_module(f"b{size}", block)
            width = block.width
            self.largest = max(self.largest, width * size * size)
        last = self.get_submodule(f"b{sizes[-1]}.torgb")
        self.channels: int = len(last.get_parameter("weight"))
        sites = list(self.sites())
        self.num_ws = 1 + max(index for _, index, _ in sites)
        ends = torch.tensor([layer.affine.out_features for _, _, layer in sites]).cumsum(0).tolist()
        starts = [0, *ends[:-1]]
        self.s_slices = {path: slice(a, b) for (path, _, _), a, b in zip(sites, starts, ends, strict=True)}

    def sites(self) -> Iterator[tuple[str, int, Styled | Colours]]:
        """Path of each layer with a style, the part of w+ that it reads, and the layer, in the order of use."""
        index = 0
        for size in self.sizes:
            block = self.get_submodule(f"b{size}")
            for name in ("conv0", "conv1", "torgb"):
                layer = getattr(block, name)
                if layer is None:
                    continue
                yield f"synthesis.b{size}.{name}", index, layer
                index += name != "torgb"  # it shares its w with the next block's first layer

    def styles(self, codes: Tensor) -> Tensor:
        """S (N, s_dim) of w+ (N, num_ws * w_dim)."""
        parts = codes.chunk(self.num_ws, 1)
        return torch.cat([layer.affine(parts[index]) for _, index, layer in self.sites()], 1)

    def forward(self, styles: Tensor) -> Tensor:
        """Images (N, C, H, W), neither cut nor scaled, of s (N, s_dim)."""
        each = iter([styles[:, part] for part in self.s_slices.values()])
        x, image = styles, None
        for size in self.sizes:
            x, image = self.get_submodule(f"b{size}")(x, image, each)
        if image is None:
            raise ValueError("the network has no layer that makes an image")
        drawn: Tensor = image
        return drawn


class Block(nn.Module):
    """Twice the size: two styled convolutions (one after the constant), and the colours where the names say so."""

    fir: Tensor

    def __init__(self, supply: Supply, size: int, width: int, w_dim: int, assumed: Assumed) -> None:
        super().__init__()
        self.register_buffer("fir", supply.fir())
        self.const = nn.Parameter(supply.take("const", (None, size, size))) if not width else None
        residual = supply.has("skip.weight")
        self.skip = None
        if residual:
            side = supply.at("skip")
            side.drop("resample_filter")
            self.skip = convolution(side, width, 1, padding=0, gain=0.5**0.5)
        self.conv0 = Styled(supply.at("conv0"), (width, w_dim), assumed, size=size, up=True) if width else None
        width = width if self.const is None else len(self.const)
        width = self.conv0.width if self.conv0 is not None else width
        half = 0.5**0.5 if residual else 1.0
        self.conv1 = Styled(supply.at("conv1"), (width, w_dim), assumed, size=size, gain=half)
        self.width = self.conv1.width
        has_colours = supply.has("torgb.weight")
        self.torgb = Colours(supply.at("torgb"), (self.width, w_dim), assumed) if has_colours else None

    def forward(self, x: Tensor, image: Tensor | None, styles: Iterator[Tensor]) -> tuple[Tensor, Tensor | None]:
        """Maps and image of twice the size; the first block makes its maps out of the constant."""
        through = self.const.expand(len(x), *self.const.shape) if self.const is not None else x
        if self.conv0 is not None:
            through = self.conv0(through, next(styles))
        through = self.conv1(through, next(styles))
        if self.skip is not None:
            through = through + _enlarged(self.skip(x), self.fir)
        if image is not None:
            image = _enlarged(image, self.fir)
        if self.torgb is not None:
            colours = self.torgb(through, next(styles))
            image = colours if image is None else image + colours
        return through, image


class Styled(nn.Module):
    """A convolution whose input channels are scaled by a style, and whose outputs are scaled back to unit variance.

    Scaling channels before and after one convolution is the same as one convolution with weights of its own for each
    image, and costs less. Then noise, bias, LeakyReLU, and the gain sqrt(2).

    Args:
        supply: tensors of the layer.
        widths: input channels, and length of w.
        assumed: what the tensors do not say.
        size: side of the output.
        up: whether the size doubles.
        gain: factor of the output, besides sqrt(2).
    """

    fir: Tensor
    noise: Tensor

    def __init__(
        self,
        supply: Supply,
        widths: tuple[int, int],
        assumed: Assumed,
        *,
        size: int,
        up: bool = False,
        gain: float = 1.0,
    ) -> None:
        super().__init__()
        inputs, w_dim = widths
        self.affine = dense(supply.at("affine"), w_dim, inputs)
        self.weight = nn.Parameter(supply.take("weight", (None, inputs, 3, 3)))
        self.width, self.gain, self.up = len(self.weight), gain, up
        self.bias = nn.Parameter(supply.take("bias", (self.width,)))
        self.register_buffer("fir", supply.fir())
        noise = torch.zeros(size, size)
        if supply.has("noise_const"):
            noise = supply.take("noise_const", (size, size)) * supply.take("noise_strength", ())
        self.register_buffer("noise", noise if assumed.noise == "const" else torch.zeros_like(noise))
        self.act, self.cut = nn.LeakyReLU(assumed.slope), assumed.cut(gain)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """(N, width, H, W) of maps and their style (N, inputs)."""
        x = x * style[:, :, None, None]
        if self.up:
            x = F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            x = _filtered(x, 4 * self.fir, padding=1)
        else:
            x = F.conv2d(x, self.weight, padding=1)
        power = style.square() @ self.weight.square().sum((2, 3)).T
        x = x * (power + EPSILON).rsqrt()[:, :, None, None] + self.noise + self.bias[:, None, None]
        found: Tensor = self.cut(self.act(x) * (ROOT2 * self.gain))
        return found


class Colours(nn.Module):
    """A 1 x 1 convolution with a style, without scaling back: the image's colours."""

    def __init__(self, supply: Supply, widths: tuple[int, int], assumed: Assumed) -> None:
        super().__init__()
        inputs, w_dim = widths
        self.affine = dense(supply.at("affine"), w_dim, inputs)
        self.weight = nn.Parameter(supply.take("weight", (None, inputs, 1, 1)) / inputs**0.5)
        self.bias = nn.Parameter(supply.take("bias", (len(self.weight),)))
        self.cut = assumed.cut()

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """(N, channels, H, W)."""
        found: Tensor = self.cut(F.conv2d(x * style[:, :, None, None], self.weight, self.bias))
        return found


def _filtered(x: Tensor, fir: Tensor, *, padding: int) -> Tensor:
    channels = x.shape[1]
    return F.conv2d(x, fir.flip(0, 1).expand(channels, 1, TAPS, TAPS), padding=padding, groups=channels)


def _enlarged(x: Tensor, fir: Tensor) -> Tensor:
    """Twice the size: zeros between the pixels, then the filter at four times its strength."""
    channels = x.shape[1]
    return F.conv_transpose2d(x, 4 * fir.expand(channels, 1, TAPS, TAPS), stride=2, padding=1, groups=channels)
