"""Codes of a generator in coordinates along directions, and the ways between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

REST = "the rest"
DEPENDENT = 1e-4  # singular value of unit vectors below which one of them is as good as a mixture of the others
OPPOSITE = 1e-7  # radians short of a half turn, from where on the great circle is chosen
TINY = torch.finfo(torch.float64).tiny


class DirectionsLike(Protocol):
    """A set of directions: all that attribution knows of them."""

    @property
    def vectors(self) -> Tensor:
        """(K, D) of length 1."""
        ...

    @property
    def scale(self) -> Tensor:
        """(K,) standard deviation of the codes along each vector."""
        ...

    @property
    def space(self) -> str:
        """The latent space in which they live."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """K names."""
        ...


@dataclass(frozen=True)
class Basis:
    """Directions and what completes them.

    Attributes:
        matrix: (D, D) float64: a code is its coordinates times this.
        inverse: (D, D) float64.
        known: number of directions.
        names: of the players.
    """

    matrix: Tensor
    inverse: Tensor
    known: int
    names: tuple[str, ...]

    @classmethod
    def of(cls, vectors: Tensor, names: Sequence[str]) -> Basis:
        """From unit vectors (K, D) float64.

        Raises:
            ValueError: they are not independent.
        """
        count, width = vectors.shape
        if count > width or float(torch.linalg.svdvals(vectors).min()) < DEPENDENT:
            raise ValueError(
                f"{count} directions of codes with {width} numbers are not independent, so that a code has no definite "
                "amount of each; leave out those that are mixtures of the others"
            )
        rest = torch.linalg.qr(vectors.T, mode="complete").Q[:, count:].T
        matrix = torch.cat([vectors, rest])
        inverse = torch.cat([torch.linalg.pinv(vectors), rest.T], 1)
        return cls(matrix, inverse, count, (*names, REST) if count < width else tuple(names))

    @property
    def width(self) -> int:
        """Numbers of a code."""
        return len(self.matrix)

    @property
    def players(self) -> Tensor:
        """(1, D) labels: each direction, then the rest."""
        return torch.arange(self.width).clamp(max=self.known)[None]

    def coordinates(self, codes: Tensor) -> Tensor:
        """(..., D) of codes (..., D)."""
        return (codes.double() @ self.inverse.to(codes.device)).to(codes.dtype)

    def codes(self, coordinates: Tensor) -> Tensor:
        """(..., D) of coordinates (..., D); differentiable."""
        return (coordinates.double() @ self.matrix.to(coordinates.device)).to(coordinates.dtype)

    def arc(self, start: Tensor, end: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Points and velocities (M, D) at t (M,) on the arcs between coordinates (M, D)."""
        matrix, inverse = self.matrix.to(start.device), self.inverse.to(start.device)
        points, velocities = arc(start.double() @ matrix, end.double() @ matrix, t.double())
        return (points @ inverse).to(start.dtype), (velocities @ inverse).to(start.dtype)


def arc(start: Tensor, end: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Points at t (M,) on the great circles from ``start`` to ``end`` (M, D), and their velocities, both (M, D).

    The direction turns evenly by the angle between the two and the length goes evenly from one to the other. Between
    opposite directions, where all great circles are as short, the one through the axis is taken to which the start is
    least inclined; from or to zero the way is straight.
    """
    lengths = start.norm(dim=1, keepdim=True), end.norm(dim=1, keepdim=True)
    axis = torch.nn.functional.one_hot(start.abs().argmin(1), start.shape[1]).to(start)
    there = torch.where(lengths[1] > 0, end / lengths[1].clamp(min=TINY), start / lengths[0].clamp(min=TINY))
    here = torch.where(lengths[0] > 0, start / lengths[0].clamp(min=TINY), there)
    angle = 2 * torch.atan2((there - here).norm(dim=1, keepdim=True), (there + here).norm(dim=1, keepdim=True))
    aside = _across(there, here)
    aside = torch.where(angle < math.pi - OPPOSITE, aside, _across(axis, here))
    aside = aside / aside.norm(dim=1, keepdim=True).clamp(min=TINY)
    aside = _across(aside, here)  # again: what is left of nearly the same or the opposite direction is mostly rounding
    aside = aside / aside.norm(dim=1, keepdim=True).clamp(min=TINY)
    t = t.view(-1, 1)
    length, grows = lengths[0] + t * (lengths[1] - lengths[0]), lengths[1] - lengths[0]
    cos, sin = torch.cos(t * angle), torch.sin(t * angle)
    direction, turns = cos * here + sin * aside, angle * (cos * aside - sin * here)
    return length * direction, grows * direction + length * turns


def _across(vector: Tensor, unit: Tensor) -> Tensor:
    """(M, D) what is left of ``vector`` at right angles to ``unit``."""
    return vector - (vector * unit).sum(1, keepdim=True) * unit
