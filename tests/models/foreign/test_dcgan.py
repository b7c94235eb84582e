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


def many() -> nn.Module:
    """ACGAN with one convolution for verdict and classes, 32 px."""
    layers = [nn.Conv2d(3, 4, 4, 2, 1, bias=False), nn.LeakyReLU(0.2), nn.Dropout(0.3)]
    for before, after in ((4, 8), (8, 16)):
        layers += [nn.Conv2d(before, after, 4, 2, 1, bias=False), nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
    return seq(*layers, nn.Conv2d(16, 11, 4, 1, 0, bias=False))


def test_one_of_several_outputs_judges() -> None:
    network, x = lived(many(), normal(0, "x", shape=(8, 3, 32, 32))), normal(1, "x", shape=(3, 3, 32, 32))
    whole = network(x).flatten(1)
    for column in (None, 0, 10):
        said = Spec() if column is None else Spec(architecture={"verdict": column})
        found = recognised(weights_of(network), said)
        torch.testing.assert_close(found.network(x), whole[:, [column or 0]])
        assert (found.spec.critic.output, found.spec.critic.polarity) == ("logit", "real")
        assert f"output {column or 0} of 11 is the verdict" in found.lines
        assert ("architecture.verdict" in found.unknown) == (column is None)
    classes = recognised(weights_of(network), Spec(critic=CriticSpec(output="classes")))
    torch.testing.assert_close(classes.network(x), whole)
    for wrong in (11, -1, "first"):
        with pytest.raises(ValueError, match="verdict must be the number of an output, 0 to 10"):
            DCGAN().read(weights_of(network), Spec(architecture={"verdict": wrong}))
    with pytest.raises(ValueError, match="where there are several, got 0"):
        DCGAN().read(weights_of(_stacks.tutorial()), Spec(architecture={"verdict": 0}))


def test_the_eps_that_pytorch_gan_has_is_assumed_named_and_can_be_said() -> None:
    for seed, (network, shape) in enumerate([(_stacks.Copied(), (1, 28, 28)), (_stacks.CopiedGenerator(), (24,))]):
        with isolated(seed):
            for module in network.modules():
                if isinstance(module, nn.BatchNorm2d):  # statistics that fit nothing, so that they do not tell
                    module.running_var.uniform_(0.05, 40)
                    module.running_mean.normal_(0, 10)
        x = normal(seed, "x", shape=(3, *shape))
        found = recognised(weights_of(network.eval()), Spec(images=ImageSpec(size=28 if len(shape) > 1 else 32)))
        acts = {"activation": ["leaky_relu"] * (len(found.lines) - 4)} if len(shape) == 1 else {}
        assert "eps 0.8 assumed" in found.unknown["architecture.eps"]
        if not acts:
            torch.testing.assert_close(found.network(x), network(x), rtol=1e-4, atol=1e-5)
        norms = [m.eps for m in found.network.modules() if isinstance(m, nn.BatchNorm2d)]
        assert norms == [m.eps for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        said = recognised(weights_of(network), Spec(architecture={"eps": 1e-5}))
        assert "architecture.eps" not in said.unknown
        assert {m.eps for m in said.network.modules() if isinstance(m, nn.BatchNorm2d)} == {1e-5}


def test_a_sigmoid_at_the_end_means_images_in_the_unit_range() -> None:
    found = recognised(weights_of(_stacks.tutorial_generator()), Spec(architecture={"tail": "sigmoid"}))
    assert found.spec.generator.range == (0, 1)
    assert "architecture.tail" not in found.unknown
    images = found.network(normal(0, "z", shape=(4, 20)))
    assert 0 <= images.min() < 0.5 < images.max() <= 1
    usual = recognised(weights_of(_stacks.tutorial_generator()), Spec())
    assert usual.spec.generator.range == (-1, 1)
    assert "images in [-1, 1]" in usual.unknown["architecture.tail"]
    assert "images in [0, 1]" in usual.unknown["architecture.tail"]


def test_ways_through_the_maps_that_nobody_takes_are_named() -> None:
    strange = seq(nn.Conv2d(3, 4, 4, 4), nn.LeakyReLU(0.2), nn.Conv2d(4, 8, 2, 2), nn.LeakyReLU(0.2))
    found = DCGAN().read(weights_of(seq(*strange, nn.Conv2d(8, 1, 4))), Spec())
    assert found is not None
    assert [line.split(" | ")[1] for line in found.lines[1:]] == ["32 -> 8", "8 -> 4", "4 -> 1"]
    assert "are a guess" in found.unknown["architecture.stride"]
    assert "architecture.stride" not in recognised(weights_of(_stacks.tutorial()), Spec()).unknown
    said = recognised(weights_of(seq(*strange, nn.Conv2d(8, 1, 4))), Spec(architecture={"stride": [4, 2, 1]}))
    assert "architecture.stride" not in said.unknown
