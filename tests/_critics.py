"""Critics of every kind that users have, small enough to be explained in milliseconds; pairs of them are twins."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, remove_spectral_norm, spectral_norm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ganexplain import Critic, Preprocess, Signal, Table
from ganexplain.tensors import isolated

SIDE = 8


def images(n: int = 3, *, seed: int = 0, channels: int = 1, side: int = SIDE) -> Tensor:
    """(n, channels, side, side) smooth images in [-1, 1], no two alike."""
    noise = torch.rand(n, channels, side, side, generator=torch.Generator().manual_seed(seed))
    smooth = nn.functional.avg_pool2d(noise, 3, 1, 1, count_include_pad=False)
    return (2.5 * (smooth - 0.5) + 0.6 * (noise - 0.5)).clamp(-1, 1)


class Net(nn.Module):
    """Two convolutions and a linear layer: activations, norms and output shapes as people write them."""

    def __init__(
        self, *, act: str = "module", norm: str = "", out: tuple[int, ...] = (1,), patches: bool = False
    ) -> None:
        super().__init__()
        made = torch.Generator().manual_seed(7)
        self.first, self.second = nn.Conv2d(1, 6, 3, 2, 1), nn.Conv2d(6, 8, 3, 2, 1)
        self.last: nn.Module = nn.Conv2d(8, 1, 1) if patches else nn.Linear(32, 1)
        for parameter in self.parameters():  # the same weights for every variant, whatever order its layers come in
            with torch.no_grad():
                parameter.copy_(torch.randn(parameter.shape, generator=made) / max(parameter[0].numel(), 4) ** 0.5)
        self.out, self.patches, self.act = out, patches, act
        self.one = nn.LeakyReLU(0.2, inplace=act == "inplace")
        self.two = self.one if act == "reused" else nn.LeakyReLU(0.2, inplace=act == "inplace")
        self.norm_one, self.norm_two = _norms(norm)
        if norm in ("old_spectral", "new_spectral"):
            wrap = spectral_norm if norm == "old_spectral" else parametrizations.spectral_norm
            with isolated():  # it draws its first singular vectors
                self.first, self.second, self.last = wrap(self.first), wrap(self.second), wrap(self.last)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, *out) or a patch map."""
        x = self.norm_one(self.first(x))
        x = nn.functional.leaky_relu(x, 0.2) if self.act == "functional" else self.one(x)
        x = self.norm_two(self.second(x))
        x = nn.functional.leaky_relu(x, 0.2) if self.act == "functional" else self.two(x)
        return self.last(x) if self.patches else self.last(x.flatten(1)).view(len(x), *self.out)


def _norms(norm: str) -> tuple[nn.Module, nn.Module]:
    if norm == "batch":
        return nn.BatchNorm2d(6), nn.BatchNorm2d(8)
    if norm == "instance":
        return nn.InstanceNorm2d(6, affine=True), nn.InstanceNorm2d(8, affine=True)
    return nn.Identity(), nn.Identity()


def warmed(net: nn.Module) -> nn.Module:
    """After a few forwards in train mode, as training leaves it: running statistics and singular vectors are set."""
    for seed in range(8):
        net.train()(
            images(16, seed=100 + seed)
        )  # with gradients: old spectral norm then leaves a tensor of the graph behind
    return net


def folded(net: Net) -> nn.Module:
    """The same function without its BatchNorm layers."""
    twin = copy.deepcopy(net).double().eval()
    twin.first, twin.norm_one = fuse_conv_bn_eval(twin.first, twin.norm_one), nn.Identity()
    twin.second, twin.norm_two = fuse_conv_bn_eval(twin.second, twin.norm_two), nn.Identity()
    return twin


def bare(norm: str) -> nn.Module:
    """The same function with the normalised weights as plain weights."""
    net = warmed(Net(norm=norm)).double().eval()
    with torch.no_grad():
        net(images().double())
    for module in (net.first, net.second, net.last):
        if norm == "old_spectral":
            remove_spectral_norm(module)
        else:
            parametrize.remove_parametrizations(module, "weight")
    return net


class Functional(nn.Module):
    """InstanceNorm by hand."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, 1)."""
        net = self.net
        for conv in (net.first, net.second):
            x = conv(x)
            centred = x - x.mean((2, 3), keepdim=True)
            x = nn.functional.leaky_relu(centred / (centred.square().mean((2, 3), keepdim=True) + 1e-5).sqrt(), 0.2)
        return net.last(x.flatten(1))


class Wrapped(nn.Module):
    """A network with something done before and after it."""

    def __init__(self, net: nn.Module, before: Callable[[Tensor], Any] | None, after: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.net, self.before, self.after = net, before, after

    def forward(self, x: Tensor) -> Any:
        """(N, 1, H, W) to what ``after`` makes of the output."""
        if self.before is not None:
            x = self.before(x)
        return self.after(self.net(x))


def _overwrites(x: Tensor) -> Tensor:
    return x.mul_(0.5).add_(0.1)


def _same(x: Tensor) -> Tensor:
    return x


def _negative(x: Tensor) -> Tensor:
    return -x


def _two_classes(x: Tensor) -> Tensor:
    return torch.cat([0.4 * x, -0.6 * x], 1)


class Dead(nn.Module):
    """A network that says the same of every image, through layers that would let gradients pass."""

    def __init__(self) -> None:
        super().__init__()
        self.net = Net()
        with torch.no_grad():
            self.net.last.weight.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, 1)."""
        return self.net(x)


def _probability(sign: int = 1) -> nn.Module:
    return nn.Sequential(Wrapped(Net(), None, _negative if sign < 0 else _same), nn.Sigmoid())


def _called() -> Callable[[Tensor], Tensor]:
    net = Net().eval().requires_grad_(False)
    return lambda x: net.to(x.dtype)(x)


NETWORKS: dict[str, Callable[[], Any]] = {
    "plain": Net,
    "flat": lambda: Net(out=()),
    "cube": lambda: Net(out=(1, 1, 1)),
    "patches": lambda: Net(patches=True),
    "probability": _probability,
    "detector": lambda: _probability(-1),
    "classes": lambda: Wrapped(Net(), None, _two_classes),
    "tuple": lambda: Wrapped(Net(), None, lambda x: (x, "features")),
    "inplace": lambda: Net(act="inplace"),
    "functional": lambda: Net(act="functional"),
    "reused": lambda: Net(act="reused"),
    "batchnorm": lambda: warmed(Net(norm="batch")),
    "old_spectral": lambda: warmed(Net(norm="old_spectral")),
    "new_spectral": lambda: warmed(Net(norm="new_spectral")),
    "instance": lambda: Net(norm="instance"),
    "training": lambda: nn.Sequential(nn.Dropout(0.5), Net()).train(),
    "overwrites": lambda: Wrapped(Net(), _overwrites, _same),
    "resized": lambda: Net(),
    "callable": _called,
}
DECLARED: dict[str, dict[str, Any]] = {
    "patches": {"pool": "mean"},
    "probability": {"output": "probability"},
    "detector": {"output": "probability", "polarity": "fake"},
    "classes": {"output": "classes", "real_class": 0},
    "tuple": {"output": lambda out: out[0]},
    "resized": {
        "preprocess": Preprocess(size=(SIDE, SIDE), value_range=(0.0, 1.0), mean=(0.4,), std=(0.3,), channels=1)
    },
}
# networks that are the same function in exact arithmetic
TWINS: dict[str, Callable[[], Any]] = {
    "flat": Net,
    "cube": Net,
    "probability": Net,
    "detector": Net,
    "classes": Net,
    "tuple": Net,
    "inplace": Net,
    "functional": Net,
    "reused": Net,
    "callable": Net,
    "training": Net,
    "batchnorm": lambda: folded(warmed(Net(norm="batch"))),
    "old_spectral": lambda: bare("old_spectral"),
    "new_spectral": lambda: bare("new_spectral"),
    "instance": lambda: Functional(Net(norm="instance")),
    "overwrites": lambda: Wrapped(Net(), lambda x: 0.5 * x + 0.1, _same),
    "patches": lambda: Wrapped(Net(patches=True), None, lambda x: x.sum((1, 2, 3)) / 4),
}


# the layer that is the same function in a network and in its twin, where it is not the last convolution of both
SAME_LAYER = {"batchnorm": ("norm_two", "second"), "instance": ("second", "net.second")}


def twin(variant: str, *, double: bool) -> Critic:
    """The critic of the network that should be the same function."""
    made = Critic(TWINS[variant]())
    return made.double() if double else made.float()


def critic(variant: str, network: Any = None, *, double: bool = False) -> Critic:
    """The critic of a variant, round another network of the same kind if one is given."""
    made = Critic(NETWORKS[variant]() if network is None else network, **DECLARED.get(variant, {}))
    return made.double() if double else made


class Seen:
    """Batch sizes that a network saw; copies of the network share it."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.fail_at = 0

    def __deepcopy__(self, memo: dict[int, Any]) -> Seen:
        return self

    @property
    def rows(self) -> int:
        """Forward passes, counted per image."""
        return sum(self.batches)


class Spy(nn.Module):
    """A network that notes the batches it sees, and raises at a chosen call."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.seen = net, Seen()

    def forward(self, x: Tensor) -> Any:
        """What the network returns."""
        self.seen.batches.append(len(x))
        if len(self.seen.batches) == self.seen.fail_at:
            raise RuntimeError(f"call {self.seen.fail_at} fails")
        return self.net(x)


class Linear(nn.Module):
    """w . x + bias, with known w."""

    def __init__(self, weight: Tensor, bias: float = 0.3) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), bias

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N,)."""
        return (x * self.weight).flatten(1).sum(1) + self.bias


class Spots(nn.Module):
    """A convolution that sees bright spots wherever they are, and a sum of what it saw: no weight knows a place."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.see, self.gain = nn.Conv2d(1, 1, 1), gain
        with torch.no_grad():
            self.see.weight.fill_(1.0)
            self.see.bias.fill_(0.48)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N,)."""
        return self.gain * self.see(x).relu().flatten(1).sum(1)


TABLE = Table(
    ("age", "height", "sex", "income", "debt"),
    units={"age": "years", "height": "cm"},
    groups={"money": ("income", "debt")},
    categories={"sex": ("female", "male", "other")},
    mean=(40.0, 170.0, 3000.0, 500.0),
    std=(15.0, 10.0, 900.0, 300.0),
)
SIGNAL = Signal(("left", "right"), length=24, sample_rate=8, units="mV", mean=0.5, std=(2.0, 3.0), windows=8)
FORMS = {"table": TABLE, "signal": SIGNAL}


def inputs(form: str, n: int = 3, *, seed: int = 0) -> Tensor:
    """Rows (n, 7) of `TABLE` or signals (n, 2, 24) of `SIGNAL`, in their own units."""
    random = torch.Generator().manual_seed(seed)
    if form == "signal":
        return SIGNAL.unscaled(torch.randn(n, 2, 24, generator=random))
    rows = TABLE.unscaled(torch.randn(n, 7, generator=random))
    rows[:, 2:5] = nn.functional.one_hot(torch.randint(0, 3, (n,), generator=random), 3).float()
    return rows


class Small(nn.Module):
    """Two layers on rows or signals, with the activation as a module, in place or as a function."""

    def __init__(self, form: str, *, act: str = "module", out: tuple[int, ...] = (1,)) -> None:
        super().__init__()
        made = torch.Generator().manual_seed(3)
        self.first: nn.Module = nn.Linear(7, 6) if form == "table" else nn.Conv1d(2, 5, 5, 2, 2)
        self.last = nn.Linear(6 if form == "table" else 60, 1)
        for parameter in self.parameters():
            with torch.no_grad():
                parameter.copy_(torch.randn(parameter.shape, generator=made) / max(parameter[0].numel(), 4) ** 0.5)
        self.act, self.out, self.one = act, out, nn.LeakyReLU(0.2, inplace=act == "inplace")

    def forward(self, x: Tensor) -> Tensor:
        """(N, 7) or (N, 2, 24) to (N, *out)."""
        x = self.first(x)
        x = nn.functional.leaky_relu(x, 0.2) if self.act == "functional" else self.one(x)
        return self.last(x.flatten(1)).view(len(x), *self.out)


def critic_of_form(form: str, network: Any = None, **declared: Any) -> Critic:
    """A critic of rows or of signals, round `Small` unless another network is given."""
    return Critic(Small(form) if network is None else network, form=FORMS[form], **declared)
