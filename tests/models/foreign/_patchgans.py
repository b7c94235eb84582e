"""PatchGAN discriminators as their authors write them, each in a few lines: the files that the layout must read."""

from __future__ import annotations

import torch
from torch import Tensor, nn

NORMS = {
    "batch": nn.BatchNorm2d,
    "instance": nn.InstanceNorm2d,
    "affine": lambda width: nn.InstanceNorm2d(width, affine=True),
    "tracked": lambda width: nn.InstanceNorm2d(width, track_running_stats=True),
}


class Named(nn.Module):
    """A sequence under the name that its author gave it."""

    def __init__(self, name: str, *layers: nn.Module) -> None:
        super().__init__()
        self.name = name
        setattr(self, name, nn.Sequential(*layers))

    def forward(self, x: Tensor) -> Tensor:
        return getattr(self, self.name)(x)


def n_layers(
    channels: int = 3, width: int = 4, layers: int = 3, norm: str | None = "batch", bare: bool = False
) -> Named:
    """pix2pix and CycleGAN: kernel 4, the last two convolutions with stride 1; ``bare`` as old ones without a bias."""
    bias = norm in ("instance", "tracked", None)
    found: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1, bias=not bare), nn.LeakyReLU(0.2)]
    inner = width
    for i in range(1, layers + 1):
        outer = width * min(2**i, 8)
        found.append(nn.Conv2d(inner, outer, 4, 1 if i == layers else 2, 1, bias=bias))
        found += [NORMS[norm](outer)] if norm else []
        found.append(nn.LeakyReLU(0.2))
        inner = outer
    return Named("model", *found, nn.Conv2d(inner, 1, 4, 1, 1, bias=not bare))


def pixels(channels: int = 3, width: int = 4, norm: str = "batch") -> Named:
    """pix2pix's 1 x 1."""
    bias = norm == "instance"
    middle = [nn.Conv2d(width, 2 * width, 1, bias=bias), NORMS[norm](2 * width), nn.LeakyReLU(0.2)]
    return Named(
        "net", nn.Conv2d(channels, width, 1), nn.LeakyReLU(0.2), *middle, nn.Conv2d(2 * width, 1, 1, bias=bias)
    )


def padded(channels: int = 3, width: int = 4, norm: str = "instance", bias: bool = True) -> Named:
    """PyTorch-GAN: four halvings, one row and column of zeros, and the verdict."""
    found, inner = [], channels
    for i in range(4):
        outer = width * 2**i
        found.append(nn.Conv2d(inner, outer, 4, 2, 1))
        found += [NORMS[norm](outer)] * (i > 0)
        found.append(nn.LeakyReLU(0.2))
        inner = outer
    return Named("model", *found, nn.ZeroPad2d((1, 0, 1, 0)), nn.Conv2d(inner, 1, 4, 1, 1, bias=bias))


def threes(channels: int = 3, width: int = 4, strides: tuple[int, ...] = (2, 2, 2, 1)) -> Named:
    """CCGAN: kernel 3 throughout."""
    found, inner = [], channels
    for i, stride in enumerate(strides):
        outer = width * 2**i
        found.append(nn.Conv2d(inner, outer, 3, stride, 1))
        found += [nn.InstanceNorm2d(outer)] * (i > 0)
        found.append(nn.LeakyReLU(0.2))
        inner = outer
    return Named("model", *found, nn.Conv2d(inner, 1, 3, 1, 1))


class Blocks(nn.Module):
    """The much-copied video course: a block of its own for each convolution, reflected borders."""

    def __init__(self, channels: int = 3, width: int = 4, norm: str = "instance") -> None:
        super().__init__()
        reflected = {"padding_mode": "reflect"}
        self.initial = nn.Sequential(nn.Conv2d(channels, width, 4, 2, 1, **reflected), nn.LeakyReLU(0.2))
        found: list[nn.Module] = []
        for i in range(1, 4):
            conv = nn.Conv2d(
                width * 2 ** (i - 1), width * 2**i, 4, 1 if i == 3 else 2, 1, bias=norm != "batch", **reflected
            )
            found.append(Named("conv", conv, NORMS[norm](width * 2**i), nn.LeakyReLU(0.2)))
        self.model = nn.Sequential(*found, nn.Conv2d(8 * width, 1, 4, 1, 1, **reflected))

    def forward(self, x: Tensor) -> Tensor:
        return self.model(self.initial(x))


class Scales(nn.Module):
    """pix2pixHD: the same discriminator at several scales, with the features in between by name."""

    def __init__(self, channels: int = 3, width: int = 4, scales: int = 2, layers: int = 3, parts: bool = True) -> None:
        super().__init__()
        self.count, self.layers, self.parts = scales, layers, parts
        for i in range(scales):
            for j, part in enumerate(self.pieces(channels, width, layers)):
                setattr(self, f"scale{i}_layer{j}", nn.Sequential(*part))
        self.smaller = nn.AvgPool2d(3, 2, 1, count_include_pad=False)

    @staticmethod
    def pieces(channels: int, width: int, layers: int) -> list[list[nn.Module]]:
        found: list[list[nn.Module]] = [[nn.Conv2d(channels, width, 4, 2, 2), nn.LeakyReLU(0.2)]]
        inner = width
        for i in range(1, layers + 1):
            outer = width * min(2**i, 8)
            conv = nn.Conv2d(inner, outer, 4, 1 if i == layers else 2, 2)
            found.append([conv, nn.InstanceNorm2d(outer), nn.LeakyReLU(0.2)])
            inner = outer
        return [*found, [nn.Conv2d(inner, 1, 4, 1, 2)]]

    def forward(self, x: Tensor) -> list[Tensor]:
        found = []
        for i in range(self.count):
            y = x
            for j in range(self.layers + 2):
                y = getattr(self, f"scale{self.count - 1 - i}_layer{j}")(y)
            found.append(y)
            x = self.smaller(x)
        return found


def trained(network: nn.Module, seed: int = 0) -> nn.Module:
    """The same network with weights and statistics as after training: nothing is 0 or 1 by construction."""
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                noise = torch.randn(value.shape, generator=source)
                fan = 1 if "emb" in name else value[0].numel() if value.ndim > 1 else 4
                value.copy_(
                    noise.abs() + 0.5 if name.endswith("running_var") else noise / fan**0.5 + (value.ndim == 1) * 0.3
                )
    return network.eval()
