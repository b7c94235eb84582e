"""Directions that leave other attributes alone: joint conditional projection, for any number of conditions."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ganexplain.latent.directions import Directions, spread
from ganexplain.models.generator import Generator

ENTANGLED = 0.3  # length left of a unit vector below which the attribute is hardly there any more
RANK = 1e-6  # singular values of unit conditions below this share of the largest are rounding: dependent conditions


def project(vectors: Tensor, conditions: Tensor) -> tuple[Tensor, Tensor]:
    """Take out of each vector what any condition reads: ``n - C^+ C n``, of length 1 again.

    With independent conditions C^+ C = C^T (C C^T)^-1 C, the conditional manipulation of Shen et al. (2020,
    "InterFaceGAN") for any number of conditions at once; the pseudoinverse bears dependent ones.

    Args:
        vectors: (K, D).
        conditions: (C, D), of any length and in any number.

    Returns:
        (K, D) of length 1, orthogonal to every condition, and (K,) the lengths left of unit vectors.

    Raises:
        ValueError: the conditions contain a vector wholly, so nothing is left of it.
    """
    n = torch.nn.functional.normalize(vectors.double(), dim=1)
    C = torch.nn.functional.normalize(conditions.double().to(n.device), dim=1)
    if C.ndim != 2 or C.shape[1] != n.shape[1]:
        raise ValueError(f"conditions must have the shape (C, {n.shape[1]}), got {tuple(conditions.shape)}")
    _, S, basis = torch.linalg.svd(C, full_matrices=False)
    basis = basis[: int((S / S.max() > RANK).sum())]
    left = n - n @ basis.T @ basis
    left = left - left @ basis.T @ basis  # again: what is left of a nearly contained vector is mostly rounding
    length = left.norm(dim=1)
    gone = (length <= RANK).nonzero()[:, 0].tolist()
    if gone:
        raise ValueError(
            f"nothing is left of direction {gone[0]}: the conditions contain it wholly; leave one of them out"
        )
    return left / length[:, None], length


def selective(vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Move each attribute alone: each vector without what all the others read.

    Where an attribute rises along the gradient n_k, the direction that changes it and none of the others is the k-th
    column of the pseudoinverse of the gradients, which is the residual of n_k after projection on all others.

    Args:
        vectors: (K, D) linearly independent gradient directions.

    Returns:
        (K, D) of length 1, each orthogonal to all other rows of ``vectors``, and (K,) the lengths left.
    """
    n = vectors.double()
    if len(n) < 2:
        return torch.nn.functional.normalize(n, dim=1), torch.ones(len(n), dtype=torch.double)
    rest = [torch.cat([n[:k], n[k + 1 :]]) for k in range(len(n))]
    try:
        found = [project(n[k : k + 1], rest[k]) for k in range(len(n))]
    except ValueError as error:
        rank = int(torch.linalg.matrix_rank(n, rtol=RANK))
        raise ValueError(
            f"{len(n)} directions span only {rank} dimensions, so at least one is a mixture of the others and cannot "
            "move alone; leave it out"
        ) from error
    return torch.cat([v for v, _ in found]), torch.cat([length for _, length in found])


def warn_entangled(names: Sequence[str], residual: Tensor, others: str) -> None:
    """Warn about each direction of which less than `ENTANGLED` is left.

    Args:
        names: K names.
        residual: (K,) lengths left of unit vectors.
        others: what was taken out, in words.
    """
    for name, left in zip(names, residual.tolist(), strict=True):
        if left < ENTANGLED:
            warnings.warn(
                f"{name!r} cannot be separated from {others}: only {left:.2f} of its length is left after the "
                f"projection (less than {ENTANGLED:g}), so what the direction changes is mostly chance",
                stacklevel=3,
            )


def without(directions: Directions, conditions: Directions | Tensor, generator: Generator | None = None) -> Directions:
    """`Directions.without`."""
    names: list[str] = []
    if isinstance(conditions, Directions):
        if conditions.space != directions.space:
            raise ValueError(
                f"the conditions live in {conditions.space!r}, the directions in {directions.space!r}; find both in one"
            )
        ours, theirs = directions.fingerprint, conditions.fingerprint
        if None not in (ours, theirs) and ours != theirs:
            raise ValueError(
                f"the conditions were found in another generator (fingerprint {theirs}, that of the directions is "
                f"{ours}); find both in one"
            )
        names, conditions = list(conditions.names), conditions.vectors
    vectors, left = project(directions.vectors, conditions)
    others = " and ".join(map(repr, names)) or f"{len(conditions)} conditions"
    warn_entangled(directions.names, left, others)
    return _replaced(directions, vectors, {"conditions": names or len(conditions), "residual": _plain(left)}, generator)


def selective_of(directions: Directions, generator: Generator | None = None) -> Directions:
    """`Directions.selective`."""
    vectors, left = selective(directions.vectors)
    warn_entangled(directions.names, left, "the other directions")
    return _replaced(directions, vectors, {"selective": True, "residual": _plain(left)}, generator)


def _replaced(
    directions: Directions, vectors: Tensor, findings: dict[str, Any], generator: Generator | None
) -> Directions:
    """The set with other vectors: what the finder measured on the old ones holds no more, and is kept apart."""
    vectors = vectors.to(directions.vectors)
    scale = directions.scale
    if directions.space != "z":
        if generator is None:
            raise ValueError(
                f"outside z the scale of a direction is measured, and these live in {directions.space!r}; hand in the "
                "generator as well"
            )
        directions.check(generator)
        scale = spread(generator, vectors, directions.space)
    params = {**findings, "before": dict(directions.params)}
    return replace(directions, vectors=vectors, scale=scale, strength=None, stands_out=None, params=params)


def _plain(values: Tensor) -> list[float]:
    return [float(f"{v:.6g}") for v in values.tolist()]
