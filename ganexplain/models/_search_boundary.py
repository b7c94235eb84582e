"""The nearest point of the boundary of a critic's verdict, by the iteration of structural reliability."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.models._search_support import Support
from ganexplain.models.critic import Critic

STRIDES = (1.0, 0.5, 0.25, 0.1)  # shares of a step that are tried
BEYOND = (1.0, 1.02, 1.1, 1.3, 1.7, 2.5, 4.0)  # how far out along a ray the boundary is looked for
HALVINGS = 16
AROUND = (-1.5, 0.0)  # decimal exponents of the lengths of random first steps
SHRINK, PACE, FIRST = 0.1, 0.5, 0.05  # of the descent: change of its radius, stride in radii, least radius of a stride
INSIDE = 1e-4  # of the spread of the samples' logits, so that rounding does not turn the verdict back


@dataclass
class Boundary:
    """The critic's evidence for a side as a function of steps from N codes, in standard deviations.

    Attributes:
        support: of the codes.
        critic: who judges.
        sign: +1 for "real", -1 for "fake".
        start: (N, D) the codes.
    """

    support: Support
    critic: Critic
    sign: int
    start: Tensor

    def __post_init__(self) -> None:
        logits = self.critic.logits(self.support.pool[1], batch_size=self.support.batch_size)
        self.slack = INSIDE * float(logits.double().std().clamp(min=1e-6))
        self.judged = (self.sign * (logits.to(self.start) - self.critic.threshold)) > self.slack
        self.evaluations = 0

    def codes(self, steps: Tensor, rows: Tensor) -> Tensor:
        """(M, D) codes of steps (M, D) from the starts ``rows`` (M,)."""
        return self.support.bounded(self.start[rows] + self.support.deviation * steps)

    def value(self, steps: Tensor, rows: Tensor) -> Tensor:
        """(M,) evidence, positive on the side that was asked for; without gradients, in batches."""

        def of(piece: Tensor, which: Tensor) -> Tensor:
            logit = self.critic(self.support.draw(self.codes(piece, which)))
            value: Tensor = self.sign * (logit.to(piece) - self.critic.threshold) - self.slack
            return value

        self.evaluations += len(steps)
        with torch.no_grad():
            return tensors.batched(of, self.support.batch_size, steps, rows)

    def slope(self, steps: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Evidence (M,) and its gradient (M, D), in batches."""

        def of(piece: Tensor, which: Tensor) -> Tensor:
            leaf = piece.detach().clone().requires_grad_(True)
            logit = self.critic(self.support.draw(self.codes(leaf, which)))
            value = self.sign * (logit.to(leaf) - self.critic.threshold) - self.slack
            (gradient,) = torch.autograd.grad(value.sum(), leaf)
            return torch.cat([value.detach()[:, None], gradient], 1)

        self.evaluations += len(steps)
        both = tensors.batched(of, self.support.batch_size, steps, rows)
        return both[:, 0], both[:, 1:]

    def nearest_samples(self, count: int) -> Tensor:
        """(N, count, D) steps to the nearest samples on the side that was asked for; zeros where there are too few."""
        pool = self.support.pool[0][self.judged]
        away = torch.zeros(len(self.start), count, self.start.shape[1]).to(self.start)
        there = min(count, len(pool))
        if there:
            near = torch.cdist(self.start.double(), pool.double()).topk(there, largest=False).indices
            away[:, :there] = (pool[near] - self.start[:, None]) / self.support.deviation
        return away

    def around(self, count: int) -> Tensor:
        """(N, count, D) steps from which to look about: none, then random ones of growing length."""
        n, width = self.start.shape
        drawn = tensors.normal(0, "around", shape=(max(count - 1, 1), width)).to(self.start)
        lengths = torch.logspace(*AROUND, max(count - 1, 1)).to(self.start)[:, None]
        steps = torch.cat([torch.zeros_like(drawn[:1]), drawn / drawn.norm(dim=1, keepdim=True) * lengths])
        return steps[:count].expand(n, -1, -1)

    def bisected(self, steps: Tensor, rows: Tensor) -> Tensor:
        """(M, D) just across the boundary on the rays through ``steps``, infinite where it is not met."""
        low, high = torch.zeros_like(rows, dtype=steps.dtype), torch.full_like(rows, torch.inf, dtype=steps.dtype)
        for factor in BEYOND:
            open_ = high.isinf().nonzero().flatten()
            if not len(open_):
                break
            crossed = self.value(factor * steps[open_], rows[open_]) >= 0
            high[open_[crossed]] = factor
            low[open_[~crossed]] = factor
        met = high.isfinite().nonzero().flatten()
        for _ in range(HALVINGS if len(met) else 0):
            middle = (low[met] + high[met]) / 2
            crossed = self.value(middle[:, None] * steps[met], rows[met]) >= 0
            high[met] = torch.where(crossed, middle, high[met])
            low[met] = torch.where(crossed, low[met], middle)
        return torch.where(high.isfinite()[:, None], high[:, None].clamp(max=BEYOND[-1]) * steps, torch.inf)


def crossed(boundary: Boundary, n_starts: int, iterations: int) -> tuple[Tensor, Tensor]:
    """Codes (N, D) across the boundary, and the distances (N, R) that the starts came to, infinite where none crossed.

    Where no start crosses, the code is that of the last step of the first.
    """
    n, width = boundary.start.shape
    each = torch.arange(n, device=boundary.start.device)
    rows = each.repeat_interleave(n_starts)
    far = n_starts // 2
    steps = torch.cat([boundary.around(n_starts - far), boundary.nearest_samples(far)], 1).flatten(0, 1)
    found = [boundary.bisected(steps, rows)]
    ways = _descended(boundary, torch.where(found[0].isfinite(), found[0], steps), rows, 2 * iterations)
    found.append(boundary.bisected(ways, rows))
    for _ in range(iterations // 2):
        ways = _stepped(boundary, ways, rows)
    found.append(boundary.bisected(ways, rows))
    lengths = torch.stack([_length(boundary, one, rows) for one in found])
    which = lengths.argmin(0)
    shortest = torch.stack(found)[which, torch.arange(len(rows), device=rows.device)]
    ends = lengths.min(0).values.view(n, n_starts)
    best = ends.argmin(1) + n_starts * each
    chosen = torch.where(shortest[best].isfinite(), shortest[best], ways[best])
    already = (boundary.value(torch.zeros_like(boundary.start), each) >= 0)[:, None]
    chosen = torch.where(already, torch.zeros_like(chosen), chosen)
    return boundary.codes(chosen, each), torch.where(already, torch.zeros_like(ends), ends)


def _descended(boundary: Boundary, steps: Tensor, rows: Tensor, iterations: int) -> Tensor:
    """(M, D) the shortest steps met that cross, or the last ones: fast minimum-norm descent (Pintor et al. 2021).

    The step goes along the gradient and back into a ball, which shrinks while its centre's verdict has turned and
    grows while it has not: on a rugged landscape, where one plane says little, this gets on.
    """
    best, shortest = steps.clone(), steps.new_full((len(steps),), math.inf)
    radius = steps.norm(dim=1)
    for i in range(iterations):
        value, gradient = boundary.slope(steps, rows)
        size, length = gradient.norm(dim=1).clamp(min=1e-12), steps.norm(dim=1)
        crossed, cooling = value >= 0, 0.5 * (1 + math.cos(math.pi * i / iterations))
        shorter = crossed & (length < shortest)
        best, shortest = torch.where(shorter[:, None], steps, best), torch.where(shorter, length, shortest)
        change = SHRINK * max(cooling, 0.02)
        ahead = torch.minimum(length + value.abs() / size, 2 * length + FIRST)  # until it has crossed once
        grown = torch.where(shortest.isinf(), ahead, radius * (1 + change))
        radius = torch.where(crossed, torch.minimum(radius, length) * (1 - change), grown)
        stride = PACE * max(cooling, 0.02) * radius.clamp(min=FIRST)
        steps = steps + (stride / size)[:, None] * gradient
        steps = steps * (radius / steps.norm(dim=1).clamp(min=1e-12)).clamp(max=1)[:, None]
    return torch.where(shortest.isinf()[:, None], steps, best)


def _length(boundary: Boundary, steps: Tensor, rows: Tensor) -> Tensor:
    """(M,) distances in standard deviations, after codes were brought into the prior's bounds."""
    safe = torch.where(steps.isfinite(), steps, torch.zeros_like(steps))
    moved = (boundary.codes(safe, rows) - boundary.start[rows]) / boundary.support.deviation
    return torch.where(steps.isfinite().all(1), moved.norm(dim=1), torch.inf)


def _stepped(boundary: Boundary, steps: Tensor, rows: Tensor) -> Tensor:
    """One step of the iteration: to the nearest point of the plane that touches, as far as the merit falls."""
    value, gradient = boundary.slope(steps, rows)
    square = gradient.square().sum(1).clamp(min=1e-20)
    target = (((gradient * steps).sum(1) - value) / square)[:, None] * gradient
    most = 2 * steps.shape[1] ** 0.5  # where the critic is flat, its plane is nowhere near
    target = target * (most / target.norm(dim=1, keepdim=True).clamp(min=1e-12)).clamp(max=1)
    weight = 2 * torch.maximum(steps.norm(dim=1), target.norm(dim=1)) / square.sqrt()
    best, least = steps, steps.square().sum(1) / 2 + weight * value.abs()
    for stride in STRIDES:
        tried = steps + stride * (target - steps)
        merit = tried.square().sum(1) / 2 + weight * boundary.value(tried, rows).abs()
        lower = merit < least
        best, least = torch.where(lower[:, None], tried, best), torch.where(lower, merit, least)
    return best
