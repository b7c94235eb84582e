"""Occlusion."""

from __future__ import annotations

from math import isqrt
from typing import ClassVar

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.attribution import players as groups
from ganexplain.attribution.chart import BaselineLike, Chart, Domain
from ganexplain.attribution.domains.pixel import Pixel
from ganexplain.attribution.methods._base import ENDS, Method, Outcome
from ganexplain.models.critic import Critic

__all__ = ["Occlusion"]


class Occlusion(Method):
    """What is lost when a window, or a region, is replaced by the baseline (Zeiler and Fergus 2014).

    Args:
        critic: the critic to explain.
        domain: in pixels a window slides over the image; elsewhere each player is removed once.
        baseline: what stands in its place.
        window: side of the window in pixels; None takes a seventh of the image. It moves by half its side, and a
            pixel's value is the mean over the windows that cover it of the loss per pixel.
        batch_size: the largest batch that the critic sees.
    """

    name: ClassVar[str] = "occlusion"

    def __init__(
        self,
        critic: Critic,
        *,
        domain: Domain | None = None,
        baseline: BaselineLike = None,
        window: int | None = None,
        batch_size: int = 64,
    ) -> None:
        super().__init__(critic, domain=domain, baseline=baseline, batch_size=batch_size)
        self.window = None if window is None else int(checks.positive(window, "window"))

    def planned(self, n_players: int) -> int:
        """One pass for each player, or for each window of a square image of ``n_players`` pixels, and the ends."""
        if not isinstance(self.domain, Pixel):
            return n_players + 1 + ENDS
        side = isqrt(n_players - 1) + 1
        return len(_places(side, self._side(side, side))) ** 2 + 1 + ENDS

    def _side(self, height: int, width: int) -> int:
        return min(self.window or max(1, min(height, width) // 7), height, width)

    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        made = [
            self._slide(chart, row) if chart.domain == "pixel" else self._remove(chart, row)
            for row in range(len(chart.point))
        ]
        values = torch.stack([values for values, _ in made])
        return Outcome(values.to(chart.point), torch.tensor([count for _, count in made]) + 1)

    def _remove(self, chart: Chart, row: int) -> tuple[Tensor, int]:
        players = groups.limited(chart.players, 4096, self.name)
        labels = players[row : row + 1] if len(players) > 1 else players
        n = int(groups.counts(labels)[0])
        whole = chart.coalitions(torch.ones(1, n, dtype=torch.bool), row, self.batch_size)
        without = chart.coalitions(~torch.eye(n, dtype=torch.bool), row, self.batch_size)
        lost = (whole - without)[None].to(chart.point.device)
        return groups.spread(lost, labels, chart.point[row : row + 1].shape)[0], n

    def _slide(self, chart: Chart, row: int) -> tuple[Tensor, int]:
        channels, height, width = chart.point.shape[1:]
        windows = _windows(height, width, self._side(height, width)).to(chart.point.device)
        point, origin = chart.point[row], chart.origin[row if len(chart.origin) > 1 else 0]
        rows = torch.full((len(windows),), row, device=point.device)

        def evaluate(masks: Tensor, index: Tensor) -> Tensor:
            kept = ~masks[:, None].expand(len(masks), *point.shape)
            if chart.fill is not None:
                return chart.worth(chart.fill(point.expand(kept.shape), kept), index)
            return chart.worth(torch.where(kept, point, origin), index)

        whole = chart.values(point[None], rows[:1], self.batch_size)
        lost = (whole - tensors.batched(evaluate, self.batch_size, windows, rows)).to(point.device)
        area = windows.flatten(1).sum(1)
        summed = torch.einsum("m,mhw->hw", lost / area, windows.double()) / windows.double().sum(0)
        return (summed / channels).expand(channels, height, width), len(windows)


def _windows(height: int, width: int, side: int) -> Tensor:
    """(M, H, W) bool masks of the window's places; the last ones touch the border."""
    places = [_places(extent, side) for extent in (height, width)]
    masks = torch.zeros(len(places[0]) * len(places[1]), height, width, dtype=torch.bool)
    for i, (top, left) in enumerate((t, s) for t in places[0] for s in places[1]):
        masks[i, top : top + side, left : left + side] = True
    return masks


def _places(extent: int, side: int) -> list[int]:
    return sorted({*range(0, extent - side, max(1, side // 2)), extent - side})
