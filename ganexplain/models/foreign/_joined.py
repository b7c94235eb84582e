"""Networks that take a label beside their image or code."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Beside(nn.Module):
    """A chain one of whose layers reads the label beside what comes from the layer before.

    Args:
        before: from the image or code to the joint; an empty Sequential where the joint comes first.
        after: from the joint to the end.
        table: (classes, d), or (classes, c, h, w) where the joint reads maps: what a label becomes before the joint.
        label_first: whether the label's values come before the others.
    """

    def __init__(self, before: nn.Module, after: nn.Module, table: Tensor, label_first: bool) -> None:
        super().__init__()
        self.before, self.after, self.label_first = before, after, label_first
        self.table: Tensor
        self.register_buffer("table", table)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """The output for images (N, C, H, W) or codes (N, z_dim) and labels (N,) int64."""
        x, y = self.before(x), self.table[labels]
        if x.ndim == 4:
            y = (y if y.ndim == 4 else y[:, :, None, None]).expand(-1, -1, *x.shape[2:])
        found: Tensor = self.after(torch.cat([y, x] if self.label_first else [x, y], 1))
        return found


class Times(nn.Module):
    """A generator whose code is multiplied with the label's embedding (Odena et al. 2017, as it is mostly written).

    Args:
        network: from codes to images.
        table: (classes, z_dim).
    """

    def __init__(self, network: nn.Module, table: Tensor) -> None:
        super().__init__()
        self.network = network
        self.table: Tensor
        self.register_buffer("table", table)

    def forward(self, codes: Tensor, labels: Tensor) -> Tensor:
        """Images (N, C, H, W) of codes (N, z_dim) and labels (N,) int64."""
        found: Tensor = self.network(codes * self.table[labels])
        return found


class Projected(nn.Module):
    """A discriminator that adds the inner product of features and label to its verdict (Miyato and Koyama 2018, eq. 3).

    Args:
        features: from images to vectors (N, d).
        verdict: the last layer.
        table: (classes, d).
    """

    def __init__(self, features: nn.Module, verdict: nn.Module, table: Tensor) -> None:
        super().__init__()
        self.features, self.verdict = features, verdict
        self.table: Tensor
        self.register_buffer("table", table)

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """(N, 1) verdicts on images (N, C, H, W) of labels (N,) int64."""
        features = self.features(images)
        found: Tensor = self.verdict(features) + (features * self.table[labels]).sum(1, keepdim=True)
        return found


class Summed(nn.Module):
    """The sum over a map, as in SNGAN, where others take the mean."""

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, 1, 1) of maps (N, C, H, W)."""
        return maps.sum((2, 3), keepdim=True)
