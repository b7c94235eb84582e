"""PatchGANs in their authors' words are read back to the same numbers, and the file's silence is named."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ganexplain.models.checkpoints import Weights
from ganexplain.models.critic import Critic
from ganexplain.models.foreign import Found, recognised
from ganexplain.models.foreign.patchgan import PatchGAN
from ganexplain.models.spec import Spec
from tests.models.foreign import _patchgans as originals
from tests.models.foreign._patchgans import trained

WRITTEN = {
    "batch": (originals.n_layers(), "70 x 70"),
    "grey": (originals.n_layers(1), "70 x 70"),
    "instance": (originals.n_layers(norm="instance"), "70 x 70"),
    "affine": (originals.n_layers(norm="affine"), "70 x 70"),
    "16": (originals.n_layers(layers=1), "16 x 16"),
    "286": (originals.n_layers(layers=5), "286 x 286"),
    "pixels": (originals.pixels(), "1 x 1"),
    "pixels without weights": (originals.pixels(norm="instance"), "1 x 1"),
    "padded": (originals.padded(), "94 x 94"),
    "padded batch": (originals.padded(norm="batch", bias=False), "94 x 94"),
    "threes": (originals.threes(), "47 x 47"),
    "blocks": (originals.Blocks(), "70 x 70"),
    "blocks batch": (originals.Blocks(norm="batch"), "70 x 70"),
}


def found(network: nn.Module, **architecture: object) -> Found:
    read = PatchGAN().read(Weights("", network.state_dict()), Spec(architecture=architecture))
    assert read is not None
    return read


def images(network: nn.Module, size: tuple[int, int] = (72, 80)) -> torch.Tensor:
    channels = next(t.shape[1] for t in network.state_dict().values() if t.ndim == 4)
    return torch.randn(2, channels, *size, generator=torch.Generator().manual_seed(1)).clamp(-1, 1)


@pytest.mark.parametrize("name", WRITTEN)
def test_the_same_patches_at_any_size(name):
    network, field = trained(WRITTEN[name][0]), WRITTEN[name][1]
    read = found(network)
    for size in ((96, 104), (136, 128)):
        torch.testing.assert_close(read.network(images(network, size)), network(images(network, size)))
    assert any(f"patches of {field} pixels" in line for line in read.lines)
    assert (read.spec.critic.output, read.spec.critic.pool) == ("score", "mean")


@pytest.mark.parametrize("name", ["batch", "instance", "16", "pixels", "padded", "threes", "blocks batch"])
def test_recognised_among_all_layouts(name):
    network = trained(WRITTEN[name][0])
    assert recognised(Weights("netD", network.state_dict()), Spec()).layout == "patchgan"


@pytest.mark.parametrize("layers", [1, 3, 5])
def test_the_field_is_where_gradients_reach(layers):
    network = originals.n_layers(layers=layers)
    for module in network.modules():  # of constant weights, so that no path cancels another
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 0.1)
    read = found(network)
    side = {1: 16, 3: 70, 5: 286}[layers]
    x = torch.ones(1, 3, 300, 300, requires_grad=True)
    map_ = read.network(x)
    middle = map_.shape[-1] // 2
    seen = torch.autograd.grad(map_[0, 0, middle, middle], x)[0][0, 0].ne(0)
    assert (int(seen.any(0).sum()), int(seen.any(1).sum())) == (side, side)
    assert any(f"{side} x {side}" in line for line in read.lines)


def test_a_norm_without_weights_is_told_from_none():
    with_norm, without = (found(trained(originals.n_layers(norm=norm))) for norm in ("instance", None))
    assert "leave room for it" in with_norm.unknown["architecture.norm"]
    assert "no room" in without.unknown["architecture.norm"]
    torch.testing.assert_close(
        without.network(images(without.network)), trained(originals.n_layers(norm=None))(images(without.network))
    )
    assert "architecture.norm" not in found(trained(originals.n_layers())).unknown


def test_statistics_that_old_files_keep_are_not_used():
    network = trained(originals.n_layers(norm="tracked"))
    plain = originals.n_layers(norm="instance")
    plain.load_state_dict(network.state_dict(), strict=False)
    x = images(network)
    torch.testing.assert_close(found(network).network(x), plain(x))
    torch.testing.assert_close(found(network, norm="batch").network(x), network(x))
    with pytest.raises(ValueError, match="needs statistics"):
        found(trained(originals.n_layers()), norm="batch")


@pytest.mark.parametrize("scales", [2, 3])
def test_scales(scales):
    network = trained(originals.Scales(scales=scales))
    read, x = found(network), images(network)
    each = [scored.flatten(1).mean(1) for scored in network(x)]
    torch.testing.assert_close(read.network(x), torch.stack(each).mean(0))
    torch.testing.assert_close(found(network, scale=0).network(x), network(x)[0])
    with pytest.raises(ValueError, match=f"0 .* to {scales - 1}, got 7"):
        found(network, scale=7)
    assert any(f"{scales} scales" in line for line in read.lines)


def test_what_cannot_be_read_can_be_said():
    network = trained(originals.threes(strides=(2, 2, 2, 2)))
    read, x = found(network, stride=[2, 2, 2, 2, 1]), images(network)
    torch.testing.assert_close(read.network(x), network(x))
    assert "architecture.stride" not in read.unknown
    zeros = trained(originals.n_layers())
    mirrored = found(zeros, border="reflect").network
    assert (mirrored(x) - zeros(x)).abs()[..., 0].max() > 1e-3
    torch.testing.assert_close(mirrored(x)[..., 3:-3, 3:-3], zeros(x)[..., 3:-3, 3:-3], atol=1e3, rtol=0)
    with pytest.raises(ValueError, match="list of 5 whole numbers"):
        found(network, stride=[2, 2])
    with pytest.raises(ValueError, match="border"):
        found(network, border="wrap")


@pytest.mark.parametrize("first", [True, False])
def test_a_pair_with_one_image_given(first, tmp_path):
    network = trained(originals.n_layers(6))
    given = np.random.default_rng(0).integers(0, 256, (72, 80, 3), dtype=np.uint8)
    Image.fromarray(given).save(tmp_path / "given.png")
    read = found(network, condition=str(tmp_path / "given.png"), condition_place="first" if first else "last")
    x = images(network)[:, :3]
    fixed = torch.from_numpy(given).permute(2, 0, 1)[None].expand(2, -1, -1, -1) / 127.5 - 1
    torch.testing.assert_close(read.network(x), network(torch.cat([fixed, x] if first else [x, fixed], 1)))
    assert read.spec.images.channels == 3
    smaller = x[..., :64, :64]
    assert read.network(smaller).shape == network(torch.zeros(2, 6, 64, 64)).shape


def test_a_pair_says_what_it_needs():
    network = trained(originals.n_layers(6))
    read, x = found(network), images(network)
    torch.testing.assert_close(read.network(x), network(x))
    assert "pair" in read.unknown["architecture.condition"]
    assert "given comes first" in read.unknown["architecture.condition_place"]
    assert "given comes last" in found(trained(originals.padded(6))).unknown["architecture.condition_place"]
    with pytest.raises(ValueError, match=r'\[architecture\] condition = "input.png"'):
        read.network(x[:, :3])
    with pytest.raises(ValueError, match="pairs of images"):
        found(trained(originals.n_layers(3)), condition="some.png")


def test_a_critic_scores_the_mean_over_patches():
    network = trained(originals.n_layers())
    read, x = found(network), images(network)
    critic = Critic(read.network, preprocess=read.spec.images.preprocess(), output="score", pool="mean")
    torch.testing.assert_close(critic(x), network(x).flatten(1).mean(1))


def test_other_networks_are_left_alone():
    others = [
        nn.Sequential(nn.Linear(784, 8), nn.ReLU(), nn.Linear(8, 1)),
        nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 1, 4)),
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 5), nn.Conv2d(8, 1, 3)),
        nn.Sequential(nn.Conv2d(3, 8, 4), nn.Conv2d(8, 8, 4), nn.Conv2d(8, 2, 4)),
    ]
    for network in others:
        assert PatchGAN().read(Weights("", network.state_dict()), Spec()) is None


def bare() -> nn.Module:
    """Without norms, and so of the shapes of a DCGAN's discriminator for 32 x 32 pixels."""
    layers = [nn.Conv2d(3, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 8, 4, 2, 1), nn.LeakyReLU(0.2)]
    layers += [nn.Conv2d(8, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 4, 1, 1)]
    return trained(nn.ModuleDict({"model": nn.Sequential(*layers)}))


@pytest.mark.parametrize("name", ["netD_A", "D_B", "patch_disc", "pix2pix_d"])
def test_the_name_of_the_file_tells_a_patchgan_from_a_dcgan(tmp_path, name):
    network = bare()
    torch.save(network.state_dict(), tmp_path / f"{name}.pth")
    critic, x = Critic.from_checkpoint(tmp_path / f"{name}.pth"), images(network)
    torch.testing.assert_close(critic(x), network["model"](x).mean((1, 2, 3)))
    assert 'layout = "dcgan"' in critic.about.unknown["layout"]


def test_a_dcgan_that_may_be_a_patchgan_says_so(tmp_path):
    torch.save(bare().state_dict(), tmp_path / "netD.pth")
    read = Critic.from_checkpoint(tmp_path / "netD.pth").about
    assert read.layout == "dcgan"
    assert 'resized to 32 here; layout = "patchgan"' in read.unknown["layout"]
    told = Critic.from_checkpoint(tmp_path / "netD.pth", spec=Spec(layout="dcgan")).about
    assert "layout" not in told.unknown
    tutorial = {name: tensor for name, tensor in bare().state_dict().items() if not name.endswith("bias")}
    assert "layout" not in recognised(Weights("netD", tutorial), Spec()).unknown
