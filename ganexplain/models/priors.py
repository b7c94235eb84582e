"""Distributions that a generator's codes come from."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ganexplain import checks, tensors

CUT = 2.0  # standard deviations at which the truncated normal of BigGAN is cut
PRIORS = ("normal", "uniform", "sphere", "truncated")
WORDS = {
    "normal": "normal",
    "uniform": "uniform in [-1, 1]",
    "sphere": "on a sphere",
    "truncated": f"normal without values beyond {CUT:g}",
}
EDGES = {"uniform": 1.0, "truncated": CUT}  # beyond which a coordinate never lies


def drawn(prior: str, n: int, z_dim: int, *, seed: int) -> Tensor:
    """(n, z_dim) float32 codes; more codes continue, never change, the first ones.

    Args:
        prior: "normal" N(0, I); "uniform" (-1, 1); "sphere" the sphere of radius sqrt(z_dim), on which the length of a
            normal code concentrates; "truncated" N(0, I) without values beyond `CUT`.
        n: number of codes.
        z_dim: length of a code.
        seed: of the draw.
    """
    checks.one_of("prior", prior, PRIORS)
    if prior == "uniform":
        return torch.from_numpy(tensors.rng(seed, "z").uniform(-1, 1, (n, z_dim))).float()
    if prior == "truncated":  # by the inverse of its distribution, since rejection would shift the later codes
        edge = math.erf(CUT / math.sqrt(2))
        uniform = torch.from_numpy(tensors.rng(seed, "z").uniform(-edge, edge, (n, z_dim)))
        return (math.sqrt(2) * torch.erfinv(uniform)).float()
    normal = tensors.normal(seed, "z", shape=(n, z_dim))
    return normal if prior == "normal" else normal * (math.sqrt(z_dim) / normal.norm(dim=1, keepdim=True))


def deviation(prior: str) -> float:
    """The standard deviation of one coordinate of a code.

    >>> round(deviation("uniform"), 4)
    0.5774
    """
    checks.one_of("prior", prior, PRIORS)
    if prior == "uniform":
        return 3**-0.5
    if prior == "truncated":
        density = math.exp(-CUT * CUT / 2) / math.sqrt(2 * math.pi)
        return math.sqrt(1 - 2 * CUT * density / math.erf(CUT / math.sqrt(2)))
    return 1.0
