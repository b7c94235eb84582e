"""A small classifier of one data set: the feature space of a Frechet distance, and which class a sample looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from ganexplain import store, tensors
from ganexplain.training.metrics import frechet, histogram, kl, neighbourhoods, present
from ganexplain.training.metrics.classifier import WIDTH, Network

EPOCHS, BATCH, SHIFT = 12, 64, 2
SURE = 0.9


@dataclass(frozen=True, eq=False)
class Reader:
    """The classifier, frozen."""

    network: Network
    about: str

    @classmethod
    def fit(cls, images: Tensor, labels: Tensor, *, seed: int = 0, epochs: int = EPOCHS) -> Reader:
        """Train on uint8 images (N, C, H, W), moved by up to two pixels, with labels (N,); same seed, same weights."""
        x, rng = tensors.from_uint8(images), tensors.rng(seed, "reader")
        with tensors.isolated(seed, "reader"):
            network = Network(images.shape[1], int(labels.max()) + 1, images.shape[2])
        steps = epochs * (len(x) // BATCH)
        optimiser = torch.optim.Adam(network.parameters(), lr=2e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=steps)
        for _ in range(epochs):
            order = torch.from_numpy(rng.permutation(len(x)))
            for rows in order.split(BATCH)[: len(x) // BATCH]:
                down, right = rng.integers(0, 2 * SHIFT + 1, 2).tolist()
                moved = pad(x[rows], (SHIFT,) * 4, value=-1.0)[..., down:, right:][..., : x.shape[2], : x.shape[3]]
                optimiser.zero_grad()
                torch.autograd.backward(cross_entropy(network(moved), labels[rows]))
                optimiser.step()
                schedule.step()
        network.eval().requires_grad_(False)
        about = (
            f"3 convolutions, {WIDTH} features, {epochs} epochs on {len(x)} training images moved by up to {SHIFT} px"
        )
        return cls(network, about)

    def features(self, images: Tensor) -> Tensor:
        """(N, 64) features of uint8 images."""
        return tensors.batched(lambda x: self.network.features(tensors.from_uint8(x)), 256, images)

    def probabilities(self, images: Tensor) -> Tensor:
        """(N, classes) of uint8 images."""
        return torch.softmax(tensors.batched(lambda x: self.network(tensors.from_uint8(x)), 256, images), 1)

    def accuracy(self, images: Tensor, labels: Tensor) -> float:
        """Share of images read right."""
        return float((self.probabilities(images).argmax(1) == labels).double().mean())

    @property
    def fingerprint(self) -> str:
        """16 hex digits over the weights, without which a distance cannot be compared."""
        return store.fingerprint(dict(self.network.state_dict()))


def quality(reader: Reader, real: Tensor, draws: list[Tensor], prior: Tensor) -> dict[str, Any]:
    """Quality of sets of fakes, each as many as the reals, so that the distance's bias is that of the floor.

    Args:
        reader: the classifier.
        real: (R, C, H, W) uint8 held-out images.
        draws: sets of (R, C, H, W) uint8 fakes.
        prior: (classes,) shares in the training data.
    """
    own, sets = reader.features(real), [reader.features(fakes) for fakes in draws]
    distances = torch.tensor([frechet(part, own) for part in sets])
    read = reader.probabilities(torch.cat(draws))
    shares, near = histogram(read.argmax(1), len(prior)), [neighbourhoods(own, part) for part in sets]

    def mean(values: list[float]) -> float:
        return sum(values) / len(values)

    return {
        "fd": float(distances.mean()),
        "fd_sd": float(distances.std()) if len(draws) > 1 else 0.0,
        "present": present(shares),
        "kl": kl(shares, prior),
        "confident": float((read.amax(1) > SURE).double().mean()),
        "precision": mean([part.precision for part in near]),
        "recall": mean([part.recall for part in near]),
        "coverage": mean([part.coverage for part in near]),
        "n_fakes": len(read),
    }
