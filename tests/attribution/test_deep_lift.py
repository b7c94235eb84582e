"""DeepLIFT against captum where captum's own sums hold, closed forms, and sums where it has no rule."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganexplain import Critic, DeepLift
from tests._critics import Net, critic, images, warmed
from tests.attribution._nets import Pair

X, BASE = images(4).double(), images(1, seed=4).double()


def built(*middle: Callable[[], nn.Module], act: Callable[[], nn.Module] = nn.ReLU) -> nn.Module:
    """A network of modules with ``middle`` between two convolutions."""
    made = torch.Generator().manual_seed(3)
    net = nn.Sequential(
        nn.Conv2d(1, 6, 3, 1, 1),
        *(m() for m in middle),
        nn.Conv2d(6, 8, 3, 2, 1),
        act(),
        nn.Flatten(),
        nn.LazyLinear(1),
    )
    with torch.no_grad():
        net(images(1))
        for p in net.parameters():
            p.copy_(torch.randn(p.shape, generator=made) / max(p[0].numel(), 4) ** 0.5)
    net(images(16))  # BatchNorm's statistics
    return net.double().eval()


def explained(net: Any, baseline: Tensor = BASE) -> Any:
    return DeepLift(Critic(net), baseline=baseline).attribute(X, side="real")


CAPTUM = {
    "relu": (nn.ReLU,),
    "leaky": (lambda: nn.LeakyReLU(0.2),),
    "elu": (nn.ELU,),
    "sigmoid": (nn.Sigmoid,),
    "tanh": (nn.Tanh,),
    "softplus": (nn.Softplus,),
    "batchnorm": (lambda: nn.BatchNorm2d(6), nn.ReLU),
    "maxpool": (lambda: nn.MaxPool2d(2),),
    "average pool": (nn.ReLU, lambda: nn.AvgPool2d(2)),
}


@pytest.mark.parametrize("name", sorted(CAPTUM))
def test_values_are_those_of_captum(name: str) -> None:
    from captum.attr import DeepLift as Theirs

    net = built(*CAPTUM[name], act=lambda: nn.LeakyReLU(0.2))
    found = explained(net)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum's, on its hooks
        theirs, delta = Theirs(copy.deepcopy(net)).attribute(
            X.clone(), BASE.expand_as(X).clone(), return_convergence_delta=True
        )
    assert float(delta.detach().abs().max()) < 1e-10
    assert torch.allclose(found.values, theirs, atol=1e-9 * float(theirs.detach().abs().max()))
    assert float(found.gap.abs().max()) < 1e-12
    assert found.evaluations.tolist() == [5] * 4


def test_a_set_of_baselines_gives_captums_deep_lift_shap() -> None:
    from captum.attr import DeepLiftShap

    net, many = built(nn.ReLU), images(5, seed=9).double()
    found = explained(net, many[None])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = DeepLiftShap(copy.deepcopy(net)).attribute(X.clone(), many)
    assert torch.allclose(found.values, theirs, atol=1e-12)


class Attention(nn.Module):
    """Products of activations, a softmax, a quotient, a maximum and a log-sum-exp."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(1, 6, 2, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N,)."""
        tokens = self.embed(x).flatten(2)
        weights = torch.softmax(tokens.transpose(1, 2) @ tokens / 2, dim=-1)
        mixed = tokens @ weights.transpose(1, 2)
        gated = mixed * torch.sigmoid(tokens) / (1 + tokens.square())
        return gated.mean(2).logsumexp(1) + gated.amax(2).sum(1) + (1 / (2 + gated.abs())).mean((1, 2))


SUMS: dict[str, Callable[[], nn.Module]] = {
    "instance norm": lambda: built(lambda: nn.InstanceNorm2d(6, affine=True), nn.ReLU),
    "group norm": lambda: built(lambda: nn.GroupNorm(2, 6), nn.ReLU),
    "layer norm": lambda: built(lambda: nn.LayerNorm([6, 8, 8]), nn.ReLU),
    "overlapping pools": lambda: built(nn.ReLU, lambda: nn.MaxPool2d(3, 2)),
    "adaptive pool": lambda: built(nn.ReLU, lambda: nn.AdaptiveMaxPool2d(4)),
    "pool of a pool": lambda: built(nn.Tanh, lambda: nn.MaxPool2d(2), nn.ReLU, lambda: nn.MaxPool2d(2)),
    "softmax": lambda: built(lambda: nn.Softmax(1)),
    "gelu": lambda: built(nn.GELU, act=nn.SiLU),
    "prelu": lambda: built(nn.PReLU, act=nn.Mish),
    "hard": lambda: built(nn.ReLU6, act=nn.Hardswish),
    "attention": Attention,
    "patches": lambda: Net(patches=True),
}


@pytest.mark.parametrize("name", sorted(SUMS))
def test_values_sum_to_the_change_beyond_what_captum_has_rules_for(name: str) -> None:
    torch.manual_seed(0)
    on = Critic(SUMS[name]().double(), pool="mean" if name == "patches" else None).double()
    found = DeepLift(on, baseline=BASE).attribute(X, side="real")
    assert float((found.gap / found.change).abs().max()) < 1e-8
    assert found.converged.all()
    assert not found.notes


@pytest.mark.parametrize("variant", ["plain", "batchnorm", "instance", "probability", "classes", "patches"])
def test_the_gap_is_small_in_single_precision(variant: str) -> None:
    found = DeepLift(critic(variant), baseline=BASE.float()).attribute(X.float())
    assert float((found.gap / found.change).abs().max()) < 1e-4


def test_an_interaction_of_two_gives_each_one_half() -> None:
    found = DeepLift(Critic(Pair()), baseline=torch.zeros_like(X)).attribute(X, side="real")
    assert torch.allclose(found.values.flatten(1)[:, [0, 5]], Pair()(X)[:, None].expand(-1, 2) / 2)


@pytest.mark.parametrize("n", [1, 4])
def test_the_layout_in_memory_does_not_matter(n: int) -> None:
    torch.manual_seed(0)
    layers = [[nn.Conv2d(c, 8, 5, padding=2), nn.ReLU(), nn.BatchNorm2d(8), nn.MaxPool2d(2)] for c in (3, 8)]
    net = nn.Sequential(*layers[0], *layers[1], nn.Flatten(), nn.Linear(128, 1))
    net(images(16, channels=3, side=16))
    x, base = images(n, channels=3, side=16).double(), images(1, channels=3, side=16, seed=4).double()
    found = DeepLift(Critic(net).double(), baseline=base).attribute(x)  # in channels-last on the way
    assert float((found.gap / found.change).abs().max()) < 1e-10


def test_a_factor_may_be_expanded() -> None:
    found = explained(Hidden(lambda x: x / (1 + x.square().mean((1, 2, 3), keepdim=True)).expand_as(x)))
    assert float(found.gap.abs().max()) < 1e-12
    assert not found.notes


class Written(nn.Module):
    """The same function in every way of writing it."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.net, self.way = Net().double(), way
        self.act = nn.LeakyReLU(0.2)

    def activated(self, x: Tensor) -> Tensor:
        """Leaky ReLU."""
        if self.way == "overwriting":
            F.leaky_relu(x, 0.2, inplace=True)  # the caller goes on with x
            return x
        if self.way == "method":
            return x.relu() - 0.2 * (-x).relu_()
        if self.way == "by name":
            return F.leaky_relu(input=x, negative_slope=0.2)
        return F.leaky_relu_(x, 0.2) if self.way == "underscore" else self.act(x)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, 1)."""
        x = self.activated(self.net.first(x))
        return self.net.last(self.activated(self.net.second(x)).flatten(1))


@pytest.mark.parametrize("way", ["overwriting", "by name", "underscore", "method"])
def test_how_an_activation_is_written_does_not_matter(way: str) -> None:
    one, two = explained(Written("module")), explained(Written(way))
    if way == "method":  # two rectifiers, whose slopes add up to the same
        assert float(two.gap.abs().max()) < 1e-12
    assert torch.allclose(one.values, two.values, atol=1e-12)


class _Opaque(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * (ctx.saved_tensors[0] > 0)


class Hidden(nn.Module):
    """A rectifier that torch cannot see."""

    def __init__(self, inner: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.inner, self.scale = inner, 3.0

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N,)."""
        return self.inner(self.scale * x).flatten(1).sum(1)


HIDDEN: dict[str, Callable[[Tensor], Tensor]] = {
    "_Opaque": _Opaque.apply,
    "SWhere|Where": lambda x: torch.where(x > 0, x, torch.zeros_like(x)),
    "Std|Var": lambda x: x / x.std((1, 2, 3), keepdim=True),
}


@pytest.mark.parametrize("name", sorted(HIDDEN))
def test_a_function_without_a_rule_is_named(name: str) -> None:
    run = DeepLift(Critic(Hidden(HIDDEN[name])), baseline=BASE)
    with pytest.warns(UserWarning, match=f"no rule for ({name})"):
        found = run.attribute(X, side="real")
    assert any("need not sum to the change" in note for note in found.notes)
    allowed = 0.05 * found.change.abs()
    assert torch.equal(found.converged, found.gap.abs() <= allowed)
    assert not found.converged.all()


def test_a_comparison_without_a_trace_is_told_by_the_gap() -> None:
    found = DeepLift(Critic(Hidden(lambda x: x * (x > 0))), baseline=BASE).attribute(X, side="real")
    assert not found.converged.any()
    assert bool((found.gap.abs() > 0.05 * found.change.abs()).all())


def test_a_network_that_branches_is_refused() -> None:
    def branching(x: Tensor) -> Tensor:
        return (x.tanh() if float(x.detach().mean()) > 0.5 else x.relu()).flatten(1).sum(1)

    with pytest.raises(ValueError, match="'tanh' beside 'relu'; use integrated_gradients"):
        DeepLift(Critic(branching), baseline=BASE).attribute(torch.full_like(X, 0.9))


def test_weights_that_are_computed_keep_their_plain_way() -> None:
    net = warmed(Net(norm="old_spectral"))
    for parameter in net.parameters():
        parameter.requires_grad_(True)
    net.eval()
    called = DeepLift(Critic(lambda x: net(x)), baseline=BASE.float()).attribute(X.float())  # not frozen
    module = DeepLift(Critic(net), baseline=BASE.float()).attribute(X.float())
    assert torch.allclose(called.values, module.values, atol=1e-6)
    assert not called.notes
