"""Class activation maps against the published formulas, captum and closed forms, on layers of every kind."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganexplain import Critic, GradCam, HiResCam, LayerCam, Preprocess, Region
from ganexplain.attribution.methods._cam import ActivationMap
from ganexplain.models.preprocess import RESIZES, resized
from tests._critics import NETWORKS, Net, Spy, critic, images

CAMS = (GradCam, HiResCam, LayerCam)


class Halving(nn.Module):
    """Two convolutions that halve the size, as a DCGAN's: each cell of the last one lies over a square of 4 x 4."""

    def __init__(self, *, side: int = 16, channels: int = 1, bias: bool = True) -> None:
        super().__init__()
        made = torch.Generator().manual_seed(3)
        self.first = nn.Conv2d(channels, 6, 4, 2, 1, bias=bias)
        self.second = nn.Conv2d(6, 5, 4, 2, 1, bias=bias)
        self.act = nn.LeakyReLU(0.2)
        self.last = nn.Linear(5 * (side // 4) ** 2, 1, bias=bias)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=made) / max(parameter[0].numel(), 4) ** 0.5)

    def head(self, features: Tensor) -> Tensor:
        return self.last(self.act(features).flatten(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.second(self.act(self.first(x))))


def double(net: nn.Module, **given: object) -> Critic:
    return Critic(net, **given).double()


def unrolled(net: Halving, x: Tensor) -> tuple[Tensor, Tensor]:
    """Activation of the second convolution and the gradient of the logit by it."""
    net = net.double()
    features = net.second(net.act(net.first(x))).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(net.head(features).sum(), features)
    return features.detach(), gradient


def on_pixels(cells: Tensor) -> Tensor:
    """A map on squares of 4 x 4 as the published ones are enlarged, each cell's value shared out."""
    return F.interpolate(cells[:, None], scale_factor=4, mode="bilinear", align_corners=False)[:, 0] / 16


PUBLISHED: dict[type[ActivationMap], Callable[[Tensor, Tensor], Tensor]] = {
    GradCam: lambda a, g: (g.mean((2, 3))[:, :, None, None] * a).sum(1),
    HiResCam: lambda a, g: (g * a).sum(1),
    LayerCam: lambda a, g: (g.clamp(min=0) * a).sum(1).clamp(min=0) - ((-g).clamp(min=0) * a).sum(1).clamp(min=0),
}


@pytest.mark.parametrize("cam", CAMS)
@pytest.mark.parametrize("side", ["real", "fake"])
def test_the_published_formula_on_an_unrolled_network(cam: type[ActivationMap], side: str) -> None:
    x = images(3, side=16).double()
    expected = on_pixels(PUBLISHED[cam](*unrolled(Halving(), x)))
    found = cam(double(Halving())).attribute(x, side=side)
    assert torch.allclose(found.values[:, 0], expected if side == "real" else -expected, atol=1e-12)
    assert found.params["layer"] == "second"
    assert found.gap is None


@pytest.mark.parametrize("side", ["real", "fake"])
def test_one_side_of_layer_cam_is_the_published_map_with_its_relus(side: str) -> None:
    x = images(4, side=16).double()
    activation, gradient = unrolled(Halving(), x)
    gradient = gradient if side == "real" else -gradient  # of the side's own logit
    cells = (gradient.relu() * activation).sum(1).relu()
    run = LayerCam(double(Halving()), evidence=side)
    assert torch.allclose(run.attribute(x, side=side).values[:, 0], on_pixels(cells), atol=1e-12)
    parts = [run.variant(evidence=e).attribute(x, side=side).values for e in ("real", "fake", "both")]
    assert torch.allclose(parts[0] + parts[1], parts[2], atol=1e-14)
    assert bool(cells.any())


def test_behind_a_relu_layer_cam_is_hires_cam() -> None:
    net = Halving()
    net.act = nn.ReLU()
    x, on = images(3, side=16).double(), double(net)
    one, two = (cam(on, layer="act").attribute(x) for cam in (LayerCam, HiResCam))
    assert torch.allclose(one.values, two.values, atol=1e-14)


@pytest.mark.parametrize("layer", ["first", "second"])
@pytest.mark.parametrize("output", ["logit", "probability"])
def test_grad_cam_is_that_of_captum(layer: str, output: str) -> None:
    from captum.attr import LayerGradCam

    net: nn.Module = Halving() if output == "logit" else nn.Sequential(Halving(), nn.Sigmoid())
    name = layer if output == "logit" else f"0.{layer}"
    on, x = double(net, output=output), images(3, side=16).double()
    on(x)  # a sigmoid is cut at the first look
    theirs = LayerGradCam(on, on.network.get_submodule(name)).attribute(x, relu_attributions=False)[:, 0]
    found = GradCam(on, layer=name).attribute(x, side="real").heatmap()
    step = 16 // theirs.shape[-1]
    enlarged = F.interpolate(theirs[:, None], size=(16, 16), mode="bilinear", align_corners=False)[:, 0] / step**2
    assert torch.allclose(found, enlarged, atol=1e-6)
    assert torch.allclose(found.sum((1, 2)), theirs.sum((1, 2)), atol=1e-6)


@pytest.mark.parametrize("polarity", ["real", "fake"])
def test_hires_cam_sums_to_the_logit_less_the_biases_behind_the_layer(polarity: str) -> None:
    net, x = Halving(), images(4, side=16).double()
    found = HiResCam(double(net, polarity=polarity)).attribute(x, side="real")
    sign = 1 if polarity == "real" else -1
    assert torch.allclose(found.net, found.verdict.logit - sign * net.last.bias.double().item(), atol=1e-12)
    assert found.unit == "logit"


def test_hires_cam_of_an_early_layer_leaves_out_what_the_biases_give_on_this_piece() -> None:
    net, x = Halving().double(), images(4, side=16).double()
    features = net.first(x).detach()

    def behind(a: Tensor) -> Tensor:
        with torch.no_grad():
            return net.head(net.second(net.act(a))).flatten()

    slope = (behind(features * (1 + 1e-7)) - behind(features * (1 - 1e-7))) / 2e-7  # of a line through the origin
    found = HiResCam(Critic(net), layer="first").attribute(x, side="real")
    assert torch.allclose(found.net, slope, atol=1e-6)
    assert float((found.net - found.verdict.logit).abs().min()) > 1e-3


def test_hires_cam_of_a_patch_map_gives_each_patch_its_share_of_the_mean() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 4, 2, 1))
    x = images(3, side=16).double()
    found = HiResCam(double(net, pool="mean")).attribute(x, side="fake")
    patches = net.double()(x)[:, 0].detach()
    assert torch.allclose(found.heatmap(), -on_pixels(patches) / 16, atol=1e-12)
    assert torch.allclose(found.net, -found.verdict.logit, atol=1e-12)


@pytest.mark.parametrize("cam", CAMS)
def test_evidence_for_the_other_side_stays_negative(cam: type[ActivationMap]) -> None:
    net = Halving()
    x = (images(2, side=16).double().abs() + 0.01).clamp(max=1)
    with torch.no_grad():  # features of bright images are positive, and each speaks against "real"
        for parameter in net.parameters():
            parameter.abs_()
        net.last.weight.neg_()
    found = cam(double(net)).attribute(x, side="real")
    assert bool((found.values < 0).all())
    assert bool((cam(double(net), domain=Region()).attribute(x, side="fake").values > 0).all())


@pytest.mark.parametrize("cam", CAMS)
def test_the_baseline_plays_no_role_and_costs_what_was_said(cam: type[ActivationMap]) -> None:
    spy, x = Spy(Halving()), images(2, side=16)
    on = Critic(spy).with_reference(images(6, side=16, seed=5))
    one, two = (cam(on, baseline=b).attribute(x) for b in ("black", images(2, side=16, seed=9)))
    assert torch.equal(one.values, two.values)
    run = cam(on, baseline="reals")
    spy.seen.batches.clear()
    assert torch.equal(run.attribute(x[:1]).values, one.values[:1])
    assert spy.seen.rows <= run.passes(256) == 20  # a set is looked at once, and "reals" has at most 16


@pytest.mark.parametrize("cam", CAMS)
def test_units(cam: type[ActivationMap]) -> None:
    x = images(1)
    words = [cam(Critic(Net(), output=output)).attribute(x).unit for output in ("logit", "score")]
    assert words == (["logit", "score"] if cam is HiResCam else ["a.u.", "a.u."])


# layers


class Shared(nn.Module):
    """One convolution that is called twice: side by side, one after the other, or both."""

    def __init__(self, how: str, *, copies: bool = False) -> None:
        super().__init__()
        made = torch.Generator().manual_seed(2)
        self.conv, self.how = nn.Conv2d(1, 1, 3, 1, 1, bias=False), how
        self.gain = nn.Parameter(torch.randn(8, 8, generator=made))
        with torch.no_grad():
            self.conv.weight.copy_(torch.randn(1, 1, 3, 3, generator=made))
        self.again = nn.Conv2d(1, 1, 3, 1, 1, bias=False) if copies else self.conv
        self.again.weight = self.conv.weight

    def forward(self, x: Tensor) -> Tensor:
        a = self.conv(x)
        b = self.again(F.leaky_relu(a if self.how != "parallel" else x.flip(3), 0.2))
        both = b if self.how == "sequence" else a + b
        return (F.leaky_relu(both, 0.1) * self.gain).sum((1, 2, 3))


@pytest.mark.parametrize("how", ["parallel", "sequence", "skip"])
def test_a_layer_called_twice_counts_every_way_once(how: str) -> None:
    x = images(3).double()
    found = HiResCam(double(Shared(how)), layer="conv").attribute(x, side="real")
    assert torch.allclose(found.net, found.verdict.logit, atol=1e-12)  # no biases: every share of the logit is there
    copies = double(Shared(how, copies=True))
    apart = [HiResCam(copies, layer=name).attribute(x, side="real").values for name in ("conv", "again")]
    if how == "parallel":
        assert torch.allclose(found.values, apart[0] + apart[1], atol=1e-12)
    if how == "sequence":
        assert torch.allclose(found.values, apart[1], atol=1e-12)


class Written(nn.Module):
    """What follows the convolution is written into its output."""

    def __init__(self, *, inplace: bool) -> None:
        super().__init__()
        self.net, self.writes = Halving(), inplace  # an attribute `inplace` is switched off by the critic

    def forward(self, x: Tensor) -> Tensor:
        features = self.net.second(F.leaky_relu(self.net.first(x), 0.2, inplace=self.writes))
        features = features.mul_(1.5).sub_(0.1) if self.writes else features * 1.5 - 0.1
        return self.net.last(F.leaky_relu(features, 0.2, inplace=self.writes).flatten(1))


@pytest.mark.parametrize("cam", CAMS)
@pytest.mark.parametrize("layer", ["net.first", "net.second"])
def test_writing_into_an_output_changes_nothing(cam: type[ActivationMap], layer: str) -> None:
    x = images(2, side=16).double()
    one, two = (cam(double(Written(inplace=i)), layer=layer).attribute(x).values for i in (True, False))
    assert torch.allclose(one, two, atol=1e-14)


class Equal(nn.Module):
    """A convolution of one's own, as in StyleGAN."""

    def __init__(self, given: int, made: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(made, given, 3, 3, generator=torch.Generator().manual_seed(given)))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * 0.2, padding=1)


def test_a_convolution_of_ones_own_is_one() -> None:
    net = nn.Sequential(Equal(1, 4), nn.LeakyReLU(0.2), Equal(4, 3), nn.Flatten(), nn.Linear(3 * 64, 1))
    found = HiResCam(double(net)).attribute(images(2).double(), side="real")
    assert found.params["layer"] == "2"
    assert torch.allclose(found.net, found.verdict.logit - net[4].bias.double().item(), atol=1e-12)


def test_the_default_is_the_last_called_with_more_than_one_cell() -> None:
    class Odd(Halving):
        def __init__(self) -> None:
            super().__init__()
            self.unused, self.point = nn.Conv2d(1, 1, 1), nn.Conv2d(80, 2, 1)
            self.first, self.second = self.first, self.second  # registered before, called last
            self.last = nn.Linear(2, 1)

        def head(self, features: Tensor) -> Tensor:
            return self.last(self.point(features.reshape(len(features), 80, 1, 1)).flatten(1))

    assert GradCam(Critic(Odd())).attribute(images(1, side=16)).params["layer"] == "second"


@pytest.mark.parametrize("cam", CAMS)
def test_the_default_lies_behind_a_normalisation_by_the_images_own_statistics(cam: type[ActivationMap]) -> None:
    x = images(3).double()
    found = cam(critic("instance", double=True)).attribute(x)
    assert found.params["layer"] == "norm_two"
    assert bool(found.values.flatten(1).abs().amax(1).gt(1e-3).all())


def test_grad_cam_of_rounding_alone_is_refused() -> None:
    on, x = critic("instance", double=True), images(3)
    for run, of in ((GradCam(on), x.double()), (GradCam(critic("instance")), x)):
        with pytest.raises(ValueError, match="cancel over its map, as before an InstanceNorm"):
            run.variant(layer="second").attribute(of)
    assert float(HiResCam(on, layer="second").attribute(x.double()).concentration.max()) < 1e-3  # of no size of its own


BAD: dict[str, tuple[str, Callable[[], nn.Module], str]] = {
    "unknown": ("unknown layer 'secnd'; did you mean 'second'.*convolutions: first, second", Halving, "secnd"),
    "empty": ("unknown layer ''", Halving, ""),
    "never called": (
        "'norm' is not called when an image is judged",
        lambda: _with(Halving(), "norm", nn.Conv2d(1, 1, 1)),
        "norm",
    ),
    "no map": (r"'last' must return maps \(N, C, h, w\) of more than one cell, got \(2, 1\)", Halving, "last"),
    "one cell": (r"more than one cell, got \(2, 1, 1, 1\)", lambda: _dcgan(), "2"),
    "blind": ("no gradient of the critic reaches the layer 'side'", lambda: Aside(), "side"),
    "tuple": ("must return one tensor", lambda: nn.Sequential(Twice(), Second()), "0"),
    "no convolution": ("needs a convolution", lambda: nn.Sequential(nn.Flatten(), nn.Linear(256, 1)), "default"),
}


def _with(net: nn.Module, name: str, extra: nn.Module) -> nn.Module:
    net.add_module(name, extra)
    return net


def _dcgan() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 4, 4), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 4))


class Aside(nn.Module):
    """A layer that is called and thrown away."""

    def __init__(self) -> None:
        super().__init__()
        self.net, self.side = Halving(), nn.Conv2d(1, 1, 3)

    def forward(self, x: Tensor) -> Tensor:
        self.side(x)
        return self.net(x)


class Twice(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, 2 * x


class Second(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = Halving()

    def forward(self, both: tuple[Tensor, Tensor]) -> Tensor:
        return self.net(both[1])


@pytest.mark.parametrize("case", sorted(BAD))
@pytest.mark.parametrize("cam", CAMS)
def test_a_wrong_layer_gets_one_sentence(cam: type[ActivationMap], case: str) -> None:
    says, net, layer = BAD[case]
    with pytest.raises(ValueError, match=says) as caught:
        cam(Critic(net()), layer=None if layer == "default" else layer).attribute(images(2, side=16))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 240


def test_a_long_list_of_convolutions_is_cut() -> None:
    net = nn.Sequential(*(nn.Conv2d(1, 1, 1) for _ in range(40)))
    with pytest.raises(ValueError, match=r"10, 11, and 28 more\)"):
        GradCam(Critic(net), layer="conv")


@pytest.mark.parametrize("variant", ["plain", "new_spectral", "old_spectral", "batchnorm"])
@pytest.mark.parametrize("fail_at", [0, 3, 4])
def test_no_hook_is_left_in_the_private_copy(variant: str, fail_at: int) -> None:
    spy = Spy(NETWORKS[variant]())
    on = Critic(spy)
    before = {n: len(m._forward_hooks) for n, m in on.network.named_modules()}
    spy.seen.fail_at = fail_at
    if fail_at:
        with pytest.raises(RuntimeError, match="fails"):
            GradCam(on).attribute(images(2))
    else:
        GradCam(on).attribute(images(2))
    assert before == {n: len(m._forward_hooks) for n, m in on.network.named_modules()}


# pixels


@pytest.mark.parametrize("mode", RESIZES)
@pytest.mark.parametrize("size", [(16, 16), (23, 37), (50, 12), (5, 7)])
@pytest.mark.parametrize("channels", [1, 3])
def test_sums_survive_the_way_to_the_callers_pixels(mode: str, size: tuple[int, int], channels: int) -> None:
    net = Halving(channels=channels, bias=False)
    reads = Preprocess(size=16, resize=mode, channels=channels)
    x = F.interpolate(images(2, side=16, channels=channels), size=size).double()
    found = HiResCam(double(net, preprocess=reads)).attribute(x, side="real")
    assert found.values.shape == x.shape
    assert torch.allclose(found.net, found.verdict.logit, atol=1e-12)
    assert torch.equal(found.values, found.values[:, :1].expand(found.values.shape))


@pytest.mark.parametrize("mode", RESIZES)
def test_a_resize_is_gone_back_by_its_transpose(mode: str) -> None:
    reads, x = Preprocess(size=16, resize=mode, channels=1), images(1, side=40).double()
    on = double(Halving(), preprocess=reads)
    inner = HiResCam(double(Halving())).attribute(resized(x, (16, 16), mode).clamp(-1, 1), side="real").heatmap()
    basis = torch.eye(1600, dtype=torch.float64).view(1600, 1, 40, 40)
    matrix = resized(basis, (16, 16), mode).view(1600, 256)
    found = HiResCam(on).attribute(x, side="real").heatmap()
    assert torch.allclose(found.flatten(), matrix @ inner.flatten(), atol=1e-10)
