"""Checkpoints: what is saved comes back bit for bit or not at all, whatever happens to process, disk and files."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
import random
import resource
import signal
import time
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ganexplain.training import checkpoints as module
from ganexplain.training.checkpoints import Checkpoints


def state(step: int, size: int = 50) -> dict[str, Any]:
    """A state that tells its step in every part."""
    return {"number": step, "weights": torch.full((size,), float(step)), "list": [step, None, "x", {1: 0.1 * step}]}


def intact(found: Any, step: int) -> bool:
    want = state(step, len(found["weights"]))
    return bool(torch.equal(found.pop("weights"), want.pop("weights")) and found == want)


def filled(folder: Path, *steps: int, keep: int = 3) -> Checkpoints:
    kept = Checkpoints(folder, keep)
    for step in steps:
        kept.save(state(step), step)
    return kept


def newest(folder: Path) -> Path:
    return max(folder.glob("step-*.pt"))


def bits(value: torch.Tensor) -> bytes:
    return bytes(value.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
    max_leaves=10,
)


@settings(max_examples=25, deadline=None)
@given(plain)
def test_plain_values_come_back_equal(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    folder = tmp_path_factory.mktemp("plain")
    Checkpoints(folder).save({"value": value}, 1)
    found = Checkpoints(folder).load()
    assert found is not None
    assert found == ({"value": value}, [])


def test_tensors_come_back_bit_for_bit_and_alone(tmp_path: Path) -> None:
    big = torch.arange(10**6, dtype=torch.float64)
    given = {
        "nan": torch.tensor([float("nan"), -0.0, float("inf")]),
        "half": torch.randn(3, 2).bfloat16(),
        "bytes": torch.arange(5, dtype=torch.uint8),
        "view": big[10:12],
        "last": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
        "weight": torch.nn.Parameter(torch.ones(2)),
        "empty": torch.empty(0, 3),
    }
    path = Checkpoints(tmp_path).save(OrderedDict(given), 3)
    assert path.stat().st_size < 10_000  # the view does not bring the million numbers that it looks at
    found, notes = Checkpoints(tmp_path).load() or ({}, [""])
    assert notes == []
    for name, value in given.items():
        assert type(found[name]) is torch.Tensor
        assert found[name].dtype == value.dtype
        assert bits(found[name]) == bits(value)
    assert found["last"].stride() == given["last"].stride()


def test_optimiser_and_network_states_are_plain_enough(tmp_path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    adam = torch.optim.Adam(net.parameters())
    net(torch.randn(4, 3)).square().sum().backward()
    adam.step()
    Checkpoints(tmp_path).save({"net": net.state_dict(), "adam": adam.state_dict()}, 1)
    found, _ = Checkpoints(tmp_path).load() or ({}, [])
    torch.optim.Adam(net.parameters()).load_state_dict(found["adam"])
    assert all(torch.equal(value, found["net"][name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"a": [1, np.float64(2.0)]}, r"numpy\.float64 at state\.a\[1\]"),
        ({"a": {"b": Path("x")}}, r"Path at state\.a\.b"),
        ({"a": {(1, 2): 3}}, r"builtins\.dict at state\.a"),
        ({"a": {1.5: 3}}, r"builtins\.dict at state\.a"),
        ({"a": b"x"}, r"builtins\.bytes at state\.a"),
        ({"a": signal.SIGINT}, r"Signals at state\.a"),
    ],
)
def test_what_needs_code_to_be_read_back_is_refused_when_saved(tmp_path: Path, value: Any, where: str) -> None:
    kept = filled(tmp_path, 1)
    with pytest.raises(TypeError, match=where):
        kept.save(value, 2)
    assert kept.steps() == [1]


def test_a_state_without_end_is_refused(tmp_path: Path) -> None:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    with pytest.raises(ValueError, match="nested more than 32 deep"):
        Checkpoints(tmp_path).save(loop, 1)


def test_the_last_three_and_the_best_are_kept(tmp_path: Path) -> None:
    kept = Checkpoints(tmp_path)
    assert kept.load() is None
    assert kept.best is None
    for step in range(10, 80, 10):
        kept.save(state(step), step, best=step in (20, 30))
    assert kept.steps() == [30, 50, 60, 70]
    assert kept.best == 30
    assert intact((kept.load() or [{}])[0], 70)
    listed = json.loads((tmp_path / "latest.json").read_text())
    assert sorted(listed["files"]) == sorted(p.name for p in tmp_path.glob("*.pt"))
    assert listed["latest"] == newest(tmp_path).name
    kept.save(state(80), 80, best=True)
    assert kept.steps() == [60, 70, 80]
    assert Checkpoints(tmp_path / "one", keep=1).folder == tmp_path / "one"
    assert filled(tmp_path / "one", 1, 2, keep=1).steps() == [2]
    with pytest.raises(ValueError, match="keep must be positive"):
        Checkpoints(tmp_path, keep=0)


def test_a_future_that_was_given_up_is_removed(tmp_path: Path) -> None:
    kept = filled(tmp_path, 10, 20, 30)
    kept.save(state(15), 15)
    assert kept.steps() == [10, 15]
    kept.save({**state(15), "other": 1}, 15)  # the same step again, with another content
    assert kept.steps() == [10, 15]
    assert (kept.load() or [{}])[0]["other"] == 1


def test_the_same_state_is_the_same_bytes(tmp_path: Path) -> None:
    first, second = (newest(filled(tmp_path / name, 7).folder) for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_a_file_cut_anywhere_falls_back(tmp_path: Path) -> None:
    kept = filled(tmp_path, 1, 2)
    whole = newest(tmp_path).read_bytes()
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        newest(tmp_path).write_bytes(whole[:length])
        found, notes = kept.load() or ({}, [])
        assert intact(found, 1)
        assert notes == [
            f"checkpoint {newest(tmp_path).name} is damaged ({length} bytes of {len(whole)}); it is passed over"
        ]
    newest(tmp_path).write_bytes(whole + b"x")
    assert intact((kept.load() or [{}])[0], 1)


def test_a_bit_turned_anywhere_falls_back(tmp_path: Path) -> None:
    kept = filled(tmp_path, 1, 2)
    whole, draw = newest(tmp_path).read_bytes(), random.Random(0)
    for place in [*range(0, len(whole), 61), len(whole) - 1]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << draw.randrange(8)
        newest(tmp_path).write_bytes(damaged)
        found, notes = kept.load() or ({}, [])
        assert intact(found, 1)
        assert "sha256" in notes[0]
    newest(tmp_path).write_bytes(whole)
    assert intact((kept.load() or [{}])[0], 2)


def test_a_damaged_list_loses_no_checkpoint(tmp_path: Path) -> None:
    kept = filled(tmp_path, 1, 2)
    listed = tmp_path / "latest.json"
    whole = listed.read_bytes()
    for damaged in (
        b"",
        whole[: len(whole) // 2],
        b"\xff" + whole,
        b"[]",
        b'{"files": 3, "best": 1}',
        b"[" * 10**5,
        whole + b" " * 2**20,
    ):
        listed.write_bytes(damaged)
        found, notes = kept.load() or ({}, [])
        assert intact(found, 2)
        assert len(notes) == 1
        assert "latest.json is damaged" in notes[0]
    listed.unlink()
    assert intact((kept.load() or [{}])[0], 2)
    kept.save(state(3), 3)
    assert intact((kept.load() or [{}])[0], 3)


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    kept = filled(tmp_path, 1)
    for name in (".latest.json.x1y2", "step-000000002.77.unfinished"):
        (tmp_path / name).write_bytes(b"half")
    kept.save(state(2), 2)
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".pt", ".pt"]


def test_a_missing_file_is_noted(tmp_path: Path) -> None:
    kept = filled(tmp_path, 1, 2)
    gone = newest(tmp_path)
    gone.unlink()
    found, notes = kept.load() or ({}, [])
    assert intact(found, 1)
    assert notes == [f"checkpoint {gone.name} is missing; it is passed over"]


def test_damage_in_every_file_is_one_sentence(tmp_path: Path) -> None:
    kept = filled(tmp_path, 1, 2)
    for path in tmp_path.glob("step-*.pt"):
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(
        ValueError, match=r"no checkpoint in .* can be read: .*step-000000002.*; .*; put a copy back"
    ) as error:
        kept.load()
    assert "\n" not in str(error.value)


def proven(folder: Path, content: bytes, step: int) -> Path:
    """A file whose name vouches for it, as a forger would make it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"step-{step:09d}-{hashlib.sha256(content).hexdigest()[:16]}.pt"
    path.write_bytes(content)
    return path


class Evil:
    def __reduce__(self) -> Any:
        return (os.system, ("touch /tmp/ganexplain-was-here",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"kind": "ganexplain checkpoint", "schema": 2, "step": 1, "state": {}}, "schema 2, this reads 1"),
        ({"kind": "other", "schema": 1}, "holds 'other'"),
        ({"no": "kind"}, "is no checkpoint as ganexplain saves it"),
        ([1], "is no checkpoint as ganexplain saves it"),
        ({"kind": "ganexplain checkpoint", "schema": 1, "state": Evil()}, "is no checkpoint of ganexplain"),
    ],
)
def test_another_version_or_kind_or_code_is_one_sentence(tmp_path: Path, content: Any, message: str) -> None:
    torch.save(content, tmp_path / "x")
    proven(tmp_path / "kept", (tmp_path / "x").read_bytes(), 1)
    with pytest.raises(ValueError, match=message) as error:
        Checkpoints(tmp_path / "kept").load()
    assert "\n" not in str(error.value)
    assert not Path("/tmp/ganexplain-was-here").exists()


def test_sizes_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"weights": torch.zeros(10**6)}, tmp_path / "x")
    with zipfile.ZipFile(tmp_path / "x") as old, zipfile.ZipFile(tmp_path / "bomb", "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            new.writestr(entry, old.read(entry))
    proven(tmp_path / "kept", (tmp_path / "bomb").read_bytes(), 1)
    with pytest.raises(ValueError, match="it is compressed"):
        Checkpoints(tmp_path / "kept").load()
    kept = filled(tmp_path / "big", 1)
    monkeypatch.setattr(module, "MAX_BYTES", 100)
    with pytest.raises(ValueError, match="more than the 100 that are read"):
        kept.load()


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_full_disk_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, nth: int) -> None:
    """The nth call fails: of the file, of its folder, of the list, of the folder again."""
    kept, original, count = filled(tmp_path, 1, 2), getattr(os, call), [0]
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*arguments: Any) -> Any:
        count[0] += 1
        if count[0] == nth:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(*arguments)

    monkeypatch.setattr(os, call, full)
    if call == "replace" and nth > 2:
        kept.save(state(3), 3)
        assert count == [2]
        return
    with pytest.raises(OSError, match=r"step 3 could not be written .*No space left on device.*that of step 2 is kept"):
        kept.save(state(3), 3)
    monkeypatch.undo()
    assert {name: (tmp_path / name).read_bytes() for name in before if name != "latest.json"}.items() <= before.items()
    found, notes = kept.load() or ({}, [])
    assert intact(found, found["number"])
    assert found["number"] in (2, 3)  # 3 where its file was already in place and only the list was not
    assert notes == []
    assert not list(tmp_path.glob("*.unfinished"))
    kept.save(state(4), 4)  # with room again
    assert (kept.load() or [{}])[0]["number"] == 4


def _limited(folder: Path, most: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    try:
        Checkpoints(folder).save(state(3, 20_000), 3)
    except OSError as error:
        os._exit(7 if "that of step 2 is kept" in str(error) else 1)
    os._exit(0)


@pytest.mark.parametrize("most", [0, 10, 1000, 50_000])
def test_a_write_that_the_system_refuses_keeps_what_was_there(tmp_path: Path, most: int) -> None:
    kept = filled(tmp_path, 1, 2)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    child = forked(_limited, tmp_path, most)
    child.join(20)
    assert child.exitcode == 7
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert intact((kept.load() or [{}])[0], 2)


def forked(function: Any, *arguments: Any) -> Any:
    """A child that has torch already, so that fifty of them start in no time.

    The threads of torch's pool are not in it: its tensors must stay below the 32,768 numbers at which torch uses them.
    """
    child = multiprocessing.get_context("fork").Process(target=function, args=arguments, daemon=True)
    with warnings.catch_warnings():  # threads of other tests: the child does nothing but save
        warnings.simplefilter("ignore", DeprecationWarning)
        child.start()
    return child


def _saving(folder: Path, told: Any) -> None:
    kept = Checkpoints(folder)
    found = kept.load()
    step = found[0]["number"] if found else 0
    while True:
        step += 1
        kept.save(state(step, 5000), step, best=step % 5 == 0)
        told.value = step


def test_fifty_kills_lose_no_more_than_the_save_that_they_cut(tmp_path: Path) -> None:
    draw, told, cut = random.Random(0), multiprocessing.get_context("fork").Value("q", 0), 0
    for _ in range(50):
        child = forked(_saving, tmp_path, told)
        begun, deadline = told.value, time.monotonic() + 20
        while told.value < begun + 2 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(draw.random() * 0.01)
        child.kill()
        child.join()
        assert child.exitcode == -signal.SIGKILL
        cut += bool(list(tmp_path.glob("*.unfinished")))
        found, notes = Checkpoints(tmp_path).load() or ({}, [""])
        assert notes == []
        assert told.value >= begun + 2
        assert found["number"] >= told.value  # all that save said was done
        assert found["number"] <= told.value + 1
        assert intact(found, found["number"])
    assert cut >= 5  # the kills did fall into saves
    assert len(list(tmp_path.iterdir())) <= 7  # three and the best, one new, the list, one unfinished
