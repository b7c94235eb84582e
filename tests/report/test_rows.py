"""Reports of rows and signals: the page speaks of features and spans, and its numbers can be computed again."""

from __future__ import annotations

import io
import json
import re
from functools import lru_cache
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch

from ganexplain import Attribution, KernelShap, Report
from ganexplain.explanation import Explainer, Explanation, Plan
from ganexplain.figures import style
from ganexplain.figures.lines import Lines, overlaid_figure, plain_figure, spans_figure, trace_figure
from ganexplain.figures.rows import changes_figure, values_figure
from ganexplain.models.verdict import Calibration
from ganexplain.report import words
from ganexplain.report.content import arrays, schema
from tests._critics import FORMS, SIGNAL, TABLE, critic_of_form, inputs
from tests.report._made import Page

PLAN = Plan(n_orders=20, n_randomised=2, n_others=3, light=50, max_evaluations=60)


@lru_cache
def explained(form: str, side: str = "fake", method: str = "") -> Explanation:
    """One input of the form explained."""
    known = Calibration(0.2, 1.5, 0.98, 0.5, 200, 300)
    on = critic_of_form(form).with_calibration(known).with_reference(inputs(form, 24, seed=9))
    plan = Plan(**{**vars(PLAN), "methods": (method,)}) if method else PLAN
    return Explainer(on, plan).explain(inputs(form, 1), side=side)


@pytest.mark.parametrize("form", FORMS)
def test_the_page_speaks_of_parts_of_this_form(form: str) -> None:
    for side in ("fake", "real"):
        report = Report([explained(form, side)], model="tiny")
        page = Page(report.html())
        alts = " ".join(page.values("alt"))
        assert not re.search(r"\b(image|images|region|regions|pixel|pixels|picture)\b", f"{page.words} {alts}")
        jsonschema.Draft202012Validator(schema()).validate(report.document)
        entry = report.document["explanations"][0]
        assert entry["name"] == FORMS[form].one
        assert FORMS[form].parts in page.words
        assert len(entry["trust"]["kernel_shap"]["checks"]) == 7
        assert all(check["status"] != "not applicable" for check in entry["trust"]["kernel_shap"]["checks"])


def test_a_rows_page_names_features_with_their_values() -> None:
    one = explained("table")
    entry = Report([one]).document["explanations"][0]
    row, before = TABLE.shown(one.image[0]), TABLE.shown(one.primary.origins[0])
    for part in entry["regions"]:
        index = TABLE.players.index(part["position"])
        assert (part["shown"], part["before"]) == (row[index], before[index])
        assert part["pixels"] == int((TABLE.labels == index).sum())
    page = Page(Report([one]).html()).words
    assert all(name in page for name in TABLE.players)
    assert row[0] in page


@pytest.mark.parametrize("form", FORMS)
def test_numbers_can_be_computed_again(form: str, tmp_path: Path) -> None:
    one = explained(form)
    Report([one]).save(tmp_path / "r")
    entry = json.loads((tmp_path / "r" / "report.json").read_text())["explanations"][0]
    found = np.load(tmp_path / "r" / entry["arrays"])
    assert np.array_equal(found["image"], one.image[0].numpy())
    for part in entry["regions"]:
        inside = found["regions"] == part["label"]
        for method, value in part["values"].items():
            assert value == pytest.approx(float(found[f"values_{method}"][inside].sum()), rel=1e-4, abs=1e-6)
    total = sum(part["value"] for part in entry["regions"])
    assert total == pytest.approx(entry["attributions"]["kernel_shap"]["net"], rel=1e-4)
    assert set(arrays(one)) == set(found.files)


def test_sentences_about_features_and_spans() -> None:
    parts = [
        {
            "number": 1,
            "position": "age",
            "shown": "30 years",
            "before": "41 years",
            "value": 2.0,
            "share": 0.5,
            "error": 0.0,
        },
        {"number": 2, "position": "sex", "shown": "male", "before": "male", "value": -1.0, "share": None, "error": 0.0},
    ]
    said = words.where(parts, "fake", "logit", "the change", "feature")
    assert (
        said
        == "What speaks for fake is most of all age (30 years instead of 41 years: +2.00 logits, 50 % of the change)."
    )
    assert words.against(parts, "fake", "logit", "feature") == "For real speaks sex (male: −1.00 logits)."
    span = [
        {
            "number": 1,
            "position": "0–1 s of left",
            "shown": None,
            "before": None,
            "value": 2.0,
            "share": 0.5,
            "error": 0.0,
        }
    ]
    told = "What speaks for real lies most at 0–1 s of left (span 1: +2.00 logits, 50 % of it)."
    assert words.where(span, "real", "logit", "it", "span") == told
    assert words.where([], "real", "logit", "it", "span").startswith("No span changes")


def test_methods_without_a_sign_or_a_baseline() -> None:
    for method, form in (("vargrad", "table"), ("guided_backprop", "signal")):
        assert "<img" in Report([explained(form, method=method)]).html()


def test_no_figure_clips_its_words() -> None:
    line, other = inputs("signal", 2)
    lines = Lines.of(SIGNAL, line, other, "baseline: nearest real")
    labels = torch.arange(2)[:, None] * 4 + torch.arange(24)[None] // 6
    totals = torch.linspace(-2, 2, 8)
    panels = inputs("signal", 6).view(2, 3, 2, 24)
    longest = "a feature whose name is much longer than anybody should have made it"
    figures = [
        spans_figure(lines, labels, totals, unit="logit", numbered=[7, 0]),
        spans_figure(lines, labels, totals.abs(), unit="(logit per unit)^2"),
        trace_figure(lines, line, unit="logit"),
        plain_figure(lines),
        overlaid_figure(panels, (-2.0, 0.0, 2.0), ["one", "two"], lines),
        *(changes_figure([[0.5, -1.0]] * n, [longest, "b"], [f"direction {i}" for i in range(n)]) for n in (1, 2, 4)),
        *(values_figure(explained(form).primary) for form in FORMS),
    ]
    for figure in figures:
        assert style.outside(figure) == []


def test_attributions_of_rows_survive_a_file_and_are_drawn(tmp_path: Path) -> None:
    on = critic_of_form("table").with_reference(inputs("table", 9, seed=2))
    found = KernelShap(on).attribute(inputs("table", 2))
    again = Attribution.load(found.save(tmp_path / "a.safetensors"))
    assert again.form == TABLE
    assert torch.equal(again.values, found.values)
    file = io.BytesIO()
    again.plot(row=1).savefig(file)
    assert file.tell() > 1000
    with pytest.raises(ValueError, match="no map of pixels"):
        again.heatmap()
