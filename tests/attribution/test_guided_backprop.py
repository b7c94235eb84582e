"""Guided backprop against captum, and against the check that it is known to fail."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ganexplain as ge
from ganexplain import Critic, GuidedBackprop
from tests._critics import images
from tests.attribution.test_deep_lift import Hidden, Written, built

X = images(4).double()
pytestmark = pytest.mark.filterwarnings("ignore:guided_backprop redraws")


def explained(net: Any, side: str = "real") -> Any:
    return GuidedBackprop(Critic(net), baseline="black").attribute(X, side=side)


class Negative(nn.Module):
    """The network's opposite."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) to (N, 1)."""
        return -self.net(x)


@pytest.mark.parametrize("middle", [(nn.ReLU,), (lambda: nn.BatchNorm2d(6), nn.ReLU, lambda: nn.MaxPool2d(2))])
@pytest.mark.parametrize("side", ["real", "fake"])
def test_values_are_those_of_captum_for_the_evidence_of_the_side(middle: tuple[Any, ...], side: str) -> None:
    from captum.attr import GuidedBackprop as Theirs

    net = built(*middle)
    asked = copy.deepcopy(net) if side == "real" else Negative(copy.deepcopy(net))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum's, on its hooks
        theirs = Theirs(asked).attribute(X.clone())
    found = explained(net, side)
    assert torch.allclose(found.values, theirs, atol=1e-12)
    assert found.unit == "a.u."


def test_a_detector_of_fakes_gives_the_same_map_as_its_opposite() -> None:
    net = built(nn.ReLU)
    detector = Critic(Negative(net), polarity="fake")
    for side in ("fake", "real"):
        assert torch.allclose(
            GuidedBackprop(detector, baseline="black").attribute(X, side=side).values, explained(net, side).values
        )


@pytest.mark.parametrize("way", ["overwriting", "by name", "underscore"])
def test_how_an_activation_is_written_does_not_matter(way: str) -> None:
    assert torch.allclose(explained(Written("module")).values, explained(Written(way)).values, atol=1e-12)


def test_rectifiers_that_cannot_be_reached_are_named() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scripting is deprecated
        net = torch.jit.trace(built(nn.ReLU), X)
    on = Critic(lambda x: net(x))
    with pytest.raises(ValueError, match=r"cannot reach \w*Re[lL]u inside TorchScript.*use saliency"):
        GuidedBackprop(on, baseline="black").attribute(X)


def test_other_functions_keep_their_gradient() -> None:
    found = explained(Hidden(torch.tanh))
    assert torch.allclose(found.values, 3 / torch.cosh(3 * X).square())


def test_it_fails_the_check_with_random_weights_and_says_so() -> None:
    gan = ge.bundled("fashion")
    judge, fakes = gan.critic("judge"), gan.samples(3, seed=10)
    plan = ge.Plan(methods=("guided_backprop", "kernel_shap"), max_evaluations=256, n_orders=20, n_others=1)
    for fake in fakes:
        why = ge.explain(judge, fake[None], plan=plan)
        assert why.trusts["guided_backprop"]["randomisation"].status == "fail"
        assert why.trusts["kernel_shap"]["randomisation"].status == "pass"
        assert why.trusts["guided_backprop"].word == "NOT RELIABLE"
        assert any("do not read it as a reason" in note for note in why.notes)
