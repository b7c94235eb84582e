"""Convolutional GANs are recognised, and those made by others judge and draw as they did for their authors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from ganexplain.models.checkpoints import Weights, read
from ganexplain.models.foreign import Found, recognised
from ganexplain.models.foreign.dcgan import DCGAN
from ganexplain.models.priors import drawn
from ganexplain.models.spec import CriticSpec, ImageSpec, Spec
from ganexplain.tensors import isolated, normal
from tests.models.foreign import _stacks
from tests.models.foreign._stacks import Named, lived, seq, weights_of


def cells(path: Path, side: int, gap: int) -> Tensor:
    """Grey images (N, 1, H, W) in [-1, 1] of a grid."""
    grid = np.asarray(Image.open(path).convert("L"), dtype=np.float32) / 127.5 - 1
    step = side + gap
    rows, columns = (grid.shape[0] - gap) // step, (grid.shape[1] - gap) // step
    found = [
        grid[gap + i * step : gap + i * step + side, gap + j * step : gap + j * step + side]
        for i in range(rows)
        for j in range(columns)
    ]
    return torch.from_numpy(np.stack(found))[:, None]


def auc(real: Tensor, fake: Tensor) -> float:
    return float((real.flatten()[:, None] > fake.flatten()[None]).float().mean())


def opened(path: Path, spec: Spec | None = None) -> Found:
    return recognised(read(path).network(), spec or Spec())


def test_the_published_numbers_of_a_critic_of_digits(assets: Path) -> None:
    folder = assets / "mnist-dcgan-critic"
    found = opened(folder / "netD_epoch_99.pth")
    assert (found.layout, found.role, found.spec.critic.output) == ("dcgan", "discriminator", "logit")
    assert found.spec.images == ImageSpec(range=(-1, 1), size=28, channels=1)
    with torch.no_grad():
        real, fake = (
            torch.sigmoid(found.network(cells(folder / name, 28, 2)))
            for name in ("real_samples.png", "fake_samples_epoch_099.png")
        )
    assert [round(float(p.mean()), 3) for p in (real, fake)] == [0.609, 0.263]
    assert round(auc(real, fake), 3) == 0.849


def test_a_generator_of_faces_tells_its_codes_and_its_missing_activation(assets: Path) -> None:
    folder = assets / "celeba32-dcgan"
    generator, critic = opened(folder / "generator.pt"), opened(folder / "discriminator.pt")
    assert (generator.layout, critic.layout) == ("dcgan", "dcgan")
    assert generator.spec.generator.prior == "uniform"
    assert generator.lines[1].endswith("BatchNorm | 1 -> 4")
    assert sum("LeakyReLU 0.2" in line for line in generator.lines[1:-2]) == 3
    images = generator.network(drawn("uniform", 64, 100, seed=0))
    assert images.shape == (64, 3, 32, 32)
    with torch.no_grad():
        noise = critic.network(torch.from_numpy(np.random.default_rng(0).uniform(-1, 1, (64, 3, 32, 32))).float())
        assert float(noise.mean()) > 3.0  # its blind spot
        assert float(critic.network(images).mean()) < 0.3


def test_a_generator_of_64_px_faces(face_weights: Path) -> None:
    found = recognised(read(face_weights).network("netG_state_dict"), Spec())
    assert (found.layout, found.role) == ("dcgan", "generator")
    assert found.spec.generator.prior == "normal"
    assert [line.split(" | ")[1] for line in found.lines[1:6]] == [
        "1 -> 4",
        "4 -> 8",
        "8 -> 16",
        "16 -> 32",
        "32 -> 64",
    ]
    assert all("ReLU" in line and "Leaky" not in line for line in found.lines[1:5])


@pytest.mark.parametrize(
    ("network", "role", "size"),
    [
        (_stacks.tutorial(), "discriminator", 64),
        (_stacks.tutorial(norm="spectral"), "discriminator", 64),
        (_stacks.wgan_gp(), "discriminator", 64),
        (_stacks.coursera(), "discriminator", 28),
        (_stacks.sngan(), "discriminator", 32),
        (_stacks.layer_normed(), "discriminator", 32),
        (_stacks.Copied(), "discriminator", 28),
        (_stacks.Attributes(), "discriminator", 32),
        (_stacks.tutorial_generator(), "generator", 64),
    ],
)
def test_roles_are_told_by_shapes_and_no_other_layout_claims_them(network: nn.Module, role: str, size: int) -> None:
    found = recognised(weights_of(network), Spec())
    assert (found.layout, found.role) == ("dcgan", role)
    x = normal(0, "x", shape=(2, int(found.spec.images.channels or 1), size, size))
    if role == "generator":
        assert found.network(normal(0, "z", shape=(2, 20))).shape == x.shape
    else:
        assert found.spec.images.size == size
        assert found.network(x).shape == (2, 1)


def test_codes_and_images_have_the_shapes_of_the_toolkit() -> None:
    with isolated(0):
        network = _stacks.tutorial_generator()
    lived(network, normal(0, "z", shape=(64, 20, 1, 1)))
    found = recognised(weights_of(network, "netG"), Spec())
    codes = normal(1, "z", shape=(3, 20))
    with torch.no_grad():
        torch.testing.assert_close(found.network(codes), network(codes[:, :, None, None]), rtol=1e-4, atol=1e-5)
    assert found.spec.generator.z_dim == 20
    assert found.spec.generator.range == (-1, 1)


def test_the_copied_generator_of_enlargements() -> None:
    with isolated(1):
        network = _stacks.CopiedGenerator()
    lived(network, normal(0, "z", shape=(128, 24)))
    found = recognised(weights_of(network, "generator"), Spec(images=ImageSpec(size=32)))
    codes = normal(1, "z", shape=(3, 24))
    with torch.no_grad():
        torch.testing.assert_close(found.network(codes), network(codes), rtol=1e-4, atol=1e-5)


def test_what_the_caller_says_wins() -> None:
    weights = weights_of(_stacks.tutorial(1))
    said = Spec(
        critic=CriticSpec(output="score", polarity="fake"),
        images=ImageSpec(range=(0, 1), size=64),
        architecture={"slope": 0.1},
    )
    found = DCGAN().read(weights, said)
    assert found is not None
    assert (found.spec.critic.output, found.spec.critic.polarity) == ("score", "fake")
    assert found.spec.images.range == (0, 1)
    assert "LeakyReLU 0.1" in found.lines[1]
    assert not {"critic.output", "images.range"} & set(found.unknown)


def test_what_was_assumed_is_said() -> None:
    found = DCGAN().read(weights_of(_stacks.tutorial(1)), Spec())
    assert found is not None
    assert set(found.unknown) >= {"architecture.slope", "architecture.size", "critic.output", "images.range"}
    critic = DCGAN().read(weights_of(_stacks.wgan_gp()), Spec())
    assert critic is not None
    assert critic.spec.critic.output == "score"
    assert "InstanceNorm" in critic.unknown["architecture.norm"]


@pytest.mark.parametrize(
    "network",
    [
        Named("main", seq(nn.Conv2d(11, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 14))),  # planes of labels
        nn.ModuleDict({"label_embed": nn.Embedding(10, 784), "main": seq(nn.Conv2d(1, 4, 4), nn.Conv2d(4, 1, 25))}),
        seq(nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 1)),
        seq(nn.Conv2d(3, 8, 7, 1, 3), nn.ReLU(), nn.ConvTranspose2d(8, 3, 4, 2, 1)),  # image to image
        nn.LSTM(3, 4),
    ],
)
def test_other_kinds_are_left_to_others(network: nn.Module) -> None:
    assert DCGAN().read(weights_of(network), Spec()) is None


def test_names_say_the_role() -> None:
    chain = seq(nn.Conv2d(3, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 16))
    assert DCGAN().read(weights_of(chain, "netG"), Spec()) is None
    assert DCGAN().read(Weights("netD", chain.state_dict()), Spec()) is not None
