"""The page, its JSON and its arrays: one says what the other says, nothing is loaded, nothing is run."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import torch
from PIL import Image

from ganexplain import folders
from ganexplain.evaluation.trust import Check, Trust
from ganexplain.explanation import Explainer
from ganexplain.latent.directions import Directions
from ganexplain.models.generator import Generator
from ganexplain.report import words
from ganexplain.report.content import schema
from ganexplain.report.directions import discover
from ganexplain.report.files import REPORT, safe_names
from ganexplain.report.report import Report
from tests.report._made import PLAN, Page, critic, explanation, images

HOSTILE = "<img src=x onerror=alert(1)>.png"


def with_failure(*names: str):
    """The explanation with these checks failed."""
    one = explanation()
    known = one.trusts[one.primary.method]
    failed = tuple(
        dataclasses.replace(c, status="fail" if c.name in names else "pass", value=0.5, threshold=0.9)
        for c in known.checks
    )
    return dataclasses.replace(one, trusts={**one.trusts, one.primary.method: Trust(failed)})


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports") / "two"
    Report([explanation(), explanation("b.png", row=1)], model="tiny").save(folder)
    return folder


def test_the_json_keeps_its_schema(saved: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    check = jsonschema.Draft202012Validator(schema())
    check.validate(json.loads((saved / "report.json").read_text()))
    for other in (Report([explanation(kind="score")]), Report([with_failure("deletion")])):
        check.validate(other.document)


def test_every_field_of_the_schema_is_documented() -> None:
    def walk(node: dict, path: str) -> list[str]:
        missing = []
        for name, field in node.get("properties", {}).items():
            if not ({"description", "$ref", "const", "enum"} & set(field)):
                missing.append(f"{path}.{name}")
            missing += walk(field, f"{path}.{name}")
        for name, field in node.get("$defs", {}).items():
            missing += walk(field, name)
        return missing

    assert walk(schema(), "") == []


def test_the_numbers_come_from_the_arrays(saved: Path) -> None:
    doc = json.loads((saved / "report.json").read_text())
    for entry in doc["explanations"]:
        with np.load(saved / entry["arrays"], allow_pickle=False) as arrays:
            labels, method = arrays["regions"], entry["method"]
            real = critic()
            logit = float(real.logits(torch.from_numpy(arrays["image"])[None])[0])
            origin = float(real.logits(torch.from_numpy(arrays["baseline"])[None])[0])
            assert entry["verdict"]["logit"] == pytest.approx(logit, rel=1e-5)
            assert entry["baseline"]["logit"] == pytest.approx(origin, rel=1e-5)
            for name, facts in entry["attributions"].items():
                per_pixel = arrays[f"values_{name}"].sum(0)
                totals = np.array([per_pixel[labels == k].sum() for k in range(labels.max() + 1)])
                assert arrays[f"totals_{name}"] == pytest.approx(totals, rel=1e-4, abs=1e-5)
                assert facts["net"] == pytest.approx(totals.sum(), rel=1e-4, abs=1e-4)
                assert facts["gross"] == pytest.approx(np.abs(totals).sum(), rel=1e-4)
                sign = 1 if entry["side"] == "real" else -1
                assert facts["change"] == pytest.approx(sign * (logit - origin), rel=1e-4)
                values = [r["values"][name] for r in entry["regions"]]
                assert values == pytest.approx([totals[r["label"]] for r in entry["regions"]], rel=1e-4, abs=1e-5)
            totals = arrays[f"totals_{method}"]
            order = sorted(range(len(totals)), key=lambda k: -abs(totals[k]))
            assert [r["label"] for r in entry["regions"]] == order
            assert [r["number"] for r in entry["regions"]] == list(range(1, len(totals) + 1))
            assert [r["pixels"] for r in entry["regions"]] == [int((labels == k).sum()) for k in order]
            centres = [np.mean(np.nonzero(labels == k)[0] + 0.5) / labels.shape[0] for k in order]
            assert [r["row"] for r in entry["regions"]] == pytest.approx(centres)
            quantiles = np.sort(real.reference.logits.numpy())
            assert entry["verdict"]["reals_below"] == pytest.approx(np.mean(quantiles < logit), abs=0.05)


def test_the_page_shows_the_numbers_of_the_json(saved: Path) -> None:
    doc = json.loads((saved / "report.json").read_text())
    page = Page((saved / "index.html").read_text())
    for entry in doc["explanations"]:
        for sentence in (*entry["sentences"].values(), *entry["caveats"], *entry["notes"], entry["title"]):
            assert " ".join(sentence.split()) in page.words
        for region in entry["regions"][:6]:
            assert words.number(region["value"], signed=True) in page.words
        for trust in entry["trust"].values():
            for check in trust["checks"]:
                assert check["sentence"] in page.words
                assert check["status"] == "not applicable" or check["measured"] in page.words
        probability = 1 / (
            1 + np.exp(-entry["critic"]["slope"] * (entry["verdict"]["logit"] - entry["verdict"]["threshold"]))
        )
        assert entry["verdict"]["probability"] == pytest.approx(probability, rel=1e-5)
        assert words.percent(probability) in entry["sentences"]["verdict"]
    assert "--" not in re.sub(r"--\w", "", page.words)


def test_the_same_explanations_give_the_same_bytes(tmp_path: Path) -> None:
    explanation.cache_clear()
    first = Report([explanation()], command="x").save(tmp_path / "a").parent
    explanation.cache_clear()
    second = Report([explanation()], command="x").save(tmp_path / "b").parent
    for name in ("index.html", "report.json", "arrays/a.npz"):
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_the_page_loads_and_runs_nothing(saved: Path) -> None:
    html = (saved / "index.html").read_text()
    page = Page(html)
    assert page.open == []
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "iframe", "object", "embed", "base", "form"})
    assert all(src.startswith("data:image/png;base64,") for src in page.values("src"))
    assert all(href.startswith("#") for href in page.values("href"))
    assert not [name for _, found in page.tags for name in found if name.startswith("on")]
    assert "url(" not in html
    assert "@import" not in html
    assert "http" not in html
    anchors = {href[1:] for href in page.values("href")}
    assert anchors <= set(page.values("id"))


def test_every_picture_is_a_png_with_a_text(saved: Path) -> None:
    page = Page((saved / "index.html").read_text())
    pictures = [found for tag, found in page.tags if tag == "img"]
    assert len(pictures) == 2 * (1 + 7)
    for found in pictures:
        data = base64.b64decode(str(found["src"]).split(",", 1)[1])
        with Image.open(io.BytesIO(data)) as image:
            assert image.format == "PNG"
        assert found["alt"] is not None
    assert all(p["alt"] for p in pictures if "name" not in p and p["alt"] != "")
    assert sum(p["alt"] == "" for p in pictures) == 2  # the thumbnails, whose name stands beside them


def test_hostile_names_are_text_and_stay_inside(tmp_path: Path) -> None:
    hostile = [
        explanation(HOSTILE),
        explanation("../../x.png"),
        explanation("{{ 7*7 }}"),
        explanation("a\x00b/../c.png"),
    ]
    folder = tmp_path / "in" / "report"
    html = Report(hostile, model=HOSTILE, command=HOSTILE).save(folder).read_text()
    page = Page(html)
    assert {found.get("onerror") for _, found in page.tags} == {None}
    assert HOSTILE in page.words
    assert "{{ 7*7 }}" in page.words
    written = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert all(name.startswith("in/report/") for name in written)
    assert len([name for name in written if name.endswith(".npz")]) == 4


def test_file_names_are_safe_and_unique() -> None:
    names = ["../../x.png", "x.png", "X", "..", "con", "é ü.jpg", "a" * 300, "", "-", "x-2"]
    found = safe_names(names)
    assert len({name.lower() for name in found}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,90}", name) for name in found)
    assert "con" not in found


@pytest.mark.parametrize("vital", ["deletion", "randomisation", "specificity"])
def test_a_vital_failure_is_in_the_title(vital: str) -> None:
    report = Report([with_failure(vital)])
    page = Page(report.html())
    assert report.document["title"].startswith(f"NOT RELIABLE (failed: {vital})")
    assert re.search(r"<title>(.*?)</title>", report.html()).group(1) == report.document["title"]
    assert "✗ FAIL" in page.words
    both = Report([explanation("b.png", row=1), with_failure(vital)]).document
    assert "NOT RELIABLE (1 of 2 explanations" in both["title"]
    assert both["explanations"][1]["title"].startswith("NOT RELIABLE")


def test_a_lesser_failure_says_check() -> None:
    doc = Report([with_failure("agreement")]).document
    assert doc["title"].startswith("CHECK (failed: agreement)")
    reliable = Report([with_failure()]).document["title"]
    assert "CHECK" not in reliable
    assert "RELIABLE" not in reliable


def test_an_interrupted_explanation_is_marked() -> None:
    cut = dataclasses.replace(explanation(), trusts={}, interrupted=True)
    report = Report([cut], planned=3)
    assert report.document["title"].startswith("CHECK (interrupted)")
    assert report.document["title"].endswith("(interrupted: 1 of 3 images)")
    assert "interrupted before any check" in Page(report.html()).words
    jsonschema.Draft202012Validator(schema()).validate(report.document)


def test_the_pictures_do_not_depend_on_the_side() -> None:
    def pictures(side: str) -> list[str]:
        page = Page(Report([explanation("s.png", side=side)]).html())
        return [str(found["src"]) for tag, found in page.tags if tag == "img"]

    fake, real = pictures("fake"), pictures("real")
    assert fake == real


def test_a_score_is_never_called_a_chance() -> None:
    text = Report([explanation(kind="score")]).document["explanations"][0]["sentences"]["verdict"]
    assert "score" in text
    assert "%" not in text.split("Of 24")[0]
    assert "chance that" not in text


def test_a_constant_judge_gives_no_evidence() -> None:
    from ganexplain.models.critic import Critic

    flat = Critic(lambda x: x.flatten(1).sum(1) * 0 + 1)
    report = Report([Explainer(flat, PLAN).explain(images(1))])
    entry = report.document["explanations"][0]
    assert "no evidence to show" in entry["sentences"]["where"]
    jsonschema.Draft202012Validator(schema()).validate(report.document)
    report.html()


def test_directions_stand_on_the_page() -> None:
    class Net(torch.nn.Module):
        def forward(self, codes: torch.Tensor) -> torch.Tensor:
            return torch.tanh(codes.repeat(1, 36).reshape(-1, 1, 12, 12))

    generator = Generator.wrap(Net(), z_dim=4)
    directions = Directions(torch.eye(4)[:2], torch.ones(2), names=("one <b>", "two"))
    report = Report([], directions=discover(directions, generator, critic(), generator.sample(9, seed=0)), model="g")
    jsonschema.Draft202012Validator(schema()).validate(report.document)
    page = Page(report.html())
    rows = report.document["directions"]["directions"]
    assert "one <b>" in page.words
    for row in rows:
        assert f"{words.number(row['mean'], signed=True)} ± {words.number(row['error'])}" in page.words
    assert report.document["directions"]["headline"] in page.words
    assert "eigenvalue" not in page.words.lower()
    found = dataclasses.replace(directions, method="boundary", strength=torch.tensor([0.9, 0.8]))
    page = Page(Report([], directions=discover(found, generator, critic(), generator.sample(9)), model="g").html())
    assert "Held-out accuracy" in page.words
    assert "0.90" in page.words


def test_nothing_else_is_overwritten(tmp_path: Path) -> None:
    report = Report([explanation()])
    folder = tmp_path / "r"
    report.save(folder)
    with pytest.raises(ValueError, match="already holds a report"):
        report.save(folder)
    report.save(folder, overwrite=True)
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"holds something that is not a report \('mine.txt'\)"):
        report.save(folder, overwrite=True)
    assert (folder / "mine.txt").read_text() == "mine"
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("my site")
    with pytest.raises(ValueError, match="not a report"):
        report.save(site, overwrite=True)
    assert (site / "index.html").read_text() == "my site"
    with pytest.raises(ValueError, match="is a file"):
        report.save(site / "index.html")
    (tmp_path / "empty").mkdir()
    report.save(tmp_path / "empty")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "r", "site"]


def test_nothing_half_written_remains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = Report([explanation()])
    folder = report.save(tmp_path / "r").parent
    before = (folder / "report.json").read_bytes()
    written = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if path.suffix == ".npz":
            raise OSError("no space left")
        return written(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    for target in ("r", "new"):
        with pytest.raises(OSError, match="no space"):
            report.save(tmp_path / target, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["r"]
    assert (folder / "report.json").read_bytes() == before


def test_a_folder_is_refused_before_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file"):
        folders.check(tmp_path / "file" / "deeper", REPORT)
    assert folders.check(tmp_path / "new" / "deeper", REPORT) == tmp_path / "new" / "deeper"
    assert not (tmp_path / "new").exists()


def test_a_notebook_gets_the_explanation_without_a_frame() -> None:
    html = Report([explanation()])._repr_html_()
    assert "<html" not in html
    assert "<body" not in html
    assert Page(html).open == []


def test_run_json_names_no_host(saved: Path) -> None:
    import platform

    text = (saved / "run.json").read_text()
    assert set(json.loads(text)) >= {"time", "versions"}
    assert platform.node() not in text


def test_an_empty_report_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one explanation"):
        Report([])


def test_checks_are_told_with_their_limit() -> None:
    told = words.measured({"name": "deletion", "value": 0.985, "threshold": 0.95})
    assert told == "beats 98.5 % of random orders (above 95 %)"
    assert words.measured(vars(Check("agreement", "not applicable", None, None, ""))) == ""
