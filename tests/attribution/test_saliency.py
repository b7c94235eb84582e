"""Saliency against captum and the sign of a linear critic."""

from __future__ import annotations

import torch
from torch import nn

from ganexplain import Critic, Saliency
from tests._critics import Linear, Net, critic, images


def test_gradients_are_those_of_captum_with_their_sign() -> None:
    from captum.attr import Saliency as Theirs

    on, x = critic("plain", double=True), images(3).double()
    found = Saliency(on, baseline="black").attribute(x, side="real")
    assert torch.allclose(found.values, Theirs(on).attribute(x.clone().requires_grad_(), abs=False), atol=1e-14)
    assert found.unit == "logit per unit"


def test_a_negative_weight_stays_negative() -> None:
    found = Saliency(Critic(Linear(torch.full((1, 1, 8, 8), -1.0))), baseline="black").attribute(images(1), side="real")
    assert bool((found.values == -1).all())


def test_a_saturated_probability_still_has_a_gradient() -> None:
    steep = Linear(torch.full((1, 1, 8, 8), 5.0), bias=40.0)  # float32 sigmoid is one
    net = nn.Sequential(steep, nn.Sigmoid())
    found = Saliency(Critic(net, output="probability"), baseline="black").attribute(images(1), side="real")
    assert bool((found.values == 5).all())


def test_the_unit_of_an_uncalibrated_score_is_no_logit() -> None:
    assert Saliency(Critic(Net(), output="score"), baseline="black").attribute(images(1)).unit == "score per unit"
