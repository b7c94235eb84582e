"""Input times gradient."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.attribution.chart import Chart
from ganexplain.attribution.methods._base import ENDS, Method, Outcome

__all__ = ["InputXGradient"]


class InputXGradient(Method):
    """The gradient at the image times the distance from the baseline: a first-order guess (Shrikumar et al. 2016).

    In the literature the factor is the image itself, which is its distance from a baseline of zeros: here mid-grey,
    since images lie in [-1, 1]. As everywhere in ganexplain an amount refers to a stated baseline, so the factor is
    image - baseline; with a baseline of zeros the values are those of the literature. The sum equals the change only
    for linear critics.
    """

    name: ClassVar[str] = "input_x_gradient"
    needs: ClassVar[str] = "gradients"

    def planned(self, n_players: int) -> int:
        """One gradient, and the ends."""
        return 1 + ENDS

    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        rows = torch.arange(len(chart.point), device=chart.point.device)

        def product(point: Tensor, piece: Tensor) -> Tensor:
            _, velocity = chart.at(torch.ones(len(piece), device=piece.device), piece)  # where the path arrives
            return chart.gradient(point, piece) * velocity

        return Outcome(tensors.batched(product, self.batch_size, chart.point, rows), torch.ones(len(rows)).long())
