"""Repair by regions."""

from __future__ import annotations

from ganexplain.attribution.chart import Domain
from ganexplain.attribution.counterfactuals._repair import Repair
from ganexplain.attribution.methods._base import domain_named

__all__ = ["Regions"]


class Regions(Repair):
    """The fewest regions, features or spans that must become like a baseline's for the verdict to turn, greedily.

    See `Repair` in ``_repair.py``; the domain is `Region()`, `Feature()` or `Window()` unless another is given.
    """

    name = "regions"
    parts = "regions"

    def _default_domain(self) -> Domain:
        return domain_named(self.critic.form.removed)
