"""A run in its folder: continued bit for bit, measured without a trace, and what each item of its state is for."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganexplain import store
from ganexplain.data.sets import DataSet, open_data
from ganexplain.models.gan import GAN
from ganexplain.training import run as module
from ganexplain.training.config import Config, load
from ganexplain.training.folder import Plan, check_config, differences, read_record
from ganexplain.training.metrics import Measure, Module
from ganexplain.training.record import read_lines
from ganexplain.training.run import Run

# spectral norm with batch norm, dropout, batch norm alone
NETS = {
    "sngan": ["model.family=sngan", "model.width=2", "model.z_dim=4"],
    "mlp": ["model.family=mlp", "model.widths=[8]", "model.critic_width=2", "model.z_dim=4", "model.dropout=0.5"],
    "dcgan": ["model.width=2", "model.depth=0", "model.z_dim=4", "model.norm=batch"],
}
BASE = {"sngan": "dcgan", "mlp": "seed-mnist", "dcgan": "dcgan"}
SHORT = ["run.batch=8", "judge.steps=2", "watch.evaluate=0", "watch.fakes=100", "watch.save=1000", "watch.log=7"]


def config(net: str = "dcgan", *more: str, steps: int = 40) -> Config:
    plain = load(BASE[net], [*SHORT, f"run.steps={steps}", *more])
    wanted = {"family": "dcgan", **dict(_option(text) for text in NETS[net])}
    return replace(plain, model=wanted)


def _option(text: str) -> tuple[str, Any]:
    name, _, value = text.removeprefix("model.").partition("=")
    return name, json.loads(value) if value[0] in "[0123456789" else value


@pytest.fixture(scope="module")
def data() -> DataSet:
    whole = open_data("digits")
    assert whole.labels is not None
    return replace(whole, images=whole.images[:500], labels=whole.labels[:500])


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader of classes takes seconds to fit, and no test here asks for classes."""
    monkeypatch.setattr(Measure, "reader", None)


def digest(run: Run) -> str:
    """Over every network and optimiser."""
    flat: dict[str, torch.Tensor] = {}

    def walk(name: str, value: Any) -> None:
        if isinstance(value, torch.Tensor):
            flat[name] = value
        elif isinstance(value, dict):
            for key, part in value.items():
                walk(f"{name}.{key}", part)
        elif isinstance(value, list):
            for i, part in enumerate(value):
                walk(f"{name}.{i}", part)

    walk("", {k: v for k, v in run.training.state().items() if k != "seconds"})
    return store.fingerprint(flat)


def advanced(run: Run, to: int) -> Run:
    for step in run:
        if step.step == to:
            break
    return run


@pytest.mark.parametrize("net", NETS)
def test_forty_steps_are_twenty_and_a_stop_and_twenty(tmp_path: Path, data: DataSet, net: str) -> None:
    plan = Plan.of(data, config(net))
    whole = advanced(Run.start(tmp_path / "whole", plan), 40)
    half = advanced(Run.start(tmp_path / "half", plan), 20)
    half.interrupted("SIGTERM")
    at_twenty = digest(half)
    torch.manual_seed(5)  # whatever the process that goes on has drawn before
    np.random.seed(5)  # noqa: NPY002
    again = Run.resume(tmp_path / "half", Plan.of(data, config(net)))
    assert again.notes == []
    assert again.number == 20
    assert digest(again) == at_twenty != digest(whole)
    assert digest(advanced(again, 40)) == digest(whole)
    a, b = ([line for line in read_lines(r.folder) if line["kind"] == "steps"] for r in (whole, again))
    assert [{k: v for k, v in line.items() if k != "seconds"} for line in a] == [
        {k: v for k, v in line.items() if k != "seconds"} for line in b
    ]


Damage = Callable[[dict[str, Any], dict[str, Any]], None]
ABLATIONS: dict[str, Damage] = {
    "optimiser of the generator": lambda s, new: s["optimisers"].update(generator=new["optimisers"]["generator"]),
    "optimiser of the discriminator": lambda s, new: s["optimisers"].update(
        discriminator=new["optimisers"]["discriminator"]
    ),
    "average": lambda s, new: s["networks"].update(average=new["networks"]["average"]),
    "generator": lambda s, new: s["networks"].update(generator=new["networks"]["generator"]),
    "discriminator": lambda s, new: s["networks"].update(discriminator=new["networks"]["discriminator"]),
    "buffers": lambda s, new: s["networks"]["generator"].update(
        {k: v for k, v in new["networks"]["generator"].items() if "running" in k}
    ),
    "singular vectors": lambda s, new: s["networks"]["discriminator"].update(
        {k: v for k, v in new["networks"]["discriminator"].items() if k.endswith(("._u", "._v", "_u", "_v"))}
    ),
    "number of the step": lambda s, new: s.update(number=0),
}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory, data: DataSet) -> tuple[Run, dict[str, Any], dict[str, Any], str]:
    """A run, its first state, that after 6 steps, and the digest after 12."""
    run = Run.start(tmp_path_factory.mktemp("stopped"), Plan.of(data, config("sngan", steps=1000)))
    first = copy.deepcopy(run.training.state())
    advanced(run, 6)
    middle = copy.deepcopy(run.training.state())
    advanced(run, 12)
    return run, first, middle, digest(run)


@pytest.mark.parametrize("item", ["nothing", *ABLATIONS])
def test_every_item_of_the_state_counts(stopped: Any, item: str) -> None:
    run, first, middle, expected = stopped
    state = copy.deepcopy(middle)
    if item != "nothing":
        ABLATIONS[item](state, first)
    run.training.load(state)
    for _ in range(6):
        next(run.training)
    assert (digest(run) == expected) == (item == "nothing")


def test_measuring_saving_and_drawing_leave_no_trace_in_the_weights(tmp_path: Path, data: DataSet) -> None:
    quiet = advanced(Run.start(tmp_path / "quiet", Plan.of(data, config("sngan", steps=9))), 9)
    often = ["watch.evaluate=2", "watch.save=3", "watch.sheet=1", "watch.log=1"]
    before = torch.get_rng_state()
    busy = advanced(Run.start(tmp_path / "busy", Plan.of(data, config("sngan", *often, steps=9))), 9)
    assert torch.equal(torch.get_rng_state(), before)
    assert digest(busy) == digest(quiet)
    assert [line["step"] for line in busy.evaluations] == [2, 4, 6, 8]
    assert quiet.evaluations == []
    line = busy.evaluations[0]
    assert set(line["logits"]) == {"train", "held_out", "fake"}
    assert {"fd", "fd_floor", "fd_ceiling", "kid", "recall", "diversity", "memorisation", "classes"} <= set(line)
    health = json.loads((tmp_path / "busy" / "health.json").read_text())
    assert health == busy.health
    assert health["verdict"] in ("HEALTHY", "CHECK", "UNHEALTHY", "TOO EARLY")
    assert len(health["readings"]) == 9


def test_a_run_is_measured_in_the_feature_space_that_its_plan_names(tmp_path: Path, data: DataSet) -> None:
    space = Module(torch.nn.Flatten(), "the pixels themselves")
    plan = Plan.of(data, config("dcgan", "watch.evaluate=1", steps=1), extractor=space)
    (line,) = advanced(Run.start(tmp_path / "run", plan), 1).evaluations
    assert (line["fd_space"], line["fd_space_fingerprint"]) == (space.name, space.fingerprint)


def test_the_best_checkpoint_is_that_of_the_lowest_distance(
    tmp_path: Path, data: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    distances = iter([5.0, 3.0, None, 4.0, float("inf"), 3.0])
    monkeypatch.setattr(module, "critic_means", lambda *a, **k: {})
    monkeypatch.setattr(module, "examine", lambda history: type("H", (), {"to_dict": lambda self: {}})())

    class Fake:
        def __init__(self, *arguments: Any, **more: Any) -> None: ...

        def of(self, gan: GAN, *, n_fakes: int) -> dict[str, Any]:
            fd = next(distances)
            if fd == float("inf"):
                raise ValueError("the generator's samples must be finite")
            return {"fd": fd}

    monkeypatch.setattr(module, "Measure", Fake)
    run = Run.start(tmp_path, Plan.of(data, config("dcgan", "watch.evaluate=1", steps=6)))
    list(run)
    run.complete()
    assert run.checkpoints.best == 2
    assert run.checkpoints.steps() == [1, 2, 6]
    events = [line for line in read_lines(tmp_path) if line["kind"] == "event"]
    assert [(line["step"], line["event"]) for line in events] == [(5, "not measured")]


def test_a_finished_run_is_one_file_and_its_record(tmp_path: Path, data: DataSet) -> None:
    plan = Plan.of(data, config(steps=3), opened={"data": "digits"})
    run = Run.start(tmp_path, plan)
    list(run)
    run.complete()
    list(run.judge())
    gan = GAN.load(run.export())
    assert gan.card["health"] == run.health
    assert (gan.card["steps"], gan.card["complete"], gan.card["best_step"]) == (3, True, 3)
    assert gan.card["quality"]["fd"] == run.evaluations[-1]["fd"]
    assert set(gan.calibrations) == {"judge", "discriminator"}
    record = read_record(tmp_path)
    assert record["data"]["opened"] == {"data": "digits"}
    assert record["data"]["split"] == plan.split.record()
    assert record["threads"] == torch.get_num_threads()
    assert record["versions"]["torch"] == str(torch.__version__)
    assert sorted(p.name for p in tmp_path.glob("samples-*.png"))[0] == "samples-000000.png"


def test_what_differs_is_noted_and_what_may_not_is_refused(tmp_path: Path, data: DataSet) -> None:
    plan = Plan.of(data, config(steps=4))
    Run.start(tmp_path, plan)
    record = read_record(tmp_path)
    assert differences(record, plan) == []
    other = {**record, "threads": 99, "versions": {**record["versions"], "torch": "0.1"}}
    (note,) = differences(other, plan)
    assert "not bit for bit" in note
    assert f"threads 99 -> {torch.get_num_threads()}" in note
    assert "torch 0.1 -> " in note
    assert check_config(record, config("dcgan", "watch.log=1", steps=4)) == []
    assert "the schedules follow it" in check_config(record, config(steps=5))[0]
    flat = ["optim.decay_from=1.0"]
    Run.start(tmp_path / "flat", Plan.of(data, config("dcgan", *flat, steps=4)))
    assert check_config(read_record(tmp_path / "flat"), config("dcgan", *flat, steps=5)) == []
    for changed, said in (
        (config(steps=3), "run.steps 4 -> 3"),
        (config("dcgan", "loss.gamma=9", steps=4), r"loss.gamma 3.0 -> 9.0"),
        (config("mlp", steps=4), 'model.family "dcgan" -> "mlp"'),
    ):
        with pytest.raises(ValueError, match=said):
            check_config(record, changed)
    swapped = replace(data, class_names=(*data.class_names[:-2], data.class_names[-1], data.class_names[-2]))
    with pytest.raises(ValueError, match="class 8 was '8', now '9'"):
        Run.resume(tmp_path, Plan.of(swapped, config(steps=4)))


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"{", "is damaged"), (b"[]", "not the record"), (b'{"kind": "ganexplain run", "schema": 9}', "schema 9")],
)
def test_a_damaged_record_is_one_sentence(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        read_record(tmp_path)
    with pytest.raises(FileNotFoundError, match="no run in"):
        read_record(tmp_path / "absent")
