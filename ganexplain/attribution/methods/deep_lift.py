"""DeepLIFT."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.attribution.chart import BaselineLike, Chart, Domain
from ganexplain.attribution.methods._base import ENDS, Method, Outcome
from ganexplain.attribution.methods._graph import unruled
from ganexplain.attribution.methods._rescale import Rescale, Watch
from ganexplain.models.critic import Critic

__all__ = ["DeepLift"]


class DeepLift(Method):
    """The change from the baseline, handed back through the network layer by layer (Shrikumar et al. 2017, Rescale).

    Args:
        critic: the critic to explain.
        domain: coordinates; pixels by default.
        baseline: one, or a set of them, over which the mean is taken (DeepLIFT SHAP, Lundberg and Lee 2017).
        tol: an image has converged when its gap is below tol * max(|change|, interquartile range of the reals' logits).
        batch_size: the largest batch that the critic sees.

    An activation hands back in proportion to what it was given, whichever module, function or method of a tensor it is.
    Products of activations, normalisations by the image's own statistics, softmax and maxima have rules too, so that
    the values sum to the change; where a function has none, its plain gradient is taken, a note names it, and the gap
    shows what that costs. One look at the baseline and one at the image are all it takes.
    """

    name: ClassVar[str] = "deep_lift"
    complete: ClassVar[bool] = True
    needs: ClassVar[str] = "gradients"

    def __init__(
        self,
        critic: Critic,
        *,
        domain: Domain | None = None,
        baseline: BaselineLike = None,
        tol: float = 0.05,
        batch_size: int = 64,
    ) -> None:
        super().__init__(critic, domain=domain, baseline=baseline, batch_size=batch_size)
        self.tol = checks.positive(tol, "tol")

    def planned(self, n_players: int) -> int:
        """Baseline and image, and the ends."""
        return 2 + ENDS

    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        rows = torch.arange(len(chart.point), device=chart.point.device)
        values, done, names = [], [], {}
        for found, change, without in tensors.pieces(
            lambda piece: self._handed_back(chart, piece, seed), self.batch_size, rows
        ):
            gap = (found.double().flatten(1).sum(1) - change).abs()
            done.append(gap <= self.tol * change.abs().clamp(min=chart.scale))
            values.append(found)
            names.update(dict.fromkeys(without))
        notes = [
            f"{self.name} has no rule for {name} and takes its plain gradient, so the values need not sum to the change"
            for name in names
        ]
        return Outcome(
            torch.cat(values), torch.full((len(rows),), 2), converged=torch.cat(done).cpu(), notes=tuple(notes)
        )

    def _handed_back(self, chart: Chart, rows: Tensor, seed: int) -> tuple[Tensor, Tensor, tuple[str, ...]]:
        """Values (M, *coordinates), the change (M,) and the functions without a rule."""
        start, _ = chart.at(torch.zeros(len(rows), device=rows.device), rows)
        point = chart.point[rows]
        watch = Watch()
        with tensors.isolated(seed, self.name), watch:  # a critic that draws noise draws the same for both
            before, _ = chart.traced(start, rows)
        with tensors.isolated(seed, self.name), Rescale(watch):
            after, leaf = chart.traced(point, rows)
        without = unruled(after, leaf)
        (slope,) = torch.autograd.grad(after.sum(), leaf, allow_unused=True)
        slope = torch.zeros_like(leaf) if slope is None else slope
        # a critic on another device leaves its logits there
        return slope * (point - start), (after - before).detach().to(point.device).double(), without
