"""Integrated gradients along a way of blurs."""

from __future__ import annotations

from dataclasses import replace
from math import pi, sqrt
from typing import ClassVar

import torch
from torch import Tensor

from ganexplain import checks
from ganexplain.attribution.chart import BaselineLike, Chart, Domain
from ganexplain.attribution.domains.pixel import Pixel
from ganexplain.attribution.domains.region import Region
from ganexplain.attribution.domains.window import Window
from ganexplain.attribution.methods.integrated_gradients import IntegratedGradients
from ganexplain.models.critic import Critic

__all__ = ["BlurIntegratedGradients"]

BLURRED = (Pixel, Region, Window)  # domains whose coordinates are neighbours in space or time
POWER = 3  # sigma falls as (1 - t)^3: details come back at small sigma, which a linear fall would skip


class BlurIntegratedGradients(IntegratedGradients):
    """The gradient integrated while the input sharpens out of its own blur: no baseline (Xu et al. 2020).

    Args:
        critic: the critic to explain.
        domain: pixels by default; pixels, regions or windows of a signal.
        baseline: checked as elsewhere and not used: the values are measured from the input under its widest blur, which
            is what the attribution shows as its baseline.
        tol: as in `IntegratedGradients`.
        max_evaluations: gradients an image, at most; above it the image is reported as not converged.
        batch_size: the largest batch that the critic sees.

    Nothing is put into the image that is not in it, and no value is special, as black is where a baseline is black. The
    widest blur has a standard deviation of the input's longer side, after which little but the mean colour is left;
    ``variant(max_sigma=...)`` takes another, in pixels or samples. The blur is that of the heat equation without flow
    across the edges: each frequency of the cosine transform falls as exp(-(sigma w)^2 / 2), so that its derivative by
    sigma, the velocity of the way, is exact. Values promise no less than elsewhere: they sum to the change.
    """

    name: ClassVar[str] = "blur_integrated_gradients"

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
        self.max_sigma: float | None = None

    def passes(self, n_players: int) -> int:
        """The most forward passes an image: a set of baselines makes no difference."""
        return self.planned(n_players)

    def _bound(self, critic: Critic, inputs: Tensor) -> Chart:
        if not isinstance(self.domain, BLURRED):
            domain = getattr(self.domain, "name", type(self.domain).__name__)
            raise ValueError(
                f"{self.name} blurs what has neighbours in space or time, and the domain {domain!r} has other "
                "coordinates; use domain=Pixel(), Region() or Window()"
            )
        chart = super()._bound(critic, inputs)
        axes = chart.point.shape[2:]
        widest = max(axes) if self.max_sigma is None else checks.positive(self.max_sigma, "max_sigma")
        way = Sharpening(chart.point, float(widest))
        return replace(
            chart,
            origin=way.blurred(),
            origins=None,
            fill=None,
            shown=None,
            baseline="full_blur",
            path=way.at,
            facts={**chart.facts, "max_sigma": float(widest)},
        )


class Sharpening:
    """The way from inputs under a Gaussian blur to the inputs.

    Args:
        points: (N, C, *axes) images or signals.
        widest: standard deviation of the blur at the start, in pixels or samples.
    """

    def __init__(self, points: Tensor, widest: float) -> None:
        self.widest, self.like = widest, points
        self.bases = [cosines(extent).to(points.device) for extent in points.shape[2:]]
        self.spectrum = transformed(points.double(), self.bases)
        extents = points.shape[2:]
        squares = [(pi * torch.arange(n, dtype=torch.float64) / n).square().to(points.device) for n in extents]
        self.square = squares[0] if len(squares) == 1 else squares[0][:, None] + squares[1]

    def blurred(self) -> Tensor:
        """(N, C, *axes) the start."""
        return self._back(self.spectrum * torch.exp(-(self.widest**2) * self.square / 2))

    def at(self, t: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Points and velocities at t (M,) in [0, 1], the inputs themselves at 1."""
        rest = (1 - t.double()).view(-1, *[1] * (self.like.ndim - 1))
        sigma = self.widest * rest**POWER
        blurred = self.spectrum[rows] * torch.exp(-(sigma.square()) * self.square / 2)
        # d sigma / d t is negative, and so is the derivative by sigma
        speed = self.widest * POWER * rest ** (POWER - 1) * sigma * self.square
        both = self._back(torch.cat([blurred, blurred * speed]))
        return both[: len(rows)], both[len(rows) :]

    def _back(self, spectrum: Tensor) -> Tensor:
        return transformed(spectrum.to(self.like.dtype), [basis.T.to(self.like.dtype) for basis in self.bases])


def cosines(n: int) -> Tensor:
    """(n, n) float64 orthonormal cosine transform of the second kind, one frequency a row."""
    k, place = torch.arange(n, dtype=torch.float64)[:, None], torch.arange(n, dtype=torch.float64) + 0.5
    basis = torch.cos(pi * k * place / n) * sqrt(2 / n)
    basis[0] /= sqrt(2)
    return basis


def transformed(values: Tensor, bases: list[Tensor]) -> Tensor:
    """(N, C, *axes) multiplied by one matrix along each of its last axes."""
    out: Tensor = values @ bases[-1].T
    return out if len(bases) == 1 else torch.matmul(bases[0], out)
