"""Least squares to the end: Levenberg and Marquardt's damped steps, each solved by conjugate gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganexplain.models._search_descent import Nearness

SOLVES = 12  # products with the Jacobian and its transpose in each step
DAMPED, LOOSER, TIGHTER, LEAST = 0.1, 0.3, 4.0, 1e-7
COST = 2 * SOLVES + 3  # passes in one step: linearised once, tried once


def refined(near: Nearness, codes: Tensor, rows: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Codes (M, D) nearer to the targets ``rows`` (M,), and their mean squared differences (M,).

    First-order descent crawls along the narrow valleys of a generator's squared error; these steps do not (Nocedal and
    Wright 2006, chapter 10). The Jacobian is never built: its products come from two passes through one graph.
    """
    size = near.support.batch_size
    pieces = range(0, len(codes), size)
    found = [_refined(near, codes[i : i + size], rows[i : i + size], iterations) for i in pieces]
    return torch.cat([code for code, _ in found]), torch.cat([cost for _, cost in found])


def _refined(near: Nearness, codes: Tensor, rows: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    damping = torch.full((len(codes), 1), DAMPED, device=codes.device, dtype=codes.dtype)
    with torch.no_grad():
        cost = near(near.support.draw(codes), rows)
    for _ in range(iterations):
        step = _step(near, codes, rows, damping)
        with torch.no_grad():
            tried = near.support.kept(codes + step)
            after = near(near.support.draw(tried), rows)
        better = (after < cost)[:, None]  # never where it is not a number
        codes, cost = torch.where(better, tried, codes), torch.where(better[:, 0], after, cost)
        damping = torch.where(better, damping * LOOSER, damping * TIGHTER).clamp(LEAST, 1 / LEAST)
    return codes, cost


def _step(near: Nearness, codes: Tensor, rows: Tensor, damping: Tensor) -> Tensor:
    """(M, D) the damped Gauss-Newton step."""
    leaf = codes.detach().clone().requires_grad_(True)
    with torch.enable_grad():
        off = near.difference(near.support.draw(leaf), rows)
        weight = torch.zeros_like(off, requires_grad=True)
        (back,) = torch.autograd.grad(off, leaf, weight, create_graph=True)

    def transposed(vector: Tensor) -> Tensor:
        return torch.autograd.grad(off, leaf, vector, retain_graph=True)[0]

    def normal(vector: Tensor) -> Tensor:
        """J^T J v; the derivative of J^T w by w, applied to v, is J v."""
        (forward,) = torch.autograd.grad(back, weight, vector, retain_graph=True)
        return transposed(forward)

    slope = -transposed(off.detach())
    # a unit of damping is what the squared error bends by along its own slope
    unit = (slope * normal(slope)).sum(1, keepdim=True) / slope.square().sum(1, keepdim=True).clamp(min=1e-30)
    return conjugate_gradients(lambda v: normal(v) + damping * unit * v, slope, SOLVES)


def conjugate_gradients(product: Callable[[Tensor], Tensor], right: Tensor, steps: int) -> Tensor:
    """(M, D) solutions of M positive definite systems, each row one of them."""
    x, residual = torch.zeros_like(right), right.clone()
    direction, square = residual.clone(), residual.square().sum(1, keepdim=True)
    for _ in range(steps):
        moved = product(direction)
        bend = (direction * moved).sum(1, keepdim=True)
        length = torch.where(bend > 0, square / bend.clamp(min=1e-30), torch.zeros_like(bend))
        x, residual = x + length * direction, residual - length * moved
        fresh = residual.square().sum(1, keepdim=True)
        direction = residual + fresh / square.clamp(min=1e-30) * direction
        square = fresh
    return x
