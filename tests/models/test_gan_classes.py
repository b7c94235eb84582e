"""A conditional GAN: labels in the data's shares, critics that stand at a class, reals told apart, files of before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganexplain import store, tensors
from ganexplain.models.gan import GAN
from ganexplain.models.labelled import reading
from ganexplain.models.resolve import critic_of, generator_of, resolve
from ganexplain.models.spec import Spec
from ganexplain.models.verdict import Calibration

SHARES = (0.5, 0.0, 0.3, 0.2)
NAMES = ("shirt", "shoe", "bag", "coat")


def built(**options: Any) -> GAN:
    gan = GAN.build("dcgan", seed=1, resolution=8, z_dim=5, width=4, **{"num_classes": 4, **options})
    gan.generator.eval().requires_grad_(False)
    return gan


def whole() -> GAN:
    """One with everything that a saved one has."""
    gan = replace(built(), class_names=NAMES, class_shares=SHARES)
    gan.judge = built().discriminator
    gan.reals = torch.randint(0, 256, (40, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    gan.real_labels = torch.arange(40) % 4
    gan.calibrations = {"judge": Calibration(0.25, 1.5, 0.9, n_real=20, n_fake=20, pooled=True)}
    return gan


def test_labels_come_in_the_datas_shares() -> None:
    gan = replace(built(), class_shares=SHARES)
    drawn = gan.labels(20_000, seed=4)
    counts = torch.bincount(drawn, minlength=4).double() / len(drawn)
    torch.testing.assert_close(counts, torch.tensor(SHARES).double(), rtol=0, atol=4 * 0.5 / 20_000**0.5)
    assert int(counts[1]) == 0
    assert torch.equal(gan.labels(50, seed=4), drawn[:50])  # a larger n continues a smaller one
    assert not torch.equal(gan.labels(50, seed=5), drawn[:50])
    even = torch.bincount(built().labels(20_000), minlength=4).double() / 20_000
    torch.testing.assert_close(even, torch.full((4,), 0.25).double(), rtol=0, atol=0.015)


def test_samples_are_of_their_labels() -> None:
    gan = replace(built(), class_shares=SHARES)
    images = gan.samples(9, seed=2)
    codes, labels = gan.generator.sample(9, seed=2), gan.labels(9, seed=2)
    torch.testing.assert_close(images, gan.generator(codes, labels), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gan.samples(4, seed=2), images[:4], rtol=1e-5, atol=1e-6)
    own = torch.full((9,), 1)
    torch.testing.assert_close(gan.samples(9, seed=2, labels=own), gan.given(1).samples(9, seed=2))
    many = gan.samples(150, labels=torch.arange(150) % 4)  # in batches each keeps its own
    torch.testing.assert_close(
        many[130], gan.generator(gan.generator.sample(150)[130:131], torch.tensor([130 % 4]))[0], rtol=1e-5, atol=1e-6
    )
    for wrong in (torch.zeros(3).long(), torch.full((9,), 4), torch.zeros(9)):
        with pytest.raises(ValueError, match=r"labels must be \(9,\) whole numbers from 0 to 3"):
            gan.samples(9, labels=wrong)


def test_without_classes_there_are_no_labels() -> None:
    plain = built(num_classes=0)
    with pytest.raises(ValueError, match="knows no classes"):
        plain.labels(3)
    with pytest.raises(ValueError, match="label=2 was given, but this GAN knows no classes"):
        plain.critic("discriminator", 2)
    assert plain.critic("discriminator").label is None
    assert plain.at(None) is plain


def test_a_critic_stands_at_a_class() -> None:
    gan = whole()
    with pytest.raises(ValueError, match=r"say which, .*--label.*0 \(shirt\), 1 \(shoe\), 2 \(bag\), 3 \(coat\)"):
        gan.critic()
    with pytest.raises(ValueError, match=r"one of 0 \(shirt\).*got 4"):
        gan.critic(label=4)
    images = gan.samples(5)
    for label in range(4):
        critic = gan.critic(label=label)
        wanted = gan.judge.eval()(images, torch.full((5,), label)).detach()  # type: ignore[misc]
        torch.testing.assert_close(critic.logits(images), wanted)
        assert critic.label == label
        assert critic.class_names == NAMES
        assert critic.generator is not None
        assert critic.generator.label == label
        torch.testing.assert_close(gan.given(label).critic().logits(images), wanted)


def test_its_reals_are_those_of_the_class() -> None:
    gan = whole()
    assert gan.reals is not None
    floats = tensors.from_uint8(gan.reals)
    critic = gan.critic(label=2)
    assert critic.reference is not None
    assert torch.equal(critic.reference.images, floats[2::4])
    torch.testing.assert_close(critic.reference.logits, critic.logits(floats[2::4]))
    other = critic.given(3)
    assert other.reference is not None
    assert torch.equal(other.reference.images, floats[3::4])
    assert torch.equal(critic.reals, floats)
    lacking = replace(gan, real_labels=torch.zeros(40).long())
    assert lacking.critic(label=2).reference is None  # no real of that class is known
    assert lacking.critic(label=2).given(0).reference is not None


def test_a_calibration_over_all_classes_holds_for_another_one() -> None:
    gan = whole()
    pooled = gan.calibrations["judge"]
    assert gan.critic(label=1).given(2).calibration == pooled
    gan.calibrations["judge"] = replace(pooled, pooled=False)
    assert gan.critic(label=1).given(2).calibration is None


def test_an_image_is_read_under_all_labels_with_names_and_all_reals() -> None:
    gan = whole()
    critic = gan.critic(label=1)
    image = gan.samples(1)
    found, with_all = reading(critic, image), reading(critic, image, gan.held_out, class_names=NAMES)
    assert found.name(1) == "label 1 (shoe)"
    assert found.image_part == pytest.approx(with_all.image_part)
    assert found.origin == pytest.approx(with_all.origin)


def test_calibration_judges_each_image_under_its_own_label() -> None:
    from sklearn.metrics import roc_auc_score

    gan = whole()
    real, fake = tensors.normal(0, "r", shape=(60, 1, 8, 8)).clamp(-1, 1), gan.samples(44)
    own = torch.arange(60) % 4, torch.arange(44) % 4
    with torch.no_grad():
        logits = [gan.discriminator.eval()(x, y) for x, y in zip((real, fake), own, strict=True)]
    critic = gan.critic("discriminator", 0)
    torch.testing.assert_close(critic.logits(real, labels=own[0]), logits[0])
    if float(logits[0].mean()) < float(logits[1].mean()):
        pytest.fail("the seed must be one whose untrained discriminator prefers noise")
    known = critic.calibrate(real, fake, labels=own, seed=3).calibration
    assert known is not None
    assert known.pooled
    halves = []
    for kind, values in (("real", logits[0]), ("fake", logits[1])):
        order = torch.from_numpy(tensors.rng(3, "calibrate", kind).permutation(len(values)))
        halves.append(values[order][len(values) // 2 :])
    truth = [1] * len(halves[0]) + [0] * len(halves[1])
    assert known.auc == pytest.approx(roc_auc_score(truth, torch.cat(halves).numpy()))


def test_a_file_keeps_the_classes(tmp_path: Path) -> None:
    gan = whole()
    again = GAN.load(gan.save(tmp_path / "gan.safetensors"))
    assert (again.class_names, again.class_shares) == (NAMES, SHARES)
    assert again.calibrations == gan.calibrations
    assert torch.equal(again.real_labels, gan.real_labels)  # type: ignore[arg-type]
    assert torch.equal(again.samples(6), gan.samples(6))
    assert "4 classes" in repr(again)
    at = GAN.load(gan.given(2).save(tmp_path / "at.safetensors"))  # the class is where one stands, and no part of it
    assert at.fingerprint == gan.fingerprint
    assert at.generator.label is None


def test_a_file_of_before_there_were_classes_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gan, written = built(num_classes=0), {}
    original = store.save_tensors

    def old(path: Path, state: dict[str, Tensor], metadata: dict[str, Any]) -> Path:
        kept = {k: v for k, v in metadata.items() if k not in ("class_names", "class_shares")}
        written.update(kept | {"schema": 1})
        return original(path, state, written)

    monkeypatch.setattr(store, "save_tensors", old)
    again = GAN.load(gan.save(tmp_path / "gan.safetensors"))
    assert written["schema"] == 1
    assert again.fingerprint == gan.fingerprint
    assert (again.class_names, again.real_labels) == ((), None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"class_names": ("a", "b")}, "class_names must be 4, one a class, got 2"),
        ({"class_shares": (1.0,)}, "class_shares must be 4, one a class, got 1"),
        ({"class_shares": (0.0, 0.0, 0.0, 0.0)}, "not all 0"),
        ({"class_shares": (1.0, -1.0, 1.0, 1.0)}, "0 or more"),
        ({"class_shares": (1.0, float("nan"), 1.0, 1.0)}, "0 or more"),
    ],
)
def test_bad_classes(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(built(), **wrong)


def test_the_command_lines_words_name_a_class(tmp_path: Path) -> None:
    path = str(whole().save(tmp_path / "gan.safetensors"))
    with pytest.raises(ValueError, match=r"say which.*0 \(shirt\)"):
        critic_of(path)
    with pytest.raises(ValueError, match=r"say which.*0 \(shirt\)"):
        generator_of(path)
    assert critic_of(path, spec=Spec(label=3)).label == 3
    assert generator_of(path, Spec(label=3)).label == 3
    with pytest.raises(ValueError, match="says all of itself; leave them out"):
        resolve(path, Spec(label=3, layout="dcgan"))
    plain = str(built(num_classes=0).save(tmp_path / "plain.safetensors"))
    with pytest.raises(ValueError, match="label=3 was given, but this GAN knows no classes"):
        resolve(plain, Spec(label=3))
