"""What a run writes while it goes on: lines, their cut when it goes on, sheets, and TensorBoard's events."""

from __future__ import annotations

import io
import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganexplain.data.sets import DataSet, open_data
from ganexplain.data.splits import split
from ganexplain.models.gan import GAN
from ganexplain.training import config as configs
from ganexplain.training.building import build, class_shares
from ganexplain.training.events import Events
from ganexplain.training.loop import Step
from ganexplain.training.record import AVERAGED, Recorder, read_lines, samples_png


def step(number: int, *, finite: bool = True) -> Step:
    """One whose values are functions of its number."""
    value = float(number) if finite else math.nan
    facts = dict.fromkeys(AVERAGED, value) | {"accuracy": number / 10 if finite else math.nan, "gp": None}
    return Step(step=number, **facts, seen=8 * number, skipped=0, lr=0.1, gamma=1.0, seconds=0.5 * number)


@pytest.fixture(scope="module")
def gan() -> GAN:
    return GAN.build("dcgan", resolution=8, channels=1, width=2, z_dim=4)


def test_lines_are_means_with_extremes_and_what_is_not_finite_is_left_out(tmp_path: Path, gan: GAN) -> None:
    recorder = Recorder(tmp_path, every=4)
    for number in range(1, 10):
        recorder.add(step(number, finite=number not in (4, 5, 6)), gan)
    recorder.flush()
    recorder.flush()  # nothing is left to write
    lines = list(read_lines(tmp_path))
    assert lines == recorder.lines
    assert [line["step"] for line in lines] == [1, 4, 8, 9]
    assert [line["loss_d"] for line in lines] == [1.0, 2.5, 7.5, 9.0]
    assert (lines[2]["accuracy"], lines[2]["accuracy_min"], lines[2]["accuracy_max"]) == (0.75, 0.7, 0.8)
    assert [line["non_finite_in_a_row"] for line in lines] == [0, 1, 3, 0]  # over the ends of lines
    assert {line["gp"] for line in lines} == {None}
    assert (lines[2]["seen"], lines[2]["seconds"], lines[2]["lr"]) == (64, 4.0, 0.1)
    recorder.add(step(10, finite=False), gan)
    recorder.flush()
    assert recorder.last is not None
    assert recorder.last["loss_d"] is None


@pytest.mark.parametrize("stop", range(1, 12))
def test_a_run_that_stops_anywhere_writes_the_lines_of_one_that_does_not(tmp_path: Path, gan: GAN, stop: int) -> None:
    whole, half = Recorder(tmp_path / "whole", every=4), Recorder(tmp_path / "half", every=4)
    for number in range(1, 13):
        whole.add(step(number, finite=number % 5 > 1), gan)
    for number in range(1, 13):  # beyond the last checkpoint, to be done again
        half.add(step(number, finite=number % 5 > 1), gan)
        if number == stop:
            state = json.loads(json.dumps(half.state()))
    with (tmp_path / "half" / "metrics.jsonl").open("a") as file:
        file.write('{"kind": "steps", "st')  # killed while it wrote
    again = Recorder(tmp_path / "half", every=4, after=stop)
    again.load(state)
    for number in range(stop + 1, 13):
        again.add(step(number, finite=number % 5 > 1), gan)
    assert (tmp_path / "half" / "metrics.jsonl").read_bytes() == (tmp_path / "whole" / "metrics.jsonl").read_bytes()


def test_what_is_no_line_is_left_out(tmp_path: Path) -> None:
    good = {"kind": "event", "step": 3, "event": "resume", "words": "ä"}
    texts = ["", "[1]", '{"kind": "steps"}', '{"step": 1}', '{"kind": "steps", "step": true}', "[" * 100_000, "\xff"]
    content = "\n".join([*texts, json.dumps(good), '{"kind": "steps", "step": 4']).encode("latin-1")
    (tmp_path / "metrics.jsonl").write_bytes(content)
    assert list(read_lines(tmp_path)) == [good]
    assert list(read_lines(tmp_path / "absent")) == []


def test_a_new_run_replaces_old_lines_and_bad_intervals_are_refused(tmp_path: Path, gan: GAN) -> None:
    Recorder(tmp_path).add(step(1), gan)
    assert Recorder(tmp_path).lines == []
    assert (tmp_path / "metrics.jsonl").read_bytes() == b""
    with pytest.raises(ValueError, match="at least 1, got 0"):
        Recorder(tmp_path, every=0)


def test_sheets_show_the_same_codes_by_class(tmp_path: Path, gan: GAN) -> None:
    recorder = Recorder(tmp_path, sheets=2, n=20)
    for number in (1, 2, 3, 4):
        recorder.add(step(number), gan)
    assert sorted(p.name for p in tmp_path.glob("*.png")) == ["samples-000002.png", "samples-000004.png"]
    assert (tmp_path / "samples-000002.png").read_bytes() == (tmp_path / "samples-000004.png").read_bytes()


def test_a_conditional_sheet_has_a_column_for_each_class() -> None:
    data = open_data("digits")
    config = configs.load("dcgan", ["model.width=2", "model.depth=0", "model.conditional=true"])
    gan = build(config, data, split(data))
    assert gan.class_names == data.class_names
    sheet = np.asarray(Image.open(io.BytesIO(samples_png(gan, 33))))
    scale = round(600 / (10 * 8))
    assert sheet.shape[:2] == ((3 * 9 - 1) * scale, (10 * 9 - 1) * scale)  # 3 rows of 10
    drawn = gan.samples(30, seed=0, labels=torch.arange(30) % 10)
    pixels = sheet[scale // 2 :: scale, scale // 2 :: scale]
    cell = torch.from_numpy(pixels[9:17, 18:26].copy())  # second row, third column
    assert torch.allclose(cell.float(), (drawn[12, 0] + 1) * 127.5, atol=1)


def test_shares_are_those_of_the_training_part() -> None:
    data = open_data("digits")
    assert data.labels is not None
    parts = split(data)
    shares = class_shares(data, parts)
    assert shares is not None
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["3"] == pytest.approx(float((data.labels[parts.train] == 3).double().mean()))
    assert class_shares(DataSet(data.images, None, (), "x", "y"), parts) is None


def test_rows_are_drawn_as_points() -> None:
    data = open_data("ring-8")
    gan = build(configs.Config(model={"family": "mlp"}), data, split(data))
    size = Image.open(io.BytesIO(samples_png(gan))).size
    assert min(size) > 300


def test_events_hold_the_numbers_of_the_lines(tmp_path: Path, gan: GAN) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    recorder = Recorder(tmp_path, every=2, sheets=4, n=4, events=Events(tmp_path))
    for number in range(1, 7):
        recorder.add(step(number), gan)
    recorder.evaluation(
        6, {"fd": 12.5, "fd_space": "words", "classes": {"shares": {"a": 0.25}, "present": 3}, "kid": None}
    )
    recorder.event(6, "interrupt", "SIGINT after step 6")
    assert recorder.events is not None
    recorder.events.close()
    again = Events(tmp_path, after=4)  # step 6 is done again
    again.line({"kind": "steps", "step": 6, "loss_d": -1.0})
    again.close()
    read = EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    losses = [(e.step, e.value) for e in read.Scalars("steps/loss_d")]
    assert losses == [(1, 1.0), (2, 2.0), (4, 3.5), (6, -1.0)]
    assert "evaluation/fd" not in read.Tags()["scalars"] or not read.Scalars("evaluation/fd")  # of step 6, void
    assert [e.step for e in read.Images("samples")] == [4]


def test_every_number_of_an_evaluation_is_an_event(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    recorder = Recorder(tmp_path, events=Events(tmp_path))
    recorder.evaluation(
        6, {"fd": 12.5, "fd_space": "words", "classes": {"shares": {"a": 0.25}, "present": 3}, "kid": None}
    )
    recorder.event(7, "interrupt", "SIGINT after step 7")
    assert recorder.events is not None
    recorder.events.close()
    read = EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    found = {name: read.Scalars(name)[0].value for name in read.Tags()["scalars"]}
    assert found == {"evaluation/fd": 12.5, "evaluation/classes/shares/a": 0.25, "evaluation/classes/present": 3.0}
    assert read.Tags()["tensors"] == ["event/interrupt/text_summary"]


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ValueError, match=r"pip install 'ganexplain\[tensorboard\]'"):
        Events(tmp_path)


def test_a_step_survives_its_record(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path)
    recorder.window = [step(1), replace(step(2), r1=None)]
    other = Recorder(tmp_path)
    other.load(recorder.state())
    assert [asdict(s) for s in other.window] == [asdict(s) for s in recorder.window]
