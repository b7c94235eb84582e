"""Sentences: right numbers, right side, and no claim that the numbers do not carry."""

from __future__ import annotations

from typing import Any

import pytest

from ganexplain.report import words

CRITIC = {"unit": "logit", "slope": 1.0, "reals": 500}


def found(**changes: Any) -> dict[str, Any]:
    base = {"logit": -3.4, "threshold": 0.2, "probability": 0.03, "auc": 0.98, "fake": True, "unsure": False}
    return {**base, "reals_below": 0.0, **changes}


def region(
    number: int, value: float, position: str = "centre", error: float = 0.1, share: float | None = None
) -> dict[str, Any]:
    return {"number": number, "value": value, "position": position, "error": error, "share": share}


def test_the_verdict_comes_first() -> None:
    assert words.verdict(found(), CRITIC) == (
        "Judged FAKE. The judge puts the chance that this image is real at 3 % (logit −3.40; below 0.20 means fake). "
        "None of the 500 known real images has so low a logit. On held-out images it orders a real above a fake "
        "98 times in 100."
    )


@pytest.mark.parametrize(
    ("changes", "critic", "said", "unsaid"),
    [
        ({"unsure": True, "auc": 0.6}, {}, "can hardly tell them apart", "Judged FAKE"),
        ({"unsure": True, "probability": 0.45}, {}, "too near one half", "Judged FAKE"),
        ({"probability": None}, {"unit": "score", "slope": None}, "is no chance", "chance that"),
        ({}, {"slope": None}, "nobody has compared", ""),
        ({"auc": None}, {}, "has not been measured", "times in 100"),
        ({"auc": 0.9999}, {}, "more than 99 times in 100", "100 times in 100"),
        ({"reals_below": 1.0}, {}, "All 500 known real images have a lower", "None of"),
        ({"reals_below": 0.004}, {}, "less than 1 % have a lower", "0 %"),
        ({"reals_below": 0.0}, {"reals": 5}, "Judged FAKE", "None of"),
    ],
)
def test_what_is_not_known_is_not_claimed(changes: dict, critic: dict, said: str, unsaid: str) -> None:
    text = words.verdict(found(**changes), {**CRITIC, **critic})
    assert said in text
    assert not unsaid or unsaid not in text


def test_where_names_the_strongest_and_leaves_noise_out() -> None:
    rows = [region(1, 1.2, "lower left", share=0.34), region(2, -0.9, "right"), region(3, 0.8), region(4, 0.15, "left")]
    assert words.where(rows, "fake", "logit", "the change") == (
        "What speaks for fake lies most in the lower left (region 1: +1.20 logits, 34 % of the change), then in "
        "the centre (region 3: +0.80 logits)."
    )
    assert words.against(rows, "fake", "logit") == "For real speaks the right side (region 2: −0.90 logits)."
    assert "points" in words.where(rows, "fake", "score", "the change")


def test_where_nothing_is_found_it_says_so() -> None:
    assert "no evidence" in words.where([region(1, 0.0)], "fake", "logit", "")
    assert "error of sampling" in words.where([region(1, 0.1)], "fake", "logit", "")
    assert words.where([region(1, -1.0)], "fake", "logit", "") == "No region speaks for fake."
    assert words.against([region(1, 1.0)], "fake", "logit") == "No region clearly speaks for real."


def test_shares_mean_nothing_below_a_tenth() -> None:
    assert "would mean nothing" in words.balance(1.0, -0.9, "fake", "logit")
    assert words.balance(2.0, -0.5, "fake", "logit").endswith(
        "+2.00 logits for fake and +0.50 for real, so the balance is +1.50 for fake."
    )
    assert words.balance(0.5, -2.0, "fake", "logit").endswith("the balance is +1.50 for real.")
    assert words.balance(0.0, 0.0, "fake", "logit") == ""


def test_the_baseline_says_when_both_are_judged_alike() -> None:
    assert "Both are judged fake" in words.baseline("blur", -1.0, 0.0, True, "logit")
    assert "Both" not in words.baseline("nearest_real", 1.0, 0.0, True, "logit")


@pytest.mark.parametrize(
    ("row", "column", "said"), [(0.1, 0.5, "upper centre"), (0.99, 0.99, "lower right"), (0.5, 0.1, "left")]
)
def test_positions(row: float, column: float, said: str) -> None:
    assert words.position(row, column, False) == said


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"name": "contrast", "value": 1.07, "threshold": 0.5}, "all of the verdict lies between them (at least 50 %)"),
        ({"name": "contrast", "value": 0.3, "threshold": 0.5}, "30 % of the verdict lies between them (at least 50 %)"),
        ({"name": "contrast", "value": -1.0, "threshold": 0.5}, "0 % of the verdict lies between them (at least 50 %)"),
        ({"name": "completeness", "value": 0.0001, "threshold": 0.2}, "gap below 0.01 (at most 0.20)"),
        ({"name": "convergence", "value": 1000.0, "threshold": None}, "1,000 evaluations"),
        ({"name": "convergence", "value": 0.05, "threshold": 0.25}, "error 5 % (at most 25 %)"),
        ({"name": "agreement", "value": 0.5, "threshold": 0.39}, "rank correlation +0.50 (above +0.39)"),
        ({"name": "randomisation", "value": -0.1, "threshold": 0.3}, "rank correlation −0.10 (below +0.30)"),
        ({"name": "specificity", "value": 1.0, "threshold": 0.9}, "beats 100 % of other images' maps (at least 90 %)"),
    ],
)
def test_measured(row: dict, said: str) -> None:
    assert words.measured(row) == said


def test_a_judge_from_a_file_says_what_was_assumed() -> None:
    from ganexplain.report.cautions import _read_from

    about = {"file": "netD.pth", "layout": "dcgan", "spec": {"label": 3}, "assumed": {"a": "LeakyReLU 0.2; [b] c"}}
    assert _read_from({"about": None}) == []
    (said,) = _read_from({"about": about, "label": 3})
    assert "read from netD.pth (layout dcgan)" in said
    assert "for class 3;" in said
    assert said.endswith("this was assumed: LeakyReLU 0.2.")
    assert "silent" not in _read_from({"about": {**about, "assumed": {}}})[0]
    assert _read_from({"about": None, "label": 3, "class": "bag"}) == [
        "It judges for class 3 (bag); for another class it may say otherwise."
    ]
