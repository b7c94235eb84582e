"""The faster form of a network: equal to it, or not used."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ganexplain import Critic
from ganexplain.models.fast import faster


def calm(net: nn.Module) -> nn.Module:
    """The network with BatchNorm statistics of its own, in eval mode."""
    generator = torch.Generator().manual_seed(3)
    for module in net.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            if module.affine:
                module.weight.data.uniform_(0.5, 2, generator=generator)
                module.bias.data.normal_(generator=generator)
    return net.eval().requires_grad_(False)


def norms(net: nn.Module) -> int:
    return sum(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in net.modules())


def image(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


class Skip(nn.Module):
    """The convolution's output is read by the BatchNorm and by a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N,)."""
        h = self.conv(x)
        return (self.norm(h) + h).flatten(1).sum(1)


class Twice(Skip):
    """One BatchNorm after two calls of one convolution."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N,)."""
        return (self.norm(self.conv(x)) - self.norm(self.conv(0.5 * x))).flatten(1).sum(1)


class Reads(Skip):
    """The forward reads an attribute that the folded form no longer has."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N,)."""
        return (self.norm(self.conv(x)) * self.norm.eps).flatten(1).sum(1)


class Views(Skip):
    """A view that channels-last memory forbids."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N,)."""
        return self.norm(self.conv(x)).view(len(x), -1).square().sum(1)


class Backwards(nn.Module):
    """Registered in another order than used: the BatchNorm comes before the convolution, after a ReLU."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.first = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(3), nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, H, W) to (N,)."""
        return self.conv(self.norm(self.first(x).relu())).flatten(1).sum(1)


FOLDS = {
    "convolution": lambda: nn.Sequential(nn.Conv2d(3, 4, 3, 2, bias=False), nn.BatchNorm2d(4), nn.LeakyReLU(0.2)),
    "transposed": lambda: nn.Sequential(nn.ConvTranspose2d(3, 5, 4, 2, 1), nn.BatchNorm2d(5), nn.ReLU()),
    "linear": lambda: nn.Sequential(
        nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(72, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 1)
    ),
    "no affine": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False), nn.ReLU()),
    "views": Views,
}


@pytest.mark.parametrize("name", sorted(FOLDS))
def test_batchnorm_is_folded_and_nothing_else_changes(name: str) -> None:
    torch.manual_seed(0)
    net = calm(FOLDS[name]()).double()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    twin = faster(net, image(1, 3, 8, 8).double())
    x = image(5, 3, 8, 8).double()
    assert norms(twin) == 0
    assert torch.allclose(twin(x), net(x), atol=1e-12)
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert norms(net) == 1
    assert not any(m._forward_hooks for m in net.modules())


@pytest.mark.parametrize("kind", [Skip, Twice, Reads, Backwards])
def test_a_batchnorm_that_cannot_be_folded_stays(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    net = calm(kind()).double()
    twin, x = faster(net, image(1, 3, 8, 8).double()), image(4, 3, 8, 8).double()
    assert norms(twin) == 1
    assert torch.allclose(twin(x), net(x), atol=1e-12)


@pytest.mark.parametrize("norm", [nn.utils.spectral_norm, nn.utils.parametrizations.spectral_norm])
def test_a_layer_with_computed_weights_is_left_alone(norm: object) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(norm(nn.Conv2d(3, 4, 3)), nn.BatchNorm2d(4))  # type: ignore[operator]
    net(image(2, 3, 8, 8))
    twin = faster(calm(net), image(1, 3, 8, 8))
    assert norms(twin) == 1


def test_a_grouped_transposed_convolution_is_left_alone() -> None:
    torch.manual_seed(0)
    net = calm(nn.Sequential(nn.ConvTranspose2d(4, 6, 3, groups=2), nn.BatchNorm2d(6))).double()
    twin, x = faster(net, image(1, 4, 8, 8).double()), image(3, 4, 8, 8).double()
    assert norms(twin) == 1
    assert torch.allclose(twin(x), net(x), atol=1e-12)


@pytest.mark.parametrize("n", [1, 3])
def test_a_form_with_another_gradient_is_dropped(n: int) -> None:
    torch.manual_seed(0)
    norm = nn.InstanceNorm2d(6)  # wrong in torch 2.13 before a channels-last convolution, for a batch of one
    net = calm(nn.Sequential(nn.Conv2d(3, 6, 3), norm, nn.Conv2d(6, 8, 3), nn.LeakyReLU(0.2), nn.Flatten())).double()
    x = image(n, 3, 8, 8).double().requires_grad_(True)
    with torch.no_grad():  # as a critic calls it
        twin = faster(net, x[:1])
    ours, theirs = (torch.autograd.grad(each(x).square().sum(), x)[0] for each in (twin, net))
    assert torch.allclose(ours, theirs, atol=1e-12)


def test_without_convolutions_the_network_itself_is_used() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.BatchNorm1d(3)).eval()
    assert faster(net, image(1, 1, 2, 2)) is net


def test_a_critic_builds_its_fast_form_once_and_anew_when_weights_change() -> None:
    torch.manual_seed(0)
    on, x = Critic(calm(nn.Sequential(FOLDS["convolution"](), nn.Flatten(), nn.Linear(36, 1)))), image(2, 3, 8, 8)
    fast = on.fast(x)
    assert norms(on.network) == 1
    assert norms(fast.network) == 0
    assert on.fast(x).network is fast.network
    assert torch.allclose(fast.logits(x), on.logits(x), atol=1e-5)
    with torch.no_grad():
        on.network[2].bias += 1
    assert torch.allclose(on.fast(x).logits(x), fast.logits(x) + 1, atol=1e-5)
    double = on.double()
    assert double.fast(x.double()).logits(x.double()).dtype == torch.float64
