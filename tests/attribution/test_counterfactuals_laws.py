"""What every kind of counterfactual keeps: the caller's world, bounded batches, seeds, sides, and honest refusals."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganexplain import Generator, tensors
from ganexplain.attribution import COUNTERFACTUALS
from ganexplain.attribution.counterfactuals import Counterfactual
from ganexplain.models.critic import Critic
from tests._critics import Dead, Net, Spy, Wrapped, images

KINDS = COUNTERFACTUALS.names()
GRADIENTS = [kind for kind in KINDS if COUNTERFACTUALS.get(kind).needs == "gradients"]
SIDE = images().shape[-1]


class Makes(nn.Module):
    """Codes (N, 4) to smooth images."""

    def __init__(self) -> None:
        super().__init__()
        self.made = nn.Linear(4, SIDE * SIDE)
        with torch.no_grad():
            self.made.weight.copy_(0.3 * tensors.normal(0, "weight", shape=(SIDE * SIDE, 4)))
            self.made.bias.zero_()

    def forward(self, codes: Tensor) -> Tensor:
        """(N, 1, side, side) in [-1, 1]."""
        return self.made(codes).tanh().view(-1, 1, SIDE, SIDE)


def case(network: Any = None, *, double: bool = True, **declared: Any) -> tuple[Critic, Tensor, Tensor]:
    """A critic whose threshold lies between two images, the code of the first, and that image."""
    generator = Generator.wrap(Makes(), z_dim=4)
    code = generator.sample(1, seed=3)
    image = generator.render(code)
    net = Net() if network is None else network
    critic = Critic(net, **declared).with_generator(generator)
    return (critic.double() if double else critic.float()), code, image


def between(net: nn.Module, gap: float = 0.05) -> nn.Module:
    """The network with its output moved, so that the image of `case` is called fake by a little."""
    _, _, image = case()
    level = float(Critic(net).double()(image.double()))
    return Wrapped(net, None, _Less(level + gap))


class _Less:
    def __init__(self, by: float) -> None:
        self.by = by

    def __call__(self, x: Tensor) -> Tensor:
        return x - self.by


def find(kind: str, critic: Critic, code: Tensor, image: Tensor, **more: Any) -> Counterfactual:
    """With the code for the kind that takes one."""
    found: Counterfactual = _made(kind, critic, code, more.pop("batch_size", 64)).find(image, **more)
    return found


def _made(kind: str, critic: Critic, code: Tensor, batch_size: int = 64) -> Any:
    own = {"code": code} if kind == "latent_change" else {}
    return COUNTERFACTUALS.get(kind)(critic, batch_size=batch_size, **own)


@pytest.mark.parametrize("kind", KINDS)
def test_the_result_is_whole_and_the_verdict_turns(kind: str) -> None:
    critic, code, image = case(between(Net()))
    found = find(kind, critic, code, image)
    assert found.kind == kind
    assert found.flipped
    assert not bool(critic.judge(found.changed).is_fake[0])
    assert float(critic(found.changed)) == pytest.approx(found.logit[1], abs=1e-6)
    assert float(critic(found.image)) == pytest.approx(found.logit[0], abs=1e-6)
    assert found.changed.shape == image.shape
    assert found.changed.dtype == image.dtype
    assert float(found.changed.abs().max()) <= 1
    assert found.path[0] == (0.0, pytest.approx(found.logit[0]))
    assert found.path[-1] == (1.0, pytest.approx(found.logit[1]))
    assert "\n" not in found.sentence
    assert "turns the verdict to real" in found.sentence
    back = find(kind, critic, code, image, to="fake")
    assert back.flipped
    assert torch.allclose(back.changed, image, atol=1e-6)
    assert "judged fake as it is" in back.notes[0]


@pytest.mark.parametrize("kind", KINDS)
def test_both_polarities_and_both_sides(kind: str) -> None:
    critic, code, image = case(between(Net(), -0.05))  # called real
    detector, *_ = case(Wrapped(between(Net(), -0.05), None, torch.neg), polarity="fake")
    one, two = (find(kind, each, code, image) for each in (critic, detector))
    assert one.logit[0] > one.threshold
    assert torch.allclose(one.changed, two.changed, atol=1e-6)
    assert one.flipped
    assert one.logit[1] < one.threshold


@pytest.mark.parametrize("kind", KINDS)
def test_the_callers_world_is_as_before(kind: str) -> None:
    net = between(Net()).train()
    critic, code, image = case(net)
    state = {name: value.clone() for name, value in net.state_dict().items()}
    given, drawn = image.clone(), (torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate())  # type: ignore[union-attr]
    with torch.no_grad():
        find(kind, critic, code, image)
    assert torch.equal(image, given)
    assert image.grad is None
    assert net.training
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    assert torch.equal(drawn[0], torch.get_rng_state())
    assert (drawn[1] == np.random.get_state()[1]).all()
    assert drawn[2] == random.getstate()


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_bounded_and_do_not_matter(kind: str) -> None:
    spy = Spy(between(Net()))
    critic, code, image = case(spy)
    many = find(kind, critic, code, image, seed=1)
    spy.seen.batches.clear()
    few = find(kind, critic, code, image, seed=1, batch_size=2)
    assert max(spy.seen.batches) <= 2
    assert torch.allclose(many.changed, few.changed, atol=1e-6)
    again = find(kind, critic, code, image, seed=1, batch_size=2)
    assert torch.equal(again.changed, few.changed)
    assert (again.logit, again.path, again.evaluations) == (few.logit, few.path, few.evaluations)


@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_critic_is_never_turned(kind: str) -> None:
    critic, code, image = case(Wrapped(Dead(), None, _Less(1.0)))
    found = find(kind, critic, code, image)
    assert not found.flipped
    assert torch.equal(found.changed, found.image) or kind == "latent_change"
    assert bool(torch.isfinite(found.changed).all())
    assert any("nothing that was tried moves the verdict" in note for note in found.notes) or kind == "latent_change"
    assert all(np.isfinite(value) for value in found.distance.values())


@pytest.mark.parametrize("kind", GRADIENTS)
def test_without_gradients_the_kinds_that_need_none_are_named(kind: str) -> None:
    net = between(Net()).eval()

    def blind(x: Tensor) -> Tensor:
        with torch.no_grad():
            return net.to(x.dtype)(x)

    critic, code, image = case(blind, double=False)
    with pytest.raises(ValueError, match="bands or regions"):
        find(kind, critic, code, image)
    critic.differentiable = False
    with pytest.raises(ValueError, match="bands or regions"):
        find(kind, critic, code, image)
    for other in ("bands", "regions"):
        assert find(other, critic, code, image).flipped


@pytest.mark.parametrize("kind", KINDS)
def test_what_cannot_be_asked_is_refused_in_a_sentence(kind: str) -> None:
    critic, code, image = case(between(Net()))
    score, *_ = case(between(Net()), output="score")
    with pytest.raises(ValueError, match="a score without a threshold, so no change turns its verdict"):
        find(kind, score, code, image)
    with pytest.raises(ValueError, match="one image is changed at a time, got 2"):
        find(kind, critic, code, image.repeat(2, 1, 1, 1))
    with pytest.raises(ValueError, match="unknown side 'reel'; did you mean 'real'"):
        find(kind, critic, code, image, to="reel")
    with pytest.raises(TypeError, match="critic must be a Critic, got Net"):
        COUNTERFACTUALS.get(kind)(Net())
    known = score.with_reference(tensors.normal(0, "reals", shape=(30, 1, SIDE, SIDE)).clamp(-1, 1))
    assert find(kind, known, code, image).threshold == known.threshold


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_says_in_one_line_what_it_is(kind: str) -> None:
    part = COUNTERFACTUALS.get(kind)
    line = (part.__doc__ or "").splitlines()[0]
    assert part.name == kind
    assert line.endswith(".")
    assert part.needs in ("calls", "gradients")
