"""One judgement explained: the verdict, attributions of it by methods of two kinds, and whether they can be trusted."""

from __future__ import annotations

from ganexplain.explanation.explainer import Explainer, Progress, explain
from ganexplain.explanation.explanation import Explanation, Facet, describe
from ganexplain.explanation.parts import region_totals
from ganexplain.explanation.plan import Plan, suited

__all__ = ["Explainer", "Explanation", "Facet", "Plan", "Progress", "describe", "explain", "region_totals", "suited"]
