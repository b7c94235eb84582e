"""Guided backprop."""

from __future__ import annotations

import re
from typing import ClassVar

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.attribution.chart import Chart
from ganexplain.attribution.methods._base import ENDS, Method, Outcome
from ganexplain.attribution.methods._graph import unruled
from ganexplain.attribution.methods._rules import Guided

__all__ = ["GuidedBackprop"]

RECTIFIED = re.compile(
    "(Leaky)?Relu.*|Rrelu.*|Prelu.*|[CE]lu|Gelu|Silu|Mish|Softplus|Hardswish|Hardtanh|Threshold|.*DifferentiableGraph"
)


class GuidedBackprop(Method):
    """A gradient through which every rectifier lets positive parts back alone (Springenberg et al. 2015).

    Sharp pictures, and little of the critic in them; it is here to be compared with. The rule holds for ReLU and its
    relatives (leaky, ELU, GELU, SiLU, softplus ...), however they are called; other functions keep their gradient. It
    is asked for the side's own evidence, so that the map for "fake" is not the negative of that for "real".
    """

    name: ClassVar[str] = "guided_backprop"
    odd: ClassVar[bool] = False
    needs: ClassVar[str] = "gradients"
    unit: ClassVar[str] = "a.u."
    compares: ClassVar[bool] = False
    caution: ClassVar[str] = (
        "guided_backprop redraws the edges of the image, and draws much the same ones for a critic that has learned "
        "nothing: it fails the check with random weights, so do not read it as a reason for the verdict"
    )

    def planned(self, n_players: int) -> int:
        """One gradient, and the ends."""
        return 1 + ENDS

    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        rows = torch.arange(len(chart.point), device=chart.point.device)
        values = tensors.batched(
            lambda point, piece: self._guided(chart, point, piece), self.batch_size, chart.point, rows
        )
        return Outcome(values, torch.ones(len(rows)).long())

    def _guided(self, chart: Chart, point: Tensor, rows: Tensor) -> Tensor:
        with Guided():
            value, leaf = chart.traced(point, rows)
        for name in unruled(value, leaf):
            if RECTIFIED.fullmatch(name):
                raise ValueError(
                    f"{self.name} cannot reach {name} inside TorchScript or a function of another language; give the "
                    "model as a plain module, or use saliency"
                )
        (gradient,) = torch.autograd.grad(value.sum(), leaf, allow_unused=True)
        return torch.zeros_like(leaf) if gradient is None else gradient
