"""Saliency."""

from __future__ import annotations

from typing import ClassVar

import torch

from ganexplain import tensors
from ganexplain.attribution.chart import Chart
from ganexplain.attribution.methods._base import ENDS, Method, Outcome

__all__ = ["Saliency"]


class Saliency(Method):
    """The signed gradient: what a small change of each coordinate would do, not what it did (Simonyan et al. 2014)."""

    name: ClassVar[str] = "saliency"
    needs: ClassVar[str] = "gradients"
    unit: ClassVar[str] = "{} per unit"
    compares: ClassVar[bool] = False

    def planned(self, n_players: int) -> int:
        """One gradient, and the ends."""
        return 1 + ENDS

    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        rows = torch.arange(len(chart.point), device=chart.point.device)
        values = tensors.batched(chart.gradient, self.batch_size, chart.point, rows)
        return Outcome(values, torch.ones(len(rows), dtype=torch.long))
