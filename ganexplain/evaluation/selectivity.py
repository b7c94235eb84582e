"""Direction scores: how much each direction changes each factor, and whether it changes one factor alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ganexplain import checks
from ganexplain.latent.directions import Directions
from ganexplain.models.generator import Generator

STEPS = 30  # bisections of the amount
LARGEST = 8.0  # standard deviations: no edit goes further, however little it changes

Factors = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Responses:
    """What every direction does to every factor, at amounts that change the images equally.

    Attributes:
        matrix: (K, F) mean size of the change, in standard deviations of the factor over unedited codes.
        amounts: (K,) of the edits to either side, in standard deviations of the codes.
        image: (K,) mean absolute change of a pixel that these edits make, on the scale [-1, 1].
    """

    matrix: Tensor
    amounts: Tensor
    image: Tensor

    @property
    def selectivity(self) -> Tensor:
        """(K,) the largest share that one factor has in a direction's changes: 1 moves it alone, 1/F all alike."""
        total = self.matrix.sum(1)
        return self.matrix.amax(1) / torch.where(total > 0, total, torch.ones_like(total))

    def matched(self) -> tuple[Tensor, Tensor]:
        """Per factor the direction assigned to it and that factor's share in the direction's changes.

        Each direction serves at most one factor (Hungarian method, the sum of shares largest). Factors without a
        direction have the index -1 and the share 0.
        """
        from scipy.optimize import linear_sum_assignment

        shares = self.matrix / self.matrix.sum(1, keepdim=True).clamp(min=1e-12)
        rows, columns = linear_sum_assignment(shares.numpy(), maximize=True)
        index = torch.full((shares.shape[1],), -1, dtype=torch.long)
        index[torch.from_numpy(columns)] = torch.from_numpy(rows)
        found = torch.where(index >= 0, shares[index.clamp(min=0), torch.arange(len(index))], torch.zeros(1).to(shares))
        return index, found

    @property
    def score(self) -> float:
        """Mean matched selectivity over the factors."""
        return float(self.matched()[1].mean())


def responses(
    directions: Directions, generator: Generator, factors: Factors, codes: Tensor, *, change: float = 0.03
) -> Responses:
    """Edit codes by amounts that change the images equally, and measure the factors on either side.

    Args:
        directions: K of them.
        generator: makes the images.
        factors: images (N, C, H, W) to (N, F) measured factors.
        codes: (N, D), none that the directions were chosen on.
        change: mean absolute change of a pixel, on the scale [-1, 1], between the unedited image and either side;
            comparing at equal length would favour directions that hardly do anything.

    Raises:
        ValueError: fewer than 2 codes, or factors of another shape.
    """
    checks.positive(change, "change")
    if len(codes) < 2:
        raise ValueError(f"the spread of the factors needs at least 2 codes, got {len(codes)}")
    directions.check(generator)
    still = generator.render(codes, directions.space)
    base = factors(still)
    if base.ndim != 2 or len(base) != len(codes):
        raise ValueError(f"factors must return (N, F) for N images, got {tuple(base.shape)} for {len(codes)}")
    unit = base.double().std(0).clamp(min=1e-12)
    rows, amounts, moved = [], [], []
    for k in range(len(directions)):
        amount = calibrated(directions, generator, codes, k, change)
        low, high = (generator.render(directions.edit(codes, k, s), directions.space) for s in (-amount, amount))
        rows.append(((factors(high).double() - factors(low).double()).abs() / (2 * unit)).mean(0))
        amounts.append(amount)
        moved.append(float(((high - still).abs().mean() + (low - still).abs().mean()) / 2))
    return Responses(torch.stack(rows), torch.tensor(amounts), torch.tensor(moved))


def calibrated(directions: Directions, generator: Generator, codes: Tensor, index: int, change: float) -> float:
    """The amount, in standard deviations, at which the mean absolute change of a pixel is ``change``: by bisection."""
    still = generator.render(codes, directions.space)

    def moved(amount: float) -> float:
        ends = (generator.render(directions.edit(codes, index, s), directions.space) for s in (-amount, amount))
        return sum(float((end - still).abs().mean()) for end in ends) / 2

    low, high = 0.0, LARGEST
    if moved(high) <= change:
        return high
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if moved(middle) < change else (low, middle)
        if high - low < 1e-3 * high:
            break
    return (low + high) / 2
