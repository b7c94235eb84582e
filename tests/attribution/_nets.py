"""Critics with closed forms for the methods of gradients."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Quadratic(nn.Module):
    """x' A x / 2 + b x with a symmetric A."""

    def __init__(self, n: int = 64) -> None:
        super().__init__()
        made = torch.Generator().manual_seed(2)
        half = torch.randn(n, n, generator=made, dtype=torch.float64) / n
        self.a = nn.Parameter(half + half.T)
        self.b = nn.Parameter(torch.randn(n, generator=made, dtype=torch.float64))

    def slope(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) gradient at x."""
        return (x.flatten(1) @ self.a + self.b).view_as(x).detach()

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) to (N,)."""
        flat = x.flatten(1)
        return 0.5 * torch.einsum("ni,ij,nj->n", flat, self.a, flat) + flat @ self.b


class Pair(nn.Module):
    """3 times the product of two pixels."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) to (N,)."""
        flat = x.flatten(1)
        return 3 * flat[:, 0] * flat[:, 5]
