"""Sections in other coordinates: shown where there is something to show, with the numbers of JSON and arrays."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch

from ganexplain.report import beside, changes, words
from ganexplain.report.content import schema
from ganexplain.report.report import Report
from tests.report._facets import change, frequency, latent, whole
from tests.report._made import Page, critic, explanation

HEADINGS = {
    "facets": ("In what way: frequencies", "Which latent direction"),
    "patches": ("Patch by patch",),
    "labels": ("Fake, or of another class?",),
    "dependence": ("How far this depends on the baseline",),
    "counterfactuals": ("What would turn the verdict",),
}
NOTHING: dict[str, Any] = {name: None for name in HEADINGS} | {"facets": {}, "counterfactuals": ()}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("facets") / "one"
    Report([whole()], model="tiny").save(folder)
    return folder


def entry_of(saved: Path) -> dict[str, Any]:
    return json.loads((saved / "report.json").read_text())["explanations"][0]


def test_sections_stand_where_there_is_something_to_show(saved: Path) -> None:
    page = Page((saved / "index.html").read_text())
    order = [page.words.index(heading) for headings in HEADINGS.values() for heading in headings]
    assert page.words.index("Which latent direction") < page.words.index("How far this depends on the baseline")
    shown = page.words.index("Can this explanation be trusted?"), page.words.index("What this does not say")
    assert all(shown[0] < place < shown[1] for place in order)
    assert page.open == []
    bare = Page(Report([explanation()]).html()).words
    for headings in HEADINGS.values():
        assert not any(heading in bare for heading in headings)


@pytest.mark.parametrize("left", [*HEADINGS])
def test_the_json_keeps_its_schema_with_and_without_each_section(left: str) -> None:
    check = jsonschema.Draft202012Validator(schema())
    check.validate(Report([whole()]).document)
    alone = Report([whole(**{**NOTHING, left: getattr(whole(), left)})])
    check.validate(alone.document)
    entry = alone.document["explanations"][0]
    assert [name for name in HEADINGS if entry[name]] == [left]


def test_the_numbers_come_from_the_arrays(saved: Path) -> None:
    entry = entry_of(saved)
    with np.load(saved / entry["arrays"], allow_pickle=False) as arrays:
        assert {f["domain"] for f in entry["facets"]} == {"frequency", "latent"}
        judge, facet = critic(), entry["facets"][0]
        players = frequency().primary.players[0].numpy()
        method = facet["method"]
        totals = [arrays[f"frequency_values_{method}"][players == k].sum() for k in range(players.max() + 1)]
        assert arrays[f"frequency_totals_{method}"] == pytest.approx(np.array(totals), rel=1e-4, abs=1e-6)
        logits = judge.logits(torch.from_numpy(arrays["frequency_without"])).tolist()
        assert [p["logit"] for p in facet["parts"]] == pytest.approx([logits[p["label"]] for p in facet["parts"]])
        assert [p["value"] for p in facet["parts"]] == pytest.approx([totals[p["label"]] for p in facet["parts"]], 1e-4)
        assert facet["attributions"][method]["net"] == pytest.approx(sum(totals), rel=1e-4)
        assert float(judge.logits(torch.from_numpy(arrays["frequency_image"])[None])) == pytest.approx(facet["logit"])
        for other in entry["counterfactuals"]:
            moved = np.sqrt(np.square(arrays[other["array"]] - arrays["image"]).mean())
            assert moved == pytest.approx(other["distance"]["rms"], rel=0.2)  # cut at the range
        below = (arrays["patch_logits"] < entry["patches"]["threshold"]).mean()
        assert entry["patches"]["below"] == below
        cell = tuple(entry["patches"]["most_fake"]["cell"])
        assert arrays["patch_logits"][cell] == arrays["patch_logits"].min() == entry["patches"]["most_fake"]["logit"]


def test_the_page_shows_the_numbers_of_the_json(saved: Path) -> None:
    entry, shown = entry_of(saved), Page((saved / "index.html").read_text()).words
    for facet in entry["facets"]:
        for sentence in (facet["heading"], *facet["sentences"].values()):
            assert " ".join(sentence.split()) in shown
        for part in facet["parts"]:
            assert f"{part['name']} {'real' if part['value'] > 0 else 'fake'} " in shown
            assert f"{words.number(part['value'], signed=True)}" in shown
            assert words.number(part["logit"]) in shown
    for other in entry["counterfactuals"]:
        assert all(" ".join(sentence.split()) in shown for sentence in other["sentences"].values())
        assert all(f"{step['part']}: logit {words.number(step['logit'])}" in shown for step in other["steps"])
    for name in ("dependence", "patches", "labels"):
        assert entry[name]["sentence"] in shown
    for row in entry["dependence"]["baselines"]:
        assert row["name"].replace("_", " ") in shown


def test_the_same_explanation_gives_the_same_bytes(saved: Path) -> None:
    assert Report([whole()], model="tiny").html() == (saved / "index.html").read_text()


def test_names_of_others_are_text(saved: Path) -> None:
    page = Page((saved / "index.html").read_text())
    assert {tag for tag, _ in page.tags}.isdisjoint({"b", "i"})
    assert "smile <b>" in page.words
    assert "A <i>note</i>." in page.words


def test_a_facet_that_is_not_reliable_says_so_and_leaves_the_title_alone() -> None:
    one = whole(facets={"frequency": frequency("randomisation")})
    document = Report([one]).document
    entry = document["explanations"][0]
    assert entry["facets"][0]["heading"] == "In what way: frequencies – NOT RELIABLE (failed: randomisation)"
    assert document["title"] == Report([explanation()]).document["title"]
    assert entry["sentences"]["facets"] == ""  # the summary does not lean on it
    assert "bands" in entry["facets"][0]["sentences"]["trust"]


def test_the_summary_names_the_strongest_of_each_domain() -> None:
    entry = Report([whole(facets={"frequency": frequency(), "latent": latent()})]).document["explanations"][0]
    said = entry["sentences"]["facets"]
    best = max((p for p in entry["facets"][0]["parts"]), key=lambda p: p["value"])
    assert best["name"].rstrip(")") in said
    assert "“smile <b>” (+1.50 logits)" in said
    poor = Report([whole(facets={"latent": latent("poor")})]).document["explanations"][0]
    assert poor["sentences"]["facets"] == ""


@pytest.mark.parametrize(("quality", "bold"), [("poor", True), ("good", False)])
def test_a_poor_inversion_is_called_poor(quality: str, bold: bool) -> None:
    html = Report([whole(facets={"latent": latent(quality)})]).html()
    assert ("<strong>A poor inversion" in html) is bold
    assert (f"a {quality} inversion (PSNR 14.2 dB" in html) is bool(quality)
    assert ("searched for one that makes it" in html) is bool(quality)


@pytest.mark.parametrize(("rest", "said"), [(0.4, "17 %"), (8.0, "most of the story is not told"), (0.0, "0 % of all")])
def test_the_share_of_the_rest_is_always_told(rest: float, said: str) -> None:
    document = Report([whole(facets={"latent": latent("", rest)})]).document
    facet = document["explanations"][0]["facets"][0]
    assert facet["rest"] == pytest.approx(rest / (rest + 2.0))
    assert said in facet["sentences"]["rest"]


def test_checks_are_told_of_the_parts_of_the_domain() -> None:
    facet = Report([whole()]).document["explanations"][0]["facets"][0]
    told = facet["trust"]["kernel_shap"]["checks"][0]["sentence"]
    assert told == "Removing the bands in the explanation's order beats 96.0% of 20 random orders."


@pytest.mark.parametrize(
    ("made", "said", "unsaid"),
    [
        (change(), "adversarial example", "An eye"),
        (change(visible="faint"), "hardly sees", "No eye"),
        (change(visible="plain"), "An eye sees this change.", "adversarial"),
        (change(flipped=False), "could not be turned", "This change turns"),
    ],
)
def test_a_change_is_told_with_what_an_eye_sees(made: Any, said: str, unsaid: str) -> None:
    entry = Report([whole(counterfactuals=(made,))]).document["explanations"][0]["counterfactuals"][0]
    text = " ".join(entry["sentences"].values())
    assert said in text
    assert unsaid not in text
    assert "1.28 of 255 steps" in text


def test_replaced_regions_bear_the_numbers_of_the_page() -> None:
    entry = Report([whole(counterfactuals=(change("regions", "plain"),))]).document["explanations"][0]
    rows = {r["label"]: f"region {r['number']}, {r['position']}" for r in entry["regions"]}
    assert [s["part"] for s in entry["counterfactuals"][0]["steps"]] == [rows[1], rows[0]]


def test_the_summary_tells_the_smallest_change_and_whether_it_is_seen() -> None:
    def said(*made: Any) -> str:
        return str(Report([whole(counterfactuals=made)]).document["explanations"][0]["sentences"]["change"])

    both = said(change("regions", "plain", size=0.2), change())
    assert "1.28 of 255 steps, which no eye sees; the smallest one that is plain to see moves it by 25.5" in both
    assert said(change("regions", "plain", size=0.2)).endswith("(regions replaced one by one).")
    assert said(change(flipped=False)) == "No change that was tried turns the verdict."
    assert said() == ""


def test_two_changes_of_one_kind_have_arrays_of_their_own() -> None:
    both = whole(counterfactuals=(change(), change(size=0.02)))
    assert sorted(changes.change_arrays(both)) == ["changed_pixel_l2", "changed_pixel_l2-2"]
    names = [c["array"] for c in Report([both]).document["explanations"][0]["counterfactuals"]]
    assert names == ["changed_pixel_l2", "changed_pixel_l2-2"]


@pytest.mark.parametrize(
    ("logits", "given", "said"),
    [
        ([-1.0, -2.0, 3.0], 1, "may be a real one of another class"),
        ([-1.0, -2.0, -3.0], 1, "under its own, label 1: logit \u22122.00; at best \u22121.00, under label 0)"),
        ([-1.0, -2.0, -3.0], 0, "under its own, label 0: logit \u22121.00, the one that suits it best)"),
        ([1.0, 2.0, 3.0], 2, "the one that suits it best"),
        ([1.0, 2.0, 3.0], 1, "though label 2 suits it better"),
    ],
)
def test_labels_are_told(logits: list[float], given: int, said: str) -> None:
    read = dataclasses.replace(whole().labels, logits=torch.tensor(logits), given=given)
    assert said in beside.beside_facts(whole(labels=read))["labels"]["sentence"]


def test_labels_are_called_by_their_names_and_doubted_where_they_are_not_told_apart() -> None:
    names = ("shirt", "shoe", "<b>bag</b>")
    read = dataclasses.replace(whole().labels, class_names=names, matched=0.97, origin=0.5)
    entry = beside.beside_facts(whole(labels=read))["labels"]
    assert "Under its label 1 (shoe)" in entry["sentence"]
    assert "label 2 (<b>bag</b>) real" in entry["sentence"]
    page = Report([whole(labels=read)]).html()
    assert "1 shoe <span" in page
    assert "2 &lt;b&gt;bag&lt;/b&gt;" in page
    assert "own label than under another one 97 times in 100; 50 is chance" in page
    assert "From 0.50, the mean of the known reals over all labels, the label moves" in page
    deaf = dataclasses.replace(read, matched=0.46)
    said = beside.beside_facts(whole(labels=deaf))["labels"]
    assert "means nothing, since it hardly tells them apart" in said["sentence"]
    assert "46 times in 100, where 50 is chance" in said["sentence"]
    assert "another class" not in said["sentence"]
    assert (entry["deaf"], said["deaf"]) == (False, True)


def test_scores_without_a_threshold_are_not_called_fake() -> None:
    read = dataclasses.replace(whole().labels, placed=False)
    entry = beside.beside_facts(whole(labels=read))["labels"]
    assert entry["sentence"] == (
        "Under its label 1 the image scores \u22122.00, and 3.00 at most, under label 2; nothing says which score is "
        "fake."
    )
    page = Report([whole(labels=read)]).html()
    assert '<th scope="col">Judged</th>' not in page


@pytest.mark.parametrize(
    ("value", "said"), [(0.9, "much the same"), (0.5, "in part the same"), (-0.1, "a different story")]
)
def test_the_dependence_is_told(value: float, said: str) -> None:
    found = dataclasses.replace(whole().dependence, correlations=(value, value, value))
    facts = beside.beside_facts(whole(dependence=found))["dependence"]
    assert said in facts["sentence"]
    assert facts["word"] == said
    assert [row["correlation"] for row in facts["baselines"]] == [None, value, value]
    assert [p["baselines"] for p in facts["pairs"]][2] == ["nearest_real", "black"]
