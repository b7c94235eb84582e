"""Kernel SHAP."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.attribution.methods._regression import sandwich
from ganexplain.attribution.methods._shapley import ShapleyMethod

__all__ = ["KernelShap"]


class KernelShap(ShapleyMethod):
    """Shapley values of the players: exact up to 12 of them, else sampled with standard errors (Lundberg and Lee 2017).

    Args:
        critic: the critic to explain.
        domain: regions by default.
        baseline: what stands in the place of a removed player.
        max_evaluations: coalitions an image where there are more than 12 players, or where all coalitions would be more
            than five times as many; at least eight a player.
        batch_size: the largest batch that the critic sees.

    Coalitions are drawn in pairs with their complement (Covert and Lee 2021), and the same ones for every image, so
    that an image's values do not depend on its neighbours.
    """

    name: ClassVar[str] = "kernel_shap"

    def _drawn(self, n: int) -> int:
        return 2 * max(self.max_evaluations // 2, 4 * n)

    def _draw(self, n: int, seed: int) -> Tensor:
        return coalition_pairs(n, self._drawn(n) // 2, seed)

    def _estimate(self, keep: Tensor, worth: Tensor, change: float) -> tuple[Tensor, Tensor]:
        return constrained_fit(keep.double(), worth, change)


def coalition_pairs(n: int, pairs: int, seed: int) -> Tensor:
    """(2 * pairs, n) bool coalitions, each followed by its complement; sizes follow the Shapley kernel."""
    rng = tensors.rng(seed, "coalitions", n)
    sizes = torch.arange(1, n, dtype=torch.float64)
    kernel = 1 / (sizes * (n - sizes))
    drawn = rng.choice(sizes.long().numpy(), size=pairs, p=(kernel / kernel.sum()).numpy())
    order = torch.from_numpy(rng.random((pairs, n))).argsort(1).argsort(1)
    keep = order < torch.from_numpy(drawn)[:, None]
    return torch.stack([keep, ~keep], 1).flatten(0, 1)


def constrained_fit(design: Tensor, worth: Tensor, change: float) -> tuple[Tensor, Tensor]:
    """Least squares of ``worth`` (M,) on ``design`` (M, P) whose coefficients sum to ``change``; and standard errors.

    Rows are drawn with the Shapley kernel as their probability, so they carry equal weights. The constraint is Covert
    and Lee (2021), equation 7; a ridge-free pseudo-inverse serves designs in which two players were never separated.
    """
    gram = torch.linalg.pinv(design.T @ design, hermitian=True)
    ones = torch.ones(design.shape[1], dtype=design.dtype)
    pull = gram @ ones / (ones @ gram @ ones)
    free = gram @ (design.T @ worth)
    phi = free - pull * (free.sum() - change)
    bread = gram - torch.outer(pull, ones @ gram)
    return phi, sandwich(design, worth - design @ phi, torch.ones_like(worth), bread, 2)
