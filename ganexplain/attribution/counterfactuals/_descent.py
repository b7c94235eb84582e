"""The smallest change of values that turns a verdict: the image projected onto the linearised boundary, repeatedly.

A step solves the linearised problem exactly (`_linear`) within a trust region in the maximum norm, and is taken where
an exact penalty, distance + price * (what is missing of the verdict), falls as predicted: sequential linear or
quadratic programming with a trust region (Fletcher 1987; Nocedal and Wright 2006, chapter 18). The first steps are
those of DeepFool (Moosavi-Dezfooli et al. 2016) with a box, the later ones move along the boundary as those of FAB do
(Croce and Hein 2020, equation 8), and shrink where a critic's kinks make the linear prediction wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ganexplain import tensors
from ganexplain.attribution.counterfactuals._boundary import Boundary
from ganexplain.attribution.counterfactuals._linear import Condition

Nearest = Callable[[Tensor, Condition], tuple[Tensor, Tensor]]

ACCEPT, GOOD = 0.1, 0.75  # of the predicted gain: a step is taken from the first, and trusted farther from the second
DONE = 1e-5  # of the distance: a predicted gain that is worth no more steps
STEEP = 2.0  # times the price of the condition: the penalty that makes the constrained minimum its own
ROUNDS = 3  # descents from one start: each begins where the ray to the last result crosses the boundary
STRETCHES = (1.001, 1.003, 1.01, 1.03, 1.1, 1.3)  # of a change that just misses the verdict


@dataclass
class _State:
    """S searches side by side; ``missing`` is how much each lacks, and ``trust`` the width of its region."""

    x: Tensor
    past: Tensor
    slope: Tensor
    trust: Tensor
    price: Tensor


class Descent:
    """Searches for the smallest change in one norm.

    Args:
        boundary: the verdict.
        nearest: solves the linearised problem.
        order: of the norm, 1 or 2.
        max_steps: gradients a search, at most.
    """

    def __init__(self, boundary: Boundary, nearest: Nearest, order: int, max_steps: int) -> None:
        self.boundary, self.nearest, self.order, self.max_steps = boundary, nearest, order, max_steps

    def size(self, x: Tensor) -> Tensor:
        """(S,) norm of the change from the image to x (S, D)."""
        norm: Tensor = torch.linalg.vector_norm(x - self.boundary.start, ord=self.order, dim=1)
        return norm

    def run(self, begin: Tensor) -> tuple[Tensor, bool]:
        """(1, D) the best of searches from begin (S, D), and whether it turns the verdict."""
        best: Tensor | None = None
        for _ in range(ROUNDS):
            found, turned = self._searched(begin)
            touched = self._touched(found, turned)
            if touched is None:
                if best is None:
                    return self._farthest(found), False
                break
            size = float(self.size(touched))
            gained = best is None or size < float(self.size(best)) * (1 - 1e-9)
            worth = best is None or size < float(self.size(best)) * (1 - 1e-3)
            best = touched if gained else best
            if not worth:
                break
            begin = touched
        if best is None:
            raise RuntimeError("a search ended without a result")
        return best, True

    def _touched(self, found: Tensor, turned: Tensor) -> Tensor | None:
        """The smallest of the results (S, D) drawn back to where its ray crosses the boundary; None if none turns."""
        if turned.any():
            size = torch.where(turned, self.size(found), torch.inf)
            return self.boundary.nearest_on_ray(found[int(size.argmin())][None])
        start, stretch = self.boundary.start, found.new_tensor(STRETCHES)
        for one in found[self.size(found).argsort()]:
            farther = start + stretch[:, None] * (one - start)
            farther = torch.minimum(torch.maximum(farther, self.boundary.low), self.boundary.high)
            reached = self.boundary.turned(self.boundary.past(farther))
            if reached.any():
                return self.boundary.nearest_on_ray(farther[int(reached.nonzero()[0])][None])
        return None

    def _farthest(self, found: Tensor) -> Tensor:
        past = self.boundary.past(torch.cat([self.boundary.start, found]))
        return torch.cat([self.boundary.start, found])[int(past.argmax())][None]

    def _searched(self, begin: Tensor) -> tuple[Tensor, Tensor]:
        """(S, D) where each search ends: at its smallest change that turns the verdict, else at its last step."""
        state = self._begun(begin)
        best, size = begin.clone(), torch.full_like(state.past, torch.inf)
        alive = torch.ones_like(size, dtype=torch.bool)
        for _ in range(self.max_steps):
            own = self.size(state.x)
            better = self.boundary.turned(state.past) & (own < size)
            best, size = torch.where(better[:, None], state.x, best), torch.where(better, own, size)
            rows = alive.nonzero()[:, 0]
            if not len(rows):
                break
            alive[rows] = self._stepped(state, rows)
        own = self.size(state.x)
        better = self.boundary.turned(state.past) & (own < size)
        turned = better | torch.isfinite(size)
        return torch.where((better | ~turned)[:, None], state.x, best), turned

    def _begun(self, begin: Tensor) -> _State:
        past, slope = self.boundary.slopes(begin)
        width = (self.boundary.high - self.boundary.low).amax(1).clamp(max=1e12).expand(len(begin))
        price = 1 / slope.norm(dim=1).clamp(min=1e-300)
        return _State(begin.clone(), past, slope, width.clone(), price)

    def _stepped(self, state: _State, rows: Tensor) -> Tensor:
        """One step of the searches ``rows``; (len(rows),) bool, whether each goes on."""
        boundary = self.boundary
        x, past, slope, trust = state.x[rows], state.past[rows], state.slope[rows], state.trust[rows]
        low = torch.maximum(boundary.low, x - trust[:, None])
        high = torch.minimum(boundary.high, x + trust[:, None])
        y, cost = self.nearest(boundary.start, Condition(slope, (slope * x).sum(1) - past, low, high))
        line = past + (slope * (y - x)).sum(1)
        steady = slope.abs().amax(1) > 0
        # beyond the region's reach any length is worth what it gains
        gained = ((-past).clamp(min=0.0) - (-line).clamp(min=0.0)).clamp(min=1e-300)
        least = STEEP * (self.size(y) - self.size(x)).clamp(min=0.0) / gained
        price = torch.where(line >= -boundary.margin / 4, STEEP * cost, torch.maximum(state.price[rows], least))
        price = torch.where(steady, price, state.price[rows])
        predicted = self._merit(x, past, price) - self._merit(y, line, price)
        tiny = DONE * self.size(y) + 1e-12
        going = steady & (predicted > tiny)
        if not going.any():
            return going
        y = torch.where(going[:, None], y, x)
        now, new = past.clone(), slope.clone()
        now[going], new[going] = boundary.slopes(y[going])
        actual = self._merit(x, past, price) - self._merit(y, now, price)
        ratio = actual / predicted.clamp(min=1e-300)
        reach = (y - x).abs().amax(1)
        trust = torch.where(ratio < 0.25, reach * 0.4, trust)
        trust = torch.where((ratio > GOOD) & (reach > 0.99 * trust), 2.5 * trust, trust)
        take = going & (ratio >= ACCEPT)
        state.x[rows] = torch.where(take[:, None], y, x)
        state.past[rows] = torch.where(take, now, past)
        state.slope[rows] = torch.where(take[:, None], new, slope)
        state.trust[rows], state.price[rows] = trust, price
        return going & (trust > 1e-9)

    def _merit(self, x: Tensor, past: Tensor, price: Tensor) -> Tensor:
        return self.size(x) + price * (-past).clamp(min=0.0)


def beginnings(boundary: Boundary, n: int, seed: int, name: str) -> Tensor:
    """(n, D) where searches begin: the image, and the image under noise of growing size.

    The noise does not depend on n: more searches continue, never change, the first ones.
    """
    shape = (max(n - 1, 1), boundary.start.shape[1])
    noise = tensors.normal(seed, name, shape=shape).to(boundary.start)[: n - 1] * boundary.free
    width = (boundary.high - boundary.low).clamp(max=2.0).amax(1)
    size = 0.02 * width * 2.0 ** torch.arange(n - 1, device=width.device)[:, None].to(noise).clamp(max=4)
    noisy = torch.minimum(torch.maximum(boundary.start + size * noise, boundary.low), boundary.high)
    return torch.cat([boundary.start, noisy])
