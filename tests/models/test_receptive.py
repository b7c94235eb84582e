"""What a cell sees, against changing one pixel after another; and what is said where every cell sees everything."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganexplain.models.critic import Critic
from ganexplain.models.preprocess import Preprocess
from ganexplain.models.receptive import fields
from tests.models.foreign import _patchgans
from tests.models.foreign._patchgans import trained


def chain(*layers: tuple[int, int, int], border: str = "zeros", dilation: int = 1, act: type = nn.LeakyReLU, norm=None):
    """Convolutions of (kernel, stride, padding) from one channel to one."""
    found: list[nn.Module] = []
    for i, (kernel, stride, padding) in enumerate(layers):
        inner, outer = 1 if i == 0 else 5, 1 if i == len(layers) - 1 else 5
        found.append(nn.Conv2d(inner, outer, kernel, stride, padding, padding_mode=border, dilation=dilation))
        if i < len(layers) - 1:
            found += [norm(outer)] if norm else []
            found.append(act())
    return trained(nn.Sequential(*found))


class Averaged(nn.Module):
    """Functions without a module: a pool of its own, and a hand-written padding."""

    def __init__(self) -> None:
        super().__init__()
        self.net = chain((3, 1, 0), (3, 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool2d(self.net(F.avg_pool2d(F.pad(x, (2, 0, 1, 0), mode="replicate"), 2, 2)), 2, 1)


class Coarse(nn.Module):
    """Rounds what it reads, so that no gradient tells anything."""

    def __init__(self) -> None:
        super().__init__()
        self.net = chain((3, 2, 1), (3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.net((x * 127.5).round() / 127.5)


class Half(nn.Module):
    """Lets the gradient of the wider one of two branches end."""

    def __init__(self) -> None:
        super().__init__()
        self.near, self.far = chain((3, 2, 1)), chain((7, 2, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.near(x) + self.far(x.detach())


WRITTEN = {  # network, side of the image, preprocessing
    "4 2 1, 4 1 1": (chain((4, 2, 1), (4, 1, 1)), (13, 18), None),
    "3 2 0, 5 2 2": (chain((3, 2, 0), (5, 2, 2)), (17, 21), None),
    "1 1 0": (chain((1, 1, 0), (1, 1, 0)), (5, 4), None),
    "gaps": (chain((2, 3, 0), (1, 1, 0)), (11, 12), None),
    "many cells": (chain((3, 1, 0), (2, 1, 1)), (15, 10), None),
    "reflected": (chain((4, 2, 1), (4, 2, 1), (3, 1, 1), border="reflect"), (19, 16), None),
    "wide reflection": (chain((5, 1, 3), (3, 1, 2), border="reflect"), (9, 14), None),
    "circular": (chain((3, 2, 1), (3, 1, 1), border="circular"), (12, 14), None),
    "dilated": (chain((3, 1, 2), (3, 2, 0), dilation=2), (15, 16), None),
    "dead units": (chain((4, 2, 1), (4, 2, 1), act=nn.ReLU), (16, 16), None),
    "functions": (Averaged(), (16, 19), None),
    "shrunk": (chain((3, 2, 1), (3, 1, 1)), (21, 14), Preprocess(size=12, value_range=(0, 1))),
    "enlarged": (chain((4, 2, 1), (3, 1, 1)), (7, 9), Preprocess(size=16, resize="bicubic")),
    "nearest": (chain((4, 4, 0)), (9, 9), Preprocess(size=(16, 12), resize="nearest")),
    "rounded": (Coarse(), (11, 10), None),
    "a gradient that ends": (Half(), (14, 13), None),
}


def brute(critic: Critic, shape: tuple[int, int], probes: int = 3) -> Tensor:
    """(h, w, 4) boxes of the pixels that change a cell, each pixel changed alone on images of noise."""
    critic = critic._variant()
    critic.network = critic.network.double()
    h, w = shape
    touched = 0
    for seed in range(probes):
        made = torch.Generator().manual_seed(seed)
        base = torch.rand(1, 1, h, w, generator=made, dtype=torch.float64) * 2 - 1
        other = torch.rand(h * w, generator=made, dtype=torch.float64) * 2 - 1
        images = base.repeat(h * w, 1, 1, 1)
        images.view(h * w, -1)[torch.arange(h * w), torch.arange(h * w)] = other
        with torch.no_grad():
            change = (critic.cells(images) - critic.cells(base.expand_as(images))).abs() > 1e-13
        touched = touched + change.int()
    boxes = torch.zeros(*touched.shape[1:], 4, dtype=torch.int64)
    for i in range(boxes.shape[0]):
        for j in range(boxes.shape[1]):
            rows, columns = touched[:, i, j].view(h, w).nonzero().unbind(1)
            if len(rows):
                boxes[i, j] = torch.stack([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1])
    return boxes


@pytest.mark.parametrize("name", WRITTEN)
def test_boxes_are_those_of_single_pixels(name):
    network, shape, reads = WRITTEN[name]
    critic = Critic(network, pool="mean", preprocess=reads)
    image = torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(9)) * 2 - 1
    found = fields(critic, image, batch_size=8)
    expected = brute(Critic(network, pool="mean", preprocess=reads), shape, 20 if name == "functions" else 3)
    assert torch.equal(found.boxes, expected)
    assert not found.whole
    assert found.notes == ()
    assert found.size == tuple((expected[..., 2:] - expected[..., :2]).reshape(-1, 2).amax(0).tolist())


def test_without_gradients_the_same():
    network = chain((4, 2, 1), (3, 1, 1))
    image, seen = torch.rand(1, 1, 14, 15), []
    critic = Critic(network, pool="mean")
    program = Critic(lambda x: seen.append(len(x)) or network(x).detach(), pool="mean")
    assert torch.equal(fields(program, image, batch_size=6).boxes, fields(critic, image).boxes)
    program.differentiable = False
    assert torch.equal(fields(program, image, batch_size=6).boxes, fields(critic, image).boxes)
    assert max(seen) == 6


NORMS = {
    "instance": lambda width: nn.InstanceNorm2d(width, affine=True),
    "group": lambda width: nn.GroupNorm(1, width),
}


class ByHand(nn.Module):
    """InstanceNorm as people write it."""

    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> Tensor:
        return (x - x.mean((2, 3), keepdim=True)) / (x.var(dim=[2, 3], keepdim=True) + 1e-5).sqrt()


class Mean(nn.Module):
    """Over the channels of each place."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1, keepdim=True)


class Gated(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(width, width, 1), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


@pytest.mark.parametrize("norm", [*NORMS.values(), ByHand, Gated], ids=[*NORMS, "by hand", "gated"])
def test_a_statistic_of_the_whole_map_is_named_and_the_convolutions_told(norm):
    layers = ((4, 2, 1), (3, 1, 1), (3, 1, 1))
    image = torch.rand(1, 1, 16, 20, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = fields(Critic(nn.Sequential(chain(*layers, norm=norm), Mean()), pool="mean"), image)
    assert found.whole
    assert torch.equal(found.boxes, fields(Critic(chain(*layers), pool="mean"), image).boxes)
    assert 0.3 < found.inside < 1
    assert len(found.held) in (1, 2)
    assert "every cell sees the whole image through" in found.notes[0]
    assert f"{100 * found.inside:.0f} %" in found.notes[0]


def test_the_share_inside_is_that_of_the_gradient():
    critic = Critic(chain((3, 1, 1), (3, 1, 1), norm=ByHand), pool="mean")
    image = torch.rand(1, 1, 9, 9, dtype=torch.float64) * 2 - 1
    found = fields(critic, image)
    exact, shares = critic._variant(), []
    exact.network = critic.network.double()
    for i, j in ((0, 0), (0, 8), (4, 4), (8, 0), (8, 8)):
        gradient = torch.autograd.functional.jacobian(lambda x, at=(i, j): exact.cells(x)[0][at], image)[0, 0] ** 2
        inside = gradient[max(0, i - 2) : i + 3, max(0, j - 2) : j + 3]
        shares.append(float(inside.sum() / gradient.sum()))
    assert found.inside == pytest.approx(sum(shares) / 5, rel=1e-9)


def test_a_norm_of_each_place_and_known_statistics_are_local():
    class Places(nn.Module):
        def __init__(self, width):
            super().__init__()

        def forward(self, x):
            return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt() + x.mean(dim=(1,), keepdim=True)

    layers, image = ((4, 2, 1), (3, 1, 1)), torch.rand(1, 1, 16, 16)
    plain = fields(Critic(chain(*layers), pool="mean"), image)
    for norm in (Places, nn.BatchNorm2d, lambda width: nn.InstanceNorm2d(width, track_running_stats=True)):
        found = fields(Critic(chain(*layers, norm=norm), pool="mean"), image)
        assert torch.equal(found.boxes, plain.boxes)
        assert (found.whole, found.held, found.inside) == (False, (), None)


def test_everything_seen_and_nothing():
    class Everything(nn.Module):
        def forward(self, x):
            flat = x.flatten(1)
            return (torch.softmax(flat[:, :, None] * flat[:, None], 2) @ flat[:, :, None]).view(len(x), 1, 6, 6)

    image = torch.rand(1, 1, 6, 6)
    found = fields(Critic(Everything(), pool="mean"), image)
    assert found.whole
    assert found.notes == ("every cell sees the whole image, so a place means nothing",)
    constant = fields(Critic(lambda x: torch.ones(len(x), 1, 3, 3, dtype=x.dtype), pool="mean"), image)
    assert not constant.whole
    assert constant.boxes.eq(0).all()


def test_networks_of_others():
    image = torch.rand(1, 3, 72, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for network, sizes in ((_patchgans.n_layers(norm=None), (70, 63)), (_patchgans.threes(), (47, 47))):
        assert fields(Critic(trained(network), pool="mean"), image).size == sizes


def test_nothing_is_left_behind_and_bad_input_is_told():
    network, image = chain((4, 2, 1), (3, 1, 1)), torch.rand(1, 1, 8, 8)
    critic, state = Critic(network, pool="mean"), torch.get_rng_state()
    fields(critic, image)
    assert torch.equal(torch.get_rng_state(), state)
    assert image.grad is None
    assert next(critic.parameters()).dtype == torch.float32
    with pytest.raises(ValueError, match=r"for one image \(1, C, H, W\), got \(2, 1, 8, 8\)"):
        fields(critic, image.expand(2, -1, -1, -1))
