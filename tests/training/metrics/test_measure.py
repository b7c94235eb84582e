"""A whole measurement: generators whose quality is known, data of every kind, and randomness that stays untouched."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganexplain import store, tensors
from ganexplain.data.sets import DataSet, gaussians, open_data, ring
from ganexplain.data.splits import Split, split
from ganexplain.models.gan import GAN
from ganexplain.models.generator import Generator
from ganexplain.models.table import Table
from ganexplain.training.loop import train
from ganexplain.training.metrics import Classifier, Components, Measure, critic_means, measure


class Copier(Generator):
    """Ignores its code's meaning and returns one of the images: the best quality that there is."""

    z_dim, resolution, channels = 4, 8, 1

    def __init__(self, images: Tensor) -> None:
        super().__init__()
        self.images = tensors.from_uint8(images)

    def forward(self, z: Tensor) -> Tensor:
        return self.images[(z[:, 0].abs() * 1e4).long() % len(self.images)]


def copier(images: Tensor, critic: nn.Module) -> GAN:
    return GAN("dcgan", {}, Copier(images), critic)


@pytest.fixture(scope="module")
def digits(trained: Any) -> Measure:
    return Measure(trained.data, trained.split)


def test_a_copier_reaches_the_floor_and_copies(trained: Any, digits: Measure) -> None:
    found = digits.of(copier(trained.images, trained.gan.discriminator), n_fakes=600)
    # as many images on both sides, the floor's of any writer: unequal sets, or the first rows, give .36
    assert 0.8 < found["fd"] / found["fd_floor"] < 1.6
    assert found["fd_floor"] < 0.1 * found["fd_ceiling"]
    assert found["fd_images"] == found["n_held_out"] == len(trained.split.held_out)
    assert abs(found["kid"]) < 4 * found["kid_sd"] + 0.02
    assert min(found[name] for name in ("precision", "recall", "coverage")) > 0.8
    assert found["density"] == pytest.approx(1, abs=0.2)
    assert found["diversity"] == pytest.approx(1, abs=0.05)
    assert found["memorisation"] < 1e-3
    classes = found["classes"]
    assert classes["present"] == classes["of"] == 10
    assert classes["kl"] < 0.05
    assert classes["reader_accuracy"] > 0.9
    assert sum(classes["shares"].values()) == pytest.approx(1)
    json.dumps(found, allow_nan=False)


def test_held_out_images_are_no_copies_and_one_digit_alone_is_seen_through(trained: Any, digits: Measure) -> None:
    held_out = trained.data.images[trained.split.held_out]
    assert digits.of(copier(held_out, trained.gan.discriminator), n_fakes=600)["memorisation"] == pytest.approx(
        1, abs=0.1
    )
    sevens = trained.images[trained.data.labels[trained.split.train] == 7]
    poor = digits.of(copier(sevens, trained.gan.discriminator), n_fakes=600)
    good = digits.scale(len(held_out))
    assert poor["fd"] > 5 * good.fd_floor
    assert poor["kid"] > 20 * poor["kid_sd"]
    assert poor["classes"]["shares"]["7"] > 0.9
    assert poor["classes"]["kl"] == pytest.approx(np.log(10), abs=0.5)
    assert poor["recall"] < 0.2
    assert poor["diversity"] < 0.8


def test_a_generator_of_one_image_is_measured_too(trained: Any, digits: Measure) -> None:
    found = digits.of(copier(trained.images[:1], trained.gan.discriminator), n_fakes=300)
    assert (found["diversity"], found["classes"]["present"]) == (0, 1)
    assert found["recall"] < 0.01
    json.dumps(found, allow_nan=False)


def test_samples_that_are_not_finite_are_an_error(trained: Any, digits: Measure) -> None:
    gan = copier(trained.images, trained.gan.discriminator)
    gan.generator.images = torch.full_like(gan.generator.images, torch.nan)  # type: ignore[union-attr, assignment]
    with pytest.raises(ValueError, match="the generator's samples must be finite"):
        digits.of(gan, n_fakes=50)


class Counting:
    """Components that count the samples that they read."""

    def __init__(self, inner: Components) -> None:
        self.inner, self.read = inner, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __call__(self, images: Tensor) -> Tensor:
        self.read += len(images)
        return self.inner(images)


def test_what_depends_on_the_data_alone_is_computed_once_and_a_measurement_repeats(trained: Any) -> None:
    extractor = Counting(Components.fit(trained.images))
    once = Measure(trained.data, trained.split, extractor=extractor, n_fit=300)  # type: ignore[arg-type]
    assert extractor.read == 0
    first = once.of(trained.gan, n_fakes=200)
    n = len(trained.images) + len(trained.split.held_out)
    assert extractor.read == n + 3 * 200 + 300  # all reals; fakes, floor and ceiling; the reader's own
    second = once.of(trained.gan, n_fakes=200)
    assert extractor.read == n + 3 * 200 + 300 + 200
    assert {**first, "seconds": 0} == {**second, "seconds": 0}
    whole = measure(trained.gan, trained.data, trained.split, n_fakes=200, n_fit=300)
    assert whole == {k: v for k, v in first.items() if k != "seconds"}
    assert once.of(trained.gan, n_fakes=201)["fd_floor"] != first["fd_floor"]


def states() -> tuple[Any, ...]:
    return random.getstate(), repr(np.random.get_state()), torch.get_rng_state().tolist()


def test_no_measurement_touches_the_randomness_of_the_training(trained: Any) -> None:
    """The weights after some steps are the same bits whether something was measured in between or not."""
    before = states()
    found = []
    for measured in (False, True):
        gan = GAN.build("dcgan", resolution=8, channels=1, z_dim=4, width=4, depth=0)
        mine = Measure(trained.data, trained.split, n_fit=200)
        for step in train(gan, trained.images, replace(trained.config, run=replace(trained.config.run, steps=6))):
            if measured and step.step % 3 == 0:
                mine.of(gan, n_fakes=50)
                critic_means(gan, trained.data, trained.split, n=50)
        found.append(store.fingerprint({**gan.generator.state_dict(), **gan.discriminator.state_dict()}))
    assert found[0] == found[1]
    assert states() == before


def rows_gan(rows: Tensor) -> GAN:
    """Returns rows of the data, with a linear critic."""

    class Pick(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return rows[(z[:, 0].abs() * 1e5).long() % len(rows)]

    critic = nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))
    with torch.no_grad():
        critic[0].weight.copy_(torch.tensor([[2.0, 0.0]]))
        critic[0].bias.fill_(1.0)
    return GAN("mlp", {}, Generator.wrap(Pick(), z_dim=2, form=Table(("x", "y"))), critic)


def test_rows_are_measured_in_standard_deviations_and_their_modes_are_counted() -> None:
    data = gaussians(ring(), 0.05, n=4000)
    parts = split(data)
    mine = Measure(data, parts)
    found = mine.of(rows_gan(data.images[parts.train]), n_fakes=500)
    assert found["fd_space"] == "2 features in standard deviations of the training rows"
    assert found["fd"] < 0.3 * found["fd_ceiling"]  # noise in the same square has nearly the same covariance
    assert found["memorisation"] < 1e-4
    classes = found["classes"]
    assert (classes["present"], classes["of"]) == (8, 8)
    assert classes["kl"] < 0.05
    assert classes["high_quality"] > 0.99
    one = mine.of(rows_gan(data.images[parts.train][data.labels[parts.train] == 3]), n_fakes=500)  # type: ignore[index]
    assert (one["classes"]["present"], one["classes"]["shares"]["mode 3"]) == (1, 1)
    assert one["classes"]["kl"] == pytest.approx(np.log(8))
    assert one["fd"] > 10 * found["fd"]
    json.dumps([found, one], allow_nan=False)


def test_labelled_rows_without_known_modes_have_a_reader() -> None:
    data = replace(gaussians(ring(3), 0.05, n=600), modes=None, sigma=None)
    found = Measure(data, split(data)).of(rows_gan(data.images), n_fakes=200)
    assert found["classes"]["reader_accuracy"] > 0.95
    assert found["classes"]["present"] == 3


def small(n_classes: int, n: int, seed: int = 0) -> tuple[DataSet, Split]:
    """Images whose brightness is their class."""
    labels = torch.arange(n) % n_classes
    rng = tensors.rng(seed, "small")
    pixels = 200 * labels[:, None, None, None] // n_classes + torch.from_numpy(rng.integers(0, 30, (n, 1, 8, 8)))
    data = DataSet(pixels.to(torch.uint8), labels, tuple(f"class {i}" for i in range(n_classes)), "small", "made here")
    return data, split(data, share=0.4)


@pytest.mark.parametrize(("n_classes", "n"), [(1, 30), (10, 60), (25, 60)])
def test_few_images_and_many_classes_are_measured(n_classes: int, n: int, trained: Any) -> None:
    data, parts = small(n_classes, n)
    found = Measure(data, parts).of(copier(data.images, trained.gan.discriminator), n_fakes=40)
    assert (found["classes"] is None) == (n_classes == 1)
    json.dumps(found, allow_nan=False)


def test_the_head_of_the_classifier_reads_the_classes_that_it_knows_and_says_what_it_has_seen() -> None:
    """The head for MNIST, given digits that it reads right: it is the one that names them."""
    data = open_data("digits", resolution=28)
    classifier = Classifier.load(data.class_names)
    data = replace(data, labels=classifier.read(classifier(data.images)))
    parts = split(data)
    reader = Measure(data, parts).reader
    assert reader is not None
    assert (reader.name, reader.accuracy) == ("the classes of the feature space's own network", 1)
    classifier.head = {"fingerprint": data.fingerprint, "split": parts.record()}
    same, other = (Measure(data, p, extractor=classifier).reader for p in (parts, split(data, seed=5)))
    assert same is not None
    assert same.name == reader.name
    assert other is not None
    assert "has seen some of the held-out images" in other.name


def test_a_head_that_reads_the_names_but_not_the_images_is_replaced() -> None:
    data = open_data("digits", resolution=28)  # they fill the frame, unlike those of MNIST
    reader = Measure(data, split(data)).reader
    assert reader is not None
    assert reader.name.startswith("scikit-learn MLPClassifier (256 hidden) on the features")
    assert reader.accuracy > 0.9


def linear(weight: float) -> nn.Module:
    """A score that is the mean pixel times a weight, in train mode with dropout."""

    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor(weight))
            self.drop = nn.Dropout(0.5)

        def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
            shift: Tensor | float = 0.0 if labels is None else 100 * labels
            return self.drop(self.weight * x.mean((1, 2, 3)) + shift)

    return Mean().train()


def test_the_means_of_a_linear_critic_are_those_of_the_pixels(trained: Any) -> None:
    critic = linear(3.0)
    n = len(trained.split.held_out)
    found = critic_means(copier(trained.images[:1], critic), trained.data, trained.split, n=10**6)

    def mean(images: Tensor) -> float:
        return 3 * float(tensors.from_uint8(images).mean())

    assert found["held_out"] == pytest.approx(mean(trained.data.images[trained.split.held_out]), rel=1e-5)
    assert found["fake"] == pytest.approx(mean(trained.images[:1]), rel=1e-5)
    assert found["train"] == pytest.approx(mean(trained.images), abs=3 * 3 * 0.2 / n**0.5)
    assert critic.training
    assert found == critic_means(copier(trained.images[:1], critic), trained.data, trained.split, n=10**6)


def test_a_conditional_critic_is_asked_for_the_samples_own_classes(
    trained: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gan = copier(trained.images, linear(0.0))
    gan.generator.num_classes = 10
    asked: list[Tensor] = []

    def samples(n: int, *, seed: int, labels: Tensor) -> Tensor:
        asked.append(labels)
        return torch.zeros(n, 1, 8, 8)

    monkeypatch.setattr(gan, "samples", samples)
    found = critic_means(gan, trained.data, trained.split, n=10**6)
    held_out = trained.data.labels[trained.split.held_out].double().mean()
    assert found["held_out"] == pytest.approx(100 * float(held_out), rel=1e-5)
    assert found["fake"] == found["train"] == pytest.approx(100 * float(asked[0].double().mean()), rel=1e-5)
    with pytest.raises(ValueError, match="this set has none; add them"):
        critic_means(gan, replace(trained.data, labels=None), trained.split)


def test_rows_reach_the_critic_in_its_own_units() -> None:
    data = gaussians(ring(), 0.05, n=400)
    parts = split(data)
    gan = rows_gan(data.images)
    gan.generator.form = Table(("x", "y"), mean=1.0, std=2.0)
    read: Callable[[Tensor], float] = lambda rows: 1 + float((rows[:, 0] - 1).mean())  # noqa: E731 - 2 (x - 1) / 2 + 1
    found = critic_means(gan, data, parts, n=10**6)
    assert found["held_out"] == pytest.approx(read(data.images[parts.held_out]), rel=1e-5)
