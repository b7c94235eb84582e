"""Plain classifiers from files: the oracle is the network that their authors wrote, and digits of another set."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ganexplain import tensors
from ganexplain.models import checkpoints
from ganexplain.models.checkpoints import Weights
from ganexplain.models.foreign import recognised
from ganexplain.models.foreign.classifier import Classifier
from ganexplain.models.spec import Spec
from tests.models.foreign import _detectors as made


class Functional(nn.Module):
    """Two convolutions and two linear layers whose pooling is in the forward alone."""

    def __init__(self, channels, first, second, kernel, features, outputs=10):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(channels, first, kernel), nn.Conv2d(first, second, kernel)
        self.fc1, self.fc2 = nn.Linear(features, 12), nn.Linear(12, outputs)
        self.once = kernel == 3

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = x if self.once else F.max_pool2d(x, 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        return self.fc2(F.relu(self.fc1(x.flatten(1))))


class Numbered(nn.Module):
    """VGG's blocks, whose names leave room for pooling."""

    def __init__(self, normed=False, pooled=False, outputs=2):
        super().__init__()
        layers, have = [], 3
        for wide in (2, 2, 0, 4, 4, 0, 4, 4, 0, 8, 8, 0, 8, 8, 0):
            if not wide:
                layers.append(nn.MaxPool2d(2))
                continue
            layers += [nn.Conv2d(have, wide, 3, padding=1), *([nn.BatchNorm2d(wide)] if normed else []), nn.ReLU()]
            have = wide
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1 if pooled else 7)
        head = [nn.Linear(8 * (1 if pooled else 49), 12), nn.ReLU(), nn.Dropout(), nn.Linear(12, outputs)]
        self.classifier = nn.Sequential(*head)

    def forward(self, x):
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


MODELS = {
    "PyTorch's first MNIST": (lambda: Functional(1, 10, 20, 5, 320), 28),
    "PyTorch's MNIST": (lambda: Functional(1, 4, 8, 3, 8 * 144), 28),
    "PyTorch's CIFAR-10": (lambda: Functional(3, 6, 16, 5, 400), 32),
    "VGG-13": (Numbered, 224),
    "VGG-13 with norms": (lambda: Numbered(normed=True), 224),
}


@pytest.mark.parametrize(("make", "size"), MODELS.values(), ids=MODELS)
def test_it_computes_what_its_author_did(make, size):
    with tensors.isolated():
        model = make().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.mul_(2)
    found = recognised(Weights("", model.state_dict()), Spec())
    assert (found.layout, found.spec.images.size) == ("classifier", size)
    x = made.images(1, next(iter(model.parameters())).shape[1], size)
    with torch.no_grad():
        torch.testing.assert_close(found.network(x), model(x), rtol=1e-5, atol=1e-6)


def read(model, **spec):
    return Classifier().read(Weights("", model.state_dict()), Spec.of(spec))


def test_what_is_assumed_is_named_and_what_is_said_wins():
    with tensors.isolated():
        model = Functional(1, 6, 16, 5, 400)
    found = read(model)
    assert (found.spec.critic.output, found.spec.critic.real_class) == ("classes", 0)
    assert found.spec.images.range == (0, 1)
    assert "one of 10 classes" in found.unknown["critic.real_class"]
    assert "padding [0, 0], pooling by [2, 2]" in found.unknown["architecture.pools"]
    assert "28 px would fit as well" in found.unknown["architecture.pools"]
    said = read(model, architecture={"size": 28, "padding": [2, 0], "pool": "avg", "activation": "tanh"})
    x = made.images(1, 1, 28)
    y = F.avg_pool2d(torch.tanh(F.conv2d(x, model.conv1.weight, model.conv1.bias, padding=2)), 2)
    y = F.avg_pool2d(torch.tanh(model.conv2(y)), 2).flatten(1)
    with torch.no_grad():
        torch.testing.assert_close(said.network(x), model.fc2(torch.tanh(model.fc1(y))), rtol=1e-5, atol=1e-6)
    said = read(Functional(1, 6, 16, 5, 16), images={"size": 17}, architecture={"pools": [3, 2]})
    assert said.network(made.images(1, 1, 17)).shape == (1, 10)


def test_other_networks_are_left_alone():
    with tensors.isolated():
        model = Functional(1, 6, 16, 5, 400)
        assert read(Functional(1, 6, 16, 5, 401)) is None
        assert read(nn.Sequential(nn.Linear(784, 10))) is None
        assert read(nn.Sequential(nn.Conv2d(3, 4, 4, 2, 1), nn.LeakyReLU(), nn.Conv2d(4, 1, 4))) is None
        assert read(Functional(3, 6, 16, 5, 400, outputs=1)).score < 0.4  # rather a discriminator
    assert read(model, architecture={"size": 40}) is None
    for wrong, message in (
        ({"padding": [0]}, "padding must be a whole number or a list of 2, each at least 0"),
        ({"pools": [2, 0]}, "pools must be a whole number or a list of 2, each at least 1"),
        ({"size": [28, 32]}, "read square images"),
    ):
        with pytest.raises(ValueError, match=message):
            read(model, architecture=wrong)


def test_a_published_lenet_reads_digits_that_it_was_not_trained_on(assets):
    from sklearn.datasets import load_digits

    held = load_digits()
    digits = torch.from_numpy(held.target[:300])
    strokes = F.interpolate(torch.from_numpy(held.images[:300]).float()[:, None] / 16, size=(20, 20), mode="bicubic")
    images = F.pad(strokes.clamp(0, 1), (4, 4, 4, 4)) * 2 - 1  # as MNIST has them: 20 px in the middle of 28
    weights = checkpoints.read(assets / "mnist-dcgan-critic" / "lenet_mnist.pth").network()
    for architecture in ({}, {"size": 28, "padding": [2, 0, 0]}):
        found = recognised(weights, Spec.of({"layout": "classifier", "architecture": architecture}))
        with torch.no_grad():
            said = found.network(found.spec.images.preprocess()(images)).argmax(1)
        assert float((said == digits).double().mean()) > 0.9
    assert recognised(weights, Spec()).layout == "classifier"
