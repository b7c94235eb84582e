"""The page on a training: what it shows of a run's files, whatever is in them, and that it is the same for the same."""

from __future__ import annotations

import base64
import io
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganexplain.models.health import DIAGNOSTICS
from ganexplain.report.training import charts, folder, lines, samples, words
from ganexplain.report.training.page import TrainingReport
from ganexplain.training.losses import LOSSES
from tests.report import _training as made
from tests.report._made import Page

HOSTILE = "<script>alert(1)</script>"
CURVES = set(words.CAPTIONS)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with a failure."""
    ended = made.health("UNHEALTHY", mode_collapse="fail", oscillation="warn", stagnation="unknown")
    where = made.write(tmp_path_factory.mktemp("runs") / "run", ended=ended)
    made.finished(where)
    return where


@pytest.fixture(scope="module")
def html(run: Path) -> str:
    return TrainingReport.of(run).html()


def test_the_page_stands_alone_and_says_what_every_picture_shows(html: str) -> None:
    page = Page(html)
    assert page.open == ["html"] or page.open == []
    assert not {"script", "link", "iframe", "object", "form"} & {tag for tag, _ in page.tags}
    pictures = [found for tag, found in page.tags if tag == "img"]
    assert all(found["src"].startswith("data:image/png;base64,") for found in pictures)
    assert all(found["alt"] for found in pictures)
    figures = sum(tag == "figure" for tag, _ in page.tags)
    assert figures == sum(tag == "figcaption" for tag, _ in page.tags) == len(pictures)
    anchors = {found["id"] for _, found in page.tags if "id" in found}
    assert {found["href"].removeprefix("#") for tag, found in page.tags if tag == "a"} <= anchors


def test_it_shows_every_curve_and_every_diagnostic(html: str) -> None:
    page = Page(html)
    drawn = {name.removeprefix("chart-") for name in page.values("id") if name.startswith("chart-")}
    assert drawn == CURVES
    assert [name for name in DIAGNOSTICS if words.QUESTIONS[name] not in page.words] == []
    assert [name for name in DIAGNOSTICS if f"what {name} found" not in page.words] == []
    assert set(words.CHARTS) == set(words.QUESTIONS) == set(DIAGNOSTICS)
    assert set(words.CHARTS.values()) <= CURVES


def test_the_verdict_comes_first_and_the_gravest_reading_on_top(html: str) -> None:
    page = Page(html)
    assert "<h1>UNHEALTHY – dcgan on digits</h1>" in html
    assert "UNHEALTHY (failed: mode collapse). 6 of 9 diagnostics are in order; 1 could not be read." in page.words
    marks = re.findall(r'class="mark \w+">([^<]+)<', html)
    assert [m[2:] for m in marks] == ["FAIL", "warn", *["ok"] * 6, "not read"]


def test_state_time_and_best_are_told(html: str) -> None:
    page = Page(html)
    assert "All 400 steps are taken." in page.words
    assert "(FD) of 27.3 to held-out reals, at step 400." in page.words
    assert "0.04 s, over the last lines" in page.words
    assert "Images seen 12,800" in page.words
    assert "loss.gamma" in page.words
    assert "metrics.jsonl" in page.words


def test_the_same_files_give_the_same_bytes(run: Path, html: str) -> None:
    assert TrainingReport.of(run).html() == html


def test_losses_are_compared_with_their_balance() -> None:
    balances = {name: loss.balance for name, loss in LOSSES.items()}
    assert {name: values for name, (values, _) in words.BALANCED.items()} == balances


def test_curves_are_the_lines_and_their_bounds_the_readings(run: Path) -> None:
    found = folder.read(run)
    steps, values = charts.overfitting(found)
    assert steps.tolist() == [100, 200, 300, 400]
    np.testing.assert_allclose(values, 0.03 / 0.4)  # (D(train) - D(held out)) / (D(train) - D(fake))
    steps, values = charts.variation(found)
    assert steps.tolist() == [200, 300, 400]
    np.testing.assert_allclose(values, 0.075)  # 0.3 / 4 of the samples leave class 0 from one measurement to the next
    assert found.metrics.steps["loss_d"][1] == made.steps_line(20)["loss_d"]
    bands = {(band.level, band.limit, band.above) for band in charts.bands(found, "mode_collapse")}
    assert bands == {("warn", 0.7, False), ("fail", 0.3, False)}
    bands = {(band.level, band.limit, band.above) for band in charts.bands(found, "penalty_balance")}
    assert bands == {("warn", 0.2, False), ("warn", 5.0, True)}


def test_a_reading_of_something_else_bounds_no_curve(tmp_path: Path) -> None:
    ended = made.health("CHECK", mode_collapse="warn")
    next(row for row in ended["readings"] if row["name"] == "mode_collapse")["unit"] = "share of the classes"
    found = folder.read(made.write(tmp_path, sheets=(), ended=ended))
    assert charts.bands(found, "mode_collapse") == []
    assert len(charts.bands(found, "mode_imbalance")) == 2


def test_time_left_is_that_of_the_last_lines(tmp_path: Path) -> None:
    slow = [made.steps_line(step, seconds=100 + 2.0 * step) for step in (150, 200)]
    known = made.write(tmp_path, [*made.LINES[:8], *slow], sheets=())
    found = TrainingReport.of(known).document["progress"]
    assert found["step"] == 200
    assert found["seconds_left"] == pytest.approx(200 * found["seconds_per_step"])
    assert found["seconds_per_step"] > 2


def test_a_run_that_has_just_begun(tmp_path: Path) -> None:
    where = made.write(tmp_path / "run", [made.steps_line(1)], sheets=(), tail=b'{"kind": "steps", "st')
    page = Page(TrainingReport.of(where).html())
    assert "NOT JUDGED yet – dcgan on digits" in page.words
    assert "The last line of metrics.jsonl is cut" in page.words
    assert "The samples have not been measured yet" in page.words
    assert page.words.count("nothing is known of it yet") == len(DIAGNOSTICS)
    assert "It has come to step 1 of 400" in page.words


def test_a_run_before_its_first_line(tmp_path: Path) -> None:
    where = made.write(tmp_path / "run", [], sheets=())
    assert "No step has been recorded yet." in Page(TrainingReport.of(where).html()).words


def test_a_run_that_was_interrupted_or_diverged(tmp_path: Path) -> None:
    for event, said in (
        ("interrupt", "was interrupted at step 41 of 400"),
        ("diverged", "ended at step 41 of 400: no"),
    ):
        event_line = {"kind": "event", "step": 41, "event": event, "words": "no longer finite"}
        known = made.write(tmp_path / event, [*made.LINES[:3], event_line], sheets=())
        assert said in TrainingReport.of(known).state


def test_what_others_have_written_is_text_and_no_page(tmp_path: Path) -> None:
    facts = {
        **made.FACTS,
        "data": {"name": HOSTILE, HOSTILE: HOSTILE},
        "seed": [HOSTILE] * 3,
        "config": {"model": {"family": HOSTILE}},
    }
    ended = made.health("CHECK", stagnation="warn")
    ended["readings"][0] |= {"words": HOSTILE, "unit": HOSTILE}
    ended["readings"].append({"name": HOSTILE, "level": "fail", "words": HOSTILE})
    shares = {HOSTILE: 0.5, "$x$": 0.5}
    own = [
        made.steps_line(20),
        made.evaluation_line(20, classes={"shares": shares}),
        {"kind": "event", "step": 20, "event": HOSTILE, "words": HOSTILE},
    ]
    where = made.write(tmp_path / "a&b", own, facts=facts, ended=ended, sheets=(20,))
    html = TrainingReport.of(where).html()
    page = Page(html)
    assert "script" not in {tag for tag, _ in page.tags}
    assert HOSTILE in page.words
    assert HOSTILE not in html


def test_lines_that_are_none_are_left_out_and_counted(tmp_path: Path) -> None:
    deep = b"[" * 100_000 + b"\n"
    odd = [
        b"\n",
        b"[1]\n",
        b"\xff\xfe\n",
        deep,
        b'{"kind": "steps", "step": "5"}\n',
        b'{"step": 5}\n',
        b'{"kind": "steps", "step": 1e999}\n',
    ]
    long = b'{"kind": "steps", "step": 30, "loss_d": "' + b"x" * 2**20 + b'"}\n'
    good = json.dumps(made.steps_line(40, loss_d=float("nan"), loss_g=10**400, r1="1", r2=True)).encode() + b"\n"
    found = lines.read(_file(tmp_path, b"".join([*odd, long, good])))
    assert found.steps.steps.tolist() == [40]
    assert all(np.isnan(found.steps[name][0]) for name in ("loss_d", "r1", "r2", "gp"))
    assert found.notes == ["7 lines that are not as ganexplain writes them left out of metrics.jsonl."]


def test_a_step_that_comes_again_replaces_what_came_since(tmp_path: Path) -> None:
    own = [made.steps_line(s, loss_d=float(i)) for i, s in enumerate((10, 20, 30, 20, 30, 40))]
    own += [made.evaluation_line(s, fd=float(i)) for i, s in enumerate((20, 40, 20))]
    found = folder.read(made.write(tmp_path, own, sheets=())).metrics
    assert found.steps["loss_d"].tolist() == [0, 3, 4, 5]
    assert (found.evaluations["fd"].tolist(), [step for step, _ in found.shares]) == ([2], [20])


def test_long_series_are_thinned_to_means_and_their_range(tmp_path: Path) -> None:
    values = np.sin(np.arange(10_007))
    values[5000], values[7000] = 9.0, np.nan
    steps, mean, low, high = lines.thinned(np.arange(10_007.0), values, 1000)
    assert len(steps) == len(mean) == 1000
    assert steps[-1] == 10_006
    assert high.max() == 9
    assert (low <= mean).all()
    assert (mean <= high).all()
    assert mean.mean() == pytest.approx(np.nanmean(values), abs=1e-3)


def test_a_long_run_makes_a_page_of_bounded_size(tmp_path: Path) -> None:
    many = [{"kind": "steps", "step": s, "loss_d": np.sin(s)} for s in range(1, 50_001, 5)]
    where = made.write(tmp_path, many, sheets=())
    noise = np.random.default_rng(0).integers(0, 256, (900, 700), dtype=np.uint8)
    Image.fromarray(noise).save(where / "samples-000000.png", compress_level=1)
    for step in range(1000, 20_000, 1000):
        os.link(where / "samples-000000.png", where / f"samples-{step:06d}.png")
    html = TrainingReport.of(where).html()
    assert len(html) < 2e6
    pictures = [base64.b64decode(uri.split(",")[1]) for uri in Page(html).values("src")]
    largest, _, *sheets = [Image.open(io.BytesIO(png)).size for png in pictures]
    assert largest == (round(700 * samples.LARGE / 900), samples.LARGE)
    assert sheets == [(round(700 * samples.SIDE / 900), samples.SIDE)] * samples.SHOWN


def test_sheets_that_are_no_pictures_are_left_out(tmp_path: Path) -> None:
    where = made.write(tmp_path, sheets=(0, 100))
    (where / "samples-000200.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    Image.new("1", (5000, 5000)).save(where / "samples-000300.png")  # more pixels than are decoded
    Image.new("L", (8, 8)).save(where / "samples-000400.png", "GIF")
    found = folder.read(where)
    assert [samples.redrawn(path, 100) is not None for _, path in found.sheets] == [True, True, False, False, False]


def test_nothing_outside_the_folder_is_read(tmp_path: Path) -> None:
    secret = made.write(tmp_path / "elsewhere", ended=made.health())
    where = made.write(tmp_path / "run", sheets=())
    for name in ("health.json", "samples-000100.png"):
        (where / name).symlink_to(secret / name)
    (where / "metrics.jsonl").unlink()
    (where / "metrics.jsonl").symlink_to(secret / "metrics.jsonl")
    os.mkfifo(where / "gan.safetensors")  # would never end
    found = folder.read(where)
    assert (found.health, found.sheets, found.card, len(found.metrics.steps)) == (None, [], None, 0)
    assert [note.split()[0] for note in found.notes] == ["metrics.jsonl", "gan.safetensors", "health.json"]


def test_damaged_files_are_said_and_left_out(tmp_path: Path) -> None:
    where = made.write(tmp_path, sheets=())
    for name in ("run.json", "health.json", "gan.safetensors"):
        (where / name).write_bytes(b"[" * 50_000)
    found = folder.read(where)
    assert sorted(found.notes) == sorted(
        f"{name} is damaged and was left out." for name in ("run.json", "health.json", "gan.safetensors")
    )
    assert TrainingReport(found).name == where.name


def test_the_finished_gan_is_the_verdict_where_its_file_is_missing(tmp_path: Path) -> None:
    where = made.write(tmp_path, sheets=())
    made.finished(where, health=made.health("TOO EARLY"))
    assert TrainingReport.of(where).document["verdict"] == "TOO EARLY"


@pytest.mark.parametrize("verdict", ["HEALTHY", "CHECK", "UNHEALTHY", "TOO EARLY"])
def test_every_verdict_has_its_words(verdict: str) -> None:
    assert verdict in words.verdict({"verdict": verdict, "words": "", "readings": []})
    assert words.TITLES[verdict].startswith(verdict)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"neither run\.json nor metrics\.jsonl"):
        folder.read(tmp_path)
    with pytest.raises(FileNotFoundError, match="no folder"):
        folder.read(tmp_path / "none")
    with pytest.raises(ValueError, match="is a file"):
        folder.read(_file(tmp_path, b""))


def _file(where: Path, payload: bytes) -> Path:
    path = where / "metrics.jsonl"
    path.write_bytes(payload)
    return path
