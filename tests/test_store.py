"""A file is the old one or the whole new one, never a part; what is foreign or damaged is refused in one sentence."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from ganexplain import store

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, -2], dtype=torch.int64)}
FACTS = {"name": "critic", "nested": {"auc": 0.75, "list": [1, None, "ü"]}}


def test_tensors_and_metadata_come_back(tmp_path: Path) -> None:
    tensors, facts = store.load_tensors(store.save_tensors(tmp_path / "new" / "x.safetensors", TENSORS, FACTS))
    assert facts == FACTS
    assert set(tensors) == set(TENSORS)
    assert all(
        torch.equal(tensors[name], TENSORS[name]) and tensors[name].dtype == TENSORS[name].dtype for name in tensors
    )


def test_another_library_reads_the_same_bits(tmp_path: Path) -> None:
    channels_last = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(0)).to(
        memory_format=torch.channels_last
    )
    tied = {"x": channels_last, "y": channels_last, "z": channels_last[:, 1:].requires_grad_()}
    read = load_file(store.save_tensors(tmp_path / "x.safetensors", tied, {}))
    assert all(torch.equal(read[name], tied[name]) for name in tied)


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    one = store.save_tensors(tmp_path / "1", TENSORS, {"a": 1, "b": 2}).read_bytes()
    two = store.save_tensors(tmp_path / "2", TENSORS, {"b": 2, "a": 1}).read_bytes()
    assert one == two


def test_json_is_readable_sorted_and_has_no_nan(tmp_path: Path) -> None:
    path = store.write_json(tmp_path / "x.json", {"b": [1.5], "a": "ü"})
    assert path.read_text("utf-8") == '{\n  "a": "ü",\n  "b": [\n    1.5\n  ]\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.write_json(path, {"a": math.nan})
    assert json.loads(path.read_text("utf-8")) == {"a": "ü", "b": [1.5]}


def test_a_metadata_nan_is_refused_before_the_old_file_is_touched(tmp_path: Path) -> None:
    path = store.save_tensors(tmp_path / "x", TENSORS, FACTS)
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.save_tensors(path, TENSORS, {"auc": math.nan})
    assert store.load_tensors(path)[1] == FACTS


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_a_failing_write_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    path = store.write_bytes(tmp_path / "x", b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="No space left"):
        store.write_bytes(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def test_permissions_are_those_of_an_ordinary_file(tmp_path: Path) -> None:
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    written = store.write_bytes(tmp_path / "x", b"")
    assert written.stat().st_mode == ordinary.stat().st_mode


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the child starts no thread
def test_a_killed_writer_leaves_a_whole_file(tmp_path: Path) -> None:
    path = store.write_bytes(tmp_path / "x", b"\0" * 3_000_000)
    delays = torch.rand(20, generator=torch.Generator().manual_seed(0))
    for number, delay in enumerate(delays.tolist()):
        reader, writer = os.pipe()
        child = os.fork()  # a new interpreter would import torch twenty times
        if child == 0:
            try:
                while True:
                    store.write_bytes(path, bytes([number + 1]) * 3_000_000)
                    os.write(writer, b".")
            finally:
                os._exit(1)
        os.read(reader, 1)  # the first write is done, so the kill falls into a later one
        time.sleep(0.02 * delay)
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        os.close(reader)
        os.close(writer)
        assert path.read_bytes() == bytes([number + 1]) * 3_000_000


def test_what_is_missing_foreign_or_damaged_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*nowhere"):
        store.load_tensors(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError):
        store.load_tensors(tmp_path)
    save_file(TENSORS, tmp_path / "foreign", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="was not saved by ganexplain"):
        store.load_tensors(tmp_path / "foreign")
    save_file(TENSORS, tmp_path / "bare")
    with pytest.raises(ValueError, match="was not saved by ganexplain"):
        store.load_tensors(tmp_path / "bare")


def test_a_pickle_is_never_executed(tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    code = f"cposix\nsystem\n(S'touch {marker}'\ntR.".encode()
    (tmp_path / "x").write_bytes(code)
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        store.load_tensors(tmp_path / "x")
    torch.save(TENSORS, tmp_path / "y")
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        store.load_tensors(tmp_path / "y")
    assert not marker.exists()


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.save_tensors(tmp_path / "x", TENSORS, FACTS)
    monkeypatch.setattr(store, "MAX_FILE_BYTES", 10)
    with pytest.raises(ValueError, match="more than the 10 that are read"):
        store.load_tensors(path)


@given(st.data())
def test_a_truncated_file_is_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = store.save_tensors(tmp_path_factory.mktemp("cut") / "x", TENSORS, FACTS)
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ValueError, match="not a readable safetensors file"):
        store.load_tensors(path)


def test_fingerprint_sees_names_shapes_types_and_bits_but_no_order() -> None:
    base = store.fingerprint(TENSORS)
    assert base == store.fingerprint(dict(reversed(TENSORS.items())))
    assert base == store.fingerprint({**TENSORS, "a": TENSORS["a"].t().contiguous().t()})
    changed = [
        {"a": TENSORS["a"]},
        {**TENSORS, "a": TENSORS["a"].reshape(3, 2)},
        {**TENSORS, "a": TENSORS["a"] + 1e-6},
        {**TENSORS, "b": TENSORS["b"].to(torch.int32)},
        {"a": TENSORS["a"], "c": TENSORS["b"]},
    ]
    assert len({base, *map(store.fingerprint, changed)}) == 6
    assert store.fingerprint({"a": torch.zeros(2)}) != store.fingerprint({"a": torch.zeros(2, dtype=torch.int32)})
