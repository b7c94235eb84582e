"""Kernel SHAP."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ganexplain.attribution.methods._shapley import Fit, ShapleyMethod, combined
from ganexplain.attribution.methods._strata import coalition_pairs, strata

__all__ = ["KernelShap"]

FEWEST_PAIRS = 4  # pairs a player, below which the fit is all leverage


class KernelShap(ShapleyMethod):
    """Shapley values of the players: exact up to 12 of them, else sampled with standard errors (Lundberg and Lee 2017).

    Args:
        critic: the critic to explain.
        domain: regions by default.
        baseline: what stands in the place of a removed player.
        max_evaluations: coalitions an image where there are more than 12 players, or where all coalitions would be more
            than five times as many; at least eight a player. Over a set of baselines, all of them together, but for
            each at least eight a player.
        batch_size: the largest batch that the critic sees.

    Coalitions come in pairs with their complement (Covert and Lee 2021), drawn by size: all of the smallest and
    largest, and of the others as many as makes the variance small, none of them twice. 1.96 standard errors cover 95 %.
    """

    name: ClassVar[str] = "kernel_shap"

    def _drawn(self, n: int, sets: int = 1) -> int:
        return 2 * max(self.max_evaluations // (2 * sets), FEWEST_PAIRS * n)

    def _draw(self, n: int, seed: int, sets: int = 1) -> Tensor:
        return coalition_pairs(n, self._drawn(n, sets) // 2, seed)

    def _fitted(self, keep: Tensor, worth: Tensor, change: float) -> Fit:
        return fitted(keep, worth, change)


def constrained_fit(keep: Tensor, worth: Tensor, change: float) -> tuple[Tensor, Tensor]:
    """`fitted`, with errors widened by the ratio of Student's to the normal 97.5 % point."""
    return combined([fitted(keep, worth, change)])


def fitted(keep: Tensor, worth: Tensor, change: float) -> Fit:
    """Values that sum to ``change`` and standard errors (both P,), by least squares under the Shapley kernel.

    A coalition and its complement enter as half the difference of their worths: their mean says nothing of Shapley
    values. Each size has the kernel's mass, shared by its pairs, and the constraint is Covert and Lee (2021),
    equation 7. A game is no linear model: the residuals are misfit, and their spread within a size, not one variance
    of noise, makes the error, none of it from sizes that are whole. Leverage is corrected as in HC2 (MacKinnon and
    White 1985).

    Args:
        keep: (2 * pairs, P) bool, each coalition followed by its complement; no pair twice.
        worth: (2 * pairs,) above the empty coalition's.
        change: worth of the whole above the empty coalition's.
    """
    design, players = keep[0::2].double() - 0.5, keep.shape[1]
    worth = (worth[0::2] - worth[1::2]) / 2
    size = keep[0::2].sum(1)
    stratum = torch.minimum(size, players - size) - 1
    mass, number = map(torch.from_numpy, strata(players))
    count = torch.bincount(stratum, minlength=len(mass))
    weight = (mass / count.clamp(min=1))[stratum]
    gram = torch.linalg.pinv(design.T @ (weight[:, None] * design), hermitian=True)
    ones = torch.ones(players, dtype=design.dtype)
    pull = gram @ ones / (ones @ gram @ ones)
    free = gram @ (design.T @ (weight * worth))
    phi = free - pull * (free.sum() - change)
    moved = design @ (gram - torch.outer(pull, ones @ gram)).T
    leverage = (weight * (moved * design).sum(1)).clamp(max=0.9)  # bounded, so that no saturated design explodes
    influence = moved * (weight * (worth - design @ phi) / (1 - leverage).sqrt())[:, None]
    mean = torch.zeros(len(mass), players, dtype=design.dtype).index_add_(0, stratum, influence)
    mean = mean / count.clamp(min=1)[:, None]
    missed = (1 - count / number) * count / (count - 1).clamp(min=1)
    error = ((influence - mean[stratum]).square() * missed[stratum][:, None]).sum(0).sqrt()
    partly = count < number
    return Fit(phi, error, int(count[partly].sum() - partly.sum()) - (players - 1))
