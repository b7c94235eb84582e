"""Rows and signals from files, good and damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import wavfile

from ganexplain.data.signals import read_signals
from ganexplain.data.tables import read_array, read_cells


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_cells_in_every_dialect(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f'a{mark}"b c"\r\n1{mark}2\r\n\r\n3{mark}"4"\r\n'.encode())
    found = read_cells(path)
    assert found.header == ("a", "b c")
    assert found.rows == [["1", "2"], ["3", "4"]]
    assert read_cells(path, limit=1).rows == [["1", "2"]]


def test_numbers_alone_are_no_header(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1,2e3\n-3,nan\n")
    assert read_cells(path).header is None
    assert len(read_cells(path).rows) == 2


def test_arrays(tmp_path: Path) -> None:
    rows = np.arange(6).reshape(2, 3)
    np.save(tmp_path / "a.npy", rows)
    np.savez(tmp_path / "a.npz", rows)
    np.savez(tmp_path / "b.npz", x=rows, y=rows + 1)
    for name in ("a.npy", "a.npz", "b.npz"):
        assert torch.equal(read_array(tmp_path / name), torch.from_numpy(rows).float())


def test_signals(tmp_path: Path) -> None:
    wave = np.random.default_rng(0).normal(size=(2, 50)).astype(np.float32)
    np.save(tmp_path / "one.npy", wave[0])
    np.save(tmp_path / "many.npy", wave[None].repeat(3, 0))
    np.savetxt(tmp_path / "s.csv", wave.T, delimiter=",", header="left,right", comments="")
    wavfile.write(tmp_path / "s.wav", 100, (wave.T * 3000).astype(np.int16))
    wavfile.write(tmp_path / "f.wav", 100, wave.T)
    wavfile.write(tmp_path / "u.wav", 100, np.array([0, 128, 255], dtype=np.uint8))
    assert read_signals(tmp_path / "one.npy")[0].shape == (1, 1, 50)
    assert read_signals(tmp_path / "many.npy")[0].shape == (3, 2, 50)
    assert np.allclose(read_signals(tmp_path / "s.csv")[0][0], wave)
    found, rate = read_signals(tmp_path / "s.wav")
    assert rate == 100
    assert np.allclose(found[0], (wave * 3000).astype(np.int16) / 32768)
    assert np.allclose(read_signals(tmp_path / "f.wav")[0][0], wave)
    assert read_signals(tmp_path / "u.wav")[0].flatten().tolist() == [-1, 0, 127 / 128]


class Canary:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize(
    ("name", "payload", "says"),
    [
        ("none.csv", None, "no file"),
        ("empty.csv", b"", "has no rows"),
        ("head.csv", b"a,b\n", "has no rows below its header"),
        ("bytes.csv", b"\xff\xfe\x00a", "no CSV file in UTF-8"),
        ("short.npy", b"\x93NUMPY\x01\x00", "cannot be read as an array"),
        ("bad.npz", b"PK\x03\x04nonsense", "cannot be read as an array"),
        ("bad.wav", b"RIFFxxxxWAVE", "cannot be read as sound"),
        ("ragged.csv", b"1,2\n3\n", "lines of different lengths"),
        ("words.csv", b"a,b\n1,x\n", "no number"),
        ("a.mp3", b"x", "signals are read from"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, payload: bytes | None, says: str) -> None:
    path = tmp_path / name
    if payload is not None:
        path.write_bytes(payload)
    with pytest.raises((ValueError, FileNotFoundError), match=says) as caught:
        read_signals(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_objects_and_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary = tmp_path / "ran"
    np.save(tmp_path / "o.npy", np.array([Canary(canary)], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="cannot be read as an array"):
        read_array(tmp_path / "o.npy")
    assert not canary.exists()
    np.savez(tmp_path / "two.npz", a=np.zeros(2), b=np.zeros(2))
    with pytest.raises(ValueError, match="there are the arrays a, b"):
        read_array(tmp_path / "two.npz")
    np.save(tmp_path / "words.npy", np.array(["a"]))
    with pytest.raises(ValueError, match="expected numbers"):
        read_array(tmp_path / "words.npy")
    monkeypatch.setattr("ganexplain.data.tables.MAX_VALUES", 10)
    np.savez_compressed(tmp_path / "bomb.npz", np.zeros(10_000))
    with pytest.raises(ValueError, match=r"unpacks to .* at most 80"):
        read_array(tmp_path / "bomb.npz")
    monkeypatch.setattr("ganexplain.data.tables.MAX_BYTES", 10)
    with pytest.raises(ValueError, match="at most 10 are read"):
        read_cells(tmp_path / "bomb.npz")
