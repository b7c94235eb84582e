"""What the papers say of each family: slopes bounded by one, blocks that begin as the identity, projected classes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils import parametrize

from ganexplain import tensors
from ganexplain.models.families import FAMILIES
from ganexplain.models.families.r3gan import Architecture, Block
from ganexplain.models.gan import GAN

SMALL: dict[str, dict[str, Any]] = {
    "dcgan": {"width": 4},
    "mlp": {"widths": [12], "critic_width": 4},
    "r3gan": {"width": 4, "group": 4},
    "sngan": {"width": 4},
}
SHAPE = {"resolution": 8, "z_dim": 6, "num_classes": 3}


def noise(*shape: int) -> Tensor:
    return tensors.normal(0, "noise", shape=shape)


@pytest.mark.parametrize("classes", [0, 3])
def test_every_layer_of_the_sngan_discriminator_has_the_spectral_norm_one(classes: int) -> None:
    gan = GAN.build("sngan", **SHAPE | {"num_classes": classes}, width=4)
    d = gan.discriminator.train()
    layers = [m for m in d.modules() if isinstance(m, (nn.Conv2d, nn.Linear, nn.Embedding))]
    assert all(parametrize.is_parametrized(layer, "weight") for layer in layers)
    with torch.no_grad():
        for layer in layers:  # far from what the vectors were found for
            original = layer.parametrizations.weight.original
            original.copy_(3 * noise(*original.shape))
        own = (torch.arange(4) % 3,) if classes else ()
        for _ in range(60):  # each pass in training mode takes one step of the power iteration
            d(noise(4, 1, 8, 8), *own)
        d.eval()
        for layer in layers:
            largest = float(torch.linalg.svdvals(layer.weight.flatten(1))[0])
            assert largest == pytest.approx(1, abs=1e-2)


def test_the_generator_of_sngan_has_no_spectral_norm_and_its_discriminator_no_batchnorm() -> None:
    gan = GAN.build("sngan", **SHAPE, width=4)
    assert not any(parametrize.is_parametrized(m) for m in gan.generator.modules())
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in gan.discriminator.modules())


def test_sngan_sums_over_places() -> None:
    """The head reads a sum: twice the flat area under the same features gives twice the score, less the bias."""
    d = GAN.build("sngan", resolution=8, z_dim=6, width=4).discriminator.eval()
    seen: list[Tensor] = []
    d.head.register_forward_hook(lambda _m, given, _o: seen.append(given[0]))
    images = noise(2, 1, 8, 8)
    with torch.no_grad():
        score = d(images)
        features = torch.relu(d.blocks(images))
    assert torch.equal(seen[0], features.sum((2, 3)))
    assert torch.equal(score, d.head(seen[0]).flatten())


@pytest.mark.parametrize("blocks", [1, 2])
def test_r3gan_blocks_begin_as_the_identity(blocks: int) -> None:
    gan = GAN.build("r3gan", **SHAPE, width=4, group=2, blocks=blocks)
    for network in (gan.generator, gan.discriminator):
        found = [m for m in network.modules() if isinstance(m, Block)]
        assert len(found) == blocks * 2  # of two sizes, 8 and 4
        for block in found:
            x = noise(2, block.layers[0].in_channels, 4, 4)
            assert torch.equal(block(x), x)


def test_an_r3gan_block_is_its_formula() -> None:
    block = Block(4, Architecture(width=4, group=2, expansion=3))
    x = noise(2, 4, 5, 5)
    first, middle, last = (m for m in block.modules() if isinstance(m, nn.Conv2d))
    assert (middle.in_channels, middle.groups, last.bias) == (12, 6, None)
    wide = leaky_relu(torch.einsum("oi,nihw->nohw", first.weight[:, :, 0, 0], x) + first.bias[:, None, None], 0.2)
    parts = [
        nn.functional.conv2d(wide[:, 2 * g : 2 * g + 2], middle.weight[2 * g : 2 * g + 2], padding=1) for g in range(6)
    ]
    mixed = leaky_relu(torch.cat(parts, 1) + middle.bias[:, None, None], 0.2)
    wanted = x + torch.einsum("oi,nihw->nohw", last.weight[:, :, 0, 0], mixed)
    torch.testing.assert_close(block(x), wanted, rtol=1e-5, atol=1e-5)


def test_r3gan_starts_from_a_basis_that_the_code_weighs() -> None:
    """While blocks change nothing, the first maps are linear in z, each a multiple of its basis map."""
    g = GAN.build("r3gan", resolution=8, z_dim=6, width=4, group=4).generator
    seen: list[Tensor] = []
    g.stages[0].register_forward_hook(lambda _m, _g, out: seen.append(out.detach()))
    z = g.sample(3)
    g.render(z)
    torch.testing.assert_close(seen[0], (z @ g.weights.weight.T)[:, :, None, None] * g.basis)


@pytest.mark.parametrize("resolution", [8, 28, 64])
@pytest.mark.parametrize("family", ["r3gan", "sngan"])
def test_signals_keep_their_size_through_untrained_networks(family: str, resolution: int) -> None:
    options: dict[str, Any] = {"resolution": resolution, "z_dim": 16, "width": 8}
    gan = GAN.build(family, **options, **({"group": 8} if family == "r3gan" else {}))
    seen: list[Tensor] = []
    gan.generator.last.register_forward_hook(lambda _m, _g, out: seen.append(out))
    gan.generator.train()  # BatchNorm has seen nothing yet
    gan.samples(32)
    assert 0.2 < float(seen[0].std()) < 3


@pytest.mark.parametrize("resolution", [8, 28, 64])
def test_an_untrained_r3gan_discriminator_says_one_of_a_flat_image_of_one(resolution: int) -> None:
    """It is linear while blocks change nothing, layers keep the variance, and averages of a flat image are flat."""
    said = []
    for seed in range(16):
        d = GAN.build("r3gan", seed=seed, resolution=resolution, z_dim=2, width=8, group=8).discriminator
        said.append(d(torch.ones(1, 1, resolution, resolution)).detach())
    assert 0.6 < float(torch.cat(said).square().mean().sqrt()) < 1.6


@pytest.mark.parametrize("family", FAMILIES.names())
def test_a_label_adds_its_embeddings_product_with_the_features(family: str) -> None:
    """Miyato and Koyama 2018, equation 3: f(x, a) - f(x, b) = <E(a) - E(b), phi(x)>, and the rest knows no class."""
    d = GAN.build(family, **SHAPE, **SMALL[family]).discriminator.eval()
    seen: list[Tensor] = []
    d.head.register_forward_hook(lambda _m, given, out: seen.extend([given[0], out.flatten()]))
    x, a, b = noise(5, 1, 8, 8), torch.tensor([0, 1, 2, 0, 1]), torch.tensor([1, 2, 0, 2, 0])
    with torch.no_grad():
        first, second = d(x, a), d(x, b)
        features, unconditional = seen[0], seen[1]
        table = d.projected.table.weight
        wanted = ((table[a] - table[b]) * features).sum(1)
    assert float(wanted.abs().max()) > 1e-3
    torch.testing.assert_close(first - second, wanted, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(first, unconditional + (table[a] * features).sum(1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES.names())
def test_labels_are_told_where_there_are_classes_and_nowhere_else(family: str) -> None:
    plain = GAN.build(family, **SHAPE | {"num_classes": 0}, **SMALL[family])
    told = GAN.build(family, **SHAPE, **SMALL[family])
    x, z, labels = noise(2, 1, 8, 8), noise(2, 6), torch.tensor([0, 2])
    with pytest.raises(ValueError, match="knows no classes; leave them out"):
        plain.discriminator(x, labels)
    with pytest.raises(ValueError, match="knows no classes; leave them out"):
        plain.generator(z, labels)
    with pytest.raises(ValueError, match="say the class of every row"):
        told.discriminator(x)
    with pytest.raises(ValueError, match=r"given\(0\) to given\(2\)"):
        told.generator(z)
    g = told.generator.eval()
    assert torch.equal(g.given(2)(z), g(z, torch.tensor([2, 2])))
    assert not torch.equal(g.given(2)(z), g.given(0)(z))


@pytest.mark.parametrize(
    ("family", "options", "message"),
    [
        ("r3gan", {"width": 6, "group": 5}, "group must divide width \\* expansion = 12, got 5"),
        ("r3gan", {"blocks": 0}, "blocks must be positive"),
        ("sngan", {"flat_blocks": -1}, "flat_blocks must be 0 or more"),
        ("sngan", {"num_classes": 1}, "0 \\(no classes\\) or at least 2, got 1"),
        ("sngan", {"norm": "batch"}, "option of the family sngan 'norm'"),
    ],
)
def test_bad_options(family: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GAN.build(family, **options)
