"""The options of ``ganexplain explain`` that leave places: domains, codes, changes, cells, classes; and bad values."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganexplain import tensors
from ganexplain.explanation import Explainer
from ganexplain.explanation import plan as plans
from ganexplain.latent.directions import Directions
from ganexplain.models.gan import GAN
from ganexplain.models.verdict import Calibration
from tests.cli.conftest import Run

FACTORIES = """
import torch
from ganexplain.models.critic import Critic

class Patches(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.seen = torch.nn.Conv2d(1, 1, 5, stride=3)
        torch.nn.init.constant_(self.seen.weight, 0.1)

    def forward(self, images):
        return self.seen(images)

class Classes(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.of = torch.nn.Embedding.from_pretrained(torch.tensor([[-1.0], [2.0], [0.5]]))

    def forward(self, images, labels):
        return images.flatten(1).mean(1) + self.of(labels)[:, 0]

def patches():
    return Critic(Patches(), pool="mean")

def classes():
    return Critic(Classes(), label=0, num_classes=3)
"""


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few orders and comparisons: the tests are of the command, not of the numbers."""
    monkeypatch.setattr(plans, "AMOUNTS", dict.fromkeys(plans.BUDGETS, plans.Amounts(10, 1, 2, 50)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved GAN, two of its fakes with their codes, directions, and factories of other judges."""
    path = tmp_path_factory.mktemp("inputs")
    gan = GAN.build("dcgan", resolution=16, width=4)
    gan.judge = gan.discriminator
    gan.calibrations["judge"] = Calibration(0.0, 1.0, 0.9, 0.5, 50, 50)
    gan.save(path / "gan.safetensors")
    codes = gan.generator.sample(2, seed=3)
    (path / "made").mkdir()
    for i, fake in enumerate(tensors.to_uint8(gan.generator.render(codes))):
        Image.fromarray(fake.permute(1, 2, 0).squeeze(-1).numpy()).save(path / "made" / f"{i}.png")
        np.save(path / "made" / f"{i}.npy", codes[i].numpy())
    np.save(path / "three.npy", np.zeros((3, codes.shape[1]), np.float32))
    Directions(torch.eye(codes.shape[1])[:2], torch.ones(2), names=("tall", "wide")).save(path / "found.safetensors")
    Directions(torch.eye(3)[:2], torch.ones(2), names=("tall", "wide")).save(path / "other.safetensors")
    (path / "judges.py").write_text(FACTORIES)
    return path


QUICK = ("--budget", "quick", "--quiet", "--json", "--max-evaluations", "50", "--n-segments", "6")


def test_every_option_reaches_the_page_and_the_command(run: Run, folder: Path, tmp_path: Path) -> None:
    asked = ["--domain", "frequency", "--domain", "latent", "--bands", "3", "--transform", "fft", "--tol", "0.2"]
    asked += ["--code", folder / "made", "--directions", folder / "found.safetensors", "--method", "kernel_shap"]
    asked += ["--counterfactual", "regions", "--counterfactual", "pixel-l2", "--baseline", "blur"]
    image = folder / "made" / "1.png"
    code, out, err = run("explain", folder / "gan.safetensors", image, *asked, *QUICK, "--out", tmp_path / "r")
    assert (code, err) == (0, "")
    document = json.loads(out)
    entry = document["explanations"][0]
    waves, codes = entry["facets"]
    assert [waves["domain"], codes["domain"]] == ["frequency", "latent"]
    assert (waves["facts"]["transform"], len(waves["parts"])) == ("fft", 4)
    assert {p["name"] for p in codes["parts"]} == {"tall", "wide", "the rest"}
    assert not codes["facts"]["inverted"]
    assert [c["kind"] for c in entry["counterfactuals"]] == ["regions", "pixel_l2"]
    assert (entry["plan"]["budget"], entry["plan"]["tol"], entry["plan"]["code"]) == ("quick", 0.2, False)
    assert all(" ".join(map(str, pair)) in document["command"] for pair in zip(asked[::2], asked[1::2], strict=True))
    with np.load(tmp_path / "r" / entry["arrays"]) as arrays:
        assert arrays["latent_code"].ravel() == pytest.approx(np.load(folder / "made" / "1.npy"), abs=1e-6)
        assert arrays["frequency_values_kernel_shap"].shape == (1, 2, 16, 16)
        assert arrays["changed_pixel_l2"].shape == (1, 16, 16)


def test_places_alone_and_one_cell(run: Run, folder: Path, tmp_path: Path) -> None:
    words = ["explain", f"{folder}/judges.py:patches", folder / "made" / "0.png", "--domain", "places", "--cell", "1,2"]
    code, out, _ = run(*words, *QUICK, "--out", tmp_path / "r")
    document = json.loads(out)
    entry = document["explanations"][0]
    assert (code, entry["facets"]) == (0, [])
    assert "--domain places" in document["command"]
    assert "--cell 1,2" in document["command"]
    with np.load(tmp_path / "r" / entry["arrays"]) as arrays:
        x, values = arrays["image"][0], arrays["values_integrated_gradients"][0]
    weight, bias = 0.1, entry["verdict"]["logit"] - 0.1 * x[3:8, 6:11].sum()
    assert abs(bias) <= 0.2  # the default of a convolution of 25 weights
    assert weight > 0
    outside = values.copy()
    outside[3:8, 6:11] = 0
    assert np.abs(outside).max() < 1e-6  # the cell sees 5 x 5 pixels, and nothing else can count


def test_a_class_is_given_to_a_judge_made_in_python(run: Run, folder: Path, tmp_path: Path) -> None:
    words = ["explain", f"{folder}/judges.py:classes", folder / "made" / "0.png", "--domain", "places", *QUICK]
    logits = {}
    for label in (0, 1):
        code, out, _ = run(*words, "--label", label, "--out", tmp_path / str(label))
        assert code == 0
        logits[label] = json.loads(out)["explanations"][0]["verdict"]["logit"]
        assert f"--label {label}" in json.loads(out)["command"]
    assert logits[1] - logits[0] == pytest.approx(3.0, abs=1e-5)


def test_another_model_may_have_made_the_images(run: Run, folder: Path, tmp_path: Path) -> None:
    words = ["explain", f"{folder}/judges.py:patches", folder / "made" / "0.png", "--domain", "latent", *QUICK]
    words += ["--code", folder / "made" / "0.npy", "--directions", folder / "found.safetensors"]
    code, _, err = run(*words, "--out", tmp_path / "r")
    assert code == 2
    assert "name it with --generator MODEL" in err
    code, out, _ = run(*words, "--generator", folder / "gan.safetensors", "--out", tmp_path / "r")
    assert code == 0
    assert [f["domain"] for f in json.loads(out)["explanations"][0]["facets"]] == ["latent"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--domain", "frequncy"], "did you mean 'frequency'"),
        (["--budget", "quik"], "did you mean 'quick'"),
        (["--counterfactual", "band"], "did you mean 'bands'"),
        (["--baseline", "nois"], "did you mean 'noise'"),
        (["--transform", "ftt"], "did you mean 'fft'"),
        (["--bands", "-1"], "--bands must be at least 1"),
        (["--tol", "5"], "--tol must lie between 0 and 1"),
        (["--cell", "3"], "--cell must be a row and a column"),
        (["--cell", "9,9"], "9"),
        (["--label", "1"], "class"),
        (["--bands", "4", "--domain", "latent"], "add --domain frequency"),
        (["--code", "three.npy"], "must hold one code an image, (1, D)"),
        (["--code", "gone.npy"], "gone.npy"),
        (["--directions", "other.safetensors"], "3"),
        (["--directions", "gan.safetensors"], "holds no directions"),
        (["--generator", "judges.py:patches"], "makes no images"),
    ],
)
def test_bad_values_are_one_line_and_nothing_is_computed_or_written(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    def never(*_: object, **__: object) -> None:
        raise KeyError("something was computed")

    monkeypatch.chdir(folder)
    monkeypatch.setattr(Explainer, "explain", never)
    before = sorted(str(p) for p in folder.rglob("*") if "__pycache__" not in str(p))
    code, shown, err = run("explain", "gan.safetensors", "made/0.png", *words, "--out", "report")
    assert (code, shown) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
    assert sorted(str(p) for p in folder.rglob("*") if "__pycache__" not in str(p)) == before


def test_sampled_codes_make_the_sampled_images_again(run: Run, folder: Path, tmp_path: Path) -> None:
    assert run("sample", folder / "gan.safetensors", "--n", 2, "--out", tmp_path / "s", "--quiet")[0] == 0
    generator = GAN.load(folder / "gan.safetensors").generator
    for i in range(2):
        code = torch.from_numpy(np.load(tmp_path / "s" / f"00{i}.npy"))[None]
        made = tensors.to_uint8(generator.render(code))[0, 0].numpy()
        assert np.array_equal(made, np.asarray(Image.open(tmp_path / "s" / f"00{i}.png")))


def test_the_list_of_methods_names_the_changes(run: Run) -> None:
    code, out, _ = run("methods")
    assert code == 0
    assert "counterfactuals:" in out
    for name in ("pixel_l2", "pixel_l1", "bands", "regions"):
        assert f"  {name} " in out
