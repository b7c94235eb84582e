"""What a reader of the documentation has: files of weights as other people write them, and folders of images."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

import ganexplain as ge
from ganexplain import tensors


def write(folder: Path) -> None:
    """Every file that a page names, small."""
    gan = ge.bundled("fashion")
    if gan.judge is None or gan.reals is None:
        raise ValueError("the bundled GAN has a judge and reals")
    ge.write_images(gan.samples(40, seed=3), folder / "fakes")
    ge.write_images(tensors.from_uint8(gan.reals[:40]), folder / "reals")
    torch.save(gan.judge.state_dict(), folder / "netD.pth")
    torch.save(gan.generator.state_dict(), folder / "netG.pth")
    (folder / "people.csv").write_text("feature 1,feature 2,feature 3\n0.5,-1,2\n")
    torch.manual_seed(0)
    for name, network in NETWORKS.items():
        torch.save(network().state_dict(), folder / name)


def convolutions(norm: type[nn.Module] | None, *, bias: bool = False) -> list[nn.Module]:
    """Four halvings from 64 to 4 pixels."""
    layers: list[nn.Module] = [nn.Conv2d(3, 4, 4, 2, 1, bias=bias), nn.LeakyReLU(0.2)]
    for before in (4, 8, 16):
        layers += [nn.Conv2d(before, 2 * before, 4, 2, 1, bias=bias)]
        layers += [nn.LeakyReLU(0.2)] if norm is None else [norm(2 * before), nn.LeakyReLU(0.2)]
    return layers


class Tutorial(nn.Module):
    """The discriminator of the DCGAN tutorial of PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        self.main = nn.Sequential(*convolutions(nn.BatchNorm2d), nn.Conv2d(32, 1, 4, 1, 0, bias=False))


class TutorialGenerator(nn.Module):
    """The generator of the DCGAN tutorial of PyTorch."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.ConvTranspose2d(20, 32, 4, 1, 0, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
        for before in (32, 16, 8):
            layers += [nn.ConvTranspose2d(before, before // 2, 4, 2, 1, bias=False), nn.BatchNorm2d(before // 2)]
            layers += [nn.ReLU()]
        self.main = nn.Sequential(*layers, nn.ConvTranspose2d(4, 3, 4, 2, 1, bias=False), nn.Tanh())


class Conditional(nn.Module):
    """A label embedded and joined to flattened pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.label_embedding = nn.Embedding(10, 10)
        self.model = nn.Sequential(nn.Linear(794, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))


class ConditionalGenerator(nn.Module):
    """A label embedded and joined to the noise."""

    def __init__(self) -> None:
        super().__init__()
        self.label_emb = nn.Embedding(10, 10)
        self.model = nn.Sequential(nn.Linear(30, 32), nn.LeakyReLU(0.2), nn.Linear(32, 784), nn.Tanh())


class Patch(nn.Module):
    """The 70 x 70 discriminator of pix2pix."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, 4, 4, 2, 1), nn.LeakyReLU(0.2)]
        for before, after, stride in ((4, 8, 2), (8, 16, 2), (16, 32, 1)):
            layers += [nn.Conv2d(before, after, 4, stride, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
        self.model = nn.Sequential(*layers, nn.Conv2d(32, 1, 4, 1, 1))


class Block(nn.Module):
    """Two convolutions and a way round them."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(before, after, 3, bias=False), nn.BatchNorm2d(after)
        self.conv2, self.bn2 = nn.Conv2d(after, after, 3, bias=False), nn.BatchNorm2d(after)
        if before != after:
            self.downsample = nn.Sequential(nn.Conv2d(before, after, 1, bias=False), nn.BatchNorm2d(after))


class Residual(nn.Module):
    """ResNet-18, narrow, with one logit."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 4, 7, bias=False), nn.BatchNorm2d(4)
        widths = (4, 4, 8, 16, 32)
        for i, (before, after) in enumerate(zip(widths[:-1], widths[1:], strict=True), 1):
            setattr(self, f"layer{i}", nn.Sequential(Block(before, after), Block(after, after)))
        self.fc = nn.Linear(32, 1)


def wasserstein() -> nn.Module:
    """A critic with InstanceNorm."""

    def norm(width: int) -> nn.Module:
        return nn.InstanceNorm2d(width, affine=True)

    layers = convolutions(norm, bias=True)  # type: ignore[arg-type]
    return nn.ModuleDict({"critic": nn.Sequential(*layers, nn.Conv2d(32, 1, 4, 1, 0))})


def flat() -> nn.Module:
    """Linear layers on digits."""
    return nn.Sequential(nn.Linear(784, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))


def rows() -> nn.Module:
    """Linear layers on three columns."""
    return nn.Sequential(nn.Linear(3, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))


NETWORKS = {
    "tutorial_netD.pth": Tutorial,
    "tutorial_netG.pth": TutorialGenerator,
    "mlp_netD.pth": flat,
    "critic.pth": wasserstein,
    "cgan_netD.pth": Conditional,
    "cgan_netG.pth": ConditionalGenerator,
    "patch_netD.pth": Patch,
    "resnet18.pth": Residual,
    "table_netD.pth": rows,
}
