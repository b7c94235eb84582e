"""Small generators whose directions are known, or that behave badly."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganexplain import GAN, tensors
from ganexplain.models.first_layer import FirstLayer, first_layer_of
from ganexplain.models.generator import Generator


def matrix(rows: int, columns: int, *, size: float = 1.0, seed: int = 0) -> Tensor:
    return size * tensors.normal(seed, "matrix", rows, shape=(rows, columns))


def spectrum(rows: int, values: list[float], seed: int = 0) -> Tensor:
    """(rows, d) with these singular values and random singular vectors."""
    left = torch.linalg.qr(matrix(rows, len(values), seed=seed).double())[0]
    right = torch.linalg.qr(matrix(len(values), len(values), seed=seed + 1).double())[0]
    return (left * torch.tensor(values).double()) @ right.T


def linear(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.weight = nn.Parameter(weight.float())
    if bias is not None:
        layer.bias = nn.Parameter(bias.float())
    return layer


class OneLayer(Generator):
    """Images A z, perhaps through tanh; rows of A are pixels, 1 x 4 x (rows / 4)."""

    channels = 1

    def __init__(self, A: Tensor, *, tanh: bool = False, prior: str = "normal") -> None:
        super().__init__()
        self.z_dim, self.resolution, self.prior = A.shape[1], 4, prior
        self.first = linear(A)
        self.end: nn.Module = nn.Tanh() if tanh else nn.Identity()

    def forward(self, z: Tensor) -> Tensor:
        images: Tensor = self.end(self.first(z)).reshape(len(z), 1, 4, -1)
        return images


class TwoSpaces(Generator):
    """z, a mapping network to w, then images; codes in w have unequal variances and are correlated."""

    spaces = ("z", "w")
    z_dim, resolution, channels = 6, 4, 1

    def __init__(self) -> None:
        super().__init__()
        self.mapping = nn.Sequential(
            linear(matrix(5, 6)), nn.LeakyReLU(0.2), linear(matrix(5, 5, seed=1), torch.ones(5))
        )
        self.synthesis = nn.Sequential(linear(spectrum(16, [0.5, 0.4, 0.25, 0.15, 0.1])), nn.Tanh())

    def encode(
        self, codes: Tensor, to: str, *, source: str = "z", labels: Tensor | None = None, truncation_psi: float = 1.0
    ) -> Tensor:
        mapped: Tensor = self.mapping(codes) if (source, to) == ("z", "w") else codes
        return mapped

    def synthesize(self, codes: Tensor, space: str = "z", *, labels: Tensor | None = None) -> Tensor:
        self._check_codes(codes, space)
        images: Tensor = self.synthesis(self.encode(codes, "w", source=space)).reshape(-1, 1, 4, 4)
        return images

    def first_layer(self, space: str = "z") -> FirstLayer:
        if space == "w":
            return first_layer_of(self.synthesis, torch.zeros(2, 5))
        return first_layer_of(self.mapping, torch.zeros(2, 6))

    def forward(self, z: Tensor) -> Tensor:
        return self.synthesize(z)


class Failing(OneLayer):
    """Runs a few times, then raises; touches every global random stream meanwhile."""

    def __init__(self, good: int) -> None:
        super().__init__(spectrum(16, [0.5, 0.4, 0.3]))
        self.good = good

    def forward(self, z: Tensor) -> Tensor:
        torch.rand(1)
        if self.good == 0:
            raise FloatingPointError("on purpose")
        self.good -= 1
        return super().forward(z)


def trained_like() -> Generator:
    """A DCGAN in train mode with BatchNorm, whose running statistics would move if it ran as it is."""
    generator = GAN.build("dcgan", resolution=8, z_dim=7, width=4, norm="batch", seed=1).generator
    with torch.no_grad():
        for module in generator.modules():
            if isinstance(module, nn.BatchNorm2d):
                n = module.num_features
                module.running_mean.copy_(0.1 * tensors.normal(0, "mean", shape=(n,)))
                module.running_var.copy_(0.5 + tensors.normal(0, "var", shape=(n,)).abs())
    return generator.train()
