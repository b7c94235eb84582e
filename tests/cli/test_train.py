"""``ganexplain train`` from the outside."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganexplain.cli import main as cli
from ganexplain.models.gan import GAN
from ganexplain.training import loop

TINY = ["--data", "digits", "--set", "model.width=4", "--set", "model.depth=0", "--set", "judge.steps=3", "--quiet"]


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", *arguments])
    return int(stop.value.code or 0)


def test_a_run_leaves_a_gan_that_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*TINY, "--out", str(tmp_path), "--steps", "4", "--seed", "7", "--json") == 0
    shown = capsys.readouterr()
    result = json.loads(shown.out)
    gan = GAN.load(result["path"])
    assert gan.fingerprint == result["fingerprint"]
    assert gan.card == result["card"]
    assert (gan.card["steps"], gan.card["seed"]) == (4, 7)
    assert gan.critics == ("judge", "discriminator")
    assert shown.err == ""
    assert {"metrics.jsonl", "samples.png"} <= {p.name for p in tmp_path.iterdir()}


def test_a_gan_is_not_replaced_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gan.safetensors").write_bytes(b"precious")
    assert call(*TINY, "--out", str(tmp_path), "--steps", "1") == 2
    assert "pass --overwrite" in capsys.readouterr().err
    assert (tmp_path / "gan.safetensors").read_bytes() == b"precious"
    assert call(*TINY, "--out", str(tmp_path), "--steps", "1", "--overwrite") == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "gan.safetensors")
    assert GAN.load(tmp_path / "gan.safetensors").card["steps"] == 1


def test_an_interrupt_finishes_the_step_and_saves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    original = loop.train

    def interrupted(*arguments: object, **options: object) -> Iterator[loop.Step]:
        for step in original(*arguments, **options):
            if step.step == 3:
                os.kill(os.getpid(), signal.SIGINT)
            yield step

    monkeypatch.setattr(loop, "train", interrupted)
    handler = signal.getsignal(signal.SIGINT)
    assert call(*TINY, "--out", str(tmp_path), "--steps", "500") == 130
    gan = GAN.load(tmp_path / "gan.safetensors")
    assert gan.card["steps"] == 3
    assert gan.judge is not None
    assert signal.getsignal(signal.SIGINT) is handler
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "digit"], "did you mean 'digits'"),
        (["--data", "digits", "--set", "loss.gama=1"], "did you mean 'gamma'"),
        (["--data", "digits", "--set", "model.widht=1"], "did you mean 'width'"),
        (["--data", "digits", "--set", "model.resolution=28"], "use --resolution"),
        (["--data", "digits", "--preset", "dcgn"], "did you mean 'dcgan'"),
        (["--data", "digits", "--device", "cuda:99"], "device must be one that torch can use"),
        (["--data", "digits", "--device", "gpu"], "device must be one that torch can use"),
        (["--data", "digits", "--resolution", "30"], "multiple of 4"),
        (["--data", "absent/folder"], "no folder or file"),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert call(*arguments, "--out", str(tmp_path / "run"), "--steps", "1") == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert not (tmp_path / "run").exists()
