"""The smallest change that satisfies one linear condition in a box, exactly: the steps of the searches in values.

Both solve, for every row, ``min |x - start|`` so that ``slope . x >= level`` and ``low <= x <= high``. In L2 the
solution is ``clip(start + price * slope)``, and the price is found by Newton's method on a function that is piecewise
linear and never falls (the projection of Croce and Hein 2020, without sorting). In L1 it is greedy: the coordinates of
the steepest slopes go to their ends one after the other, and the last one as far as is needed (a fractional knapsack).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

NEWTON = 60  # steps; about eight are needed
EXACT = 1e-12  # of the sum of |slope * way|, where the condition counts as met


@dataclass(frozen=True)
class Condition:
    """``slope . x >= level`` with ``low <= x <= high``, for S rows.

    Attributes:
        slope: (S, D).
        level: (S,).
        low: (S, D).
        high: (S, D).
    """

    slope: Tensor
    level: Tensor
    low: Tensor
    high: Tensor


def nearest_l2(start: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
    """(S, D) points nearest to ``start`` (1, D) in L2, and (S,) by how much their distances grow per unit of level.

    Where the box cannot meet the condition, the point is the one that comes nearest to it.
    """
    slope, level, low, high = condition.slope, condition.level, condition.low, condition.high
    still = slope == 0
    ends = torch.where(slope > 0, high - start, low - start) / torch.where(still, 1.0, slope)
    top = torch.where(still, 0.0, ends).clamp(max=_FAR).amax(1)

    def at(price: Tensor) -> tuple[Tensor, Tensor]:
        raw = start + price[:, None] * slope
        point = torch.minimum(torch.maximum(raw, low), high)
        moves = (raw >= low) & (raw <= high)
        return point, (slope.square() * moves).sum(1)

    below, above = torch.zeros_like(level), top.clamp(min=0.0)
    price = below.clone()
    slack = EXACT * ((slope * start).abs().sum(1) + level.abs())
    for _ in range(NEWTON):
        point, rate = at(price)
        missing = level - (slope * point).sum(1)
        out = (price >= above) & (missing > 0) | (price <= 0) & (missing <= 0)  # beyond reach, or nothing to do
        if bool((out | (missing.abs() <= slack)).all()):
            break
        below = torch.where(missing > 0, price, below)
        above = torch.where(missing <= 0, price, above)
        step = price + missing / torch.where(rate > 0, rate, 1.0)
        inside = (rate > 0) & (step >= below) & (step <= above)
        price = torch.where(inside, step, torch.where(missing.abs() <= slack, price, (below + above) / 2))
    point, rate = at(price)
    distance = (point - start).norm(dim=1)
    return point, price / distance.clamp(min=_TINY)


def nearest_l1(start: Tensor, condition: Condition) -> tuple[Tensor, Tensor]:
    """(S, D) points nearest to ``start`` (1, D) in L1, and (S,) by how much their distances grow per unit of level.

    Where the box cannot meet the condition, the point is the one that comes nearest to it.
    """
    slope, low, high = condition.slope, condition.low, condition.high
    base = torch.minimum(torch.maximum(start.expand_as(low), low), high)
    ends = torch.where(slope > 0, high, torch.where(slope < 0, low, base))
    steep = slope.abs()
    gain = (steep * (ends - base).abs()).clamp(max=_FAR)
    order = steep.argsort(dim=1, descending=True, stable=True)
    missing = (condition.level - (slope * base).sum(1)).clamp(min=0.0)
    sorted_gain = gain.gather(1, order)
    before = sorted_gain.cumsum(1) - sorted_gain
    share = ((missing[:, None] - before) / sorted_gain.clamp(min=_TINY)).clamp(0.0, 1.0)
    share = torch.where(sorted_gain > 0, share, 0.0)
    way = torch.zeros_like(base).scatter(1, order, share)
    moved = torch.where(way >= 1, ends, base + way * torch.where(torch.isinf(ends), 0.0, ends - base))
    endless = (way > 0) & torch.isinf(ends)
    moved = torch.where(endless, base + slope.sign() * way * gain / steep.clamp(min=_TINY), moved)
    last = (share > 0).sum(1, keepdim=True).sub(1).clamp(min=0)
    marginal = steep.gather(1, order).gather(1, last)[:, 0]
    return moved, 1 / marginal.clamp(min=_TINY)


_TINY, _FAR = 1e-300, 1e30
