"""Critics with random weights: the same numbers in other places, and a network that is still alive."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganexplain import Critic
from ganexplain.evaluation import randomisation
from ganexplain.evaluation.randomisation import randomised
from tests._critics import NETWORKS, Net, Spy, critic, images, warmed

KINDS = ["plain", "batchnorm", "old_spectral", "new_spectral", "instance", "probability"]


@pytest.mark.parametrize("variant", KINDS)
def test_each_tensor_keeps_its_numbers_and_loses_their_places(variant: str) -> None:
    on = critic(variant)
    on(images(4))
    before = {name: value.clone() for name, value in on.network.state_dict().items()}
    logit = on.logits(images(4))
    other = randomised(on, images(8), seed=0)
    own, theirs = dict(on.network.named_parameters()), dict(other.network.named_parameters())
    assert own.keys() == theirs.keys()
    for name, weight in own.items():
        assert torch.equal(weight.flatten().sort().values, theirs[name].flatten().sort().values)
        if weight.numel() > 4 and len(weight.unique()) > 1:
            assert not torch.equal(weight, theirs[name])
    assert all(torch.equal(before[name], value) for name, value in on.network.state_dict().items())
    assert torch.equal(logit, on.logits(images(4)))
    assert not torch.allclose(logit, other.logits(images(4)))
    assert not any(m.training for m in other.network.modules() if not isinstance(m, nn.Identity))
    assert not any(p.requires_grad for p in other.network.parameters())


def test_the_seed_decides() -> None:
    on, x = critic("plain"), images(4)
    one, two, other = (randomised(on, x, seed=s).logits(x) for s in (1, 1, 2))
    assert torch.equal(one, two)
    assert not torch.allclose(one, other)


def test_batchnorm_is_measured_again() -> None:
    on, x = critic("batchnorm"), images(40)
    other = randomised(on, x, seed=0, batch_size=64)
    inside = other.network.first(x)
    norm = other.network.norm_one
    assert torch.allclose(norm.running_mean, inside.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(norm.running_var, inside.transpose(0, 1).flatten(1).var(1), rtol=1e-4)
    normed = (inside - norm.running_mean.view(1, -1, 1, 1)) / (norm.running_var + norm.eps).sqrt().view(1, -1, 1, 1)
    assert float(normed.std()) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("variant", ["old_spectral", "new_spectral"])
def test_spectral_norm_is_one_again(variant: str) -> None:
    # with the old singular vectors, sigma would be near zero and the logits hundreds of times too large
    other = randomised(critic(variant), images(4), seed=3)
    other.logits(images(2))
    for layer in (other.network.first, other.network.second, other.network.last):
        size = float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2))
        assert size == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("variant", ["batchnorm", "new_spectral", "plain"])
def test_passes_are_counted_and_bounded(variant: str) -> None:
    spy = Spy(NETWORKS[variant]())
    on = Critic(spy)
    randomised(on, images(20), seed=0, batch_size=8)
    assert sum(spy.seen.batches) == randomisation.planned(on, 20)
    assert max(spy.seen.batches, default=0) <= 8


def test_a_callable_has_no_weights() -> None:
    assert randomised(Critic(lambda x: x.flatten(1).sum(1)), images(2), seed=0) is None
    assert randomised(Critic(nn.Flatten(), output=lambda out: out.sum(1)), images(2), seed=0) is None
    assert randomisation.planned(Critic(lambda x: x.flatten(1).sum(1)), 9) == 0


def test_a_network_in_training_stays_as_it_was() -> None:
    net = warmed(Net(norm="batch")).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    randomised(Critic(net), images(6), seed=0)
    assert net.training
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
