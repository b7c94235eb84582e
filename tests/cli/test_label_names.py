"""``--label`` by name, and `doctor` on a conditional GAN of this project."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganexplain import tensors
from ganexplain.cli._opening import Said
from ganexplain.models.gan import GAN
from tests.cli.conftest import Run


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    gan = GAN.build("dcgan", seed=1, resolution=8, z_dim=4, width=4, num_classes=3)
    gan.generator.eval().requires_grad_(False)
    gan = replace(gan, class_names=("shirt", "shoe", "bag"))
    gan.reals, gan.real_labels = tensors.to_uint8(gan.samples(60, seed=9).flip(-1)), torch.arange(60) % 3
    return gan.save(tmp_path_factory.mktemp("names") / "gan.safetensors")


@pytest.mark.parametrize(
    ("text", "label"), [("", None), ("3", 3), (" 0 ", 0), ("-1", -1), ("bag", "bag"), ("3d", "3d")]
)
def test_what_looks_like_a_number_is_one(text: str, label: object) -> None:
    assert Said(label=text)._label == label


def test_sample_takes_a_name(run: Run, model: Path, tmp_path: Path) -> None:
    for label in ("Bag", "2"):
        assert run("sample", model, "--label", label, "--n", 1, "--out", tmp_path / label, "--quiet")[0] == 0
    one, two = ([p.read_bytes() for p in sorted((tmp_path / label).glob("*.png"))] for label in ("Bag", "2"))
    assert one == two
    code, _, err = run("sample", model, "--label", "boot", "--out", tmp_path / "none")
    assert (code, "unknown class 'boot' (there are: 0 (shirt), 1 (shoe), 2 (bag))" in err) == (2, True)
    code, _, err = run("sample", model, "--label", "-1", "--out", tmp_path / "none")
    assert (code, "label must be a whole number of at least 0, got -1" in err) == (2, True)


def test_doctor_examines_at_a_class(run: Run, model: Path) -> None:
    code, _, err = run("doctor", model, "--quiet")
    assert (code, "say which" in err, "1 (shoe)" in err) == (2, True, True)
    code, out, err = run("doctor", model, "--label", "shoe", "--json", "--quiet")
    assert code in (0, 1), err
    found = json.loads(out)
    assert found["n_real"] == 20  # those of the class alone


def test_a_name_of_an_unconditional_gan_is_refused(run: Run, tmp_path: Path) -> None:
    path = GAN.build("dcgan", resolution=8, z_dim=4, width=4).save(tmp_path / "plain.safetensors")
    code, _, err = run("sample", path, "--label", "bag", "--out", tmp_path / "none")
    assert (code, "label=bag was given, but this GAN knows no classes; leave it out" in err) == (2, True)


def test_rows_are_written_as_explain_reads_them(run: Run, tmp_path: Path) -> None:
    table = {"names": ["age", "colour", "height"], "categories": {"colour": ["red", "light, green"]},
             "mean": [40.0, 170.0], "std": [10.0, 8.0]}  # fmt: skip
    gan = GAN.build("mlp", seed=3, table=table, z_dim=4, widths=[12], critic_widths=[12], num_classes=2)
    gan.generator.eval().requires_grad_(False)
    path = gan.save(tmp_path / "gan.safetensors")
    code, _, err = run("sample", path, "--label", 1, "--n", 5, "--out", tmp_path / "rows", "--quiet")
    assert code == 0, err
    from ganexplain.data.tables import read_array, read_cells

    cells, made = read_cells(tmp_path / "rows" / "rows.csv"), gan.given(1).samples(5)
    again = gan.generator.form.encode(cells.rows, cells.header)
    assert torch.equal(again[:, [0, 3]], made[:, [0, 3]])
    assert torch.equal(again[:, 1:3].argmax(1), made[:, 1:3].argmax(1))
    assert torch.equal(read_array(tmp_path / "rows" / "codes.npy").float(), gan.generator.sample(5))
