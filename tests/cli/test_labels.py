"""``--label`` for a conditional GAN of this project: sample, explain and directions stand at the class said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ganexplain import tensors
from ganexplain.explanation import plan as plans
from ganexplain.models.gan import GAN
from ganexplain.models.verdict import Calibration
from tests.cli.conftest import Run

NAMES = ("shirt", "shoe", "bag")


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few orders and comparisons: the tests are of the class, not of the numbers."""
    monkeypatch.setattr(plans, "AMOUNTS", dict.fromkeys(plans.BUDGETS, plans.Amounts(10, 1, 2, 50)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("labels")
    gan = GAN.build("dcgan", seed=1, resolution=8, z_dim=4, width=4, num_classes=3)
    gan.generator.eval().requires_grad_(False)
    gan = replace(gan, class_names=NAMES)
    gan.judge = GAN.build("dcgan", seed=2, **gan.architecture).discriminator
    gan.reals, gan.real_labels = tensors.to_uint8(gan.samples(30, seed=9)), torch.arange(30) % 3
    gan.calibrations = {"judge": Calibration(0.0, 1.0, 0.9, pooled=True)}
    gan.save(where / "gan.safetensors")
    return where


def test_sample_draws_the_class(run: Run, folder: Path, tmp_path: Path) -> None:
    model = folder / "gan.safetensors"
    code, _, err = run("sample", model, "--out", tmp_path / "none", "--quiet")
    assert code == 2
    assert "0 (shirt), 1 (shoe), 2 (bag)" in err
    code, _, err = run("sample", model, "--label", 3, "--out", tmp_path / "none", "--quiet")
    assert (code, "got 3" in err) == (2, True)
    assert run("sample", model, "--label", 2, "--n", 2, "--out", tmp_path / "bags", "--quiet")[0] == 0
    gan = GAN.load(model)
    from ganexplain.data.images import read_folder

    wanted = tensors.to_uint8(gan.given(2).samples(2))
    assert torch.equal(tensors.to_uint8(read_folder(tmp_path / "bags", channels=1)), wanted)
    codes = [np.load(path) for path in sorted((tmp_path / "bags").glob("*.npy"))]
    assert np.array_equal(np.stack(codes), gan.generator.sample(2).numpy())


def test_explain_judges_for_the_class(run: Run, folder: Path, tmp_path: Path) -> None:
    model = folder / "gan.safetensors"
    gan = GAN.load(model)
    run("sample", model, "--label", 1, "--n", 1, "--out", tmp_path / "made", "--quiet")
    (image,) = (tmp_path / "made").glob("*.png")
    words = ["explain", model, image, "--budget", "quick", "--domain", "places", "--json", "--quiet"]
    code, _, err = run(*words, "--out", tmp_path / "none")
    assert code == 2
    assert "say which" in err
    assert "1 (shoe)" in err
    for label in (0, 1):
        code, out, err = run(*words, "--label", label, "--out", tmp_path / str(label))
        assert code == 0, err
        entry = json.loads(out)["explanations"][0]
        pixels = tensors.from_uint8(tensors.to_uint8(gan.given(1).samples(1)))
        assert entry["verdict"]["logit"] == pytest.approx(float(gan.critic("judge", label).logits(pixels)), abs=1e-5)
        assert (entry["critic"]["label"], entry["critic"]["class"]) == (label, NAMES[label])
        assert f"--label {label}" in json.loads(out)["command"]
        page = next((tmp_path / str(label)).glob("*.html")).read_text()
        assert f"It judges for class {label} ({NAMES[label]})" in page
        assert f"as class {label} ({NAMES[label]})." in page


def test_directions_are_those_of_the_class(run: Run, folder: Path, tmp_path: Path) -> None:
    words = ["directions", folder / "gan.safetensors", "--n", 1, "--codes", 4, "--quiet"]
    words += ["--method", "jacobian", "--set", "n_samples=4"]
    code, _, err = run(*words, "--out", tmp_path / "none")
    assert (code, "2 (bag)" in err) == (2, True)
    code, out, err = run(*words, "--label", 2, "--json", "--out", tmp_path / "bag")
    assert code == 0, err
    from ganexplain.latent.finders.jacobian import Jacobian

    generator = GAN.load(folder / "gan.safetensors").generator.given(2)
    found = Jacobian(n_directions=1, n_samples=4).fit(generator, seed=0).directions_
    strengths = [row["strength"] for row in json.loads(out)["directions"]]
    assert strengths == pytest.approx(found.strength.tolist(), rel=1e-4)


def test_inspect_names_the_classes(run: Run, folder: Path) -> None:
    code, out, _ = run("inspect", folder / "gan.safetensors")
    assert code == 0
    assert "classes (--label): 0 (shirt), 1 (shoe), 2 (bag)" in out
    assert json.loads(run("inspect", folder / "gan.safetensors", "--json")[1])["class_names"] == list(NAMES)
