"""What a report says of values that have no scale of their own, or that compare the image with nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import jsonschema
import pytest
import torch

from ganexplain import Critic, GradCam, HiResCam, KernelShap, Plan, explain
from ganexplain.attribution import BASELINES
from ganexplain.evaluation.trust import NONE, contrast
from ganexplain.figures.maps import attribution_figure
from ganexplain.report import words
from ganexplain.report.content import document, schema
from ganexplain.report.report import Report
from tests._critics import Net, images

PLAN = Plan(n_segments=9, n_orders=20, n_randomised=2, n_others=3, light=50, max_evaluations=60, baseline="blur")


@pytest.fixture(scope="module")
def entries() -> dict[str, dict]:
    on = Critic(Net()).with_reference(images(12, seed=9))
    made = {}
    for method in ("grad_cam", "hires_cam", "saliency", "rise"):
        plan = Plan(**{**vars(PLAN), "methods": (method, "kernel_shap")})
        found = document([explain(on, images(1), plan=plan)])
        jsonschema.validate(found, schema())
        made[method] = found["explanations"][0]
    return made


@pytest.mark.parametrize(("method", "unit"), [("grad_cam", "a.u."), ("saliency", "logit per unit")])
def test_values_without_a_scale_have_no_shares(entries: dict, method: str, unit: str) -> None:
    entry, said = entries[method], entries[method]["sentences"]
    assert entry["attributions"][method]["unit"] == unit
    assert [r["share"] for r in entry["regions"]] == [None] * len(entry["regions"])
    assert "%" not in said["where"] + said["against"] + said["balance"]
    assert f" {unit.replace('logit', 'logits')}" in said["where"]
    assert "but not what share of the verdict" in said["balance"]


def test_values_in_logits_have_shares(entries: dict) -> None:
    for method in ("hires_cam", "rise"):
        assert entries[method]["attributions"][method]["unit"] == "logit"
        assert "logits" in entries[method]["sentences"]["balance"]
    assert any(r["share"] is not None for r in entries["rise"]["regions"])
    assert any(r["error"] for r in entries["rise"]["regions"])


@pytest.mark.parametrize("method", ["grad_cam", "hires_cam", "saliency", "rise"])
def test_only_methods_that_compare_speak_of_the_baseline(entries: dict, method: str) -> None:
    entry, compares = entries[method], method == "rise"
    assert entry["baseline"]["compared"] == compares
    assert ("compares this image with a baseline" in entry["sentences"]["baseline"]) == compares
    assert ("compare it with nothing" in entry["sentences"]["baseline"]) != compares
    assert any("depends on the baseline" in c for c in entry["caveats"]) == compares
    checks = {c["name"]: c for c in entry["trust"][method]["checks"]}
    assert (checks["contrast"]["status"] == NONE) != compares
    assert checks["completeness"]["status"] == NONE
    assert not any("the map then explains the baseline" in n for n in entry["notes"]) or compares


def test_the_layer_is_said(entries: dict) -> None:
    for method in ("grad_cam", "hires_cam"):
        assert entries[method]["attributions"][method]["params"]["layer"] == "second"
        assert any("layer second alone" in c for c in entries[method]["caveats"])
    assert not any("layer" in c for c in entries["rise"]["caveats"])


def test_the_page_holds_it_all() -> None:
    plan = Plan(**{**vars(PLAN), "methods": ("grad_cam",)})
    page = Report([explain(Critic(Net()), images(1), plan=plan)]).html()
    assert "Contribution to" in page
    assert "a.u." in page
    assert "layer second" in page


def test_amounts() -> None:
    assert words.amount(1.0, "(logit per unit)^2") == "1.00 (logits per unit)²"
    assert "a black image" in words.alone("grad_cam", "black")


@pytest.mark.parametrize("name", BASELINES.names())
def test_every_baseline_says_what_it_is(name: str) -> None:
    assert BASELINES.get(name).phrase in words.alone("grad_cam", name)
    assert "was given" in words.alone("grad_cam", "given")


def test_a_map_without_a_sign_speaks_for_no_side() -> None:
    x = images(2)
    why = explain(Critic(Net()), x[:1], plan=dataclasses.replace(PLAN, methods=("vargrad",)))
    entry = document([why])["explanations"][0]
    said = entry["sentences"]
    assert "speaks for no side" in said["where"]
    assert (said["against"], said["balance"]) == ("", "")
    figure = attribution_figure(why.primary)
    shown = " ".join(t.get_text() for axes in figure.axes for t in axes.texts)
    assert "²" in shown
    assert "fake" not in shown


def test_a_figure_shows_no_baseline_that_plays_no_role() -> None:
    on, x = Critic(Net()), images(1)
    with_, without = (attribution_figure(kind(on, baseline="blur").attribute(x)) for kind in (KernelShap, GradCam))
    titles = [[axes.get_title() for axes in figure.axes if axes.get_title()] for figure in (with_, without)]
    assert [len(t) for t in titles] == [3, 2]
    assert titles[1][1] == "grad cam"


def test_the_top_of_a_map_without_a_scale_has_no_shares() -> None:
    x = images(2)
    cam, logits = GradCam(Critic(Net())).attribute(x), HiResCam(Critic(Net())).attribute(x)
    assert {c.share for c in cam.top()} == {None}
    assert not cam.shares.any()
    assert torch.equal(logits.shares, logits.concentration >= 0.1)
    assert contrast(cam[0]).status == NONE


def test_a_page_without_a_sign_names_no_colour_of_a_side(tmp_path: Path) -> None:
    why = explain(Critic(Net()), images(1), plan=dataclasses.replace(PLAN, methods=("vargrad",)))
    page = Report([why]).save(tmp_path / "r").read_text(encoding="utf-8")
    assert "The darker, the more" in page
    assert "the darker, the more" in page  # what a screen reader says of the pictures
    assert "speak for fake" not in page
    assert "no side" in page
