"""Conditional GANs as their authors write them, each in a few lines: the files that the layout must read.

Every network takes (x, labels), x an image (N, C, H, W) or a code (N, z_dim), whatever its author passed.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CLASSES = 10


def linears(*widths: int, norm: bool = False, eps: float = 1e-5) -> list[nn.Module]:
    """Linear layers with activations between them."""
    found: list[nn.Module] = []
    for i, (inner, outer) in enumerate(zip(widths, widths[1:], strict=False)):
        found.append(nn.Linear(inner, outer))
        if i < len(widths) - 2:
            found += [nn.BatchNorm1d(outer, eps)] * (norm and i > 0) + [nn.LeakyReLU(0.2)]
    return found


def halvings(*widths: int, norm: bool = True, bias: bool = False) -> list[nn.Module]:
    """Convolutions that halve the side, DCGAN's discriminator without its end."""
    found: list[nn.Module] = []
    for i, (inner, outer) in enumerate(zip(widths, widths[1:], strict=False)):
        found.append(nn.Conv2d(inner, outer, 4, 2, 1, bias=bias))
        found += [nn.BatchNorm2d(outer)] * (norm and i > 0) + [nn.LeakyReLU(0.2)]
    return found


def doublings(*widths: int, first: int = 4) -> list[nn.Module]:
    """DCGAN's generator: the first transposed convolution makes a map, the others double it."""
    found: list[nn.Module] = []
    for i, (inner, outer) in enumerate(zip(widths, widths[1:], strict=False)):
        found.append(nn.ConvTranspose2d(inner, outer, first if i == 0 else 4, 2 if i else 1, 1 if i else 0, bias=False))
        found += [nn.BatchNorm2d(outer), nn.ReLU()] if i < len(widths) - 2 else [nn.Tanh()]
    return found


class Vector(nn.Module):
    """cGAN: the embedding beside the pixels."""

    def __init__(self, embedding: int = 10, pixels: int = 784, image_first: bool = True) -> None:
        super().__init__()
        self.label_embedding = nn.Embedding(CLASSES, embedding)
        self.model = nn.Sequential(*linears(pixels + embedding, 32, 16, 1))
        self.image_first = image_first

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        both = [x.flatten(1), self.label_embedding(labels)]
        return self.model(torch.cat(both if self.image_first else both[::-1], 1))


class OneHotVector(nn.Module):
    """The one-hot label beside the pixels: nothing but a width tells of it."""

    def __init__(self, pixels: int = 784) -> None:
        super().__init__()
        self.dis = nn.Sequential(*linears(pixels + CLASSES, 32, 16, 1))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return self.dis(torch.cat([x.flatten(1), F.one_hot(labels, CLASSES).float()], 1))


class Plane(nn.Module):
    """The embedding as further channels of the image: side * side values a channel."""

    def __init__(self, channels: int = 1, planes: int = 1, side: int = 32) -> None:
        super().__init__()
        self.shape = planes, side, side
        self.embed = nn.Embedding(CLASSES, planes * side * side)
        body = halvings(channels + planes, 8, 16, 32)
        self.disc = nn.Sequential(*body, nn.Conv2d(32, 1, 4, 1, 0, bias=False))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return self.disc(torch.cat([x, self.embed(labels).view(-1, *self.shape)], 1))


class OneHotPlanes(nn.Module):
    """One plane a class, one of them 1."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        body = halvings(channels + CLASSES, 8, 16, 32)
        self.disc = nn.Sequential(*body, nn.Conv2d(32, 1, 4, 1, 0, bias=False))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        planes = F.one_hot(labels, CLASSES).float()[:, :, None, None].expand(-1, -1, *x.shape[-2:])
        return self.disc(torch.cat([x, planes], 1))


class Projected(nn.Module):
    """An embedding, then a linear layer that makes a plane of it."""

    def __init__(self, channels: int = 1, side: int = 32) -> None:
        super().__init__()
        self.side = side
        self.label_condition = nn.Sequential(nn.Embedding(CLASSES, 12), nn.Linear(12, side * side))
        body = halvings(channels + 1, 8, 16, 32)
        self.model = nn.Sequential(*body, nn.Flatten(), nn.Dropout(0.4), nn.Linear(32 * (side // 8) ** 2, 1))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return self.model(torch.cat([x, self.label_condition(labels).view(-1, 1, self.side, self.side)], 1))


class Spread(nn.Module):
    """A short embedding repeated over the image."""

    def __init__(self, channels: int = 3, embedding: int = 5) -> None:
        super().__init__()
        self.label_emb = nn.Embedding(CLASSES, embedding)
        body = halvings(channels + embedding, 8, 16, 32)
        self.main = nn.Sequential(*body, nn.Conv2d(32, 1, 4, 1, 0))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        planes = self.label_emb(labels)[:, :, None, None].expand(-1, -1, *x.shape[-2:])
        return self.main(torch.cat([x, planes], 1)).view(-1)


class Branches(nn.Module):
    """Pixels and one-hot label each through a layer of its own, then together."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1_1, self.fc1_2 = nn.Linear(784, 32), nn.Linear(CLASSES, 24)
        self.fc2, self.fc2_bn, self.fc3 = nn.Linear(56, 16), nn.BatchNorm1d(16), nn.Linear(16, 1)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        one_hot = F.one_hot(labels, CLASSES).float()
        x, y = F.leaky_relu(self.fc1_1(x.flatten(1)), 0.2), F.leaky_relu(self.fc1_2(one_hot), 0.2)
        return self.fc3(F.leaky_relu(self.fc2_bn(self.fc2(torch.cat([x, y], 1))), 0.2))


class ConvBranches(nn.Module):
    """The same with convolutions: image and one plane a class."""

    def __init__(self, channels: int = 1, d: int = 16) -> None:
        super().__init__()
        self.conv1_1, self.conv1_2 = nn.Conv2d(channels, d // 2, 4, 2, 1), nn.Conv2d(CLASSES, d // 2, 4, 2, 1)
        self.conv2, self.conv2_bn = nn.Conv2d(d, 2 * d, 4, 2, 1), nn.BatchNorm2d(2 * d)
        self.conv3, self.conv3_bn = nn.Conv2d(2 * d, 4 * d, 4, 2, 1), nn.BatchNorm2d(4 * d)
        self.conv4 = nn.Conv2d(4 * d, 1, 4, 1, 0)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        planes = F.one_hot(labels, CLASSES).float()[:, :, None, None].expand(-1, -1, *x.shape[-2:])
        x, y = F.leaky_relu(self.conv1_1(x), 0.2), F.leaky_relu(self.conv1_2(planes), 0.2)
        x = F.leaky_relu(self.conv2_bn(self.conv2(torch.cat([x, y], 1))), 0.2)
        return self.conv4(F.leaky_relu(self.conv3_bn(self.conv3(x)), 0.2))


class Features(nn.Module):
    """The embedding beside the features of a convolutional body."""

    def __init__(self, channels: int = 3, embedding: int = 10, hidden: int = 0) -> None:
        super().__init__()
        self.label_emb = nn.Embedding(CLASSES, embedding)
        self.conv_layers = nn.Sequential(*halvings(channels, 8, 16, 32))
        self.fc = nn.Sequential(*linears(32 * 16 + embedding, *([hidden] if hidden else []), 1))

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return self.fc(torch.cat([self.conv_layers(x).flatten(1), self.label_emb(labels)], 1))


class LinearLabel(nn.Module):
    """A linear layer on the one-hot label, activated, beside the features; it is the last to be defined."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 4, 5, 1, 2), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 8, 5, 1, 2), nn.BatchNorm2d(8)
        self.fc1, self.fc2, self.fc3 = nn.Linear(8 * 784 + 50, 16), nn.Linear(16, 1), nn.Linear(CLASSES, 50)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        x = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        y = F.relu(self.fc3(F.one_hot(labels, CLASSES).float()))
        return self.fc2(F.relu(self.fc1(torch.cat([x.flatten(1), y], 1))))


class Projection(nn.Module):
    """A class vector's inner product with the features is added to the logit."""

    def __init__(self, channels: int = 3, pooled: str = "flat") -> None:
        super().__init__()
        self.conv_blocks, self.pooled = nn.Sequential(*halvings(channels, 8, 16, 32, norm=False, bias=True)), pooled
        width = 32 * 16 if pooled == "flat" else 32
        self.linear, self.label_emb = nn.Linear(width, 1), nn.Embedding(CLASSES, width)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        h = self.conv_blocks(x)
        h = h.flatten(1) if self.pooled == "flat" else h.sum((2, 3))
        return self.linear(h) + (self.label_emb(labels) * h).sum(1, keepdim=True)


class Heads(nn.Module):
    """ACGAN: one linear layer for the verdict, one for the class."""

    def __init__(self, channels: int = 1, eps: float = 0.8) -> None:
        super().__init__()
        found: list[nn.Module] = []
        for i, (inner, outer) in enumerate([(channels, 4), (4, 8), (8, 16), (16, 32)]):
            found += [nn.Conv2d(inner, outer, 3, 2, 1), nn.LeakyReLU(0.2), nn.Dropout2d(0.25)]
            found += [nn.BatchNorm2d(outer, eps)] * (i > 0)
        self.conv_blocks = nn.Sequential(*found)
        self.adv_layer = nn.Sequential(nn.Linear(32 * 4, 1), nn.Sigmoid())
        self.aux_layer = nn.Sequential(nn.Linear(32 * 4, CLASSES), nn.Softmax(1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.conv_blocks(x).flatten(1)
        return self.adv_layer(h), self.aux_layer(h)


class ConvHeads(nn.Module):
    """StarGAN: a patch map of verdicts, and one convolution over all of it for the attributes."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        found: list[nn.Module] = []
        for inner, outer in ((channels, 8), (8, 16), (16, 32)):
            found += [nn.Conv2d(inner, outer, 4, 2, 1), nn.LeakyReLU(0.01)]
        self.main = nn.Sequential(*found)
        self.conv1 = nn.Conv2d(32, 1, 3, 1, 1, bias=False)
        self.conv2 = nn.Conv2d(32, 5, 4, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.main(x)
        return self.conv1(h), self.conv2(h)


class VectorG(nn.Module):
    """cGAN's generator: label first, then the code."""

    def __init__(self, z_dim: int = 20, embedding: int = 10, label_first: bool = True, eps: float = 0.8) -> None:
        super().__init__()
        self.label_emb = nn.Embedding(CLASSES, embedding)
        self.model = nn.Sequential(*linears(z_dim + embedding, 16, 32, 784, norm=True, eps=eps), nn.Tanh())
        self.label_first = label_first

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        both = [self.label_emb(labels), z]
        return self.model(torch.cat(both if self.label_first else both[::-1], 1)).view(-1, 1, 28, 28)


class OneHotG(nn.Module):
    """The one-hot label behind the code, without a trace but the width."""

    def __init__(self, z_dim: int = 100) -> None:
        super().__init__()
        self.gen = nn.Sequential(*linears(z_dim + CLASSES, 16, 32, 784), nn.Tanh())

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return self.gen(torch.cat([z, F.one_hot(labels, CLASSES).float()], 1)).view(-1, 1, 28, 28)


class ConvG(nn.Module):
    """DCGAN's generator with the embedding behind the code."""

    def __init__(self, z_dim: int = 20, embedding: int = 12) -> None:
        super().__init__()
        self.embed = nn.Embedding(CLASSES, embedding)
        self.net = nn.Sequential(*doublings(z_dim + embedding, 32, 16, 8, 3))

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return self.net(torch.cat([z, self.embed(labels)], 1)[:, :, None, None])


class BranchesG(nn.Module):
    """Code and one-hot label each through a layer of its own, then together."""

    def __init__(self) -> None:
        super().__init__()
        self.deconv1_1, self.deconv1_1_bn = nn.ConvTranspose2d(20, 16, 4, 1, 0), nn.BatchNorm2d(16)
        self.deconv1_2, self.deconv1_2_bn = nn.ConvTranspose2d(CLASSES, 16, 4, 1, 0), nn.BatchNorm2d(16)
        self.deconv2, self.deconv2_bn = nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.BatchNorm2d(16)
        self.deconv3, self.deconv3_bn = nn.ConvTranspose2d(16, 8, 4, 2, 1), nn.BatchNorm2d(8)
        self.deconv4 = nn.ConvTranspose2d(8, 1, 4, 2, 1)

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        one_hot = F.one_hot(labels, CLASSES).float()[:, :, None, None]
        x = F.relu(self.deconv1_1_bn(self.deconv1_1(z[:, :, None, None])))
        x = torch.cat([x, F.relu(self.deconv1_2_bn(self.deconv1_2(one_hot)))], 1)
        x = F.relu(self.deconv3_bn(self.deconv3(F.relu(self.deconv2_bn(self.deconv2(x))))))
        return torch.tanh(self.deconv4(x))


class TimesG(nn.Module):
    """ACGAN's generator: the embedding times the code, a linear layer, two enlargements."""

    def __init__(self, z_dim: int = 20, eps: float = 0.8) -> None:
        super().__init__()
        self.label_emb, self.l1 = nn.Embedding(CLASSES, z_dim), nn.Sequential(nn.Linear(z_dim, 16 * 64))
        enlarged = [nn.Upsample(scale_factor=2), nn.Conv2d(16, 16, 3, 1, 1), nn.BatchNorm2d(16, eps), nn.LeakyReLU(0.2)]
        again = [nn.Upsample(scale_factor=2), nn.Conv2d(16, 8, 3, 1, 1), nn.BatchNorm2d(8, eps), nn.LeakyReLU(0.2)]
        self.conv_blocks = nn.Sequential(nn.BatchNorm2d(16), *enlarged, *again, nn.Conv2d(8, 1, 3, 1, 1), nn.Tanh())

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return self.conv_blocks(self.l1(self.label_emb(labels) * z).view(-1, 16, 8, 8))


class MapG(nn.Module):
    """A further channel, made from the embedding, joins the first map of features."""

    def __init__(self, z_dim: int = 20) -> None:
        super().__init__()
        self.label_conditioned = nn.Sequential(nn.Embedding(CLASSES, 12), nn.Linear(12, 16))
        self.latent = nn.Sequential(nn.Linear(z_dim, 16 * 32), nn.LeakyReLU(0.2))
        found: list[nn.Module] = []
        for inner, outer in ((33, 16), (16, 8)):
            found += [nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=False), nn.BatchNorm2d(outer), nn.ReLU()]
        self.model = nn.Sequential(*found, nn.ConvTranspose2d(8, 3, 4, 2, 1, bias=False), nn.Tanh())

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        label = self.label_conditioned(labels).view(-1, 1, 4, 4)
        return self.model(torch.cat([self.latent(z).view(-1, 32, 4, 4), label], 1))
