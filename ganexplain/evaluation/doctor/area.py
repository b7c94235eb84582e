"""Intervals of an AUC, and of the difference of two AUCs on the same images."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

Z = 1.959963984540054  # 97.5 % point of the normal distribution


def interval(area: float, n_real: int, n_fake: int) -> tuple[float, float]:
    """95 % interval of an AUC by a score test on its variance, sensible also at 0 and 1 (Newcombe 2006, method 5).

    >>> [round(x, 3) for x in interval(1.0, 20, 20)]
    [0.899, 1.0]
    """

    def variance(theta: float) -> float:
        n = (n_real + n_fake) / 2  # Hanley and McNeil (1982), with both sample sizes replaced by their mean
        inner = 1 + (n - 1) * (1 - theta) / (2 - theta) + (n - 1) * theta / (1 + theta)
        return theta * (1 - theta) * inner / (n_real * n_fake)

    def beyond(theta: float) -> bool:
        return abs(area - theta) > Z * math.sqrt(max(variance(theta), 0.0))

    return _edge(beyond, 0.0, area), _edge(beyond, 1.0, area)


def _edge(beyond: Callable[[float], bool], outside: float, inside: float) -> float:
    """The bound between ``outside`` and ``inside`` by bisection."""
    if not beyond(outside):
        return outside
    for _ in range(60):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if beyond(middle) else (outside, middle)
    return inside


def gain(before: tuple[Tensor, Tensor], after: tuple[Tensor, Tensor]) -> tuple[float, float]:
    """AUC after minus AUC before on the same images, with its standard error (DeLong et al. 1988).

    Args:
        before: logits of R reals and F fakes.
        after: logits of the same images, read in another way.
    """
    old_real, old_fake = placements(*before)
    new_real, new_fake = placements(*after)
    by_real, by_fake = new_real - old_real, new_fake - old_fake
    error = (by_real.var() / len(by_real) + by_fake.var() / len(by_fake)).sqrt()
    return float(by_real.mean()), float(error)


def placements(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Per real the share of fakes below it (R,), per fake the share of reals above it (F,); ties one half."""
    wins = torch.sign(real.double()[:, None] - fake.double()[None]).add(1).div(2)
    return wins.mean(1), wins.mean(0)
