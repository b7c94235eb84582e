"""``ganexplain train`` from the outside."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from ganexplain.cli import main as cli
from ganexplain.models.gan import GAN
from ganexplain.training import loop
from ganexplain.training.checkpoints import Checkpoints
from ganexplain.training.metrics import Measure
from ganexplain.training.record import read_lines

SMALL = ["--set", "model.width=4", "--set", "model.depth=0", "--set", "judge.steps=3", "--set", "watch.fakes=100"]
TINY = ["--data", "digits", *SMALL, "--quiet"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader of classes takes seconds to fit, and no test here asks for classes."""
    monkeypatch.setattr(Measure, "reader", None)


def call(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main(["train", *arguments])
    return int(stop.value.code or 0)


def signalled(monkeypatch: pytest.MonkeyPatch, at: int, *numbers: signal.Signals) -> None:
    """Send the process signals while it takes a step."""
    original = loop.Training.__next__

    def step(training: loop.Training) -> loop.Step:
        told = original(training)
        if told.step == at:
            for number in numbers:
                os.kill(os.getpid(), number)
        return told

    monkeypatch.setattr(loop.Training, "__next__", step)


def test_a_run_leaves_a_gan_that_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*TINY, "--out", str(tmp_path), "--steps", "4", "--seed", "7", "--json") == 0
    shown = capsys.readouterr()
    result = json.loads(shown.out)
    gan = GAN.load(result["path"])
    assert gan.fingerprint == result["fingerprint"]
    assert gan.card == result["card"]
    assert (gan.card["steps"], gan.card["seed"], gan.card["complete"]) == (4, 7, True)
    assert gan.critics == ("judge", "discriminator")
    assert shown.err == ""
    expected = {"metrics.jsonl", "run.json", "checkpoints", "samples-000000.png", "samples-000004.png"}
    assert expected <= {p.name for p in tmp_path.iterdir()}


def test_a_run_is_not_replaced_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "gan.safetensors").write_bytes(b"precious")
    (tmp_path / "mine.txt").write_text("stays")
    assert call(*TINY, "--out", str(tmp_path), "--steps", "1") == 2
    assert "(--overwrite)" in capsys.readouterr().err
    assert (tmp_path / "gan.safetensors").read_bytes() == b"precious"
    assert call(*TINY, "--out", str(tmp_path), "--steps", "1", "--overwrite") == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "gan.safetensors")
    assert GAN.load(tmp_path / "gan.safetensors").card["steps"] == 1
    assert (tmp_path / "mine.txt").read_text() == "stays"
    assert call(*TINY, "--out", str(tmp_path), "--resume", "--overwrite") == 2


def test_sigint_saves_and_exports_and_resume_ends_as_if_it_had_not_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert call(*TINY, "--out", str(whole), "--steps", "6") == 0
    handler = signal.getsignal(signal.SIGINT)
    with monkeypatch.context() as patch:
        signalled(patch, 3, signal.SIGINT)
        assert call(*TINY, "--out", str(cut), "--steps", "6") == 130
    assert signal.getsignal(signal.SIGINT) is handler
    assert "interrupted" in capsys.readouterr().err
    gan = GAN.load(cut / "gan.safetensors")
    assert (gan.card["steps"], gan.card["complete"], gan.judge is None) == (3, False, False)
    assert Checkpoints(cut / "checkpoints").steps() == [0, 3]
    assert call("--out", str(cut), "--resume") == 0  # needs nothing else
    shown = capsys.readouterr().err
    assert "goes on after step 3 of 6" in shown
    assert "not bit for bit" not in shown
    assert GAN.load(cut / "gan.safetensors").fingerprint == GAN.load(whole / "gan.safetensors").fingerprint
    events = [line["event"] for line in read_lines(cut) if line["kind"] == "event"]
    assert events == ["interrupt", "resume"]


def test_sigterm_saves_at_once_and_the_same_command_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [*TINY, "--out", str(tmp_path), "--steps", "4", "--resume"]
    with monkeypatch.context() as patch:
        signalled(patch, 2, signal.SIGTERM)
        assert call(*command) == 143
    assert Checkpoints(tmp_path / "checkpoints").steps() == [0, 2]
    assert not (tmp_path / "gan.safetensors").exists()
    assert call(*command) == 0
    assert GAN.load(tmp_path / "gan.safetensors").card["steps"] == 4


def test_a_second_signal_stops_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signalled(monkeypatch, 2, signal.SIGTERM, signal.SIGINT)
    assert call(*TINY, "--out", str(tmp_path), "--steps", "4") == 130
    assert Checkpoints(tmp_path / "checkpoints").steps() == [0]


def test_steps_are_a_total(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path)]
    assert call(*TINY, *out, "--steps", "2") == 0
    before = (tmp_path / "metrics.jsonl").read_bytes()
    capsys.readouterr()
    for again in ([], ["--steps", "2"], ["--steps", "1"]):
        assert call(*out, "--resume", *again) == 0
        shown = capsys.readouterr()
        assert "has taken its 2 steps; --steps is a total" in shown.err
        assert shown.out.strip() == str(tmp_path / "gan.safetensors")
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    assert call(*out, "--resume", "--steps", "3") == 0
    assert "the schedules follow it" in capsys.readouterr().err
    assert GAN.load(tmp_path / "gan.safetensors").card["steps"] == 3


def test_a_changed_config_or_data_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--out", str(tmp_path), "--quiet"]
    assert call(*TINY, *out, "--steps", "1") == 0
    capsys.readouterr()
    more = ["--steps", "2", "--resume"]
    assert call(*out, *more, "--set", "loss.gamma=7", "--set", "optim.clip=1") == 2
    said = capsys.readouterr().err
    assert "loss.gamma 3.0 -> 7.0, optim.clip 0.0 -> 1.0" in said
    assert said.count("\n") == 1
    assert call(*out, *more, "--seed", "5") == 2
    assert "run.seed 0 -> 5" in capsys.readouterr().err
    assert call(*out, *more, "--resolution", "12") == 2
    assert "the data is not what the run began with" in capsys.readouterr().err
    assert call(*out, *more, "--set", "watch.log=1") == 0


def test_weights_can_be_taken_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    assert call(*TINY, "--out", str(first), "--steps", "2") == 0
    assert call(*TINY, "--out", str(second), "--steps", "1", "--init-from", str(first), "--seed", "3") == 0
    state = (Checkpoints(first / "checkpoints").load() or ({}, []))[0]["training"]["networks"]
    begun = Checkpoints(second / "checkpoints")
    begun = begun.read(begun.path(0).name)["training"]["networks"]
    for name in state["average"]:
        assert torch.equal(begun["average"][name], state["average"][name])
    assert json.loads((second / "run.json").read_text())["init_from"] == {"path": str(first), "step": 2}
    capsys.readouterr()
    wide = [*TINY, "--set", "model.width=8", "--steps", "1", "--out", str(tmp_path / "wide")]
    assert call(*wide, "--init-from", str(first / "gan.safetensors")) == 2
    said = capsys.readouterr().err
    assert "has the shape" in said
    assert "generator." in said
    assert not (tmp_path / "wide").exists()


def test_a_run_that_diverges_names_its_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ganexplain.training.updates import Updates

    original = Updates.view

    def broken(self: Updates, labels: Any, *keys: Any) -> Any:
        view = original(self, labels, *keys)
        return (lambda x: view(x) * float("nan")) if keys[0] > 5 else view

    monkeypatch.setattr(Updates, "view", broken)
    assert call(*TINY, "--out", str(tmp_path), "--steps", "50", "--set", "watch.save=4") == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    path = next((tmp_path / "checkpoints").glob("step-000000012-*"))
    assert f"--init-from {path}" in said
    assert "lower optim.lr" in said
    lines = list(read_lines(tmp_path))
    assert lines[-1]["event"] == "diverged"
    monkeypatch.undo()
    again = ["--out", str(tmp_path / "again"), "--steps", "1", "--init-from", str(path)]
    assert call(*TINY, *again) == 0


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
        (["--data", "digits", "--init-from", "absent.safetensors"], "no file absent.safetensors"),
        (["--resume"], "--data must say what to train on"),
        (["--data", "ring-8"], "model.family=mlp"),
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
