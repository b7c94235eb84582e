"""What holds for every baseline of the registry, and of every form."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganexplain import Critic, Generator, IntegratedGradients, KernelShap, Region, checks
from ganexplain.attribution import BASELINES
from ganexplain.attribution.baselines import Origin, baselines_in, made_once, origin_of
from ganexplain.attribution.baselines.counterfactual import CounterfactualBaseline
from ganexplain.attribution.baselines.generated import Generated
from ganexplain.models import forms
from tests._critics import critic, critic_of_form, images, inputs

FORMS = [
    (form, name)
    for form, kind in forms.kinds().items()
    for name in kind.baselines
    if form == "images" or name != "generated"  # the generator of this test paints
]
SEARCHED = {"generated": Generated(n_restarts=2, steps=8), "counterfactual": CounterfactualBaseline(max_steps=3)}


class Painter(nn.Module):
    """(N, 3) to images (N, 1, 8, 8) in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(3, 64)
        made = torch.Generator().manual_seed(4)
        with torch.no_grad():
            self.last.weight.copy_(torch.randn(64, 3, generator=made))
            self.last.bias.zero_()

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.last(z)).view(-1, 1, 8, 8)


@cache
def knowing(form: str) -> Critic:
    """A critic of the form that knows reals and, of images, their generator."""
    on = critic("plain") if form == "images" else critic_of_form(form)
    on = on.with_reference(images(20, seed=5) if form == "images" else inputs(form, 20, seed=5))
    return on.with_generator(Generator.wrap(Painter(), z_dim=3)) if form == "images" else on


def some(form: str, n: int = 3) -> Tensor:
    return images(n) if form == "images" else inputs(form, n)


@pytest.mark.parametrize(("form", "name"), FORMS)
def test_laws(form: str, name: str) -> None:
    on, x, asked = knowing(form), some(form), SEARCHED.get(name, name)
    before, reals = x.clone(), on.reference.images.clone()
    states = torch.random.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    found = origin_of(on, x, asked)
    assert torch.equal(torch.random.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()
    assert random.getstate() == states[2]
    assert found.name == name
    assert found.images.shape[1:] == x.shape[1:]
    assert len(found.images) in (1, 3)
    assert found.images.dtype == x.dtype
    if (form, name) != ("table", "zero"):  # no word of a category is zero
        on.form.check(found.images)
    size = baselines_in(name, on.form.ndim)
    if found.many is not None:
        assert found.many.shape[1:] == (size, *x.shape[1:])
        assert torch.allclose(found.many.mean(1), found.images)
        on.form.check(found.many[0])
    else:
        assert size == 1
    again = found.images.clone()
    if name not in SEARCHED:
        assert torch.equal(origin_of(on, x, asked).images, again)
    found.images.zero_()  # nobody else's tensor
    assert torch.equal(x, before)
    assert torch.equal(on.reference.images, reals)
    alone = origin_of(on, x[1:2], asked).images
    assert torch.allclose(alone[0], again[1 if len(again) > 1 else 0], atol=1e-5)
    if name not in SEARCHED:
        double = origin_of(on, x.double(), name).images
        assert double.dtype == torch.float64
        assert torch.allclose(double.float(), again, atol=1e-3)


@pytest.mark.parametrize("name", BASELINES.names())
def test_it_says_what_it_is(name: str) -> None:
    kind = BASELINES.get(name)
    assert kind.name == name
    assert kind.phrase
    assert kind.phrase[0].islower()
    assert kind.phrase[-1] not in ".,"
    assert kind().name == name  # every setting has a default
    assert any(name in form.baselines for form in forms.kinds().values())


def test_what_is_missing_is_said() -> None:
    with pytest.raises(ValueError, match="needs real images; give them with critic.with_reference"):
        origin_of(critic("plain"), images(1), "nearest_real")
    with pytest.raises(ValueError, match=r"needs the generator of the images; give it with critic.with_generator"):
        origin_of(critic("plain"), images(1), "generated")
    with pytest.raises(ValueError, match="no baseline 'black' for rows"):
        origin_of(knowing("table"), some("table"), "black")


def test_an_origin_says_more_than_its_images() -> None:
    def half(on: Critic, x: Tensor) -> Origin:
        return Origin(x / 2, "half", fill=lambda points, keep: torch.where(keep, points, 0.25), notes=("mind",))

    on, x = critic("plain"), images(2)
    chart = Region().bind(on, x, half)
    assert chart.baseline == "half"
    assert chart.notes == ("mind",)
    nothing = chart.composed(torch.zeros(1, 40, dtype=torch.bool), 1)
    assert bool((nothing == 0.25).all())
    with pytest.warns(UserWarning, match="mind"):
        found = IntegratedGradients(on, baseline=half).attribute(x, side="real")
    assert torch.equal(found.origins, x / 2)
    with pytest.raises(ValueError, match="baseline must have the shape"):
        origin_of(on, x, lambda c, v: Origin(v[:, :, :2], "small"))


def test_made_once_it_is_the_same_for_every_critic() -> None:
    on, other, x = knowing("images"), critic("plain"), images(1)
    for name in ("nearest_real", "reals", "inpaint", "blur"):
        fixed = made_once(on, x, name)
        assert (fixed.name, fixed.n) == (name, baselines_in(name))
        direct, kept = origin_of(on, x, name), origin_of(other, x, fixed)  # the other critic knows no reals
        assert torch.equal(direct.images, kept.images)
        assert (direct.many is None) == (kept.many is None)
        assert (direct.fill is None) == (kept.fill is None)
        assert made_once(other, x, fixed) is fixed
    run = KernelShap(on, domain=Region(n_segments=6), baseline="inpaint", max_evaluations=64)
    fixed = made_once(on, x, "inpaint")
    assert torch.equal(run.variant(baseline=fixed).attribute(x).values, run.attribute(x).values)


class Bright(nn.Module):
    """The mean brightness."""

    def forward(self, x: Tensor) -> Tensor:
        return 4 * x.flatten(1).mean(1)


def test_the_counterfactual_lies_across_the_boundary_and_says_when_no_eye_sees_it() -> None:
    x = torch.stack([torch.full((1, 8, 8), level) for level in (-0.4, 0.4, 0.001)])
    found = origin_of(Critic(Bright()), x, "counterfactual")
    assert torch.allclose(found.images, torch.zeros_like(x), atol=0.02)  # the projection onto mean brightness 0
    assert ((Critic(Bright()).logits(found.images) > 0) == torch.tensor([True, False, False])).all()
    assert found.notes
    assert "1 of 3 images by a change that no eye sees" in found.notes[0]
    assert origin_of(Critic(Bright()), x[:1], "counterfactual").notes == ()
    never = origin_of(Critic(lambda v: Bright()(v) * 0 - 1 + 1e-3 * Bright()(v)), x[:1], "counterfactual")
    assert "no small change was found that turns the verdict of the image" in never.notes[0]


def test_the_generated_image_is_the_nearest_of_the_other_side() -> None:
    class Line(nn.Module):
        """Images of one brightness, tanh of the first number of a code."""

        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, z: Tensor) -> Tensor:
            return torch.tanh(self.scale * z[:, :1]).view(-1, 1, 1, 1).expand(-1, 1, 8, 8)

    on = Critic(Bright()).with_generator(Generator.wrap(Line(), z_dim=2))
    x = torch.stack([torch.full((1, 8, 8), level) for level in (-0.5, 0.6)])
    found = origin_of(on, x, Generated(n_restarts=3, steps=60))
    assert torch.allclose(found.images, torch.zeros_like(x), atol=0.05)
    assert (on.logits(found.images) > 0).tolist() == [True, False]
    real = origin_of(on, x, Generated(side="real", n_restarts=3, steps=60))
    assert torch.allclose(real.images[1], x[1], atol=0.02)  # judged real as it is
    with pytest.raises(ValueError, match="unknown side"):
        Generated(side="left")
    checks.images(real.images)
