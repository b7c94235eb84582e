"""A DCGAN's discriminator of MNIST digits, with a sigmoid tail (csinva/gan-vae-pretrained-pytorch, MIT).

    ganexplain explain examples/mnist_dcgan_critic.py:critic digit.png

``mnist-dcgan-critic/netD_epoch_99.pth`` is that repository's ``mnist_dcgan/weights/netD_epoch_99.pth``.
"""

import torch
from _assets import asset
from torch import Tensor, nn

from ganexplain import Critic, Preprocess


class Discriminator(nn.Module):
    """(N, 1, 28, 28) in [-1, 1] to p(real) (N, 1, 1, 1)."""

    def __init__(self) -> None:
        super().__init__()
        slope = 0.2
        self.main = nn.Sequential(
            nn.Conv2d(1, 64, 4, 2, 1, bias=False), nn.LeakyReLU(slope, inplace=True),
            nn.Conv2d(64, 128, 4, 2, 1, bias=False), nn.BatchNorm2d(128), nn.LeakyReLU(slope, inplace=True),
            nn.Conv2d(128, 256, 4, 2, 1, bias=False), nn.BatchNorm2d(256), nn.LeakyReLU(slope, inplace=True),
            nn.Conv2d(256, 1, 4, 2, 1, bias=False), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        """Probability that each image is real."""
        probability: Tensor = self.main(images)
        return probability


def critic() -> Critic:
    """The trained discriminator, which says a probability; its sigmoid is cut on the way."""
    network = Discriminator()
    network.load_state_dict(
        torch.load(asset("mnist-dcgan-critic/netD_epoch_99.pth"), weights_only=True, map_location="cpu")
    )
    return Critic(network.eval(), output="probability", preprocess=Preprocess(size=28, channels=1))
