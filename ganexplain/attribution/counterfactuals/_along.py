"""Single directions of a generator's codes: which one turns the verdict with the smallest step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.attribution.counterfactuals._boundary import Boundary
from ganexplain.attribution.domains._codes import DirectionsLike
from ganexplain.models import priors
from ganexplain.models.generator import Generator

FARTHEST, PER_DEVIATION = 4.0, 4  # standard deviations of the codes along a direction, and amounts tried in each
HALVINGS = 8
SAMPLES = 512  # codes whose spread is measured where the prior is not known in that space


@dataclass(frozen=True)
class Single:
    """The direction that turns the verdict with the smallest step, or that comes nearest to it.

    Attributes:
        code: (1, D) changed.
        name: of the direction.
        amount: signed, in standard deviations of the codes along the direction.
        distance: length of the step in standard deviations of the prior.
        all: every direction with its amount, distance, whether it flipped, and logit; nearest first.
    """

    code: Tensor
    name: str
    amount: float
    distance: float
    all: tuple[Mapping[str, Any], ...]


def along(boundary: Boundary, generator: Generator, code: Tensor, directions: DirectionsLike) -> Single:
    """Try each direction both ways, up to `FARTHEST` deviations, and halve in on where the verdict turns first."""
    vectors = directions.vectors.to(code)
    if vectors.shape[1] != code.shape[1]:
        raise ValueError(f"the directions have {vectors.shape[1]} numbers, and the code {code.shape[1]}")
    scale, space = directions.scale.to(code), directions.space
    k, n = len(vectors), round(FARTHEST * PER_DEVIATION)
    steps = torch.arange(1, n + 1, device=code.device).to(code) / PER_DEVIATION

    def past(which: Tensor, amounts: Tensor) -> Tensor:
        return _past(boundary, generator, code + (amounts * scale[which])[:, None] * vectors[which], space)

    which = torch.arange(k, device=code.device).repeat_interleave(2)  # each direction up and down
    sign = torch.tensor([1.0, -1.0], device=code.device).to(code).repeat(k)
    grid = past(which.repeat_interleave(n), (sign[:, None] * steps).flatten()).view(2 * k, n)
    turned = boundary.turned(grid)
    flips = turned.any(1)
    first = torch.where(flips, turned.double().argmax(1), grid.argmax(1))
    high = steps[first]
    low = torch.where(flips, high - 1 / PER_DEVIATION, high)
    for _ in range(HALVINGS if bool(flips.any()) else 0):
        middle = (low + high) / 2
        enough = boundary.turned(past(which, sign * middle)) & flips
        high = torch.where(enough, middle, high)
        low = torch.where(enough | ~flips, low, middle)
    final = past(which, sign * high)
    return _ranked(boundary, directions, code, (which, sign * high, flips, final), _deviation(generator, space, code))


def _ranked(
    boundary: Boundary,
    directions: DirectionsLike,
    code: Tensor,
    found: tuple[Tensor, Tensor, Tensor, Tensor],
    deviation: float,
) -> Single:
    which, amounts, flips, past = found
    logits = boundary.logits_of(past)
    length = (amounts * directions.scale.to(code)[which]).abs() / deviation
    rows: dict[int, dict[str, Any]] = {}
    order = sorted(range(len(which)), key=lambda i: (not bool(flips[i]), float(length[i] if flips[i] else -past[i])))
    for i in order:
        row = {
            "name": directions.names[int(which[i])],
            "amount": float(amounts[i]),
            "distance": float(length[i]),
            "flipped": bool(flips[i]),
            "logit": logits[i],
        }
        rows.setdefault(int(which[i]), row)
    (index, best), *_ = rows.items()
    step = best["amount"] * directions.scale[index].to(code) * directions.vectors[index].to(code)
    return Single(code + step, best["name"], best["amount"], best["distance"], tuple(rows.values()))


def _past(boundary: Boundary, generator: Generator, codes: Tensor, space: str) -> Tensor:
    def judged(piece: Tensor) -> Tensor:
        images = generator.render(piece, space, batch_size=boundary.batch_size).to(boundary.like)
        return boundary.past(boundary.form.scaled(images.double()).flatten(1)).to(codes.device)

    return tensors.batched(judged, boundary.batch_size, codes)


def _deviation(generator: Generator, space: str, like: Tensor) -> float:
    """Standard deviation of a coordinate of the prior's codes."""
    if space == "z":
        return priors.deviation(generator.prior)
    with torch.no_grad():
        codes = generator.encode(generator.sample(SAMPLES, seed=0).to(like), space)
    return float(codes.double().var(0).mean().sqrt())
