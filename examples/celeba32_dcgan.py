"""A DCGAN of colour faces of 32 pixels (fletchersarip93/face-generator, Apache-2.0).

    ganexplain explain examples/celeba32_dcgan.py:critic face.png
    ganexplain directions examples/celeba32_dcgan.py:generator

``celeba32-dcgan/generator.pt`` and ``discriminator.pt`` are that repository's weights.
"""

import torch
from _assets import asset
from torch import Tensor, nn

from ganexplain import Critic, Generator, Preprocess


def _down(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.2))


def _up(before: int, after: int) -> nn.Sequential:
    conv = nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(after), nn.LeakyReLU(0.2))


class FaceDiscriminator(nn.Module):
    """(N, 3, 32, 32) in [-1, 1] to logits (N, 1)."""

    def __init__(self) -> None:
        super().__init__()
        first = nn.Sequential(nn.Conv2d(3, 32, 4, 2, 1), nn.LeakyReLU(0.2))
        deeper = (_down(32, 64), _down(64, 128), _down(128, 256))
        self.discriminator = nn.Sequential(first, *deeper, nn.Flatten(), nn.Linear(1024, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Logit that each face is real."""
        logit: Tensor = self.discriminator(images)
        return logit


class FaceGenerator(nn.Module):
    """(N, 100, 1, 1) to images (N, 3, 32, 32) in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        start = nn.Sequential(nn.ConvTranspose2d(100, 256, 4, 1, 0, bias=False), nn.BatchNorm2d(256))
        smooth = nn.Sequential(nn.Conv2d(256, 128, 3, 1, 1, bias=False), nn.BatchNorm2d(128), nn.LeakyReLU(0.2))
        last = nn.Sequential(nn.ConvTranspose2d(32, 3, 4, 2, 1), nn.Tanh())
        self.generator_deconv = nn.Sequential(start, smooth, _up(128, 64), _up(64, 32), last)

    def forward(self, codes: Tensor) -> Tensor:
        """Images of codes."""
        images: Tensor = self.generator_deconv(codes)
        return images


def critic() -> Critic:
    """The discriminator, which says a logit. It scores noise above real faces: see `ganexplain doctor`."""
    network = FaceDiscriminator()
    network.load_state_dict(torch.load(asset("celeba32-dcgan/discriminator.pt"), weights_only=True, map_location="cpu"))
    return Critic(network.eval(), preprocess=Preprocess(size=32, channels=3))


def generator() -> Generator:
    """The generator, of 100 numbers uniform in (-1, 1)."""
    network = FaceGenerator()
    network.load_state_dict(torch.load(asset("celeba32-dcgan/generator.pt"), weights_only=True, map_location="cpu"))
    return Generator.wrap(network, z_dim=100, prior="uniform", code_shape=(100, 1, 1))
