"""Conditional GANs in their authors' words are read back to the same numbers, class by class."""

import pytest
import torch
from torch import nn

from ganexplain.models.checkpoints import Weights
from ganexplain.models.foreign import Found, _order, recognised
from ganexplain.models.foreign.conditional import Conditional
from ganexplain.models.spec import ImageSpec, Spec
from tests.models.foreign import _conditionals as originals
from tests.models.foreign import _detectors
from tests.models.foreign._patchgans import trained

GREY, COLOUR, SMALL, CODES = (1, 32, 32), (3, 32, 32), (1, 28, 28), (20,)
CRITICS = {  # the original, what it reads, and what has to be said of it
    "vector": (originals.Vector(), SMALL, {}),
    "vector, label first": (originals.Vector(image_first=False), SMALL, {"label_first": True}),
    "vector as long as the image": (originals.Vector(embedding=784), SMALL, {}),
    "one-hot vector": (originals.OneHotVector(), SMALL, {}),
    "one-hot vector in colour": (originals.OneHotVector(3072), COLOUR, {}),
    "plane": (originals.Plane(), GREY, {}),
    "plane in colour": (originals.Plane(3), COLOUR, {}),
    "planes": (originals.Plane(1, 10), GREY, {}),
    "a plane for each colour": (originals.Plane(3, 3), COLOUR, {}),
    "one-hot planes": (originals.OneHotPlanes(), GREY, {"size": 32}),
    "one-hot planes in colour": (originals.OneHotPlanes(3), COLOUR, {}),
    "linear to a plane": (originals.Projected(), GREY, {}),
    "spread": (originals.Spread(), COLOUR, {}),
    "branches": (originals.Branches(), SMALL, {}),
    "convolutional branches": (originals.ConvBranches(3), COLOUR, {}),
    "features": (originals.Features(), COLOUR, {}),
    "features, hidden layer": (originals.Features(hidden=20), COLOUR, {}),
    "linear label": (originals.LinearLabel(), SMALL, {"label_activation": "relu", "activation": "relu"}),
    "projection": (originals.Projection(), COLOUR, {}),
    "projection of sums": (originals.Projection(pooled="sum"), COLOUR, {"size": 32}),
}
GENERATORS = {
    "vector": (originals.VectorG(), CODES, {}),
    "vector, code first": (originals.VectorG(label_first=False), CODES, {"label_first": False}),
    "one-hot": (originals.OneHotG(), (100,), {"activation": "leaky_relu"}),
    "convolutional": (originals.ConvG(), CODES, {}),
    "branches": (originals.BranchesG(), CODES, {}),
    "times": (originals.TimesG(), CODES, {}),
    "map": (originals.MapG(), CODES, {"activation": ["leaky_relu", "relu", "relu"], "size": 32}),
}


def found(network: nn.Module, **architecture: object) -> Found:
    read = Conditional().read(Weights("", network.state_dict()), Spec(architecture=architecture))
    assert read is not None
    return read


def inputs(shape: tuple[int, ...], n: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(1)), torch.arange(n) + 2


@pytest.mark.parametrize("name", CRITICS)
def test_critics(name):
    original, shape, said = CRITICS[name]
    read, (x, labels) = found(trained(original), **said), inputs(shape)
    scores = original(x, labels).reshape(-1)
    torch.testing.assert_close(read.network(x, labels).reshape(-1), scores)
    assert (read.role, read.num_classes) == ("discriminator", 10)
    assert (read.spec.images.size, read.spec.images.channels) == (shape[1], shape[0])
    other = original(x, labels - 1).reshape(-1)
    assert (scores - other).abs().min() > 1e-4  # the verdict differs by label, as the original's does
    torch.testing.assert_close(read.network(x, labels - 1).reshape(-1), other)
    assert any("10 classes" in line for line in read.lines)


@pytest.mark.parametrize("name", GENERATORS)
def test_generators(name):
    original, shape, said = GENERATORS[name]
    read, (z, labels) = found(trained(original), **said), inputs(shape)
    torch.testing.assert_close(read.network(z, labels), original(z, labels))
    torch.testing.assert_close(read.network(z, labels - 1), original(z, labels - 1))
    assert (original(z, labels) - original(z, labels - 1)).abs().max() > 1e-3
    assert (read.role, read.num_classes, read.spec.generator.z_dim) == ("generator", 10, shape[0])


@pytest.mark.parametrize(("role", "name"), [("D", n) for n in CRITICS] + [("G", n) for n in GENERATORS])
def test_recognised_among_all_layouts(role, name):
    original = (CRITICS if role == "D" else GENERATORS)[name][0]
    read = recognised(Weights("", trained(original).state_dict()), Spec())
    assert (read.layout, read.num_classes) == ("conditional", 10)


def test_a_second_head_is_left_out_and_named():
    original = trained(originals.Heads())
    read, (x, _) = found(original), inputs(GREY)
    torch.testing.assert_close(torch.sigmoid(read.network(x)), original(x)[0])
    assert (read.num_classes, read.spec.critic.output) == (0, "logit")
    assert any("aux_layer.0" in line and "10 classes" in line for line in read.lines)


def test_verdicts_on_patches_beside_classes_of_the_whole():
    original = trained(originals.ConvHeads())
    read, (x, _) = found(original, slope=0.01), inputs(COLOUR)
    torch.testing.assert_close(read.network(x), original(x)[0])
    assert (read.num_classes, read.spec.images.size) == (0, 32)
    assert (read.spec.critic.output, read.spec.critic.pool) == ("score", "mean")
    assert "patch" in read.unknown["critic.output"]


def test_the_eps_that_pytorch_gan_has_is_named_and_can_be_said():
    original, small = trained(originals.Heads()), trained(originals.Heads(eps=1e-5))
    x, _ = inputs(GREY)
    assert "eps 0.8" in found(original).unknown["architecture.eps"]
    read = found(small, eps=1e-5)
    torch.testing.assert_close(torch.sigmoid(read.network(x)), small(x)[0])
    assert "architecture.eps" not in read.unknown
    assert (found(small).network(x) - read.network(x)).abs().max() > 1e-2


def test_what_the_file_does_not_say_is_named():
    assert "label_first = true" in found(trained(originals.Vector())).unknown["architecture.label_first"]
    assert "label_first = false" in found(trained(originals.VectorG())).unknown["architecture.label_first"]
    bare = found(trained(originals.OneHotVector())).unknown
    assert {"architecture.classes", "architecture.one_hot", "architecture.label_first"} <= set(bare)
    assert "mean" in found(trained(originals.Projection(pooled="sum"))).unknown["architecture.pooled"]
    assert "label_activation" in found(trained(originals.LinearLabel())).unknown["architecture.label_activation"]
    said = found(trained(originals.OneHotVector()), classes=10, one_hot=[-1, 1], label_first=False).unknown
    assert not {key for key in said if key.endswith(("classes", "one_hot", "label_first"))}


def test_a_one_hot_label_of_other_values():
    original, (x, labels) = trained(originals.OneHotVector()), inputs(SMALL)
    one_hot = nn.functional.one_hot(labels, 10).float() * 2 - 1
    expected = original.dis(torch.cat([x.flatten(1), one_hot], 1))
    torch.testing.assert_close(found(original, one_hot=[-1, 1]).network(x, labels), expected)


def test_a_width_without_a_trace_needs_the_number_of_classes():
    network = nn.Sequential(nn.Linear(24 * 24 + 7, 8), nn.ReLU(), nn.Linear(8, 1))
    weights = Weights("netD", network.state_dict())
    assert Conditional().read(weights, Spec()) is None
    read = Conditional().read(weights, Spec(images=ImageSpec(size=24), architecture={"classes": 7}))
    assert read is not None
    assert (read.num_classes, read.spec.images.size) == (7, 24)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"classes": 1}, "at least 2"),
        ({"label_first": "yes"}, "true or false"),
        ({"one_hot": [0]}, "two numbers"),
        ({"label_activation": "swoosh"}, "label_activation"),
        ({"pooled": "median"}, "pooled"),
    ],
)
def test_options_are_checked(said, wanted):
    with pytest.raises(ValueError, match=wanted):
        found(trained(originals.Vector()), **said)


def test_unconditional_networks_are_left_alone():
    networks = [
        nn.Sequential(*originals.linears(784, 32, 16, 1)),
        nn.Sequential(*originals.linears(64, 32, 784), nn.Tanh()),
        nn.Sequential(*originals.halvings(3, 8, 16, 32), nn.Conv2d(32, 1, 4)),
        nn.Sequential(*originals.doublings(100, 32, 16, 8, 3)),
        nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 576, 10)),
    ]
    for network in networks:
        assert Conditional().read(Weights("", network.state_dict()), Spec()) is None


def test_long_chains_are_passed_over_at_once(monkeypatch):
    layers = [nn.Conv2d(3 if i == 0 else 4 + i % 3, 4 + (i + 1) % 3, 3, 1, 1) for i in range(40)]
    asked = []
    monkeypatch.setattr("ganexplain.models.foreign._labels.chained", lambda *args: asked.append(args))
    assert Conditional().read(Weights("", nn.Sequential(*layers).state_dict()), Spec()) is None
    assert len(asked) < 10  # each may try hundreds of orders


def test_rows_that_are_no_image_say_what_to_do():
    network = originals.Vector(pixels=11)
    with pytest.raises(ValueError, match="11 numbers are no square image"):
        found(network)


def test_a_label_that_passes_convolutions_of_another_kind_is_not_guessed():
    network = nn.Module()
    network.image, network.label_conv = nn.Conv2d(3, 8, 4, 2, 1), nn.Conv2d(10, 8, 3, 1, 1)
    network.trunk = nn.Sequential(*originals.halvings(16, 16, 32), nn.Conv2d(32, 1, 4))
    assert Conditional().read(Weights("", network.state_dict()), Spec()) is None
    network.label_conv = nn.Conv2d(10, 8, 4, 2, 1)
    assert Conditional().read(Weights("", network.state_dict()), Spec()) is not None


def test_heads_of_one_kernel_over_patches_are_not_guessed_and_open_when_said():
    body = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.LeakyReLU(0.2), nn.Conv2d(8, 16, 2, 2), nn.Sigmoid())
    network = nn.ModuleDict({"model": body, "disc": nn.Conv2d(16, 1, 4, padding=2), "aux": nn.Conv2d(16, 5, 4)})
    weights = Weights("", trained(network).state_dict())
    with pytest.raises(ValueError, match="nearly conditional .a verdict beside classes, but no usual strides"):
        recognised(weights, Spec())
    said = {"stride": [4, 2, 1], "padding": [0, 0, 2], "activation": ["leaky_relu", "sigmoid"]}
    read = recognised(weights, Spec(architecture=said))
    for size in (48, 64):
        x = torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(1))
        torch.testing.assert_close(read.network(x), network["disc"](body(x)))
    assert (read.layout, read.num_classes, read.spec.images.size, read.spec.critic.pool) == (
        "conditional", 0, None, "mean"
    )  # fmt: skip
    assert "images.size" in read.unknown
    usual = [nn.Conv2d(3, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 16, 4, 2, 1), nn.LeakyReLU(0.2)]
    usual += [nn.Conv2d(16, 16, 4, 2, 1), nn.LeakyReLU(0.2)]
    acgan = trained(
        nn.ModuleDict({"model": nn.Sequential(*usual), "disc": nn.Conv2d(16, 1, 4), "aux": nn.Conv2d(16, 5, 4)})
    )
    read, x = recognised(Weights("", acgan.state_dict()), Spec()), torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(read.network(x), acgan["disc"](acgan["model"](x)).flatten(1))
    assert read.layout == "conditional"


def test_containers_are_put_in_order_without_trying_all_orders_of_them(monkeypatch):
    tried, real = [], _order._after
    monkeypatch.setattr(_order, "_after", lambda *given: tried.append(0) or real(*given))
    state = _detectors.headed(_detectors.resnet(), 64)  # a head that goes on from nothing
    with pytest.raises(ValueError, match="no layout knows this network"):
        recognised(Weights("", state), Spec())
    assert 0 < len(tried) < 200_000  # 800,000 where every order of six containers is walked
