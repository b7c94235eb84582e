"""``ganexplain explain`` from end to end on a tiny GAN, and that bad input leaves nothing behind."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from ganexplain import tensors
from ganexplain.evaluation import faithfulness
from ganexplain.explanation import Explainer, Plan
from ganexplain.models.gan import GAN
from ganexplain.models.verdict import Calibration
from tests.cli.conftest import Run


@pytest.fixture
def run(run: Run) -> Run:
    return lambda *arguments: run(*arguments, "--budget", "quick")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few orders and comparisons: the tests are of the command, not of the numbers."""
    values = {"n_orders": 10, "n_randomised": 1, "n_others": 2, "light": 50, "max_evaluations": 50}
    made = Plan.__init__

    def init(self: Plan, **given: object) -> None:
        made(self, **{**values, **{k: v for k, v in given.items() if v is not None}})

    monkeypatch.setattr(Plan, "__init__", init)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved GAN, two of its fakes, a mask, reals, and a file that is no image."""
    path = tmp_path_factory.mktemp("inputs")
    gan = GAN.build("dcgan", resolution=16, width=4)
    gan.judge = gan.discriminator
    gan.calibrations["judge"] = Calibration(0.0, 1.0, 0.9, 0.5, 50, 50)
    gan.reals = tensors.to_uint8(gan.samples(8, seed=7).flip(-1))
    gan.save(path / "gan.safetensors")
    fakes = tensors.to_uint8(gan.samples(2, seed=3))
    (path / "images").mkdir()
    for i, fake in enumerate(fakes):
        Image.fromarray(fake.permute(1, 2, 0).squeeze(-1).numpy()).save(path / "images" / f"{i}.png")
    mask = torch.zeros(16, 16, dtype=torch.uint8)
    mask[:8, 8:], mask[8:, :8], mask[8:, 8:] = 80, 160, 240
    Image.fromarray(mask.numpy()).save(path / "mask.png")
    Image.new("L", (16, 16)).save(path / "flat.png")
    (path / "bad.png").write_text("no image")
    return path


def test_it_explains_and_says_where(run: Run, folder: Path, tmp_path: Path) -> None:
    code, out, err = run("explain", folder / "gan.safetensors", folder / "images", "--out", tmp_path / "r")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("0.png: Judged ")
    assert lines[-1] == str(tmp_path / "r" / "index.html")
    assert len(lines) == 3
    assert sorted(p.name for p in (tmp_path / "r").iterdir()) == ["arrays", "index.html", "report.json", "run.json"]
    assert {p.name for p in (tmp_path / "r" / "arrays").iterdir()} == {"0.npz", "1.npz"}
    assert "Traceback" not in err


def test_json_quiet_options_and_same_bytes(run: Run, folder: Path, tmp_path: Path) -> None:
    words = ["explain", folder / "gan.safetensors", folder / "images" / "0.png", "--segments", folder / "mask.png"]
    words += ["--method", "occlusion", "--method", "integrated-gradients", "--baseline", "black", "--side", "real"]
    words += ["--quiet", "--json"]
    code, out, err = run(*words, "--out", tmp_path / "a")
    assert (code, err) == (0, "")
    doc = json.loads(out)
    assert doc == json.loads((tmp_path / "a" / "report.json").read_text())
    entry = doc["explanations"][0]
    assert entry["plan"]["methods"] == ["occlusion", "integrated_gradients"] == sorted(entry["trust"], reverse=True)
    assert (entry["side"], entry["method"], entry["baseline"]["name"]) == ("real", "occlusion", "black")
    assert len(entry["regions"]) == 4
    assert str(tmp_path) not in json.dumps(entry)
    run(*words, "--out", tmp_path / "b")
    for name in ("index.html", "report.json", "arrays/0.npz"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_settings_reach_the_methods_and_the_record(run: Run, folder: Path, tmp_path: Path) -> None:
    words = ["explain", folder / "gan.safetensors", folder / "images" / "0.png", "--method", "occlusion"]
    words += ["--method", "grad-cam", "--set", "window=3", "--set", "grad-cam.layer=layers.0", "--quiet", "--json"]
    code, out, _ = run(*words, "--out", tmp_path / "r")
    entry = json.loads(out)["explanations"][0]
    params = {name: a["params"] for name, a in entry["attributions"].items()}
    assert (code, entry["plan"]["settings"]) == (0, {"occlusion": {"window": 3}, "grad_cam": {"layer": "layers.0"}})
    assert (params["occlusion"]["window"], params["grad_cam"]["layer"]) == (3, "layers.0")
    assert "--set window=3 --set grad-cam.layer=layers.0" in json.loads(out)["command"]


def test_the_judge_gets_reals(run: Run, folder: Path, tmp_path: Path) -> None:
    code, out, _ = run(
        "explain", folder / "gan.safetensors", folder / "images" / "0.png", "--reals", folder / "images",
        "--critic", "discriminator",
        "--out", tmp_path / "r", "--json", "--quiet",
    )  # fmt: skip
    critic = json.loads(out)["explanations"][0]["critic"]
    assert (code, critic["reals"], critic["unit"]) == (0, 2, "score")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--method", "salency"], "did you mean 'saliency'"),
        (["--baseline", "blak"], "did you mean 'black'"),
        (["--side", "left"], "unknown side"),
        (["--critic", "juge"], "did you mean 'judge'"),
        (["--segments", "flat.png"], "too few regions (1)"),
        (["--segments", "missing.png"], "missing.png"),
        (["--n-segments", "2"], "at least 3 are needed"),
        (["--max-evaluations", "-1"], "--max-evaluations must be at least 0"),
        (["--batch-size", "0"], "--batch-size must be at least 1"),
        (["--set", "layer=layers.0"], "unknown setting 'layer' of KernelShap"),
        (["--method", "grad_cam", "--set", "layer=layers.99"], "layers."),
        (["--set", "lime.layer=layers.0"], "unknown method in --set 'lime'"),
        (["--method", "occlusion", "--set", "window=wide"], "must be a whole number, got 'wide'"),
        (["--set", "batch_size=3"], "has an option of its own"),
        (["--reals", "missing"], "missing"),
        (["--out", "bad.png"], "is a file"),
        (["--out", "."], "holds something that is not a report"),
        (["bad.png"], "bad.png"),
        (["missing.png"], "missing.png"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_computed_or_written(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    def never(*_: object, **__: object) -> None:
        raise KeyError("something was computed")

    monkeypatch.chdir(folder)
    monkeypatch.setattr(Explainer, "explain", never)
    before = sorted(str(p) for p in folder.rglob("*"))
    out = [] if "--out" in words else ["--out", "report"]
    code, shown, err = run("explain", "gan.safetensors", "images/0.png", *words, *out)
    assert (code, shown) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert sorted(str(p) for p in folder.rglob("*")) == before


def test_an_older_report_stays_unless_it_may_go(run: Run, folder: Path, tmp_path: Path) -> None:
    words = ["explain", folder / "gan.safetensors", folder / "images" / "0.png", "--out", tmp_path / "r", "--quiet"]
    words += ["--method", "occlusion"]
    assert run(*words)[0] == 0
    before = (tmp_path / "r" / "run.json").read_bytes()
    code, _, err = run(*words)
    assert code == 2
    assert "--overwrite" in err
    assert (tmp_path / "r" / "run.json").read_bytes() == before
    assert run(*words, "--overwrite")[0] == 0


@pytest.mark.parametrize(("at", "marked"), [(1, [True]), (2, [False, True])])
def test_an_interrupt_keeps_what_is_finished(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, marked: list[bool]
) -> None:
    made = faithfulness.orders
    calls = []

    def interrupt(*arguments: Any, **given: Any) -> object:
        calls.append(1)
        if len(calls) == at:
            raise KeyboardInterrupt
        return made(*arguments, **given)

    monkeypatch.setattr(faithfulness, "orders", interrupt)
    code, out, err = run("explain", folder / "gan.safetensors", folder / "images", "--out", tmp_path / "r")
    assert code == 130
    assert "interrupted" in err
    doc = json.loads((tmp_path / "r" / "report.json").read_text())
    assert [e["interrupted"] for e in doc["explanations"]] == marked
    assert "CHECK" in doc["title"]
    assert ("1 of 2 images" in doc["title"]) == (at == 1)
    assert len(out.splitlines()) == len(marked) + 1


def test_an_interrupt_before_the_first_writes_nothing(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Explainer, "explain", interrupt)
    code, out, _ = run("explain", folder / "gan.safetensors", folder / "images", "--out", tmp_path / "r")
    assert (code, out) == (130, "")
    assert not (tmp_path / "r").exists()


def test_a_long_run_is_announced(run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Explainer, "seconds", lambda self, image: 200.0)
    words = [
        "explain",
        folder / "gan.safetensors",
        folder / "images" / "0.png",
        "--out",
        tmp_path / "r",
        "--method",
        "occlusion",
    ]
    _, _, err = run(*words)
    assert "forward passes are planned, at most about 3 minutes" in err


def test_a_name_that_no_text_can_hold_loses_nothing(run: Run, folder: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"\xff\xfe.png")
    try:
        odd.write_bytes((folder / "images" / "0.png").read_bytes())
    except OSError:
        pytest.skip("this file system takes only names in UTF-8")
    assert run("explain", folder / "gan.safetensors", odd, "--out", tmp_path / "out")[0] == 0
    assert json.loads((tmp_path / "out" / "report.json").read_text())["explanations"][0]["name"] == "??.png"
    assert "??.png" in json.loads((tmp_path / "out" / "run.json").read_text())["images"][0]


def test_a_filled_transparency_is_said_in_the_report(run: Run, folder: Path, tmp_path: Path) -> None:
    image = Image.open(folder / "images" / "0.png").convert("LA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(tmp_path / "alpha.png")
    code, out, err = run(
        "explain", folder / "gan.safetensors", tmp_path / "alpha.png", "--out", tmp_path / "out", "--quiet", "--json"
    )
    assert (code, err) == (0, "")
    assert any("white" in note for note in json.loads(out)["explanations"][0]["notes"])


def test_a_large_image_is_shrunk_and_it_is_said(tmp_path: Path) -> None:
    from ganexplain.cli.explain import read
    from ganexplain.models.critic import Critic
    from ganexplain.models.preprocess import Preprocess

    Image.new("RGB", (1024, 512)).save(tmp_path / "wide.png")
    any_size = Critic(lambda x: x.flatten(1).mean(1))
    (found,) = read(any_size, [tmp_path / "wide.png"])
    assert tuple(found.image.shape) == (1, 3, 256, 512)
    assert "shrunk from 1024 x 512 to 512 x 256" in found.notes[0]
    fixed = Critic(lambda x: x.flatten(1).mean(1), preprocess=Preprocess(size=32, channels=1))
    (found,) = read(fixed, [tmp_path / "wide.png"])
    assert tuple(found.image.shape) == (1, 1, 32, 32)
    assert "stretched" in found.notes[0]
