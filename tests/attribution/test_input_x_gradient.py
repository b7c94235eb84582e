"""Input times gradient against captum and closed forms."""

from __future__ import annotations

import torch

from ganexplain import Critic, InputXGradient
from tests._critics import critic, images
from tests.attribution._nets import Pair, Quadratic


def test_from_a_baseline_of_zeros_the_values_are_those_of_captum() -> None:
    from captum.attr import InputXGradient as Theirs

    on, x = critic("plain", double=True), images(3).double()
    found = InputXGradient(on, baseline=torch.zeros_like(x)).attribute(x, side="real")
    assert torch.allclose(found.values, Theirs(on).attribute(x.clone().requires_grad_()), atol=1e-14)
    assert found.unit == "logit"
    assert found.gap is None


def test_a_quadratic_critic_has_a_closed_form() -> None:
    net, x, base = Quadratic(), images(2).double(), images(1, seed=3).double()
    found = InputXGradient(Critic(net), baseline=base).attribute(x, side="real")
    assert torch.allclose(found.values, net.slope(x) * (x - base), atol=1e-12)


def test_both_of_an_interacting_pair_take_all_of_it() -> None:
    x = images(2).double()
    found = InputXGradient(Critic(Pair()), baseline=torch.zeros_like(x)).attribute(x, side="real")
    worth = Pair()(x)
    assert torch.allclose(found.values.flatten(1)[:, [0, 5]], worth[:, None].expand(-1, 2))
    assert torch.allclose(found.net, 2 * worth)


def test_a_set_of_baselines_is_averaged() -> None:
    net, x, many = Quadratic(), images(2).double(), images(4, seed=3).double()
    found = InputXGradient(Critic(net), baseline=many[None]).attribute(x, side="real")
    assert torch.allclose(found.values, net.slope(x) * (x - many.mean(0)), atol=1e-12)
