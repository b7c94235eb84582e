"""VarGrad."""

from __future__ import annotations

from itertools import chain
from typing import ClassVar

from ganexplain.attribution import players as groups
from ganexplain.attribution.chart import Chart
from ganexplain.attribution.methods._base import Outcome
from ganexplain.attribution.methods._noise import Moments, NoiseMethod, Spent

__all__ = ["VarGrad"]


class VarGrad(NoiseMethod):
    """The variance of a gradient method's maps under noise: where the critic is unsteady (Adebayo et al. 2018).

    Unbiased, never negative, and the same for both sides; the unit is the square of the wrapped method's. The value of
    a player is the sum of its coordinates' variances.
    """

    name: ClassVar[str] = "vargrad"
    odd: ClassVar[bool] = False
    unit: ClassVar[str] = "({} per unit)^2"
    compares: ClassVar[bool] = False
    caution: ClassVar[str] = (
        "vargrad has no sign: it shows where the critic's gradient changes most under noise, not what speaks for fake "
        "or for real"
    )

    def _unit(self) -> str:
        return f"({self._wrapped()._unit()})^2"

    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        maps, totals, spent = Moments(), Moments(), Spent(chart.point.new_zeros(len(chart.point)).long().cpu())
        for values in chain.from_iterable(self._maps(chart, seed, spent)):
            # each part from the second on has the variance as its mean, and of normal maps they are independent (the
            # Helmert transform), so that their spread gives the error of their mean without keeping the maps
            part = maps.add(values)
            if chart.players is not None and maps.count > 1:
                totals.add(groups.totals(part, chart.players))
        return Outcome(
            maps.variance.to(chart.point),
            spent.evaluations,
            error=None if chart.players is None else totals.error.cpu(),
            converged=spent.converged,
            notes=tuple(spent.notes),
        )
