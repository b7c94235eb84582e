"""Repair by bands of frequencies."""

from __future__ import annotations

from ganexplain.attribution.chart import Domain
from ganexplain.attribution.counterfactuals._repair import Repair
from ganexplain.attribution.methods._base import domain_named

__all__ = ["Bands"]


class Bands(Repair):
    """The fewest bands of frequencies that must become like a baseline's for the verdict to turn, greedily.

    See `Repair` in ``_repair.py``; the domain is `Frequency()` unless another is given.
    """

    name = "bands"
    parts = "bands"

    def _default_domain(self) -> Domain:
        return domain_named("frequency")
