"""``ganexplain training-report``: where the page goes, what it replaces, and what is said of a wrong folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ganexplain.cli import main as cli
from tests.report import _training as made

Told = Callable[..., tuple[int, str, str]]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Told:
    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            cli.main(["training-report", *map(str, arguments)])
        shown = capsys.readouterr()
        return int(stop.value.code or 0), shown.out, shown.err

    return call


@pytest.fixture
def run(tmp_path: Path) -> Path:
    own = [{"kind": "steps", "step": step, "loss_d": 0.7, "seconds": step / 10} for step in (1, 20, 40, 60)]
    return made.write(tmp_path / "run", own, ended=made.health("TOO EARLY"), sheets=())


def test_the_page_lies_in_the_folder_and_is_made_anew(told: Told, run: Path) -> None:
    code, out, err = told(run)
    assert (code, err) == (0, "")
    title, page = out.splitlines()
    assert title.startswith("TOO EARLY to say – dcgan on digits. It has come to step 60 of 400")
    first = Path(page).read_bytes()
    code, out, _ = told(run, "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["verdict"], found["progress"]["step"], found["lines"]) == ("TOO EARLY", 60, "metrics.jsonl")
    assert found["latest"]["loss_d"] == 0.7
    assert (run / "training.html").read_bytes() == first


def test_what_is_no_such_page_is_kept(told: Told, run: Path, tmp_path: Path) -> None:
    other = tmp_path / "notes.html"
    other.write_text("mine")
    code, out, err = told(run, "--out", other)
    assert (code, out) == (2, "")
    assert "is no page on a training" in err
    assert other.read_text() == "mine"
    assert told(run, "--out", other, "--overwrite", "--quiet") == (0, "", "")
    assert "TOO EARLY" in other.read_text()
    assert told(run, "--out", tmp_path)[0] == 2


@pytest.mark.parametrize(("name", "said"), [("none", "no folder"), ("empty", "is no folder of a training")])
def test_a_wrong_folder_is_one_sentence(told: Told, tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "empty").mkdir()
    code, out, err = told(tmp_path / name)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
