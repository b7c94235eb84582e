"""Greedy repair: parts of an input are replaced by a baseline's, the most helpful first, until the verdict turns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.attribution import players as groups
from ganexplain.attribution.baselines import origin_of
from ganexplain.attribution.baselines._fixed import Fixed
from ganexplain.attribution.chart import BaselineLike, Chart, Domain
from ganexplain.attribution.counterfactuals._base import Search
from ganexplain.attribution.counterfactuals._boundary import Boundary
from ganexplain.attribution.counterfactuals._measures import Change
from ganexplain.attribution.counterfactuals._naming import names_of
from ganexplain.models.critic import Critic
from ganexplain.models.generator import Generator

MOST = 256  # players; a step tries all that remain, so the passes grow with their square
SAMPLES = 128  # of the generator, among which a baseline is looked for
EQUAL = 1e-6  # of the logits' range, below which two parts help alike and the first one counts


class Repair(Search):
    """Base of the repairs by parts of a domain.

    The baseline stands for what the image should have been: towards real the nearest real where reals are known; else,
    where the generator is known, the nearest of its samples that are clearly judged as wanted; else that one of blurred
    and black, or for rows zero, which the critic calls most so.

    Args:
        critic: the critic whose verdict is to turn.
        domain: any domain with players.
        baseline: what the parts are replaced by; of a set, the nearest one that is judged as wanted.
        batch_size: the largest batch that the critic sees.
    """

    parts: ClassVar[str] = "parts"

    def __init__(
        self, critic: Critic, *, domain: Domain | None = None, baseline: BaselineLike = None, batch_size: int = 64
    ) -> None:
        super().__init__(critic, batch_size=batch_size)
        self.domain = domain if domain is not None else self._default_domain()
        self.baseline = baseline

    def _default_domain(self) -> Domain:
        raise NotImplementedError

    def _change(self, boundary: Boundary, seed: int) -> Change:
        baseline = self.baseline if self.baseline is not None else _wanted(boundary, seed)
        chart = self.domain.bind(self.critic, boundary.like, baseline)
        groups.limited(chart.players, MOST, self.name)
        work = _Work(chart, boundary).nearest()
        removed, tried, whole = work.greedy()
        turned = work.turns(removed)
        kept = work.pruned(removed) if turned else removed
        change = self._told(work, kept, tried, whole)
        return change if turned else replace(change, notes=(*change.notes, *_doubts(boundary, work.chart, whole)))

    def _told(self, work: _Work, order: list[int], tried: int, whole: float) -> Change:
        boundary, chart = work.boundary, work.chart
        logits = boundary.logits_of(work.past(work.keeps(order))) if order else []
        names = names_of(chart, boundary.form, boundary.like)
        energy = work.energy(order)
        rows: list[dict[str, Any]] = [
            {"label": label, "name": names[label], "logit": logit, "share": (i + 1) / work.n, "energy": energy[i]}
            for i, (label, logit) in enumerate(zip(order, logits, strict=True))
        ]
        facts: dict[str, Any] = {
            "domain": chart.domain,
            "baseline": chart.baseline,
            "baseline_logit": boundary.logits_of(torch.tensor([whole]))[0],
            self.parts: work.n,
            "tried": tried,
            "order": rows,
            "chart": dict(chart.facts),
        }
        return Change(
            work.values(work.keep(order)[None]) if order else boundary.start,  # not rounded by a transform
            distance={"share": len(order) / work.n, "energy": energy[-1] if order else 0.0},
            steps=tuple((row["name"], row["logit"]) for row in rows),
            notes=chart.notes,
            facts=facts,
        )


@dataclass(frozen=True)
class _Work:
    """Coalitions of one image's players, judged as the images that they make."""

    chart: Chart
    boundary: Boundary

    @property
    def n(self) -> int:
        players = self.chart.players
        return 0 if players is None else int(groups.counts(players)[0])

    def nearest(self) -> _Work:
        """With one baseline: of a set, the nearest among those that turn the verdict, or among all."""
        members = self.chart.members()
        if len(members) == 1:
            return self
        each = [replace(self, chart=member) for member in members]
        turned = [one.turns(list(range(self.n))) for one in each]
        far = [float((one.chart.point - one.chart.origin).norm()) for one in each]
        return each[min(range(len(each)), key=lambda k: (not turned[k], far[k]))]

    def keep(self, removed: list[int]) -> Tensor:
        """(P,) bool: all but ``removed``."""
        keep = torch.ones(self.n, dtype=torch.bool, device=self.chart.point.device)
        keep[removed] = False
        return keep

    def keeps(self, order: list[int]) -> Tensor:
        """(len(order), P) bool: the first, the first two, ... of ``order`` removed."""
        return torch.stack([self.keep(order[: i + 1]) for i in range(len(order))])

    def values(self, keep: Tensor) -> Tensor:
        """(M, D) of the inputs that keep (M, P) leaves, cut to what an input may be."""
        boundary, made = self.boundary, self.chart.composed(keep, 0)
        if self.chart.image is not None:
            rows = torch.zeros(len(keep), dtype=torch.long, device=made.device)
            made = boundary.form.scaled(self.chart.image(made, rows).detach())
        flat = made.double().flatten(1)
        if torch.isinf(boundary.low).any() or boundary.form.name != "images":
            return flat  # a baseline says itself what may be
        return torch.minimum(torch.maximum(flat, boundary.low), boundary.high)

    def past(self, keep: Tensor) -> Tensor:
        """(M,) how far keep (M, P) is past the boundary."""
        boundary = self.boundary
        return tensors.batched(lambda piece: boundary.past(self.values(piece)).cpu(), boundary.batch_size, keep)

    def turns(self, removed: list[int]) -> bool:
        """Whether the verdict is as wanted without ``removed``."""
        return bool(removed) and bool(self.boundary.turned(self.past(self.keep(removed)[None]))[0])

    def greedy(self) -> tuple[list[int], int, float]:
        """Players in the order of their removal, how many were removed, and how far the baseline is past.

        A player that does not help is removed only where the baseline turns the verdict, as it then must turn at last;
        else the removal ends at the best place.
        """
        whole = float(self.past(torch.zeros(1, self.n, dtype=torch.bool, device=self.chart.point.device))[0])
        now = self.boundary.sign * (self.boundary.logit - self.boundary.threshold) - self.boundary.margin
        equal = EQUAL * max(abs(whole - now), abs(self.boundary.logit), 1e-12)
        reaches, order = bool(self.boundary.turned(torch.tensor(whole))), list[int]()
        while len(order) < self.n and not bool(self.boundary.turned(torch.tensor(now))):
            rest = [label for label in range(self.n) if label not in order]
            past = self.past(torch.stack([self.keep([*order, label]) for label in rest]))
            best = int((past >= past.max() - equal).nonzero()[0])
            if float(past[best]) <= now + equal and not reaches:
                break
            order.append(rest[best])
            now = float(past[best])
        return order, len(order), whole

    def pruned(self, order: list[int]) -> list[int]:
        """``order`` without the players that need not be removed, the least needed left out first."""
        order = list(order)
        while len(order) > 1:
            past = self.past(torch.stack([self.keep([x for x in order if x != label]) for label in order]))
            enough = self.boundary.turned(past)
            if not enough.any():
                break
            del order[int(past.argmax())]
        return order

    def energy(self, order: list[int]) -> list[float]:
        """Share of the squared difference of point and origin in the first, the first two, ... of ``order``."""
        chart = self.chart
        point, difference = chart.point[:1].double(), (chart.point - chart.origin)[:1].double().square()
        if chart.players is None or not order:
            return []
        each = groups.totals(difference.expand(point.shape), chart.players)[0]
        return (each[order].cumsum(0) / each.sum().clamp(min=1e-300)).tolist()


def _wanted(boundary: Boundary, seed: int) -> BaselineLike:
    """A baseline that is judged as wanted, where there is one; None leaves the choice to the chart."""
    critic, image = boundary.critic, boundary.like
    if boundary.to == "real" and critic.reference is not None:
        return None
    sampled = None if critic.generator is None else _sampled(boundary, critic.generator, seed)
    if sampled is not None:
        return Fixed(sampled, "generated_sample")
    names = critic.form.contrasts
    each = torch.cat([origin_of(critic, image, name).images for name in names])
    past = boundary.past(boundary.form.scaled(each.double()).flatten(1))
    return names[int(past.argmax())]


def _sampled(boundary: Boundary, generator: Generator, seed: int) -> Tensor | None:
    """Of the generator's samples judged as wanted, the nearest of the clearer half; None where there are none.

    The nearest of all lies on the boundary, and nothing short of the whole of it turns the verdict.
    """
    codes = generator.sample(SAMPLES, seed=int(tensors.rng(seed, "repair").integers(2**31)))
    made = generator.render(codes, batch_size=boundary.batch_size)
    made = boundary.form.fitted(made, boundary.like, "the generated images").to(boundary.like)
    values = boundary.form.scaled(made.double()).flatten(1)
    past = boundary.past(values)
    wanted = past > 0
    if not wanted.any():
        return None
    clear = wanted & (past >= past[wanted].median())
    distance = torch.where(clear, (values - boundary.start).norm(dim=1), torch.inf)
    return made[int(distance.argmin())][None]


def _doubts(boundary: Boundary, chart: Chart, whole: float) -> tuple[str, ...]:
    if bool(boundary.turned(torch.tensor(whole))):
        return ()
    name = chart.baseline.replace("_", " ")
    return (
        f"the baseline, {name}, is itself not judged {boundary.to}, so replacing more of the {boundary.form.one} need "
        "not turn the verdict",
    )
