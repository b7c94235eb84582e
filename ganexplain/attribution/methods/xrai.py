"""Regions ranked by attribution."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ganexplain.attribution import players as groups
from ganexplain.attribution.chart import BaselineLike, Chart, Domain
from ganexplain.attribution.domains.pixel import Pixel
from ganexplain.attribution.domains.region import Region
from ganexplain.attribution.methods._base import ENDS, Outcome
from ganexplain.attribution.methods._regions import candidates, greedy, smallest
from ganexplain.attribution.methods.integrated_gradients import IntegratedGradients
from ganexplain.models.critic import Critic

__all__ = ["Xrai"]


class BlackAndWhite:
    """The set of a black and a white image: where one of them equals a pixel, the other does not."""

    name = "black_and_white"
    n = 2

    def __call__(self, critic: Critic, images: Tensor) -> Tensor:
        """(1, 2, C, H, W)."""
        black = -torch.ones_like(images[:1])
        return torch.stack([black, -black], 1)


class Xrai(IntegratedGradients):
    """Integrated gradients gathered into regions that are found by them: XRAI (Kapishnikov et al. 2019).

    Args:
        critic: the critic to explain.
        domain: pixels by default, where the regions are looked for; other domains have players, which are the regions.
        baseline: a black and a white image by default, over which the gradients are averaged, for places; else that of
            the domain.
        tol: as in `IntegratedGradients`, of the gradients from each baseline.
        max_evaluations: gradients an image and baseline, at most.
        batch_size: the largest batch that the critic sees.

    The image is cut into segments many times, finer and coarser, with sizes that are shares of its area, so that an
    image of 28 pixels has regions as one of 299 has. Of these overlapping segments the one with the largest |sum of
    values| per pixel that no earlier one has covered is taken, until all is covered. Regions of either sign are found
    by this one rule, so that those which speak against the side are as coherent as those for it, and the map for "fake"
    is the negative of that for "real". Each pixel has its region's mean: a region's total is the sum of its integrated
    gradients, and all of them sum to the change. By the value per pixel the regions are ranked; their order in
    ``players`` is that of their first pixel, as everywhere.
    """

    name: ClassVar[str] = "xrai"
    sets: ClassVar[bool] = True

    def __init__(
        self,
        critic: Critic,
        *,
        domain: Domain | None = None,
        baseline: BaselineLike = None,
        tol: float = 0.05,
        max_evaluations: int = 810,
        batch_size: int = 64,
    ) -> None:
        super().__init__(
            critic, domain=domain, baseline=baseline, tol=tol, max_evaluations=max_evaluations, batch_size=batch_size
        )
        if baseline is None and isinstance(self.domain, (Pixel, Region)):
            self.baseline = BlackAndWhite()

    def passes(self, n_players: int) -> int:
        """The most forward passes an image, with the baselines that were given."""
        k = self.domain.baselines(self.critic, self.baseline)
        return k * (self.planned(n_players) - ENDS) + ENDS + k - 1

    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        ways = chart.members()
        found = [super(Xrai, self)._outcome(way, seed) for way in ways]
        values = torch.stack([one.values.double() for one in found]).mean(0)
        players = self._found(chart, values) if chart.domain == Pixel.name else chart.players
        if players is None:
            raise ValueError(
                f"{self.name} gathers values into groups, and the domain {chart.domain!r} has none; use domain=Pixel()"
            )
        gathered = groups.spread(groups.totals(values, players), players, values.shape)
        return Outcome(
            gathered.to(chart.point.dtype),
            torch.stack([one.evaluations for one in found]).sum(0) + len(ways) - 1,
            converged=torch.stack([o.converged for o in found if o.converged is not None]).all(0),
            players=players,
        )

    def _found(self, chart: Chart, values: Tensor) -> Tensor:
        """(N, C, H, W) canonical labels of the regions of each image."""
        rows = torch.arange(len(values), device=values.device)
        images = chart.point if chart.image is None else chart.image(chart.point, rows)
        size = (images.shape[-2], images.shape[-1])
        labels = [
            greedy(mass.flatten().cpu(), candidates(image), size, smallest(size))
            for image, mass in zip(images, values.sum(1), strict=True)
        ]
        found = groups.canonical(torch.stack(labels)).view(len(values), 1, *size)
        return found.expand(values.shape).to(values.device)
