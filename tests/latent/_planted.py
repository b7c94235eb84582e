"""A differentiable generator whose factors can be read off its images, along latent axes at any angle."""

from __future__ import annotations

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.models.generator import Generator

D, SIDE = 16, 24
FACTORS = ("x", "y", "size", "light", "background")
LOW = torch.tensor([-0.4, -0.4, 0.2, 0.0, -1.0])
HIGH = torch.tensor([0.4, 0.4, 0.45, 0.9, -0.3])
GRID = torch.stack(torch.meshgrid(torch.linspace(-1, 1, SIDE), torch.linspace(-1, 1, SIDE), indexing="ij"))


def axes(cosine: float, seed: int = 0) -> Tensor:
    """(F, D) unit gradients of the factors; every two of the first three meet at ``cosine``, hidden by a rotation."""
    gram = torch.eye(len(FACTORS), dtype=torch.double)
    gram[:3, :3] += cosine * (1 - torch.eye(3, dtype=torch.double))
    rotation = torch.linalg.qr(tensors.normal(seed, "rotation", shape=(D, D)).double())[0]
    return torch.linalg.cholesky(gram) @ rotation[: len(FACTORS)]


class Planted(Generator):
    """A soft disc; each factor is a sigmoid of the code's coordinate along its axis."""

    z_dim, resolution, channels = D, SIDE, 1

    def __init__(self, cosine: float) -> None:
        super().__init__()
        self.register_buffer("axes", axes(cosine).float())

    def factors(self, codes: Tensor) -> Tensor:
        """(N, F) what `forward` draws, each within its range."""
        share = torch.sigmoid(1.5 * codes @ self.axes.T.to(codes))  # type: ignore[operator]
        return LOW + (HIGH - LOW) * share

    def forward(self, z: Tensor) -> Tensor:
        x, y, size, light, background = (f[:, None, None] for f in self.factors(z).unbind(1))
        far = ((GRID[1] - x).square() + (GRID[0] - y).square()).sqrt()
        disc = torch.sigmoid((size - far) * 20)
        return (background + (light - background) * disc)[:, None]


def measured(images: Tensor) -> Tensor:
    """(N, F) the factors as read off images (N, 1, H, W)."""
    grey = images[:, 0].double()
    background = torch.cat([grey[:, 0], grey[:, -1]], 1).median(1).values
    disc = (grey - background[:, None, None]).clamp(min=0)
    mass = disc.sum((1, 2))
    x, y = ((disc * GRID[k]).sum((1, 2)) / mass for k in (1, 0))
    light = grey.flatten(1).topk(9, dim=1).values.mean(1)
    size = (mass / (light - background)).sqrt()
    return torch.stack([x, y, size, light, background], 1)


def attribute(name: str):  # type: ignore[no-untyped-def]
    """The measured factor as a function of images."""
    index = FACTORS.index(name)
    return lambda images: measured(images)[:, index]
