"""``ganexplain doctor`` on a file of weights: what it prints, the spec it writes, the page; and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from ganexplain import tensors
from ganexplain.cli.main import main
from ganexplain.evaluation.doctor import methods
from ganexplain.models.critic import Critic
from ganexplain.models.spec import Spec
from tests.evaluation.test_doctor_trying import FAKE, REAL, trained

pytestmark = pytest.mark.usefixtures("no_methods")


@pytest.fixture
def no_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attribution methods are tried elsewhere."""
    monkeypatch.setattr(methods, "tried", lambda: iter(()))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Weights, a wrong spec, and folders of images."""
    torch.save({"netD": trained().state_dict()}, tmp_path / "run.pth")
    (tmp_path / "wrong.toml").write_text(
        '[critic]\npolarity = "fake"\n[images]\nrange = [0, 1]\nsize = 16\n[architecture]\nslope = 0.01\n'
    )
    for name, batch in (("real", REAL), ("fake", FAKE)):
        (tmp_path / name).mkdir()
        for i, image in enumerate(batch[:40]):
            Image.fromarray(tensors.to_uint8(image).permute(1, 2, 0).numpy()).save(tmp_path / name / f"{i:02}.png")
    return tmp_path


def doctor(folder: Path, *words: object) -> int:
    """The exit code of ``ganexplain doctor`` on that file and those folders."""
    images = ["--real", str(folder / "real"), "--fake", str(folder / "fake")]
    with pytest.raises(SystemExit) as stopped:
        main(["doctor", str(folder / "run.pth"), *images, "--quiet", *map(str, words)])
    return int(stopped.value.code or 0)


def test_a_spec_is_written_that_mends_what_was_said(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(files, "--spec", files / "wrong.toml") == 1
    said = capsys.readouterr().out
    assert "proposed: images.range = (-1.0, 1.0)" in said
    assert "Do not explain this critic yet" in said
    out = files / "page"
    assert doctor(files, "--spec", files / "wrong.toml", "--write", files / "new.toml", "--out", out) == 0
    said = capsys.readouterr().out
    assert "after: AUC" in said
    assert f"use it with --spec {files / 'new.toml'}" in said
    text = (files / "new.toml").read_text()
    assert "range = [-1.0, 1.0]  # found by trying: BatchNorm statistics off by" in text
    assert "slope = 0.2  # found by trying" in text
    spec = Spec.read(files / "new.toml")
    assert spec.critic.polarity == "real"
    opened = Critic.from_checkpoint(files / "run.pth", spec=spec)
    assert torch.allclose(opened.logits(REAL), Critic(trained()).logits(REAL), atol=1e-5)
    document = json.loads((out / "doctor.json").read_text())
    assert document["kind"] == "doctor"
    assert document["proposal"]["images"] == {"range": [-1.0, 1.0]}
    assert sorted(p.name for p in out.iterdir()) == sorted(["doctor.json", "index.html", *document["figures"]])
    page = (out / "index.html").read_text()
    assert page.count("data:image/png;base64,") == len(document["figures"]) == 4
    assert "<script" not in page
    assert doctor(files, "--spec", files / "new.toml", "--json") == 0
    assert json.loads(capsys.readouterr().out)["proposal"] == {}


def test_nothing_is_overwritten_unasked(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "new.toml").write_text("label = 1\n")
    assert doctor(files, "--write", files / "new.toml") == 2
    assert "exists already" in capsys.readouterr().err
    assert (files / "new.toml").read_text() == "label = 1\n"
    assert doctor(files, "--out", files / "real") == 2
    assert "not an examination" in capsys.readouterr().err


def test_a_spec_is_for_files_of_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["doctor", "bundled:fashion", "--write", str(tmp_path / "spec.toml"), "--quiet"])
    assert stopped.value.code == 2
    assert "does not come from one" in capsys.readouterr().err
