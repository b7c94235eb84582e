"""``explain``, ``doctor`` and ``directions`` on models of rows and signals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from ganexplain.cli.main import main
from tests._critics import SIGNAL, TABLE, inputs

MODEL = """
import torch
from ganexplain import Generator
from tests._critics import SIGNAL, TABLE, Small, critic_of_form, inputs

def rows():
    return critic_of_form("table")

def signals():
    return critic_of_form("signal")

def makes_rows():
    torch.manual_seed(0)
    blocks = torch.nn.Linear(4, 4)
    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.free, self.sex = torch.nn.Linear(4, 4), torch.nn.Linear(4, 3)
        def forward(self, z):
            free = self.free(z)
            return torch.cat([free[:, :2], self.sex(z).softmax(1), free[:, 2:]], 1)
    return Generator.wrap(Net(), z_dim=4, form=TABLE)
"""
QUICK = ["--method", "occlusion", "--quiet"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "m.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(Path(__file__).parents[2])
    rows = inputs("table", 30, seed=5)
    lines = [",".join(("id", "sex", "age", "height", "debt", "income"))]
    for i, row in enumerate(rows.tolist()):
        word = TABLE.categories["sex"][row[2:5].index(1)]
        lines.append(f"p{i},{word},{row[0]:.6g},{row[1]:.6g},{row[6]:.6g},{row[5]:.6g}")
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    return tmp_path


def run(*words: str) -> int:
    with pytest.raises(SystemExit) as done:
        main([*words])
    return int(done.value.code or 0)


def test_rows_of_a_file_are_explained(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("explain", "m.py:rows", "rows.csv#3-4", "--reals", "rows.csv", "--out", "r", *QUICK) == 0
    told = json.loads((folder / "r" / "report.json").read_text())
    assert [e["name"] for e in told["explanations"]] == ["rows.csv row 3", "rows.csv row 4"]
    shown = {part["position"]: part["shown"] for part in told["explanations"][0]["regions"]}
    assert shown == dict(zip(TABLE.players, TABLE.shown(inputs("table", 30, seed=5)[2]), strict=True))
    assert told["explanations"][0]["baseline"]["name"] in ("nearest_real", "shuffled", "zero")
    assert told["explanations"][0]["critic"]["reals"] == 30
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("suffix", ["npy", "csv", "wav"])
def test_a_signal_is_explained(folder: Path, suffix: str) -> None:
    signal = inputs("signal", 1)[0].numpy()
    if suffix == "npy":
        np.save("s.npy", signal)
    elif suffix == "csv":
        np.savetxt("s.csv", signal.T, delimiter=";")
    else:
        wavfile.write("s.wav", 8, signal.T)
    words = ["explain", "m.py:signals", f"s.{suffix}", "--method", "occlusion", "--out", "r", "--quiet"]
    assert run(*words) == 0
    (entry,) = json.loads((folder / "r" / "report.json").read_text())["explanations"]
    assert entry["shape"] == [2, 24]
    assert len(entry["regions"]) == SIGNAL.windows


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["explain", "m.py:rows", "none.csv"], "no file none.csv"),
        (["explain", "m.py:rows", "rows.csv#31"], "has 30 rows, so there is no row 31"),
        (["explain", "m.py:rows", "rows.csv#x"], "must end in the number of a row"),
        (["explain", "m.py:rows", "rows.csv#1", "--segments", "m.png"], "this judge reads rows; leave it out"),
        (["explain", "m.py:rows", "rows.csv#1", "--baseline", "black"], "no baseline 'black' for rows"),
        (["explain", "m.py:rows", "bad.csv"], "bad.csv: row 1 has 'man' for 'sex'"),
        (["explain", "m.py:signals", "fast.wav"], "it has 16 samples per second, and the critic reads 8"),
    ],
)
def test_what_cannot_be_read_is_named(
    folder: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "bad.csv").write_text("age,height,sex,income,debt\n1,2,man,3,4\n")
    wavfile.write(folder / "fast.wav", 16, inputs("signal", 1)[0].numpy().T)
    assert run(*words, "--out", "r", "--quiet") != 0
    error = capsys.readouterr().err
    assert says in " ".join(error.split())
    assert "Traceback" not in error


def test_the_doctor_skips_what_is_for_images(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("doctor", "m.py:rows", "--real", "rows.csv", "--fake", "rows.csv", "--json", "--quiet")
    found = {f["name"]: f["status"] for f in json.loads(capsys.readouterr().out)["findings"]}
    assert {found[name] for name in ("image range", "declared range", "channel order", "resize")} == {"not applicable"}
    assert found["gradients"] == "ok"
    assert found["method kernel_shap"] == "ok"
    assert found["method grad_cam"] == "not applicable"


def test_directions_of_a_generator_of_rows(folder: Path) -> None:
    words = ["directions", "m.py:makes_rows", "--critic", "m.py:rows", "--compare", "jacobian,random", "--n", "2"]
    assert run(*words, "--codes", "8", "--out", "d", "--quiet") == 0
    page = (folder / "d" / "directions.html").read_text()
    assert "Rows of 7" in page
    assert "pixel" not in page
    assert (folder / "d" / "overview.png").stat().st_size > 1000
