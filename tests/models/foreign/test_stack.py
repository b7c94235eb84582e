"""Chains rebuilt from names and shapes compute what their authors' modules compute."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from ganexplain.models.foreign._calibrate import told
from ganexplain.models.foreign._fit import Choice, Hop, paths
from ganexplain.models.foreign._order import chained, gap
from ganexplain.models.foreign._parts import Part, parts_of
from ganexplain.models.foreign._stack import Stack, read_stack
from ganexplain.tensors import isolated, normal, rng
from tests.models.foreign import _stacks
from tests.models.foreign._stacks import Named, lived, seq

Make = Callable[[], nn.Module]


def parts(network: nn.Module) -> tuple[Part, ...]:
    found = parts_of(network.state_dict())
    if found is None:
        raise ValueError("the network's tensors were not recognised")
    return found


def stacked(network: nn.Module, role: str, **settings: object) -> Stack:
    found = read_stack(parts(network), role, settings)
    if found is None:
        raise ValueError("the network was not recognised")
    return found


def noise(*shape: int) -> Tensor:
    return normal(1, "noise", shape=shape)


@pytest.mark.parametrize("wrap", [torch.nn.utils.spectral_norm, parametrizations.spectral_norm])
@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Linear(6, 4),
        lambda: nn.Conv2d(3, 5, 3),
        lambda: nn.ConvTranspose2d(3, 5, 4, bias=False),
        lambda: nn.ConvTranspose2d(6, 6, 4),  # square: only the stored vectors tell which axis was flattened
        lambda: nn.Conv2d(6, 6, 4),
    ],
)
def test_spectral_norm_is_that_of_eval_mode(wrap: Callable[[nn.Module], nn.Module], make: Make) -> None:
    with isolated(0):
        layer = wrap(make())
        for _ in range(20):
            layer(
                torch.rand(2, layer.in_features) if isinstance(layer, nn.Linear) else torch.rand(2, *_in(layer), 8, 8)
            )
        layer.eval()
    (part,) = parts(Named("layer", layer))
    layer(torch.rand(2, layer.in_features) if isinstance(layer, nn.Linear) else torch.rand(2, *_in(layer), 8, 8))
    torch.testing.assert_close(part.weight, layer.weight.detach(), rtol=1e-5, atol=1e-7)
    if part.shape[:2] == (6, 6):
        assert part.turned is isinstance(layer, nn.ConvTranspose2d)


def _in(layer: nn.Module) -> tuple[int]:
    return (int(getattr(layer, "in_channels")),)  # noqa: B009


@pytest.mark.parametrize("dim", [0, 1, None])
def test_weight_norm_is_put_together(dim: int | None) -> None:
    with isolated(0):
        layer = parametrizations.weight_norm(nn.Conv2d(3, 5, 3), dim=dim)
        nn.init.uniform_(layer.parametrizations.weight.original0, 0.5, 2.0)  # type: ignore[union-attr, arg-type]
    (part,) = parts(Named("layer", layer))
    torch.testing.assert_close(part.weight, layer.weight.detach())


def test_tensors_of_no_known_layer_are_refused() -> None:
    for network in (nn.LSTM(3, 4), nn.MultiheadAttention(4, 1), nn.Conv1d(2, 3, 5), nn.Sequential()):
        assert parts_of(network.state_dict()) is None


def test_gaps_between_names() -> None:
    assert [gap(a, b) for a, b in (("0", "3"), ("a.b.4", "a.b.5"), ("a.1.0", "a.2.0"), ("c2", "c5"))] == [
        2,
        0,
        None,
        None,
    ]


DISCRIMINATORS: dict[str, tuple[Make, tuple[int, int, int], dict[str, object]]] = {
    "tutorial": (_stacks.tutorial, (3, 64, 64), {}),
    "with biases": (lambda: _stacks.tutorial(1, bias=True), (1, 64, 64), {"size": 64}),
    "spectral norm": (lambda: _stacks.tutorial(norm="spectral"), (3, 64, 64), {}),
    "no norm": (lambda: _stacks.tutorial(norm="none"), (3, 64, 64), {}),
    "InstanceNorm": (_stacks.wgan_gp, (3, 64, 64), {}),
    "no padding": (_stacks.coursera, (1, 28, 28), {}),
    "SNGAN": (_stacks.sngan, (3, 32, 32), {}),
    "attributes": (_stacks.Attributes, (3, 32, 32), {}),
    "copied": (_stacks.Copied, (1, 28, 28), {"eps": 0.8}),
    "LayerNorm": (_stacks.layer_normed, (3, 32, 32), {}),
}
GENERATORS: dict[str, tuple[Make, dict[str, object]]] = {
    "tutorial": (_stacks.tutorial_generator, {}),
    "stride 1": (_stacks.coursera_generator, {"stride": [2, 1, 2, 2], "padding": 0}),
}


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_discriminators_compute_the_same(name: str) -> None:
    make, shape, settings = DISCRIMINATORS[name]
    with isolated(3):
        network = make()
    original = lived(network, noise(8, *shape))
    stack = stacked(original, "discriminator", **settings)
    assert (stack.into, *(stack.size_in or ())) == shape
    images = noise(3, *shape)
    with torch.no_grad():
        torch.testing.assert_close(stack.network()(images).flatten(), original(images).flatten(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", GENERATORS)
def test_generators_compute_the_same(name: str) -> None:
    make, settings = GENERATORS[name]
    with isolated(3):
        network = make()
    z = int(next(network.parameters()).shape[0])
    original = lived(network, noise(16, z, 1, 1))
    stack = stacked(original, "generator", **settings)
    codes = noise(3, z, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(stack.network()(codes), original(codes), rtol=1e-4, atol=1e-5)


def test_modules_keep_their_names_and_say_what_they_are() -> None:
    stack = stacked(_stacks.tutorial(), "discriminator")
    network = stack.network()
    assert type(network.get_submodule("main.0")) is nn.Conv2d
    assert type(network.get_submodule("main.4")) is nn.LeakyReLU
    assert stack.lines()[1] == "Conv 4->8 4x4 /2, BatchNorm, LeakyReLU 0.2 | 32 -> 16"


def test_the_order_follows_the_widths_where_the_file_does_not() -> None:
    found = chained(parts(_stacks.Attributes()), "discriminator")
    assert found is not None
    assert [part.name for part in found] == ["conv1", "conv2", "bn2", "conv3", "bn3", "fc"]


@pytest.mark.parametrize("make", [_stacks.tutorial, _stacks.Attributes, _stacks.Copied])
def test_names_that_a_format_has_sorted(make: Make) -> None:
    tensors = make().state_dict()
    found, expected = (parts_of(dict(items)) for items in (sorted(tensors.items()), tensors.items()))
    orders = [chained(each or (), "discriminator") for each in (found, expected)]
    assert orders[0] is not None
    assert [part.name for part in orders[0]] == [part.name for part in orders[1] or ()]


def test_many_square_layers_take_no_time() -> None:
    layers = [nn.ConvTranspose2d(4, 4, 4, bias=False) for _ in range(1200)]
    assert chained(parts(seq(*layers, nn.Linear(7, 1))), "generator") is None
    assert chained(parts(seq(*layers)), "generator") is not None


def test_what_is_no_chain_is_refused() -> None:
    forked = nn.ModuleDict({"a": nn.Linear(5, 3), "b": nn.Linear(7, 2)})
    assert chained(parts(forked), "discriminator") is None


def test_room_for_two_between_convolutions_means_a_norm_without_weights() -> None:
    network = Named(
        "model",
        seq(
            *(nn.Conv2d(3, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 8, 4, 2, 1), nn.InstanceNorm2d(8)),
            *(nn.LeakyReLU(0.2), nn.Conv2d(8, 8, 4, 2, 1), nn.InstanceNorm2d(8), nn.LeakyReLU(0.2)),
            nn.Conv2d(8, 1, 4),
        ),
    )
    stack = stacked(network, "discriminator")
    images = noise(2, 3, 32, 32)
    torch.testing.assert_close(stack.network()(images), network(images))
    plain = stacked(network, "discriminator", norm="none")
    assert not any(isinstance(module, nn.InstanceNorm2d) for module in plain.network().modules())


def test_pooling_where_sizes_ask_for_it() -> None:
    network = Named(
        "net", seq(nn.Conv2d(3, 4, 3, 1, 1), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4 * 256, 1))
    )
    stack = stacked(network, "discriminator", pool="avg", stride=1, size=32)
    images = noise(2, 3, 32, 32)
    torch.testing.assert_close(stack.network()(images), network(images))


def test_flattening_with_channels_last() -> None:
    network = Named("net", seq(nn.Conv2d(3, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(4 * 256, 1)))
    stack = stacked(network, "discriminator", flatten="hwc")
    images = noise(2, 3, 32, 32)
    maps = network.get_submodule("net")[:2](images)  # type: ignore[index]
    expected = network.get_submodule("net")[3](maps.permute(0, 2, 3, 1).flatten(1))  # type: ignore[index]
    torch.testing.assert_close(stack.network()(images), expected)


@pytest.mark.parametrize(
    ("prior", "act"),
    [
        ("normal", nn.ReLU()),
        ("uniform", nn.LeakyReLU(0.2)),
        ("normal", nn.LeakyReLU(0.1)),
        ("uniform", nn.Identity()),
    ],
)
def test_statistics_tell_codes_and_activations(prior: str, act: nn.Module) -> None:
    with isolated(5):
        network = _stacks.tutorial_generator(width=8)
        for i in (2, 5, 8, 11):
            network.main[i] = act  # type: ignore[operator, index]
    codes = noise(256, 20, 1, 1) if prior == "normal" else uniform(256, 20, 1, 1)
    found = told(stacked(lived(network, codes), "generator"))
    assert found is not None
    assert found.prior == prior
    slope = {nn.ReLU: 0.0, nn.Identity: 1.0}.get(type(act), getattr(act, "negative_slope", 0.0))
    for name, guessed in found.stack.activations[:3]:
        assert {"relu": 0.0, "none": 1.0}.get(name, guessed) == slope
    assert found.mismatch < 0.1


def uniform(*shape: int) -> Tensor:
    return torch.from_numpy(rng(7, "codes").uniform(-1, 1, shape)).float()


def test_statistics_tell_strides() -> None:
    with isolated(6):
        network = _stacks.coursera_generator()
    stack = stacked(lived(network, noise(256, 16, 1, 1)), "generator")
    found = told(stack)
    assert found is not None
    codes = noise(2, 16, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(found.stack.network()(codes), network(codes), rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        assert not torch.allclose(stack.network()(codes), network(codes), atol=1e-2)  # what custom alone would say


def test_statistics_tell_a_large_eps() -> None:
    with isolated(7):
        network = _stacks.CopiedGenerator()
    stack = stacked(lived(network, noise(256, 24)), "generator", size=32)
    found = told(stack)
    assert found is not None
    assert found.stack.settings["eps"] == [1e-5, 0.8, 0.8]


def test_statistics_of_another_network_tell_nothing() -> None:
    with isolated(8):
        network = _stacks.tutorial_generator()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.fill_(40.0)  # type: ignore[union-attr, operator]
    assert told(stacked(network, "generator")) is None
    assert told(stacked(_stacks.tutorial(), "discriminator")) is None


def test_stored_modules_say_what_tensors_do_not() -> None:
    with isolated(9):
        network = seq(
            *(nn.Conv2d(3, 4, 4, 2, 1), nn.GroupNorm(2, 4, eps=0.1), nn.ELU(), nn.Conv2d(4, 8, 4, 4, 0)),
            *(nn.LeakyReLU(0.3), nn.Conv2d(8, 1, 4)),
        )
    network = lived(network, noise(4, 3, 32, 32))
    facts = {
        "0": {"class": "torch.nn.modules.conv.Conv2d", "stride": (2, 2), "padding": (1, 1)},
        "1": {"class": "torch.nn.modules.normalization.GroupNorm", "num_groups": 2, "eps": 0.1},
        "2": {"class": "torch.nn.modules.activation.ELU", "alpha": 1.0},
        "3": {"class": "torch.nn.modules.conv.Conv2d", "stride": (4, 4), "padding": (0, 0)},
        "4": {"class": "torch.nn.modules.activation.LeakyReLU", "negative_slope": 0.3},
        "5": {"class": "torch.nn.modules.conv.Conv2d", "stride": (1, 1), "padding": (0, 0)},
    }
    stack = read_stack(parts(network), "discriminator", {}, facts=facts)
    assert stack is not None
    images = noise(2, 3, 32, 32)
    torch.testing.assert_close(stack.network()(images), network(images))


def test_two_containers_that_alternate_are_written_flat() -> None:
    class Alternating(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convs = nn.ModuleList([nn.Conv2d(3, 4, 4, 2, 1), nn.Conv2d(4, 8, 4, 2, 1), nn.Conv2d(8, 1, 8)])
            self.norms = nn.ModuleList([nn.BatchNorm2d(4), nn.BatchNorm2d(8)])

        def forward(self, x: Tensor) -> Tensor:
            for i in (0, 1):
                x = nn.functional.leaky_relu(self.norms[i](self.convs[i](x)), 0.2)
            found: Tensor = self.convs[2](x)
            return found

    with isolated(10):
        network = Alternating()
    network = lived(network, noise(8, 3, 32, 32))
    stack = stacked(network, "discriminator", padding=[1, 1, 0], stride=[2, 2, 1])
    images = noise(2, 3, 32, 32)
    torch.testing.assert_close(stack.network()(images), network(images))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"activation": ["relu"]}, "must be one name or 4"),
        ({"activation": "rleu"}, "did you mean 'relu'"),
        ({"stride": [1, 2]}, "stride must be a whole number or a list of 5"),
        ({"pool": "mix"}, None),
        ({"flatten": "whc"}, None),
    ],
)
def test_options_that_cannot_be(settings: dict[str, object], message: str | None) -> None:
    def written() -> None:
        stacked(_stacks.tutorial(), "discriminator", **settings).steps()

    if message is None:
        written()  # not needed by this network
    else:
        with pytest.raises(ValueError, match=message):
            written()


def test_paths_agree_with_torch() -> None:
    hops = [Hop((4, 4), choices=(Choice(2, 1),)), Hop((3, 3), turned=True, choices=(Choice(2, 1, 1),))]
    (path,) = paths(hops, {(10, 14): 0.0}, lambda size: 0.0)
    x = nn.ConvTranspose2d(1, 1, 3, 2, 1, 1)(nn.Conv2d(1, 1, 4, 2, 1)(torch.zeros(1, 1, 10, 14)))
    assert path.sizes[-1] == tuple(x.shape[-2:])
    assert paths(hops, {(10, 14): 0.0}, lambda size: None) == []


def test_norms_declared_after_all_convolutions_belong_to_their_number() -> None:
    named = nn.ModuleDict(
        {"conv1": nn.Conv2d(3, 8, 4), "conv2": nn.Conv2d(8, 8, 4), "bn1": nn.BatchNorm2d(8), "bn2": nn.BatchNorm2d(8)}
    )
    found = chained(parts(named), "discriminator")
    assert found is not None
    assert [part.name for part in found] == ["conv1", "bn1", "conv2", "bn2"]


def test_the_only_room_before_maps_is_that_of_the_reshape() -> None:
    network = seq(nn.Linear(8, 4 * 49), nn.Unflatten(1, (4, 7, 7)), nn.ConvTranspose2d(4, 1, 4, 4), nn.Tanh())
    stack = stacked(network, "generator", stride=4, padding=0)
    codes = noise(2, 8)
    torch.testing.assert_close(stack.network()(codes), network(codes))
