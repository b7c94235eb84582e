"""Bad wirings: ways to write a critic, and habits of the people who explain it, that lead explainers astray."""

from __future__ import annotations

from benchmarks._zoo import budgets, habits, outputs, wirings
from benchmarks._zoo.case import Case

CASES: tuple[Case, ...] = (*wirings.CASES, *outputs.CASES, *habits.CASES, *budgets.CASES)
