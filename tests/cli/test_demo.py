"""``ganexplain demo`` on a stand-in for the bundled GAN, without a network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ganexplain import tensors
from ganexplain.cli import demo
from ganexplain.cli import main as cli
from ganexplain.models import gan as module
from ganexplain.models.gan import GAN
from ganexplain.models.verdict import Calibration


@pytest.fixture
def bundled(monkeypatch: pytest.MonkeyPatch, offline: None) -> None:
    gan = GAN.build("dcgan", resolution=16, width=4)
    gan.judge = gan.discriminator
    gan.calibrations["judge"] = Calibration(0.0, 1.0, 0.9, 0.5, 50, 50)
    gan.reals = tensors.to_uint8(gan.samples(24, seed=7).flip(-1))
    monkeypatch.setattr(module, "bundled", lambda name: gan)
    monkeypatch.setattr(demo, "FAKES", 1)
    monkeypatch.setattr(demo, "CODES", 5)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main([str(a) for a in arguments])
    return int(stop.value.code or 0)


@pytest.mark.usefixtures("bundled")
def test_the_demo_shows_images_and_directions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("demo", "--out", tmp_path / "d", "--json", "--quiet") == 0
    doc = json.loads(capsys.readouterr().out)
    assert [e["name"] for e in doc["explanations"]] == ["fake 1", "real 1 (held out)"]
    assert len(doc["directions"]["directions"]) == demo.DIRECTIONS
    assert "latent directions" in (tmp_path / "d" / "index.html").read_text()
    specific = doc["explanations"][0]["trust"]["kernel_shap"]["checks"][-1]
    assert specific["status"] in ("pass", "fail")
    assert demo.is_demo(tmp_path / "d")


def test_only_an_earlier_demo_may_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in (("r", '{"kind": "ganexplain.report", "command": "x"}'), ("n", "[]"), ("b", "no json")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "report.json").write_text(text)
        assert not demo.is_demo(folder)
        assert run("demo", "--out", folder) == 2
        assert (folder / "report.json").read_text() == text
    assert "Traceback" not in capsys.readouterr().err
