"""How far an explanation depends on the baseline that it starts from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dependence:
    """The parts' values from several baselines, compared.

    Attributes:
        baselines: names; the first one is that of the explanation itself.
        logits: the critic's logit of each baseline.
        correlations: rank correlation of every pair's values, in the order (0, 1), (0, 2), (1, 2), ...
        kept: share of the part that speaks most for the side, by the first baseline, that others put first too.
        method: by which method.
    """

    baselines: tuple[str, ...]
    logits: tuple[float, ...]
    correlations: tuple[float, ...]
    kept: float
    method: str
