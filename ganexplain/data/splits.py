"""Which images, or rows, train a GAN and which are held out to judge it, by seed, recorded in the GAN's card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganexplain import store, tensors
from ganexplain.data.sets import DataSet

SHARE = 1 / 7  # of the images, where the set has no test images of its own: Fashion-MNIST's own share


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers of a data set.

    Attributes:
        train: (n,) int64, sorted.
        held_out: (m,) int64 in a random order of its own, so that its first rows are a fair sample.
        seed: what decided it.
        official: the held-out rows are the set's own test images.
    """

    train: Tensor
    held_out: Tensor
    seed: int
    official: bool

    @property
    def fingerprint(self) -> str:
        """16 hex digits over both lists."""
        return store.fingerprint({"train": self.train, "held_out": self.held_out})

    def record(self) -> dict[str, Any]:
        """Plain JSON for a card."""
        return {
            "seed": self.seed,
            "official": self.official,
            "n_train": len(self.train),
            "n_held_out": len(self.held_out),
            "fingerprint": self.fingerprint,
        }


def split(data: DataSet, *, seed: int = 0, share: float = SHARE) -> Split:
    """Hold out the set's own test images; where it has none, a random ``share`` of each class.

    Args:
        data: the set.
        seed: decides the held-out rows and their order.
        share: of the images to hold out; ignored where the set has test images of its own.

    Raises:
        ValueError: ``share`` outside (0, 1), or too few images for both sides.
    """
    if not 0 < share < 1:
        raise ValueError(f"share must lie between 0 and 1, got {share}")
    n, official = len(data), data.official_test
    rng = tensors.rng(seed, "split")
    if official:
        held = torch.arange(n - official, n)
    else:
        labels = torch.zeros(n, dtype=torch.int64) if data.labels is None else data.labels
        held = torch.cat(
            [_some(torch.nonzero(labels == c).flatten(), share, rng) for c in range(int(labels.max()) + 1)]
        )
    if not 0 < len(held) < n:
        many = "rows" if data.feature_names else "images"
        raise ValueError(f"{n} {many} are too few to hold some out and keep some; add {many}")
    keep = torch.ones(n, dtype=torch.bool)
    keep[held] = False
    order = torch.from_numpy(rng.permutation(len(held)))
    return Split(torch.nonzero(keep).flatten(), held[order], seed, bool(official))


def _some(rows: Tensor, share: float, rng: Any) -> Tensor:
    order = torch.from_numpy(rng.permutation(len(rows)))
    return rows[order[: round(share * len(rows))]]
