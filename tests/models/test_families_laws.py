"""What every family keeps, with classes and without: sizes, seeds, files, and what critics and finders rely on."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganexplain import tensors
from ganexplain.latent.finders import FINDERS
from ganexplain.models.families import FAMILIES
from ganexplain.models.gan import GAN
from ganexplain.training.export import check_still

SMALL: dict[str, dict[str, Any]] = {
    "dcgan": {"width": 4, "depth": 1, "norm": "batch"},
    "mlp": {"widths": [12], "critic_width": 4},
    "r3gan": {"width": 4, "group": 4},
    "sngan": {"width": 4},
}
EXTRA: dict[str, dict[str, Any]] = {"boundary": {"attribute": lambda images: images.flatten(1).mean(1)}}
QUICK: dict[str, Any] = {"n_samples": 12, "n_codes": 60, "batch_size": 16, "n_directions": 2}
CLASSES = 3


def built(family: str, classes: int = 0, *, seed: int = 0, **options: Any) -> GAN:
    given = {"resolution": 8, "z_dim": 6, "num_classes": classes, **SMALL[family], **options}
    return GAN.build(family, seed=seed, **given)


def known(gan: GAN, n: int) -> tuple[Tensor, ...]:
    """The labels of n rows where the networks take some."""
    return (torch.arange(n) % CLASSES,) if gan.generator.num_classes else ()


def moved(gan: GAN) -> GAN:
    """The GAN after passes in training mode, and weights that are no longer those of the beginning."""
    codes, own = gan.generator.sample(16, seed=9), known(gan, 16)
    with torch.no_grad(), tensors.isolated(3):
        for network in (gan.generator, gan.discriminator):
            for parameter in network.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        for _ in range(5):
            gan.discriminator.train()(gan.generator.train()(codes, *own), *own)
    gan.generator.eval()
    gan.discriminator.eval()
    return gan


@pytest.fixture(params=FAMILIES.names())
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[0, CLASSES], ids=["plain", "conditional"])
def gan(family: str, request: pytest.FixtureRequest) -> GAN:
    return built(family, request.param)


def test_every_family_is_tested() -> None:
    assert set(SMALL) == set(FAMILIES.names())


@pytest.mark.parametrize("classes", [0, CLASSES])
@pytest.mark.parametrize(("resolution", "channels"), [(8, 1), (12, 3), (28, 1), (32, 3)])
def test_shapes(family: str, classes: int, resolution: int, channels: int) -> None:
    gan = built(family, classes, resolution=resolution, channels=channels)
    images, own = gan.samples(2), known(gan, 2)
    assert images.shape == (2, channels, resolution, resolution)
    assert 0.01 < float(images.abs().max()) <= 1
    assert gan.discriminator.eval()(images, *own).shape == (2,)
    made = gan.generator
    assert (made.resolution, made.channels, made.z_dim, made.num_classes) == (resolution, channels, 6, classes)


def test_the_seed_decides_the_weights(family: str) -> None:
    torch.manual_seed(4)
    state = torch.get_rng_state()
    first, again, other = (built(family, CLASSES, seed=seed) for seed in (3, 3, 4))
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert torch.equal(torch.get_rng_state(), state)


def test_a_file_brings_back_the_same_bits(gan: GAN, tmp_path: Path) -> None:
    moved(gan)
    gan.judge = type(gan).build(gan.family, seed=5, **gan.architecture).discriminator
    again, own = GAN.load(gan.save(tmp_path / "gan.safetensors")), known(gan, 5)
    assert again.fingerprint == gan.fingerprint
    images = gan.samples(5, seed=2)
    assert torch.equal(again.samples(5, seed=2), images)
    assert torch.equal(again.discriminator(images, *own), gan.discriminator(images, *own))
    assert again.judge is not None
    assert torch.equal(again.judge(images, *own), gan.judge.eval()(images, *own))


def test_a_plain_pass_changes_no_buffer_and_no_row_reads_another(gan: GAN) -> None:
    moved(gan)
    check_still(gan)
    codes, own = gan.generator.sample(6, seed=1), known(gan, 6)
    rows, mine = torch.tensor([4, 1]), tuple(labels[[4, 1]] for labels in own)
    images = gan.generator(codes, *own)
    torch.testing.assert_close(gan.generator(codes[rows], *mine), images[rows], rtol=1e-5, atol=1e-6)
    logits = gan.discriminator(images, *own)
    torch.testing.assert_close(gan.discriminator(images[rows], *mine), logits[rows], rtol=1e-5, atol=1e-6)
    for network in (gan.generator, gan.discriminator):
        before = {name: value.clone() for name, value in network.named_buffers()}
        network(codes if network is gan.generator else images.detach(), *own)
        assert all(torch.equal(value, before[name]) for name, value in network.named_buffers())


class Restless(nn.Module):
    """A discriminator that counts its passes."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 1)
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.passes += 1
        return self.linear(x.flatten(1)).flatten()


def test_a_network_that_does_not_rest_is_not_exported() -> None:
    gan = built("dcgan")
    gan.discriminator = Restless()
    with pytest.raises(ValueError, match="the discriminator changes its buffer 'passes' whenever it is used"):
        check_still(gan)
    assert float(gan.discriminator.passes) == 0  # a copy was tried


def test_its_critic_judges_as_its_discriminator_does(gan: GAN) -> None:
    moved(gan)
    images = gan.samples(5, seed=2)
    for label in range(CLASSES) if gan.generator.num_classes else (None,):
        own = () if label is None else (torch.full((5,), label),)
        critic = gan.critic("discriminator", label)
        torch.testing.assert_close(critic.logits(images), gan.discriminator(images, *own).detach(), rtol=0, atol=1e-6)
        torch.testing.assert_close(
            critic.logits(images[3:4]), critic.logits(images, batch_size=2)[3:4], rtol=0, atol=1e-6
        )
        faster = critic.fast(images).logits(images)
        torch.testing.assert_close(faster, critic.logits(images), rtol=1e-4, atol=1e-5)
    if gan.generator.num_classes:
        labels = known(gan, 5)[0]
        wanted = gan.discriminator(images, labels).detach()
        torch.testing.assert_close(critic.logits(images, labels=labels, batch_size=2), wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("finder", FINDERS.names())
def test_every_finder_walks_its_generator(gan: GAN, finder: str) -> None:
    moved(gan)
    generator = gan.generator.given(1) if gan.generator.num_classes else gan.generator
    part = FINDERS.get(finder)
    taken = inspect.signature(part).parameters
    settings = {k: v for k, v in {**QUICK, **EXTRA.get(finder, {})}.items() if k in taken}
    found = part(**settings).fit(generator, seed=0).directions_
    assert found.vectors.shape[1] == 6  # the code's own length: the class is no part of a direction
    torch.testing.assert_close(found.vectors.norm(dim=1), torch.ones(len(found)))
    codes = generator.sample(3, seed=5)
    there, back = generator.render(found.edit(codes, 0, 3.0)), generator.render(codes)
    assert float((there - back).abs().max()) > 1e-3


def test_the_first_layer_is_that_of_the_code_alone(gan: GAN) -> None:
    """Moving a code by d moves what the first layer says by W d, whatever the class."""
    moved(gan)
    generator = gan.generator.given(2) if gan.generator.num_classes else gan.generator
    first, said = generator.first_layer(), []
    layer = dict(generator.named_modules())[first.name]
    assert first.weight.shape[1] == generator.z_dim
    torch.testing.assert_close(first.weight, layer.weight.detach()[:, : generator.z_dim])
    handle = layer.register_forward_hook(lambda _m, _i, out: said.append(out.detach()))
    step = tensors.normal(0, "step", shape=(1, 6))
    code = generator.sample(1)
    generator.render(code)
    generator.render(code + step)
    handle.remove()
    torch.testing.assert_close(said[1] - said[0], step @ first.weight.T, rtol=1e-4, atol=1e-5)
