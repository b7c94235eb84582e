"""Families: shapes at every size, what a saved architecture rebuilds, and what each option must and must not change."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganexplain import tensors
from ganexplain.models.families import FAMILIES
from ganexplain.models.families.dcgan import DCGAN, Architecture
from ganexplain.models.gan import GAN

RESOLUTIONS = (4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56, 60, 64)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("depth", [0, 1])
def test_shapes(resolution: int, depth: int) -> None:
    for channels in (1, 2, 3, 4):
        options = {"resolution": resolution, "channels": channels, "z_dim": 5, "width": 4, "depth": depth}
        gan = GAN.build("dcgan", **options, critic_depth=depth)
        images = gan.samples(3)
        assert images.shape == (3, channels, resolution, resolution)
        assert images.abs().max() <= 1
        assert gan.discriminator(images).shape == (3,)
        assert (gan.generator.resolution, gan.generator.channels, gan.generator.z_dim) == (resolution, channels, 5)


@pytest.mark.parametrize(("resolution", "levels", "base"), [(4, 1, 2), (8, 1, 4), (12, 2, 3), (28, 2, 7), (64, 4, 4)])
def test_the_side_is_halved_down_to_four_or_an_odd_number(resolution: int, levels: int, base: int) -> None:
    shape = Architecture(resolution=resolution)
    assert (shape.levels, shape.base) == (levels, base)
    assert shape.base * 2**shape.levels == resolution


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_a_code_first_meets_a_plain_linear_layer(depth: int) -> None:
    gan = GAN.build("dcgan", depth=depth)
    first = gan.generator.first_layer()
    assert first.name == "start"
    assert torch.equal(first.weight, gan.generator.start.weight)
    assert first.gain is None


def test_by_default_no_layer_couples_the_images_of_a_batch() -> None:
    gan = GAN.build("dcgan", depth=1, critic_depth=1)
    modules = [*gan.generator.modules(), *gan.discriminator.modules()]
    assert not any(isinstance(m, (nn.modules.batchnorm._BatchNorm, nn.Dropout)) for m in modules)
    assert not list(gan.generator.buffers()) + list(gan.discriminator.buffers())
    batch = gan.samples(6)
    torch.testing.assert_close(gan.discriminator(batch[2:3]), gan.discriminator(batch)[2:3])


def test_depth_adds_convolutions_and_nothing_else() -> None:
    def kinds(network: nn.Module) -> dict[str, int]:
        names = [type(m).__name__ for m in network.modules()]
        return {name: names.count(name) for name in ("Conv2d", "ConvTranspose2d", "Linear")}

    assert kinds(DCGAN.generator(depth=0)) == {"Conv2d": 0, "ConvTranspose2d": 2, "Linear": 1}
    assert kinds(DCGAN.generator(depth=1)) == {"Conv2d": 2, "ConvTranspose2d": 2, "Linear": 1}
    assert kinds(DCGAN.discriminator(critic_depth=0)) == {"Conv2d": 2, "ConvTranspose2d": 0, "Linear": 1}
    assert kinds(DCGAN.discriminator(critic_depth=2)) == {"Conv2d": 6, "ConvTranspose2d": 0, "Linear": 1}


@pytest.mark.parametrize("options", [{}, {"depth": 1}, {"depth": 2, "critic_depth": 2}, {"resolution": 64}])
def test_signals_keep_their_size_through_an_untrained_network(options: dict[str, int]) -> None:
    """He's initialisation: without norm layers the scale must neither die out nor explode on the way."""
    gan = GAN.build("dcgan", **options)
    tops = []
    last = [m for m in gan.generator.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))][-1]
    last.register_forward_hook(lambda _m, _i, output: tops.append(output))
    gan.samples(32)
    assert 0.5 < float(tops[0].std()) < 3
    noise = tensors.normal(0, "noise", shape=(32, 1, gan.generator.resolution, gan.generator.resolution))
    assert 0.3 < float(gan.discriminator(noise).detach().std()) < 4


def test_same_seed_same_weights() -> None:
    assert GAN.build("dcgan", seed=3).fingerprint == GAN.build("dcgan", seed=3).fingerprint
    assert GAN.build("dcgan", seed=3).fingerprint != GAN.build("dcgan", seed=4).fingerprint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resolution": 30}, "multiple of 4, got 30"),
        ({"resolution": 0}, "multiple of 4"),
        ({"channels": 5}, "channels must be 1 to 4"),
        ({"z_dim": 0}, "z_dim must be positive"),
        ({"width": 0}, "width must be positive"),
        ({"norm": "bach"}, "did you mean 'batch'"),
        ({"depth": -1}, "0 or more"),
        ({"widht": 8}, "did you mean 'width'"),
    ],
)
def test_bad_options(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GAN.build("dcgan", **options)


def test_an_unknown_family_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'dcgan'"):
        FAMILIES.get("dcgam")
