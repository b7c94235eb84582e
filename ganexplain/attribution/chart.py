"""A chart: the only thing that a method sees of image, critic and domain."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.attribution import players as groups
from ganexplain.models.critic import Critic


@dataclass(frozen=True)
class Chart:
    """N inputs written in coordinates, with the critic's evidence as a function of them.

    Attributes:
        point: (N, *coordinates) the inputs.
        origin: (N or 1, *coordinates) the baseline; the mean of them where there is a set.
        evidence: (coordinates (M, *), rows (M,)) -> (M,) logits, higher is more real, differentiable; ``rows`` says
            which input each row belongs to, since methods expand and split batches.
        players: (1 or N, *coordinates) canonical integer labels of what is removed together, or None.
        names: what each player is called, by its label; empty where a place says it better.
        places: (P, D) where the players lie, for methods that keep neighbours together, where their coordinates do not
            say it themselves; else None.
        domain: the domain's name.
        baseline: the baseline's name.
        origins: (N or 1, K, *coordinates) a set of baselines, over which an explanation is averaged, or None.
        fill: (points (M, *), keep (M, *) bool) -> (M, *), what stands where players are removed, for a baseline that
            depends on what is left, such as an in-painted one; None puts the origin there.
        image: (coordinates, rows) -> (M, C, H, W) for display, where there is one.
        path: (t (M,), rows) -> (points, velocities) of the way from the origin to the point, or None for `between`.
        curve: (start (M, *), end (M, *), t (M,)) -> (points, velocities) of the domain's way between any two places, or
            None for the straight line.
        shown: (N or 1, *coordinates) what stands for the origin in a picture, where its mean over a set does not exist.
        scale: the natural unit of a change of the logit (interquartile range of the reals' logits), 0 if unknown.
        real_range: lowest and highest logit of the known reals, or None.
        notes: what a reader must know, one sentence each.
        facts: parameters of the domain, JSON-able.
    """

    point: Tensor
    origin: Tensor
    evidence: Callable[[Tensor, Tensor], Tensor]
    players: Tensor | None
    domain: str
    baseline: str
    names: tuple[str, ...] = ()
    places: Tensor | None = None
    origins: Tensor | None = None
    fill: Callable[[Tensor, Tensor], Tensor] | None = None
    image: Callable[[Tensor, Tensor], Tensor] | None = None
    path: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
    curve: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
    shown: Tensor | None = None
    scale: float = 0.0
    real_range: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    _known: dict[str, tuple[Tensor, Tensor]] = field(init=False, default_factory=dict, repr=False, compare=False)

    def at(self, t: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Points of the path at t in [0, 1] and their velocities d point / d t, both (M, *coordinates)."""
        if self.path is not None:
            return self.path(t, rows)
        return self.between(self._of(self.origin, rows), self._of(self.point, rows), t)

    def between(self, start: Tensor, end: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Points at t (M,) of the way from ``start`` to ``end``, and their velocities, all (M, *coordinates)."""
        if self.curve is not None:
            return self.curve(start, end, t)
        velocity = end - start
        return start + t.to(velocity).view(-1, *[1] * (velocity.ndim - 1)) * velocity, velocity

    def values(self, coordinates: Tensor, rows: Tensor, batch_size: int) -> Tensor:
        """(M,) float64 evidence without gradients, at most ``batch_size`` rows at a time."""
        return tensors.batched(self.worth, batch_size, coordinates, rows)

    def worth(self, coordinates: Tensor, rows: Tensor) -> Tensor:
        """(M,) float64 evidence without gradients, on one batch."""
        with torch.no_grad():
            return self.evidence(coordinates.clone(), rows).cpu().double()

    def gradient(self, coordinates: Tensor, rows: Tensor) -> Tensor:
        """(M, *coordinates) gradient of the evidence, on one batch.

        Raises:
            ValueError: the critic does not let gradients through.
        """
        value, leaf = self.traced(coordinates, rows)
        (gradient,) = torch.autograd.grad(value.sum(), leaf, allow_unused=True)
        return torch.zeros_like(leaf) if gradient is None else gradient.contiguous()

    def traced(self, coordinates: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(M,) evidence on one batch with its graph, and the leaf (M, *coordinates) of that graph.

        Raises:
            ValueError: the critic does not let gradients through.
        """
        leaf = coordinates.detach().clone().requires_grad_(True)
        with torch.enable_grad():
            value = self.evidence(leaf.clone(), rows)  # the clone lets a forward write into its input
        if not value.requires_grad:
            raise ValueError(
                "the critic lets no gradient through; use a method that needs calls alone: "
                "kernel_shap, lime or occlusion"
            )
        return value, leaf

    def coalitions(self, keep: Tensor, row: int, batch_size: int) -> Tensor:
        """(M,) float64 evidence of input ``row`` with only the players of ``keep`` (M, P) in place."""
        rows = torch.tensor([row], device=self.point.device)

        def evaluate(piece: Tensor) -> Tensor:
            return self.worth(self.composed(piece, row), rows.expand(len(piece)))

        return tensors.batched(evaluate, batch_size, keep.to(self.point.device))

    def composed(self, keep: Tensor, row: int) -> Tensor:
        """(M, *coordinates) of input ``row`` with only the players of ``keep`` (M, P) in place.

        Raises:
            ValueError: the domain has no players.
        """
        if self.players is None:
            raise ValueError(f"the domain {self.domain!r} has no players to remove")
        rows = torch.tensor([row], device=self.point.device)
        point, origin, players = (self._of(part, rows) for part in (self.point, self.origin, self.players))
        if self.fill is None:
            return groups.compose(point, origin, players, keep)
        mask = groups.kept(players, keep)
        return self.fill(point.expand(len(keep), *point.shape[1:]), mask)

    def without(self, row: int) -> Tensor:
        """(P, *coordinates) input ``row`` with each of its players removed in turn."""
        if self.players is None:
            raise ValueError(f"the domain {self.domain!r} has no players to remove")
        count = int(groups.counts(self.players)[row if len(self.players) > 1 else 0])
        return self.composed(~torch.eye(count, dtype=torch.bool, device=self.point.device), row)

    def ends(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """(N,) float64 evidence at the point and at the origin, the mean over a set of origins; run once."""
        known = self._known.get("ends")
        if known is None:
            known = self._known["ends"] = self._ends(batch_size)
        return known

    def _ends(self, batch_size: int) -> tuple[Tensor, Tensor]:
        rows = torch.arange(len(self.point), device=self.point.device)
        whole = self.values(self.point, rows, batch_size)
        origins = self.origin[:, None] if self.origins is None else self.origins
        sets, each = origins.shape[:2]
        owner = torch.arange(sets, device=rows.device).repeat_interleave(each)
        found = self.values(origins.flatten(0, 1), owner, batch_size).view(sets, each).expand(len(rows), each)
        self._known["members"] = (whole[:, None].expand_as(found), found)
        return whole, found.mean(1)

    def members(self) -> list[Chart]:
        """One chart for each baseline of the set; the chart itself where there is one baseline."""
        if self.origins is None:
            return [self]
        made = [replace(self, origin=origin, origins=None) for origin in self.origins.unbind(1)]
        if "members" in self._known:  # what was run for the set is not run again for each
            wholes, origins = self._known["members"]
            for k, chart in enumerate(made):
                chart._known["ends"] = wholes[:, k], origins[:, k]
        return made

    def outside(self, origin_logit: Tensor) -> tuple[str, ...]:
        """A note where the baseline's logits (N,) lie outside the range of the reals; none where no reals are known."""
        if self.real_range is None:
            return ()
        low, high = self.real_range
        count = int(((origin_logit < low) | (origin_logit > high)).sum())
        if not count:
            return ()
        return (
            f"the baseline {self.baseline!r} has a logit outside the range of the reals, {low:.2f} to {high:.2f}, "
            f"for {count} of {len(origin_logit)} images: the map then explains the baseline as much as the image",
        )

    @staticmethod
    def _of(tensor: Tensor, rows: Tensor) -> Tensor:
        return tensor[rows] if len(tensor) > 1 else tensor.expand(len(rows), *tensor.shape[1:])


# what a callable returns is a Tensor or an Origin; it is not named here, since annotations are resolved by `--set`
BaselineLike = str | Tensor | Callable[[Critic, Tensor], Any] | None


class Domain(ABC):
    """Writes inputs in coordinates; one domain a file in ``attribution/domains``.

    Attributes:
        own: the coordinates are the inputs' own values, so that values have the places of what is shown.
        brings_origins: a set of baselines of its own stands where none is given.
    """

    own: ClassVar[bool] = True
    brings_origins: ClassVar[bool] = False

    @abstractmethod
    def bind(self, critic: Critic, inputs: Tensor, baseline: BaselineLike = None) -> Chart:
        """The chart of these inputs under this critic."""

    def seen(self, critic: Critic, inputs: Tensor, *, batch_size: int = 64) -> Tensor:
        """What the critic judges for these inputs: the inputs themselves, or the images of codes.

        Args:
            critic: the critic.
            inputs: what is explained.
            batch_size: the largest batch that a generator sees.

        Raises:
            ValueError: they are no valid inputs.
        """
        return critic.form.check(inputs)

    def baselines(self, critic: Critic, baseline: BaselineLike) -> int:
        """How many baselines stand behind ``baseline``: 1, or the size of a set."""
        from ganexplain.attribution.baselines import baselines_in

        return baselines_in(baseline, critic.form.ndim)
