"""Feature spaces against scikit-learn and torch, and which is taken for what."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganexplain import tensors
from ganexplain.data.sets import DataSet, gaussians, open_data, ring
from ganexplain.data.splits import split
from ganexplain.models.preprocess import Preprocess
from ganexplain.training.metrics import Classifier, Components, Module, Standardised, extractor_for


def noise(n: int, *shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(tensors.rng(seed, "images").integers(0, 256, (n, *shape), dtype="uint8"))


def test_components_span_what_scikit_learn_finds(trained: Any) -> None:
    from sklearn.decomposition import PCA

    found = Components.fit(trained.images, 8)
    flat = tensors.from_uint8(trained.images).flatten(1).double().numpy()
    other = PCA(8, svd_solver="full").fit(flat)
    agreement = np.abs(other.components_ @ found.basis.numpy())
    assert np.allclose(agreement, np.eye(8), atol=1e-6)
    assert np.allclose(np.abs(found(trained.images[:9]).numpy()), np.abs(other.transform(flat[:9])), atol=1e-8)
    assert found.fingerprint == Components.fit(trained.images, 8).fingerprint
    assert found.fingerprint != Components.fit(trained.images[1:], 8).fingerprint


def test_components_of_large_images_are_those_of_scikit_learn() -> None:
    from sklearn.decomposition import PCA

    codes = tensors.normal(0, "codes", shape=(300, 12)) * torch.arange(12, 0, -1)
    pixels = 128 + 4 * codes @ tensors.normal(0, "basis", shape=(12, 3 * 20 * 20))
    images = pixels.round().clamp(0, 255).to(torch.uint8).reshape(-1, 3, 20, 20)  # 1,200 values: the other way to fit
    found = Components.fit(images, 6)
    other = PCA(6, svd_solver="full").fit(tensors.from_uint8(images).flatten(1).double().numpy())
    assert np.allclose(np.abs(other.components_ @ found.basis.numpy()), np.eye(6), atol=1e-4)


def test_components_of_sorted_images_are_of_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from ganexplain.training.metrics import features

    monkeypatch.setattr(features, "FIT_IMAGES", 10)
    images = torch.arange(100, dtype=torch.uint8)[:, None, None, None].expand(100, 1, 2, 2)
    assert Components.fit(images, 2).mean[0] == tensors.from_uint8(images[::10]).double().mean()


def test_standardised_rows_are_those_of_scikit_learn() -> None:
    from sklearn.preprocessing import StandardScaler

    rows = tensors.normal(0, "rows", shape=(50, 3)) * torch.tensor([1.0, 9.0, 0.0]) + 4
    found = Standardised.fit(rows)
    assert np.allclose(found(rows).numpy(), StandardScaler().fit_transform(rows.double().numpy()), atol=1e-12)
    assert found(rows).dtype == torch.float64


class Noisy(nn.Module):
    """Maps, with batch norm, dropout and noise from the global generator."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Dropout(0.5))
        self.sizes: list[int] = []

    def forward(self, x: Tensor) -> Tensor:
        self.sizes.append(len(x))
        made: Tensor = self.layers(x)
        return made + 0 * torch.randn(1)


def test_any_network_is_an_extractor_and_stays_as_it_is() -> None:
    with tensors.isolated(1):
        network = Noisy().train()
    images, before = noise(10, 1, 8, 8), {k: v.clone() for k, v in network.state_dict().items()}
    extractor = Module(network, "five maps", preprocess=Preprocess(channels=3, value_range=(0, 1)), batch_size=4)
    state = torch.get_rng_state()
    found = extractor(images)
    assert torch.equal(torch.get_rng_state(), state)
    read = (images.float() / 255).repeat(1, 3, 1, 1)
    expected = nn.functional.conv2d(read, network.layers[0].weight, network.layers[0].bias) / (1 + 1e-5) ** 0.5  # type: ignore[union-attr]
    assert torch.allclose(found, expected.mean((2, 3)).double(), atol=1e-5)
    assert (found.dtype, found.shape) == (torch.float64, (10, 5))
    assert extractor.network.sizes == [4, 4, 2]
    assert network.training
    assert network.sizes == []
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    assert (extractor.name, extractor.classes) == ("five maps", ())


def test_the_fingerprint_of_a_network_is_of_weights_and_of_what_it_is_handed() -> None:
    with tensors.isolated(1):
        network, other = nn.Conv2d(1, 2, 1), nn.Conv2d(1, 2, 1)
    first = Module(network, "a").fingerprint
    assert first == Module(network, "b").fingerprint
    assert first != Module(other, "a").fingerprint
    assert first != Module(network, "a", preprocess=Preprocess(value_range=(0, 1))).fingerprint


def test_a_network_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match=r"features \(3, k\) or maps \(3, k, h, w\), got \(192,\)"):
        Module(nn.Flatten(0), "flat")(noise(3, 1, 8, 8))


def test_each_kind_of_data_has_its_space() -> None:
    digits = open_data("digits")
    assert isinstance(extractor_for(digits, split(digits)), Components)
    large = open_data("digits", resolution=28)
    found = extractor_for(large, split(large))
    assert isinstance(found, Classifier)
    assert found.classes == large.class_names  # MNIST's
    plain = DataSet(large.images, None, (), "plain", "")
    assert isinstance(extractor_for(plain, split(plain)), Classifier)
    colour = DataSet(large.images.repeat(1, 3, 1, 1)[:300], None, (), "colour", "")
    assert isinstance(extractor_for(colour, split(colour)), Components)
    rows = gaussians(ring(), 0.1, n=100)
    assert isinstance(extractor_for(rows, split(rows)), Standardised)


def test_the_bundled_classifier_reads_its_own_sets() -> None:
    classifier = Classifier.load()
    fashion = open_data("fashion-mnist")
    assert classifier.classes == fashion.class_names
    rows = split(fashion).held_out[:1000]
    images = fashion.images[rows]
    features = classifier(images)
    assert (features.shape, features.dtype) == ((1000, 64), torch.float64)
    assert fashion.labels is not None
    right = (classifier.read(features) == fashion.labels[rows]).double().mean()
    assert right == pytest.approx(classifier.head["accuracy"], abs=0.03)
    with torch.no_grad():
        logits = classifier.network(tensors.from_uint8(images[:50]))
    assert torch.allclose(classifier.probabilities(features[:50]), logits[:, :10].double().softmax(1), atol=1e-6)
    digits = Classifier.load(tuple("0123456789"))
    assert torch.allclose(digits.probabilities(features[:50]), logits[:, 10:].double().softmax(1), atol=1e-6)
    assert digits.fingerprint == classifier.fingerprint == classifier.card["fingerprint"]


def test_the_card_of_the_bundled_classifier_says_what_was_measured() -> None:
    card = Classifier.load().card
    for head in card["heads"]:
        assert head["accuracy"] == pytest.approx(head["accuracy_in_float32"], abs=1e-3)
        assert head["n_train"] + head["n_held_out"] == {"fashion-mnist": 70_000, "mnist": 5000}[head["name"]]
        assert head["accuracy"] > 0.9


def test_the_bundled_classifier_refuses_other_images_and_other_classes() -> None:
    with pytest.raises(ValueError, match=r"reads uint8 images \(N, 1, 28, 28\), got torch.uint8 \(2, 3, 28, 28\)"):
        Classifier.load()(noise(2, 3, 28, 28))
    with pytest.raises(ValueError, match="it does not know cat, dog"):
        Classifier.load(("cat", "dog"))
    assert not Classifier.reads(("cat", "dog"))
