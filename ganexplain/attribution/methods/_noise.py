"""What the methods share that look at an image under noise: the noise, the wrapped method, running moments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.attribution.baselines import baselines_in
from ganexplain.attribution.chart import BaselineLike, Chart, Domain
from ganexplain.attribution.methods._base import ENDS, Method, Outcome
from ganexplain.models.critic import Critic

NOISE = 0.15  # standard deviation as a share of the range, of the .1 to .2 that Smilkov et al. recommend
RANGE = 2.0  # of images in [-1, 1]
FEWEST = 3  # samples below which no standard error can be given

Wrapped = str | Callable[..., Method]


class Moments:
    """Mean and variance of tensors that come one by one (Welford 1962); equal tensors have a variance of exactly 0."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(())
        self.squares = torch.zeros(())

    def add(self, value: Tensor) -> Tensor:
        """Take ``value`` in; returns its part of the sum of squares, whose mean is the variance from the second on."""
        self.count += 1
        off = value - self.mean if self.count > 1 else torch.zeros_like(value)
        self.mean = self.mean + off / self.count if self.count > 1 else value.clone()
        part = off * (value - self.mean)
        self.squares = self.squares + part
        return part

    def extend(self, values: Tensor) -> None:
        """Take in K tensors (K, ...) at once (Chan et al. 1979)."""
        k = len(values)
        off = values - values[0]
        centre = off.mean(0)
        apart = values[0] + centre - self.mean if self.count else torch.zeros_like(centre)
        self.squares = self.squares + (off - centre).square().sum(0)
        self.squares = self.squares + apart.square() * (self.count * k / (self.count + k))
        self.mean = self.mean + apart * (k / (self.count + k)) if self.count else values[0] + centre
        self.count += k

    @property
    def variance(self) -> Tensor:
        """Unbiased variance of one tensor."""
        return self.squares / (self.count - 1)

    @property
    def error(self) -> Tensor:
        """Standard error of the mean."""
        return (self.variance / self.count).sqrt()


@dataclass
class Spent:
    """What the wrapped method reports while its maps are read.

    Attributes:
        evaluations: (N,) forward passes.
        converged: (N,) bool, or None.
        notes: in the order of their first appearance.
    """

    evaluations: Tensor
    converged: Tensor | None = None
    notes: dict[str, None] = field(default_factory=dict)

    def add(self, found: Outcome, n: int) -> None:
        """Take in an outcome whose rows are several samples of the same n inputs."""
        self.evaluations += found.evaluations.view(-1, n).sum(0)
        if found.converged is not None:
            done = found.converged.view(-1, n).all(0)
            self.converged = done if self.converged is None else self.converged & done
        self.notes.update(dict.fromkeys(found.notes))


class NoiseMethod(Method):
    """Base of the methods that run another one on an image under Gaussian noise.

    Args:
        critic: the critic to explain.
        method: which method: a registered name, a class, or any callable that makes one, such as a partial.
        domain: coordinates; pixels by default.
        baseline: of the wrapped method.
        n_samples: noisy images, at least 3.
        batch_size: the largest batch that the critic sees.

    The noise has a standard deviation of .15 of the range, which is 0.3 for pixels in [-1, 1]; ``variant(noise=0.1)``
    takes another share. Sample k has the same noise for every image, from a stream of its own.
    """

    needs: ClassVar[str] = "gradients"
    sampled: ClassVar[bool] = True

    def __init__(
        self,
        critic: Critic,
        *,
        method: Wrapped = "saliency",
        domain: Domain | None = None,
        baseline: BaselineLike = None,
        n_samples: int = 50,
        batch_size: int = 64,
    ) -> None:
        super().__init__(critic, domain=domain, baseline=baseline, batch_size=batch_size)
        if n_samples < FEWEST:
            raise ValueError(f"n_samples must be at least {FEWEST}, got {n_samples}")
        self.method, self.n_samples, self.noise = method, int(n_samples), NOISE
        self._wrapped()

    def planned(self, n_players: int) -> int:
        """What the wrapped method takes, with ends of its own where it looks at them, for each sample; and the ends."""
        made = self._wrapped()
        own = made.planned(n_players) - ENDS + (1 + baselines_in(self.baseline, self.critic.form.ndim)) * made.complete
        return self.n_samples * own + ENDS

    def _wrapped(self) -> Method:
        from ganexplain.attribution import METHODS

        kind = METHODS.get(self.method) if isinstance(self.method, str) else self.method
        made: Method = kind(self.critic, domain=self.domain, batch_size=self.batch_size)
        if made.needs != "gradients":
            raise ValueError(f"{self.name} wraps a method of gradients, got {made.name!r}, which needs {made.needs}")
        if self.odd and not made.odd:
            raise ValueError(
                f"{self.name} wraps methods whose map for 'fake' is the negative of that for 'real', got {made.name!r}"
            )
        return made

    def _params(self) -> dict[str, Any]:
        made = self._wrapped()
        inner = {f"{made.name}.{name}": value for name, value in made._params().items()}
        return {**super()._params(), "method": made.name, **inner}

    def _maps(self, chart: Chart, seed: int, spent: Spent) -> Iterator[Tensor]:
        """Maps (K, N, *coordinates) in float64 of all samples, K at a time."""
        made, n = self._wrapped(), len(chart.point)
        if made.caution:
            spent.notes[made.caution] = None
        # a method that draws takes one seed a call, and each sample needs a draw of its own
        at_once = 1 if made.sampled else max(1, self.batch_size // n)
        for first in range(0, self.n_samples, at_once):
            samples = range(first, min(first + at_once, self.n_samples))
            own = int(tensors.rng(seed, "sample", first).integers(2**31)) if made.sampled else seed
            found = made._outcome(self._noisy(chart, samples, seed), own)
            spent.add(found, n)
            spent.evaluations += len(samples) * (1 + len(chart.members())) * made.complete  # its own ends
            yield found.values.double().view(len(samples), n, *chart.point.shape[1:])

    def _noisy(self, chart: Chart, samples: range, seed: int) -> Chart:
        """The chart of all images under each of these noises, the samples one after another."""
        n, k, shape = len(chart.point), len(samples), tuple(chart.point.shape[1:])
        drawn = torch.stack([tensors.normal(seed, "noise", sample, shape=shape) for sample in samples])
        noise = self.noise * RANGE * drawn.to(chart.point).repeat_interleave(n, 0)
        owner = torch.arange(n, device=noise.device).repeat(k)

        def repeated(tensor: Tensor) -> Tensor:
            return tensor if len(tensor) == 1 else tensor[owner]

        def path(t: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
            point, velocity = chart.at(t, owner[rows])
            return point + t.to(noise).view(-1, *[1] * len(shape)) * noise[rows], velocity + noise[rows]

        return replace(
            chart,
            point=chart.point[owner] + noise,
            origin=repeated(chart.origin),
            players=None if chart.players is None else repeated(chart.players),
            evidence=lambda coordinates, rows: chart.evidence(coordinates, owner[rows]),
            path=path,
        )
