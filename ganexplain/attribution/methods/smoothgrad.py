"""SmoothGrad."""

from __future__ import annotations

from typing import ClassVar

from ganexplain.attribution import players as groups
from ganexplain.attribution.chart import Chart
from ganexplain.attribution.methods._base import Outcome
from ganexplain.attribution.methods._noise import Moments, NoiseMethod, Spent

__all__ = ["SmoothGrad"]


class SmoothGrad(NoiseMethod):
    """The mean of a gradient method's maps under noise, for which kinks average out (Smilkov et al. 2017).

    The values have the wrapped method's unit. They promise no sum, also where the wrapped method's do: the mean of its
    maps sums to the mean change of the noisy images, which is not the change of the image itself.
    """

    name: ClassVar[str] = "smoothgrad"
    unit: ClassVar[str] = "{} per unit"
    compares: ClassVar[bool] = False

    def _unit(self) -> str:
        return self._wrapped()._unit()

    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        maps, totals, spent = Moments(), Moments(), Spent(chart.point.new_zeros(len(chart.point)).long().cpu())
        for values in self._maps(chart, seed, spent):
            maps.extend(values)
            if chart.players is not None:
                labels = chart.players.expand(chart.point.shape).repeat(len(values), *[1] * (chart.point.ndim - 1))
                totals.extend(groups.totals(values.flatten(0, 1), labels).view(*values.shape[:2], -1))
        return Outcome(
            maps.mean.to(chart.point),
            spent.evaluations,
            error=None if chart.players is None else totals.error.cpu(),
            converged=spent.converged,
            notes=tuple(spent.notes),
        )
