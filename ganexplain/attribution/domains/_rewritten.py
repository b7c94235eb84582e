"""A chart in other coordinates of the same inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from ganexplain.attribution.chart import Chart


def rewritten(chart: Chart, forward: Callable[[Tensor], Tensor], inverse: Callable[[Tensor], Tensor]) -> Chart:
    """The chart whose coordinates are ``forward`` of the inputs: same evidence, same baseline, other coordinates.

    Points between image and baseline may leave [-1, 1] and are not clipped, as that would mix what the coordinates keep
    apart. A baseline that depends on what is left needs places to fill, and has none here: its images stand in.

    Args:
        chart: in the inputs' own values, with players of the new coordinates.
        forward: linear, (..., *inputs) to (..., *coordinates).
        inverse: back; differentiable.
    """
    return replace(
        chart,
        point=forward(chart.point),
        origin=forward(chart.origin),
        origins=None if chart.origins is None else forward(chart.origins),
        evidence=lambda coordinates, rows: chart.evidence(inverse(coordinates), rows),
        fill=None,
        image=lambda coordinates, rows: inverse(coordinates),
    )
