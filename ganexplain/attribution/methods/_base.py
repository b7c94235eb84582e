"""What every method shares: bind the domain, keep the caller's world as it was, check the sum, set the side."""

from __future__ import annotations

import copy
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from ganexplain import checks, tensors
from ganexplain.attribution import players as groups
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
        notes: what a reader must know of this result, one sentence each.
        facts: what was settled on the way, such as the name of a layer; JSON-able, joins the parameters.
        players: (N, *coordinates) canonical labels of groups that the method found itself, or None for the chart's.
    """

    values: Tensor
    evaluations: Tensor
    error: Tensor | None = None
    converged: Tensor | None = None
    quality: Tensor | None = None
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    players: Tensor | None = None


FEWEST = 50  # coalitions below which a sampled method says nothing
ALONE = "the network's output for an image depends on the others in its batch, so each image is judged alone"
ENDS = 3  # passes that every attribution takes: image, baseline, and the verdict


class Method(ABC):
    """Base of the attribution methods.

    Evaluations are counted in forward passes of one image. A critic's first attribution takes up to
    `ganexplain.models.fast.LOOKS` more, in which its network is brought into a faster form, and
    `ganexplain.models.neighbours.LOOKS`, which show whether the other images of a batch matter.

    Attributes:
        name: the registry's name.
        complete: the values sum to the change of the evidence.
        odd: the map for "fake" is the negative of the map for "real"; others are given the evidence for the side.
        sampled: the values carry a standard error, and depend on the seed.
        needs: "calls", "gradients", or "modules": what the critic must offer; the last reaches into its layers.
        unit: of the values, "{}" being the critic's own, such as "{} per unit" for a derivative, or "a.u.".
        sets: the method draws from a set of baselines itself; for the others the results of all are averaged.
        compares: the values are measured from the baseline; where they are not, it only stands beside the map.
        caution: what every reader of such a map must know, or nothing.
    """

    name: ClassVar[str]
    complete: ClassVar[bool] = False
    odd: ClassVar[bool] = True
    sampled: ClassVar[bool] = False
    needs: ClassVar[str] = "calls"
    unit: ClassVar[str] = "{}"
    sets: ClassVar[bool] = False
    compares: ClassVar[bool] = True
    caution: ClassVar[str] = ""

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
        """Explain images (N, C, H, W) in [-1, 1], or what else the critic reads: positive values speak for ``side``.

        Args:
            inputs: what is explained.
            side: "fake" or "real".
            seed: of sampled methods, and of a critic that draws noise.

        Raises:
            ValueError: inputs, domain and method do not fit; the message says how.
        """
        sign = checks.side(side)
        flip = sign if self.odd else 1
        with tensors.isolated(seed), torch.enable_grad():  # also inside a caller's no_grad
            seen = self.domain.seen(self.critic, inputs, batch_size=self.batch_size)
            critic, alone = self._run_on(seen)
            chart = self._bound(critic, inputs)
            point, origin = chart.ends(self.batch_size)
            asked = chart if flip == sign else negated(chart)
            # a layer must see the images one by one too
            run = self.variant(batch_size=1) if alone and self.needs == "modules" else self
            found = run._outcome(asked, seed) if self.sets else run._averaged(asked, seed)
            checks.finite(found.values, f"the values of {self.name}")
            verdict = self.critic.judge(seen, batch_size=self.batch_size)
        net = flip * found.values.double().flatten(1).sum(1).cpu()
        notes = (*chart.notes, *self._notes(chart, origin, alone), *found.notes)
        _warned(notes)
        return Attribution(
            values=flip * found.values,
            players=chart.players if found.players is None else found.players,
            names=chart.names,
            images=seen.detach().clone(),
            origins=_shown(chart, self.batch_size),
            verdict=verdict,
            origin_logit=origin.to(verdict.logit),
            form=self.critic.form,
            side=side,
            method=self.name,
            domain=chart.domain,
            baseline=chart.baseline,
            params={**self._params(), **chart.facts, **found.facts, "seed": seed},
            unit=self._unit(),
            evaluations=found.evaluations + ENDS,
            gap=net - sign * (point - origin) if self.complete else None,
            error=found.error,
            converged=found.converged,
            quality=found.quality,
            notes=notes,
        )

    def _bound(self, critic: Critic, inputs: Tensor) -> Chart:
        """The chart that the method works on."""
        return self.domain.bind(critic, inputs, self.baseline)

    def _run_on(self, seen: Tensor) -> tuple[Critic, bool]:
        """The critic in its fastest form that the method can use, and whether it judges images one by one."""
        # layers keep their names and meanings only in the network as it was given
        critic = self.critic if self.needs == "modules" else self.critic.fast(seen, batch_size=self.batch_size)
        return critic, self.batch_size > 1 and critic.judges_alone(seen)

    def _notes(self, chart: Chart, origin: Tensor, alone: bool) -> tuple[str, ...]:
        outside = chart.outside(origin) if self.compares else ()
        return (*outside, *((self.caution,) if self.caution else ()), *((ALONE,) if alone else ()))

    def _averaged(self, chart: Chart, seed: int) -> Outcome:
        """The mean over the chart's baselines, each with draws of its own so that their errors are independent."""
        charts = chart.members()
        if len(charts) == 1:
            return self._outcome(charts[0], seed)
        found = [
            self._outcome(one, int(tensors.rng(seed, "baseline", k).integers(2**31))) for k, one in enumerate(charts)
        ]
        errors, done = (
            [o.error for o in found if o.error is not None],
            [o.converged for o in found if o.converged is not None],
        )
        fits = [o.quality for o in found if o.quality is not None]
        return Outcome(
            values=torch.stack([o.values for o in found]).mean(0),
            evaluations=torch.stack([o.evaluations for o in found]).sum(0) + len(found) - 1,  # each baseline itself
            error=torch.stack(errors).square().sum(0).sqrt() / len(found) if errors else None,
            converged=torch.stack(done).all(0) if done else None,
            quality=torch.stack(fits).mean(0) if fits else None,
            notes=tuple(dict.fromkeys(note for o in found for note in o.notes)),
            facts=found[0].facts,
        )

    @abstractmethod
    def _outcome(self, chart: Chart, seed: int) -> Outcome:
        """Values of the chart's evidence in its coordinates: of the logit, or of the side's for a method not odd."""

    @abstractmethod
    def planned(self, n_players: int) -> int:
        """The most forward passes an image that `attribute` will use with one baseline."""

    def passes(self, n_players: int) -> int:
        """The most forward passes an image, with the baselines that were given."""
        k = self.domain.baselines(self.critic, self.baseline)
        return self.planned(n_players) + k - 1 if self.sets else self.planned(n_players) * k

    def variant(self, **changes: Any) -> Self:
        """The same method with other constructor values, such as ``critic``, ``baseline`` or ``max_evaluations``."""
        twin = copy.copy(self)
        for name, value in changes.items():
            if name not in vars(self):
                raise ValueError(f"{self.name} has no parameter {name!r}")
            setattr(twin, name, value)
        return twin

    def _unit(self) -> str:
        """The unit of the values."""
        word = self.unit.format(self.critic.unit)
        return word if word.endswith("^2") else word.replace("per unit", f"per {self.critic.form.unit}")

    def _params(self) -> dict[str, Any]:
        """Parameters as JSON: what the constructor was given, beside critic, domain and baseline."""
        skip = ("critic", "domain", "baseline", "batch_size")
        return {name: value for name, value in vars(self).items() if name not in skip and not name.startswith("_")}

    def _default_domain(self) -> Domain:
        return domain_named(self.critic.form.differentiated)


class CoalitionMethod(Method):
    """Base of the methods that sample coalitions of players: of regions unless said otherwise.

    Args:
        critic: the critic to explain.
        domain: regions by default.
        baseline: what stands in the place of a removed player.
        max_evaluations: coalitions an image, at least `FEWEST`; a set of baselines shares them, but each takes as many.
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

    def passes(self, n_players: int) -> int:
        """The most forward passes an image, with the baselines that were given, which share the budget."""
        k = self.domain.baselines(self.critic, self.baseline)
        return k * self._sharing(k, n_players).planned(n_players)

    def _averaged(self, chart: Chart, seed: int) -> Outcome:
        n = 0 if chart.players is None else int(groups.counts(chart.players).max())
        return super(CoalitionMethod, self._sharing(len(chart.members()), n))._averaged(chart, seed)

    def _sharing(self, sets: int, n_players: int) -> Self:
        """The method with its share of the budget for one of ``sets`` baselines, at least twice as much as players."""
        fewest = max(FEWEST, min(2 * n_players, self.max_evaluations))
        return self if sets == 1 else self.variant(max_evaluations=max(self.max_evaluations // sets, fewest))

    def _default_domain(self) -> Domain:
        return domain_named(self.critic.form.removed)


def _warned(notes: tuple[str, ...]) -> None:
    for note in notes:
        warnings.warn(note, stacklevel=3)


def domain_named(name: str) -> Domain:
    """The domain of that name, as it is without settings."""
    from ganexplain.attribution import DOMAINS

    made: Domain = DOMAINS.get(name)()
    return made


def negated(chart: Chart) -> Chart:
    """The chart with evidence for the other side."""
    return replace(chart, evidence=lambda coordinates, rows: -chart.evidence(coordinates, rows))


def _shown(chart: Chart, batch_size: int) -> Tensor:
    rows = torch.arange(len(chart.point), device=chart.point.device)
    origin = (chart.origin if chart.shown is None else chart.shown).expand(chart.point.shape)
    return origin.clone() if chart.image is None else _drawn(chart.image, batch_size, origin, rows)


def _drawn(image: Callable[[Tensor, Tensor], Tensor], batch_size: int, coordinates: Tensor, rows: Tensor) -> Tensor:
    return tensors.batched(lambda c, r: image(c, r).detach().clone(), batch_size, coordinates, rows)
