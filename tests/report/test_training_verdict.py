"""How the training of a GAN ended, from its card to the page, the JSON, the notebook and the command line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import jsonschema
import pytest

from ganexplain.cli import main as cli
from ganexplain.models import health
from ganexplain.models.gan import GAN
from ganexplain.report.content import schema
from ganexplain.report.report import Report
from tests.report._made import Page, explanation

FAILED = {
    "name": "mode_collapse",
    "value": 0.21,
    "unit": "ratio",
    "warn": 0.7,
    "fail": 0.3,
    "level": "fail",
    "words": "fakes differ <b>less</b> than reals do",
    "step": 400,
}
ENDED = {"verdict": "UNHEALTHY", "words": "mode collapse", "step": 400, "readings": [FAILED]}


def with_health(given: object) -> Report:
    one = explanation()
    return Report([dataclasses.replace(one, critic={**one.critic, "health": health.checked(given)})])


def tiny(**card: object) -> GAN:
    gan = GAN.build("mlp", seed=0, resolution=8, channels=1, z_dim=4)
    gan.card = dict(card)
    return gan


def test_the_critics_of_a_gan_know_how_its_training_ended(tmp_path: Path) -> None:
    gan = GAN.load(tiny(health=ENDED).save(tmp_path / "gan.safetensors"))
    assert gan.critic("discriminator").health == health.checked(ENDED)
    assert tiny().critic("discriminator").health is None
    assert tiny(health="fine").critic("discriminator").health is None


def test_an_unhealthy_training_is_told_on_the_page_and_in_the_json() -> None:
    report = with_health(ENDED)
    jsonschema.Draft202012Validator(schema()).validate(report.document)
    (entry,) = report.document["explanations"]
    assert entry["critic"]["health"] == ENDED
    page = Page(report.html())
    assert "ended UNHEALTHY: mode collapse (fakes differ <b>less</b> than reals do)" in page.words
    assert "describe a collapsed generator" in page.words
    assert "b" not in {tag for tag, _ in page.tags}


def test_a_notebook_shows_it_too() -> None:
    one = explanation()
    told = dataclasses.replace(one, critic={**one.critic, "health": health.checked(ENDED)})._repr_html_()
    assert "ended UNHEALTHY" in told
    assert "<b>less</b>" not in told


def test_the_page_of_directions_says_it_of_its_own_gan(tmp_path: Path) -> None:
    path, out = tiny(health=ENDED).save(tmp_path / "gan.safetensors"), tmp_path / "directions"
    with pytest.raises(SystemExit) as stop:
        cli.main(["directions", str(path), "--n", "2", "--codes", "4", "--out", str(out), "--quiet"])
    assert not stop.value.code
    assert any("ended UNHEALTHY" in note for note in json.loads((out / "directions.json").read_text())["notes"])
    page = Page((out / "directions.html").read_text())
    assert "ended UNHEALTHY: mode collapse (fakes differ <b>less</b> than reals do)" in page.words


def test_other_verdicts_and_none() -> None:
    words = {v: with_health({"verdict": v, "readings": []}).html() for v in health.VERDICTS}
    assert all(f"that made this GAN ended {'in CHECK' if v == 'CHECK' else v}" in page for v, page in words.items())
    assert "collapsed" not in words["UNHEALTHY"]
    assert "The training that made" not in with_health(None).html()


def test_what_anybody_may_have_written_is_bounded() -> None:
    rows = [{"name": "x" * 10_000, "value": float("nan"), "level": 7, "warn": [0.2, "5"], "fail": [1, 2, 3]}, 5] * 100
    found = health.checked({"verdict": "CHECK", "step": -1, "words": None, "readings": rows})
    assert found is not None
    assert len(found["readings"]) <= health.MOST
    row = found["readings"][0]
    assert (row["value"], row["warn"], row["fail"], row["level"]) == (None, None, [1.0, 2.0], "unknown")
    assert len(row["name"]) == health.LONGEST
    assert (found["step"], found["words"]) == (None, "")
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("given", [None, [], "HEALTHY", {}, {"verdict": "FINE"}, {"verdict": ["HEALTHY"]}])
def test_what_is_no_verdict_is_none(given: object) -> None:
    assert health.checked(given) is None


def test_inspect_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def told(*arguments: object) -> str:
        with pytest.raises(SystemExit) as stop:
            cli.main(["inspect", *map(str, arguments)])
        assert not stop.value.code
        return capsys.readouterr().out

    path = tiny(health=ENDED).save(tmp_path / "gan.safetensors")
    assert "ended UNHEALTHY: mode collapse" in told(path)
    assert json.loads(told(path, "--json"))["health"] == ENDED
    assert "not recorded" in told(tiny().save(path))
