"""The laws again, for critics that read rows of a table or signals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganexplain import Critic, Feature, Table, Window
from ganexplain.attribution import DOMAINS, METHODS
from ganexplain.attribution import players as groups
from tests._critics import FORMS, SIGNAL, TABLE, Linear, Small, Spy, critic_of_form, images, inputs
from tests.test_conformance import (
    CAUTIONS,
    METHOD_NAMES,
    attributed,
    beyond_error,
    critic,
    generators,
    made,
    one_sentence,
    same_maps,
    same_state,
    state,
)

OWN = "the baseline 'full_blur' has a logit outside the range of the reals"  # of a method that has one of its own
pytestmark = [pytest.mark.filterwarnings(f"ignore:{said}") for said in (*CAUTIONS, OWN)]
PAIRS = [(method, form) for method in METHOD_NAMES for form in FORMS]
# every method once, on rows or on signals; the other one in the full product
CORE = [pytest.param(*p, marks=() if i % 4 in (0, 3) else pytest.mark.full) for i, p in enumerate(PAIRS)]
DOMAIN = {form: FORMS[form].removed for form in FORMS}


def run(method: str, form: str, on: Critic | None = None, /, **given: Any) -> Any:
    """The method on a critic of that form, from zero."""
    return made(method, critic_of_form(form) if on is None else on, DOMAIN[form], **{"baseline": "zero", **given})


class Dead(nn.Module):
    """The same answer for everything, through layers that would let gradients pass."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.net = Small(form)
        with torch.no_grad():
            self.net.last.weight.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) to (N, 1)."""
        return self.net(x)


@pytest.mark.parametrize(("method", "form"), PAIRS)
def test_shape_unit_and_every_shape_of_output(method: str, form: str) -> None:
    x = inputs(form)
    found = attributed(run(method, form), x)
    assert found.values.shape == x.shape
    assert found.form == FORMS[form]
    assert found.domain == DOMAIN[form]
    assert found.unit != "logit per unit"  # a derivative is by a standard deviation here
    assert torch.equal(found.images, x)
    n = len(TABLE.players) if form == "table" else SIGNAL.windows
    assert found.totals().shape == (3, n)
    assert torch.allclose(found.totals().sum(1), found.net, atol=1e-4 * float(found.gross.max()))
    for out in ((), (1, 1, 1)):
        twin = attributed(run(method, form, critic_of_form(form, Small(form, out=out))), x)
        assert torch.equal(found.values, twin.values)


@pytest.mark.parametrize("fail_at", [0, 2])
@pytest.mark.parametrize(("method", "form"), CORE)
def test_the_callers_world_is_left_as_it_was(method: str, form: str, fail_at: int) -> None:
    spy = Spy(Small(form, act="inplace").train())
    on, x = critic_of_form(form, spy), inputs(form, 2).requires_grad_(True)
    x.grad = torch.ones_like(x)
    before, kept, rng = state(spy), x.detach().clone(), generators()
    spy.seen.fail_at = fail_at
    if fail_at:
        with pytest.raises(RuntimeError, match="call 2 fails"):
            run(method, form, on, batch_size=8).attribute(x)
    else:
        attributed(run(method, form, on, batch_size=8), x)
        assert max(spy.seen.batches) <= 8
    assert same_state(before, state(spy))
    assert torch.equal(kept, x.detach())
    assert torch.equal(x.grad, torch.ones_like(x))
    assert generators() == rng


@pytest.mark.parametrize(("method", "form"), CORE)
def test_seed_batch_neighbours_sides_and_twins(method: str, form: str) -> None:
    x, reals = inputs(form).double(), inputs(form, 6, seed=4).double()
    on = critic_of_form(form).double().with_reference(reals)
    one = attributed(run(method, form, on, baseline="mean"), x, seed=3)
    torch.manual_seed(9)
    again = run(method, form, on, baseline="mean").attribute(x, seed=3)
    assert torch.equal(one.values, again.values)
    pieces = [run(method, form, on, baseline="mean", batch_size=7).attribute(row[None], seed=3).values for row in x]
    same_maps(one.values, torch.cat(pieces))
    for act in ("inplace", "functional"):
        twin = critic_of_form(form, Small(form, act=act)).double().with_reference(reals)
        same_maps(one.values, run(method, form, twin, baseline="mean").attribute(x, seed=3).values)
    if METHODS.get(method).odd:
        other = run(method, form, on, baseline="mean").attribute(x, side="real", seed=3)
        assert torch.equal(one.values, -other.values)


@pytest.mark.parametrize(("method", "form"), PAIRS)
def test_what_alone_is_read_is_alone_blamed(method: str, form: str) -> None:
    """A linear critic that reads the height, or one second of the left channel, and has values w (x - b) / std."""
    weight = torch.zeros_like(inputs(form, 1)).double()
    weight[(0, 1) if form == "table" else (0, 0, slice(9, 12))] = -0.7
    x = inputs(form, 2).double()
    on = Critic(Linear(weight), form=FORMS[form]).double()
    method_ = run(method, form, on, baseline=inputs(form, 1, seed=8).double())
    found = attributed(method_.variant(**{"max_evaluations": 400} if hasattr(method_, "max_evaluations") else {}), x)
    if not method_.odd and not found.values.any():
        pytest.skip(f"{method} measures how the gradient changes, and a linear critic's never does")
    told = groups.totals(found.values * beyond_error(found), found.players).abs()
    blamed = groups.totals((weight != 0).double(), found.players)[0] > 0
    assert float(told[:, ~blamed].sum()) <= 0.02 * float(told.sum())
    if METHODS.get(method).complete:
        b = found.origins  # as given, or the method's own
        shift, scale = (t for t in FORMS[form].scaling.tensors(x, FORMS[form].axes))
        exact = -weight * ((x - shift) / scale - (b - shift) / scale)
        assert torch.allclose(found.totals(), groups.totals(exact, found.players), atol=1e-9)
        assert float(found.gap.abs().max()) < 1e-9


@pytest.mark.parametrize(("method", "form"), PAIRS)
def test_a_constant_critic_gives_no_evidence(method: str, form: str) -> None:
    found = attributed(run(method, form, critic_of_form(form, Dead(form))), inputs(form, 2))
    assert not found.values.any()
    assert found.error is None or not found.error.any()
    assert "nan" not in repr(found)
    assert found.top() == []


@pytest.mark.parametrize(("method", "form"), CORE)
def test_no_more_is_asked_than_was_promised(method: str, form: str) -> None:
    spy = Spy(Small(form))
    made_, x = run(method, form, critic_of_form(form, spy)), inputs(form, 1)
    made_.critic.fast(x)
    spy.seen.batches.clear()
    found = attributed(made_, x)
    assert spy.seen.rows == int(found.evaluations[0]) <= made_.planned(int(groups.counts(found.players)[0]))


@pytest.mark.parametrize("form", FORMS)
def test_every_method_works_or_says_why_not(form: str) -> None:
    refused = set()
    for method in METHOD_NAMES:
        try:
            run(method, form).attribute(inputs(form, 1))
        except ValueError as error:
            refused.add(method)
            one_sentence(error)
    ordered = set() if form == "signal" else {"blur_integrated_gradients"}  # columns have no neighbours
    assert refused == {"grad_cam", "hires_cam", "layer_cam"} | ordered


BAD = {
    "an image": (ValueError, r"rows must have the shape \(N, 7\).*got \(3, 1, 8, 8\)", lambda: images()),
    "columns": (ValueError, r"one column for each of age, height, sex=female", lambda: inputs("table")[:, :5]),
    "NaN": (ValueError, "rows must be finite", lambda: inputs("table") * torch.nan),
    "no category": (ValueError, "category 'sex' in rows must be 0 or 1", lambda: torch.zeros(2, 7)),
    "whole numbers": (TypeError, "rows must be float", lambda: torch.zeros(2, 7, dtype=torch.long)),
    "array": (TypeError, "rows must be a tensor", lambda: np.zeros((2, 7))),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_rows_get_one_sentence(case: str) -> None:
    kind, says, given = BAD[case]
    with pytest.raises(kind, match=says) as caught:
        run("kernel_shap", "table").attribute(given())
    one_sentence(caught.value)


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (
            lambda: made("saliency", critic_of_form("table"), "pixel"),
            "coordinates of images, and this critic reads rows",
        ),
        (lambda: made("lime", critic("plain"), "feature"), "coordinates of rows, and this critic reads images.*Region"),
        (lambda: made("lime", critic_of_form("signal"), "feature"), "this critic reads signals; use domain=Window"),
        (lambda: run("lime", "table", baseline="black"), "no baseline 'black' for rows; take shuffled, mean"),
        (lambda: run("lime", "table", baseline="blur"), "no baseline 'blur' for rows"),
        (lambda: run("lime", "table", baseline="mean"), "needs real rows"),
    ],
)
def test_what_belongs_to_another_form_is_refused(act: Any, says: str) -> None:
    method = act()
    x = images(1) if method.critic.form.ndim == 4 else inputs(method.critic.form.name, 1)
    with pytest.raises(ValueError, match=says) as caught:
        method.attribute(x)
    one_sentence(caught.value)


def test_groups_and_windows_of_ones_own() -> None:
    x = inputs("table", 1)
    alone = made("kernel_shap", critic_of_form("table"), "feature", domain=Feature(groups={}), baseline="zero")
    together = made(
        "kernel_shap", critic_of_form("table"), "feature", domain=Feature({"all": TABLE.names}), baseline="zero"
    )
    assert alone.attribute(x).totals().shape == (1, 5)
    assert torch.allclose(together.attribute(x).totals()[0, 0], alone.attribute(x).totals().sum(), atol=1e-5)
    mask = torch.arange(24) // 6
    spans = made("occlusion", critic_of_form("signal"), "window", domain=Window(mask), baseline="blur")
    assert spans.attribute(inputs("signal", 1)).totals().shape == (1, 4)
    with pytest.raises(ValueError, match=r"mask must have the shape \(2, 24\), got \(7,\)"):
        made("occlusion", critic_of_form("signal"), "window", domain=Window(torch.arange(7))).attribute(
            inputs("signal", 1)
        )
    with pytest.raises(ValueError, match="unknown feature 'hight'; did you mean 'height'"):
        made("lime", critic_of_form("table"), "feature", domain=Feature({"g": ("hight",)})).attribute(x)


def test_units_of_the_caller_do_not_matter() -> None:
    """Height in metres is the same critic, and has the same values in every complete and derivative method."""
    metres = Table(TABLE.names, categories=TABLE.categories, mean=(40, 1.7, 3000, 500), std=(15, 0.1, 900, 300))
    centimetres = Table(TABLE.names, categories=TABLE.categories, mean=TABLE.mean, std=TABLE.std)
    x = inputs("table", 2).double()
    y = x.clone()
    y[:, 1] /= 100
    for method in ("integrated_gradients", "saliency", "smoothgrad", "kernel_shap"):
        one, two = (
            made(method, Critic(Small("table"), form=form).double(), "feature", baseline="zero").attribute(given).values
            for form, given in ((centimetres, x), (metres, y))
        )
        assert torch.allclose(one, two, atol=1e-9)


def test_domains_of_every_form_are_registered() -> None:
    assert {DOMAINS.get(form.removed).form for form in FORMS.values()} == {type(form) for form in FORMS.values()}
