"""Adam on many codes at once, each with its own best."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ganexplain.models._search_support import Support
from ganexplain.models.critic import Critic

MARGIN = 0.01  # in spreads of the samples' logits, so that rounding does not turn a verdict back
RISE, MOST = 0.2, 50.0  # how fast and how far a broken constraint gains weight
RATE = 0.1  # first step of a coordinate, in standard deviations; it falls to zero along half a cosine

# (codes (M, D), rows (M,), step) -> what is descended, and what is to be lowest, infinite where it does not count
Objective = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]


def descend(support: Support, codes: Tensor, rows: Tensor, objective: Objective, steps: int) -> tuple[Tensor, Tensor]:
    """Descend from codes (M, D) and return the best code of each way (M, D) with its rank (M,).

    Each row descends by itself, so neither the batch size nor the other rows matter.

    Args:
        support: keeps the codes plausible after every step.
        codes: where to start.
        rows: (M,) which input each belongs to.
        objective: what to descend, and what to keep.
        steps: gradients a code.
    """
    size = support.batch_size
    pieces = range(0, len(codes), size)
    found = [_descended(support, codes[i : i + size], rows[i : i + size], objective, steps) for i in pieces]
    return torch.cat([best for best, _ in found]), torch.cat([rank for _, rank in found])


class Nearness:
    """Squared distance of what is made of codes to N targets: the objective of an inversion, and part of others.

    Args:
        support: of the codes.
        images: (N, ...) what is to be made, valid by the generator's form.

    Raises:
        ValueError: the generator makes things of another shape.
    """

    def __init__(self, support: Support, images: Tensor) -> None:
        form = support.generator.form
        made = support.pool[1]
        form.check(images)
        if images.shape[1:] != made.shape[1:]:
            raise ValueError(
                f"the {form.many} must have the shape {tuple(made.shape[1:])} that the generator makes, got "
                f"{tuple(images.shape[1:])}; resize them first"
            )
        self.support, self.form = support, form
        self.targets = form.scaled(images.detach().to(made))
        self.samples = form.scaled(made).flatten(1)
        self.variance = float(self.samples.var(0).mean().clamp(min=1e-12))
        self.peak = 2.0 if form.name == "images" else float(self.samples.max() - self.samples.min())

    def __call__(self, made: Tensor, which: Tensor) -> Tensor:
        """(M,) mean squared difference of ``made`` (M, ...) to the targets ``which`` (M,)."""
        return self.difference(made, which).square().mean(1)

    def difference(self, made: Tensor, which: Tensor) -> Tensor:
        """(M, numbers) ``made`` (M, ...) minus the targets ``which`` (M,), in the form's scaled units."""
        return (self.form.scaled(made) - self.targets[which]).flatten(1)

    def nearest(self, count: int, allowed: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Distance (N,) of the nearest sample, and codes (N, count, D) of the nearest ones.

        Args:
            count: how many.
            allowed: (P,) bool, which samples are taken first.
        """
        apart = torch.cdist(self.targets.flatten(1).double(), self.samples.double()) / self.samples.shape[1] ** 0.5
        order = apart if allowed is None else apart + (~allowed) * (1 + apart.max())
        return apart.min(1).values, self.support.pool[0][order.topk(count, largest=False).indices]


class Judged:
    """The squared distance to targets under the constraint that a critic judges for one side.

    Args:
        near: the distance.
        critic: who judges.
        sign: +1 for "real", -1 for "fake".
        each: number of restarts a target, one after another.
    """

    def __init__(self, near: Nearness, critic: Critic, sign: int, each: int) -> None:
        self.near, self.critic, self.sign, self.each = near, critic, sign, each
        logits = critic.logits(near.support.pool[1], batch_size=near.support.batch_size).to(near.targets)
        self.unit = float(logits.std().clamp(min=1e-6))
        self.allowed = self._over(logits) > MARGIN
        self.weight = torch.ones(len(near.targets) * each, device=near.targets.device)

    def _over(self, logits: Tensor) -> Tensor:
        """(M,) how far logits lie on the side, in spreads of the samples' logits."""
        return self.sign * (logits - self.critic.threshold) / self.unit

    def __call__(self, codes: Tensor, rows: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """An `Objective` of restarts ``rows`` (M,)."""
        made = self.near.support.draw(codes)
        loss = self.near(made, rows // self.each)
        over = self._over(self.critic(made).to(loss))
        short = MARGIN - over
        pushed = torch.relu(self.weight[rows] + short).square() / 2
        self.weight[rows] = (self.weight[rows] + RISE * short.detach()).clamp(0, MOST)
        infinite = torch.full_like(loss, math.inf)
        return loss / self.near.variance + pushed, torch.where(over > MARGIN / 2, loss, infinite)


def _descended(
    support: Support, codes: Tensor, rows: Tensor, objective: Objective, steps: int
) -> tuple[Tensor, Tensor]:
    leaf = codes.detach().clone().requires_grad_(True)
    best, lowest = codes.clone(), codes.new_full((len(codes),), math.inf)
    adam = torch.optim.Adam([leaf], lr=RATE * support.deviation, betas=(0.9, 0.99))
    for step in range(steps + 1):
        loss, rank = objective(leaf, rows, step)
        better = rank.detach() < lowest
        lowest = torch.where(better, rank.detach().to(lowest), lowest)
        best = torch.where(better[:, None], leaf.detach(), best)
        if step == steps:
            break
        (leaf.grad,) = torch.autograd.grad(loss.sum(), leaf)
        adam.param_groups[0]["lr"] = RATE * support.deviation * 0.5 * (1 + math.cos(math.pi * step / steps))
        adam.step()
        with torch.no_grad():
            leaf.copy_(support.kept(leaf))
    return best, lowest
