"""Networks as their authors write them, for round trips through the readers of chains."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from ganexplain.models.checkpoints import Weights
from ganexplain.tensors import isolated


def weights_of(network: nn.Module, name: str = "") -> Weights:
    return Weights(name, network.state_dict())


def lived(network: nn.Module, *inputs: Tensor, seed: int = 0) -> nn.Module:
    """The network after batches in training mode, which its norms remember; scales and shifts are random."""
    with isolated(seed):
        for module in network.modules():
            if hasattr(module, "momentum"):
                module.momentum = None  # the mean of all batches
            if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d | nn.InstanceNorm2d | nn.LayerNorm):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0, 0.3)
        network.train()
        with torch.no_grad():
            for batch in inputs:
                for _ in range(2):
                    network(batch)
    return network.eval()


class Named(nn.Module):
    """A network under one attribute, as in ``self.main = nn.Sequential(...)``."""

    def __init__(self, name: str, network: nn.Module) -> None:
        super().__init__()
        self.name = name
        self.add_module(name, network)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.get_submodule(self.name)(x)
        return found


def seq(*layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(*layers)


def tutorial(channels: int = 3, width: int = 4, *, bias: bool = False, norm: str = "batch") -> nn.Module:
    """The discriminator of the PyTorch DCGAN tutorial, 64 px."""
    layers: list[nn.Module] = [nn.Conv2d(channels, width, 4, 2, 1, bias=bias), nn.LeakyReLU(0.2, inplace=True)]
    for i in (1, 2, 4):
        layer: nn.Module = nn.Conv2d(width * i, width * i * 2, 4, 2, 1, bias=bias)
        layers.append(parametrizations.spectral_norm(layer) if norm == "spectral" else layer)
        layers += [nn.BatchNorm2d(width * i * 2)] if norm == "batch" else []
        layers.append(nn.LeakyReLU(0.2, inplace=True))
    return Named("main", seq(*layers, nn.Conv2d(width * 8, 1, 4, 1, 0, bias=bias)))


def tutorial_generator(channels: int = 3, width: int = 4, z_dim: int = 20) -> nn.Module:
    """The generator of the tutorial, 64 px."""
    layers: list[nn.Module] = [nn.ConvTranspose2d(z_dim, width * 8, 4, 1, 0, bias=False), nn.BatchNorm2d(width * 8)]
    for i in (8, 4, 2):
        layers += [nn.ReLU(True), nn.ConvTranspose2d(width * i, width * i // 2, 4, 2, 1, bias=False)]
        layers.append(nn.BatchNorm2d(width * i // 2))
    return Named(
        "main", seq(*layers, nn.ReLU(True), nn.ConvTranspose2d(width, channels, 4, 2, 1, bias=False), nn.Tanh())
    )


def wgan_gp() -> nn.Module:
    """A critic with InstanceNorm in nested blocks, 64 px."""

    def block(a: int, b: int) -> nn.Module:
        return seq(nn.Conv2d(a, b, 4, 2, 1, bias=False), nn.InstanceNorm2d(b, affine=True), nn.LeakyReLU(0.2))

    first = (nn.Conv2d(3, 4, 4, 2, 1), nn.LeakyReLU(0.2))
    return Named("disc", seq(*first, block(4, 8), block(8, 16), block(16, 32), nn.Conv2d(32, 1, 4, 2, 0)))


def coursera() -> nn.Module:
    """A 28 px critic without padding: 28, 13, 5, 1."""

    def block(a: int, b: int) -> nn.Module:
        return seq(nn.Conv2d(a, b, 4, 2), nn.BatchNorm2d(b), nn.LeakyReLU(0.2))

    return Named("crit", seq(block(1, 4), block(4, 8), seq(nn.Conv2d(8, 1, 4, 2))))


def coursera_generator() -> nn.Module:
    """Its generator: 1, 3, 6, 13, 28, with one stride of 1."""

    def block(a: int, b: int, kernel: int, stride: int) -> nn.Module:
        return seq(nn.ConvTranspose2d(a, b, kernel, stride), nn.BatchNorm2d(b), nn.ReLU())

    last = seq(nn.ConvTranspose2d(8, 1, 4, 2), nn.Tanh())
    return Named("gen", seq(block(16, 32, 3, 2), block(32, 16, 4, 1), block(16, 8, 3, 2), last))


def sngan() -> nn.Module:
    """Alternating 3x3 and 4x4 convolutions with spectral norm, then one linear layer, 32 px."""
    plan = [(3, 4, 3, 1), (4, 4, 4, 2), (4, 8, 3, 1), (8, 8, 4, 2), (8, 16, 3, 1), (16, 16, 4, 2), (16, 32, 3, 1)]
    layers: list[nn.Module] = []
    for a, b, kernel, stride in plan:
        with_norm = torch.nn.utils.parametrizations.spectral_norm(nn.Conv2d(a, b, kernel, stride, 1))
        layers += [with_norm, nn.LeakyReLU(0.2)]
    return Named("net", seq(*layers, nn.Flatten(), parametrizations.spectral_norm(nn.Linear(32 * 16, 1))))


class Attributes(nn.Module):
    """Layers as attributes, norms declared after all convolutions, the head first."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(16 * 16, 1)
        self.conv1, self.conv2 = nn.Conv2d(3, 8, 4, 2, 1), nn.Conv2d(8, 8, 4, 2, 1)
        self.conv3 = nn.Conv2d(8, 16, 4, 2, 1)
        self.bn2, self.bn3 = nn.BatchNorm2d(8), nn.BatchNorm2d(16)

    def forward(self, x: Tensor) -> Tensor:
        act = nn.LeakyReLU(0.2)
        x = act(self.bn3(self.conv3(act(self.bn2(self.conv2(act(self.conv1(x))))))))
        found: Tensor = self.fc(x.flatten(1))
        return found


class Copied(nn.Module):
    """The 32 px discriminator of a widely copied collection: the norm after activation and dropout, eps 0.8."""

    def __init__(self) -> None:
        super().__init__()

        def block(a: int, b: int, norm: bool = True) -> list[nn.Module]:
            layers: list[nn.Module] = [nn.Conv2d(a, b, 3, 2, 1), nn.LeakyReLU(0.2, inplace=True), nn.Dropout2d(0.25)]
            return [*layers, nn.BatchNorm2d(b, 0.8)] if norm else layers

        self.model = seq(*block(1, 4, False), *block(4, 8), *block(8, 16), *block(16, 32))
        self.adv_layer = seq(nn.Linear(32 * 4, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.adv_layer[0](self.model(x).flatten(1))
        return found


class CopiedGenerator(nn.Module):
    """Its generator: a linear layer, then enlargements and 3x3 convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.l1 = seq(nn.Linear(24, 16 * 8 * 8))
        self.conv_blocks = seq(
            *(nn.BatchNorm2d(16), nn.Upsample(scale_factor=2), nn.Conv2d(16, 16, 3, 1, 1), nn.BatchNorm2d(16, 0.8)),
            *(nn.LeakyReLU(0.2), nn.Upsample(scale_factor=2), nn.Conv2d(16, 8, 3, 1, 1), nn.BatchNorm2d(8, 0.8)),
            *(nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 3, 1, 1), nn.Tanh()),
        )

    def forward(self, z: Tensor) -> Tensor:
        found: Tensor = self.conv_blocks(self.l1(z).view(-1, 16, 8, 8))
        return found


def layer_normed() -> nn.Module:
    """A critic with LayerNorm over maps, whose shape tells the sizes, 32 px."""
    return Named(
        "model",
        seq(
            *(nn.Conv2d(3, 4, 3, 1, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 8, 4, 2, 1), nn.LayerNorm([8, 16, 16])),
            *(nn.LeakyReLU(0.2), nn.Conv2d(8, 8, 4, 2, 1), nn.LayerNorm([8, 8, 8]), nn.LeakyReLU(0.2)),
            *(nn.Flatten(), nn.Linear(8 * 64, 1)),
        ),
    )
