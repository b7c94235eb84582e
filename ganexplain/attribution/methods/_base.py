"""What every method shares: bind the domain, keep the caller's world as it was, check the sum, set the side."""

from __future__ import annotations

import copy
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.attribution.attribution import Attribution
from ganexplain.attribution.chart import BaselineLike, Chart, Domain
from ganexplain.models.critic import Critic


@dataclass(frozen=True)
class Outcome:
    """What a method computes, as evidence for "real".

    Attributes:
        values: (N, *coordinates).
        evaluations: (N,) forward passes, without the two ends and the verdict.
        error: (N, P) standard error per player.
        converged: (N,) bool.
        quality: (N,) R^2 of a fit.
    """

    values: Tensor
    evaluations: Tensor
    error: Tensor | None = None
    converged: Tensor | None = None
    quality: Tensor | None = None


FEWEST = 50  # coalitions below which a sampled method says nothing
ENDS = 3  # passes that every attribution takes: image, baseline, and the verdict


class Method(ABC):
    """Base of the attribution methods.

    Attributes:
        name: the registry's name.
        complete: the values sum to the change of the evidence.
        sampled: the values carry a standard error, and depend on the seed.
        needs: "gradients" or "calls": what the critic must offer.
        per_unit: the values are derivatives, not amounts.
    """

    name: ClassVar[str]
    complete: ClassVar[bool] = False
    odd: ClassVar[bool] = True
    sampled: ClassVar[bool] = False
    needs: ClassVar[str] = "calls"
    per_unit: ClassVar[bool] = False

    def __init__(
        self, critic: Critic, *, domain: Domain | None = None, baseline: BaselineLike = None, batch_size: int = 64
    ) -> None:
        if not isinstance(critic, Critic):
            raise TypeError(
                f"critic must be a Critic, got {type(critic).__name__}; wrap it: Critic(network, output=...)"
            )
        self.critic = critic
        self.domain = domain if domain is not None else self._default_domain()
        self.baseline = baseline
        self.batch_size = int(checks.positive(batch_size, "batch_size"))

    def attribute(self, inputs: Tensor, *, side: str = "fake", seed: int = 0) -> Attribution:
        """Explain inputs (N, C, H, W) in [-1, 1]: positive values speak for ``side``.

        Args:
            inputs: what is explained.
            side: "fake" or "real".
            seed: of sampled methods, and of a critic that draws noise.

        Raises:
            ValueError: inputs, domain and method do not fit; the message says how.
        """
        sign = checks.side(side)
        with tensors.isolated(seed):
            chart = self.domain.bind(self.critic, inputs, self.baseline)
            point, origin = chart.ends(self.batch_size)
            found = self._outcome(chart, seed)
            checks.finite(found.values, f"the values of {self.name}")
            verdict = self.critic.judge(inputs, batch_size=self.batch_size)
        gap = None
        if self.complete:
            gap = sign * (found.values.double().flatten(1).sum(1).cpu() - (point - origin))
        notes = (*chart.notes, *chart.outside(origin))
        for note in notes:
            warnings.warn(note, stacklevel=2)
        unit = self.critic.unit
        return Attribution(
            values=sign * found.values,
            players=chart.players,
            images=inputs.detach().clone(),
            origins=_shown(chart),
            verdict=verdict,
            origin_logit=origin.to(verdict.logit),
            side=side,
            method=self.name,
            domain=chart.domain,
            baseline=chart.baseline,
            params={**self._params(), **chart.facts, "seed": seed},
            unit=f"{unit} per unit" if self.per_unit else unit,
            evaluations=found.evaluations + ENDS,
            gap=gap,
            error=found.error,
            converged=found.converged,
            quality=found.quality,
            notes=notes,
        )

    @abstractmethod
    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        """Values of the logit (evidence for "real") in the coordinates of the chart."""

    @abstractmethod
    def planned(self, n_players: int) -> int:
        """The most forward passes an image that `attribute` will use."""

    def variant(self, **changes: Any) -> Self:
        """The same method with other constructor values, such as ``critic``, ``baseline`` or ``max_evaluations``."""
        twin = copy.copy(self)
        for name, value in changes.items():
            if name not in vars(self):
                raise ValueError(f"{self.name} has no parameter {name!r}")
            setattr(twin, name, value)
        return twin

    def _params(self) -> dict[str, Any]:
        """Parameters as JSON: what the constructor was given, beside critic, domain and baseline."""
        skip = ("critic", "domain", "baseline", "batch_size")
        return {name: value for name, value in vars(self).items() if name not in skip and not name.startswith("_")}

    @staticmethod
    def _default_domain() -> Domain:
        from ganexplain.attribution.domains.pixel import Pixel

        return Pixel()


class CoalitionMethod(Method):
    """Base of the methods that sample coalitions of players: of regions unless said otherwise.

    Args:
        critic: the critic to explain.
        domain: regions by default.
        baseline: what stands in the place of a removed player.
        max_evaluations: coalitions an image, at least `FEWEST`.
        batch_size: the largest batch that the critic sees.
    """

    most_players: ClassVar[int] = 1024

    def __init__(
        self,
        critic: Critic,
        *,
        domain: Domain | None = None,
        baseline: BaselineLike = None,
        max_evaluations: int = 1000,
        batch_size: int = 64,
    ) -> None:
        super().__init__(critic, domain=domain, baseline=baseline, batch_size=batch_size)
        if max_evaluations < FEWEST:
            raise ValueError(f"max_evaluations must be at least {FEWEST}, got {max_evaluations}")
        self.max_evaluations = int(max_evaluations)

    @staticmethod
    def _default_domain() -> Domain:
        from ganexplain.attribution.domains.region import Region

        return Region()


def _shown(chart: Chart) -> Tensor:
    rows = torch.arange(len(chart.point), device=chart.point.device)
    origin = chart.origin.expand(chart.point.shape)
    return origin.clone() if chart.image is None else chart.image(origin, rows).detach().clone()
