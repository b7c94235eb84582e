"""A GAN of MNIST digits made of two multi-layer perceptrons (YunHDan/GAN_Mnist, MIT).

    ganexplain explain examples/mnist_mlp_gan.py:critic digit.png
    ganexplain directions examples/mnist_mlp_gan.py:generator

``mnist-mlp-gan/generator.pth`` and ``discriminator.pth`` are that repository's weights.
"""

import torch
from _assets import asset
from torch import nn

from ganexplain import Critic, Generator, Preprocess


def _loaded(network: nn.Sequential, prefix: str, name: str) -> nn.Sequential:
    state = torch.load(asset(f"mnist-mlp-gan/{name}"), weights_only=True, map_location="cpu")
    network.load_state_dict({key.removeprefix(prefix): value for key, value in state.items()})
    return network


def critic() -> Critic:
    """The discriminator, which says p(real) of a flattened image in [-1, 1]."""
    perceptron = nn.Sequential(
        nn.Linear(784, 256), nn.LeakyReLU(0.2), nn.Linear(256, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1), nn.Sigmoid()
    )
    network = nn.Sequential(nn.Flatten(), _loaded(perceptron, "dis.", "discriminator.pth"))
    return Critic(network.eval(), output="probability", preprocess=Preprocess(size=28, channels=1))


def generator() -> Generator:
    """The generator, of 100 normal numbers."""
    perceptron = nn.Sequential(
        nn.Linear(100, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 784), nn.Tanh()
    )
    network = nn.Sequential(_loaded(perceptron, "gen.", "generator.pth"), nn.Unflatten(1, (1, 28, 28)))
    return Generator.wrap(network, z_dim=100)
