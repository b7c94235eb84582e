"""A small classifier that comes with the package: the feature space of grey 28x28 images, and which class they show."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganexplain import store, tensors

WIDTH = 64  # features
SIDE = 28  # pixels
BATCH = 256
FOLDER = Path(__file__).parent / "bundled"


class Network(nn.Module):
    """Three convolutions to 64 rectified features, then one linear layer to the classes.

    Args:
        channels: of the images.
        classes: number of logits.
        side: of the images in pixels.
    """

    def __init__(self, channels: int, classes: int, side: int = SIDE) -> None:
        super().__init__()
        last = -(-side // 8)  # each convolution halves, rounding up
        self.features = nn.Sequential(
            nn.Conv2d(channels, 24, 3, 2, 1), nn.ReLU(), nn.Conv2d(24, 48, 3, 2, 1), nn.ReLU(),
            nn.Conv2d(48, 64, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(64 * last**2, WIDTH), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Linear(WIDTH, classes)

    def forward(self, images: Tensor) -> Tensor:
        """(N, classes) logits of images (N, C, H, W) in [-1, 1]."""
        logits: Tensor = self.head(self.features(images))
        return logits


class Classifier:
    """The bundled classifier, frozen, with the eyes of one of the data sets that it was trained on.

    It was trained on Fashion-MNIST and some of MNIST together, so that its features tell both kinds of images apart;
    each set has logits of its own. Made by ``python -m benchmarks.classifier``.

    Attributes:
        network: reads images in [-1, 1].
        card: how it was made and how often it is right, plain JSON.
        classes: what `read` chooses from: the names of one set.
        device: where it computes.
    """

    def __init__(
        self, network: Network, card: dict[str, Any], classes: tuple[str, ...] = (), device: str | torch.device = "cpu"
    ) -> None:
        heads = [tuple(head["classes"]) for head in card["heads"]]
        self.classes = classes or heads[0]
        if self.classes not in heads:
            known = "; ".join(", ".join(head) for head in heads)
            raise ValueError(f"the classifier reads {known}; it does not know {', '.join(classes)}")
        self.network, self.card, self.device = network.to(device), card, torch.device(device)
        number = heads.index(self.classes)
        self._first = sum(len(head) for head in heads[:number])
        self.head: dict[str, Any] = card["heads"][number]

    @classmethod
    def load(cls, classes: tuple[str, ...] = (), *, device: str | torch.device = "cpu") -> Classifier:
        """The bundled one.

        Args:
            classes: names of the classes to choose from, those of a set in its card; none takes the first set's.
            device: where to compute.

        Raises:
            ValueError: classes that it was not trained on.
        """
        state, card = _stored()
        network = Network(1, sum(len(head["classes"]) for head in card["heads"]))
        network.load_state_dict({name: value.float() for name, value in state.items()})
        return cls(network.eval().requires_grad_(False), card, classes, device)

    @staticmethod
    def reads(classes: tuple[str, ...]) -> bool:
        """Whether the bundled one has these classes, in this order."""
        return any(tuple(head["classes"]) == classes for head in _stored()[1]["heads"])

    def __call__(self, images: Tensor) -> Tensor:
        """(N, 64) float64 features of uint8 images (N, 1, 28, 28), on the CPU."""
        return self._batched(self.network.features, images)

    def read(self, features: Tensor) -> Tensor:
        """(N,) int64 indices into ``classes`` of features (N, 64)."""
        return self.probabilities(features).argmax(1)

    def probabilities(self, features: Tensor) -> Tensor:
        """(N, classes) of features (N, 64)."""
        head = self.network.head
        own = slice(self._first, self._first + len(self.classes))
        return torch.softmax(features @ head.weight[own].double().cpu().T + head.bias[own].double().cpu(), 1)

    def _batched(self, function: Any, images: Tensor) -> Tensor:
        if images.dtype != torch.uint8 or images.shape[1:] != (1, SIDE, SIDE):
            raise ValueError(
                f"the bundled classifier reads uint8 images (N, 1, {SIDE}, {SIDE}), got {images.dtype} "
                f"{tuple(images.shape)}; resize them or take another extractor"
            )
        with torch.no_grad():
            return tensors.batched(
                lambda x: function(tensors.from_uint8(x.to(self.device))).double().cpu(), BATCH, images
            )

    @property
    def name(self) -> str:
        """What it is, in words."""
        trained = " and ".join(f"{head['n_train']:,} images of {head['name']}" for head in self.card["heads"])
        return f"{WIDTH} features of a small classifier of {trained}"

    @property
    def fingerprint(self) -> str:
        """16 hex digits over the weights, without which a distance cannot be compared."""
        return store.fingerprint(dict(self.network.state_dict()))


@functools.cache
def _stored() -> tuple[dict[str, Tensor], dict[str, Any]]:
    state, _ = store.load_tensors(FOLDER / "classifier.safetensors")
    return state, json.loads((FOLDER / "classifier.card.json").read_text(encoding="utf-8"))
