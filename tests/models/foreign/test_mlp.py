"""GANs of linear layers read images as the vectors that their authors flattened."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from ganexplain.models.checkpoints import read
from ganexplain.models.foreign import recognised
from ganexplain.models.foreign.mlp import MLP
from ganexplain.models.spec import GeneratorSpec, ImageSpec, Spec
from ganexplain.tensors import isolated, normal
from tests.models.foreign._stacks import Named, lived, seq, weights_of


def test_the_published_numbers_of_a_gan_of_digits(assets: Path) -> None:
    folder = assets / "mnist-mlp-gan"
    critic, generator = (
        recognised(read(folder / name).network(), Spec()) for name in ("discriminator.pth", "generator.pth")
    )
    assert (critic.layout, critic.role, generator.layout, generator.role) == (
        "mlp",
        "discriminator",
        "mlp",
        "generator",
    )
    with torch.no_grad():
        images = generator.network(normal(0, "z", shape=(512, 100)))
        fakes = torch.sigmoid(critic.network(images))
        noise = torch.sigmoid(
            critic.network(torch.rand(64, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1)
        )
    assert images.shape == (512, 1, 28, 28)
    assert float(fakes.mean()) == pytest.approx(0.320, abs=0.03)
    assert float(noise.mean()) < 1e-3


def critic() -> nn.Module:
    layers = [nn.Linear(3 * 1024, 16), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(16, 8), nn.LayerNorm(8)]
    return Named("model", seq(*layers, nn.LeakyReLU(0.2), nn.Linear(8, 1)))


def test_a_critic_reads_colour_images() -> None:
    with isolated(0):
        network = lived(critic())
    found = MLP().read(weights_of(network), Spec())
    assert found is not None
    assert (found.role, found.spec.images.size, found.spec.images.channels) == ("discriminator", 32, 3)
    images = normal(0, "x", shape=(4, 3, 32, 32))
    torch.testing.assert_close(found.network(images), network(images.flatten(1)))
    assert type(found.network.get_submodule("model.3")) is nn.Linear


@pytest.mark.parametrize("norm_last", [False, True])
def test_a_generator_with_norms_after_activations(norm_last: bool) -> None:
    layers: list[nn.Module] = [nn.Linear(12, 32), nn.LeakyReLU(0.1), nn.BatchNorm1d(32), nn.Linear(32, 64)]
    layers += [nn.LeakyReLU(0.1), nn.BatchNorm1d(64), nn.Linear(64, 784)]
    layers += [nn.BatchNorm1d(784)] if norm_last else []
    with isolated(1):
        network = Named("gen", seq(*layers, nn.Tanh()))
    lived(network, normal(0, "z", shape=(512, 12)))
    found = recognised(weights_of(network), Spec())
    assert (found.layout, found.role) == ("mlp", "generator")
    codes = normal(1, "z", shape=(4, 12))
    expected = network(codes).view(-1, 1, 28, 28)
    torch.testing.assert_close(found.network(codes), expected, rtol=1e-4, atol=1e-5)
    assert any(line.startswith("BatchNorm statistics tell: normal codes, LeakyReLU 0.1") for line in found.lines)


def test_a_sigmoid_at_the_end_makes_the_range() -> None:
    network = seq(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 400))
    found = MLP().read(
        weights_of(network), Spec(architecture={"tail": "sigmoid"}, generator=GeneratorSpec(prior="uniform"))
    )
    assert found is not None
    assert found.spec.generator.range == (0, 1)
    assert not {"architecture.tail", "generator.prior"} & set(found.unknown)
    codes = normal(0, "z", shape=(3, 8))
    torch.testing.assert_close(found.network(codes), torch.sigmoid(network(codes)).view(-1, 1, 20, 20))


def test_an_oblong_image_is_said() -> None:
    network = seq(nn.Linear(20 * 30, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
    found = MLP().read(weights_of(network), Spec(images=ImageSpec(size=(20, 30))))
    assert found is not None
    images = normal(0, "x", shape=(2, 1, 20, 30))
    torch.testing.assert_close(found.network(images), network(images.flatten(1)))
    with pytest.raises(ValueError, match="600 numbers are no image of 21 x 30"):
        MLP().read(weights_of(network), Spec(images=ImageSpec(size=(21, 30))))


def test_widths_that_are_no_image_are_rows_of_a_table() -> None:
    judge, maker = seq(nn.Linear(89, 8), nn.ReLU(), nn.Linear(8, 1)), seq(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 89))
    for network, role in ((judge, "discriminator"), (maker, "generator")):
        found = MLP().read(weights_of(network), Spec())
        assert found is not None
        assert found.role == role
        assert found.spec.table["names"][-1] == "feature 89"
        assert found.spec.images == ImageSpec()
    few = seq(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))  # two classes, or rows of two numbers
    roles = [MLP().read(weights_of(few), Spec(role=role)).role for role in (None, "discriminator", "generator")]  # type: ignore[union-attr]
    assert roles == ["discriminator", "discriminator", "generator"]


def test_other_kinds_are_left_to_others() -> None:
    for network in (
        seq(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 1)),
        nn.ModuleDict({"embed": nn.Embedding(10, 10), "fc": nn.Linear(794, 1)}),
        nn.Sequential(),
    ):
        assert MLP().read(weights_of(network), Spec()) is None


def test_options_of_convolutions_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown option of the layout 'mlp'"):
        MLP().read(weights_of(critic()), Spec(architecture={"stride": 2}))
