"""The GAN that ships: small, whole, and as good as its card says, measured again here."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import roc_auc_score

import ganexplain.models
from ganexplain import store, tensors
from ganexplain.models.gan import GAN, bundled
from ganexplain.training import config as configs
from ganexplain.training.record import sheet_png

FOLDER = Path(ganexplain.models.__file__).parent / "bundled"


@pytest.fixture(scope="module")
def fashion() -> GAN:
    return bundled("fashion")


def test_the_files_are_small_and_agree(fashion: GAN) -> None:
    assert sum(p.stat().st_size for p in FOLDER.glob("fashion.*")) < 10e6
    card = json.loads((FOLDER / "fashion.card.json").read_text())
    assert card.pop("fingerprint") == fashion.fingerprint
    assert card == fashion.card
    assert store.load_tensors(FOLDER / "fashion.safetensors")[1]["card"] == card


def test_the_sheet_shows_its_samples(fashion: GAN) -> None:
    drawn = np.asarray(Image.open(io.BytesIO(sheet_png(fashion.samples(100, seed=0)))), dtype=int)
    stored = np.asarray(Image.open(FOLDER / "fashion.samples.png"), dtype=int)
    assert drawn.shape == stored.shape
    assert np.abs(drawn - stored).max() <= 1  # rounding of another processor


def test_the_card_reaches_what_a_judge_needs(fashion: GAN) -> None:
    quality = fashion.card["quality"]
    assert fashion.card["critics"]["judge"]["auc"] >= 0.95
    assert fashion.card["critics"]["judge"]["saturated"] == 0
    assert quality["classes"]["reader_accuracy"] >= 0.87
    assert quality["classes"]["present"] == 10
    assert quality["classes"]["kl"] <= 0.2
    assert quality["n_fakes"] >= 5000
    assert configs.from_dict(fashion.card["config"]).model["family"] == fashion.family


def test_the_judge_tells_its_reals_from_fresh_fakes_as_well_as_the_card_says(fashion: GAN) -> None:
    real, fake = tensors.from_uint8(fashion.reals), fashion.samples(len(fashion.reals), seed=20260)
    critic = fashion.critic("judge")
    logits = torch.cat([critic.logits(real), critic.logits(fake)]).numpy()
    area = roc_auc_score([1] * len(real) + [0] * len(fake), logits)
    assert area == pytest.approx(fashion.card["critics"]["judge"]["auc"], abs=0.03)  # 300 of either kind
    wrong = critic.judge(real).is_fake.double().mean() + critic.judge(fake).is_fake.logical_not().double().mean()
    assert wrong / 2 < 0.15


def test_its_reals_are_balanced_and_were_held_out(fashion: GAN) -> None:
    rows = fashion.card["reals"]["rows"]
    assert fashion.reals.shape == (300, 1, 28, 28)
    assert len(set(rows)) == 300
    assert min(rows) >= 60_000  # the official test images come last


def test_its_reals_are_those_of_the_data_set(
    fashion: GAN, fashion_mnist: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganexplain.data.sets import open_data
    from ganexplain.data.splits import split

    monkeypatch.setenv("GANEXPLAIN_DATA", str(fashion_mnist))
    data = open_data("fashion-mnist")
    rows = torch.tensor(fashion.card["reals"]["rows"])
    assert torch.equal(data.images[rows], fashion.reals)
    assert torch.bincount(data.labels[rows]).tolist() == [30] * 10
    assert data.fingerprint == fashion.card["data"]["fingerprint"]
    assert split(data, seed=fashion.card["seed"]).record() == fashion.card["data"]["split"]


def test_an_unknown_one_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'fashion'"):
        bundled("fashon")
