"""Bad wirings: every critic of the zoo is explained rightly, or refused in so many words."""

from __future__ import annotations

import pytest

from benchmarks._zoo import CASES, ask_ganexplain
from benchmarks._zoo.case import ABSENT, RIGHT, Case, applies, outcome

pytestmark = pytest.mark.zoo
OURS = [case for case in CASES if applies(case, "ganexplain", ask_ganexplain.CALLS)]


def test_names_are_unique() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", OURS, ids=lambda case: case.name)
def test_a_bad_wiring_is_explained_rightly(case: Case) -> None:
    found = outcome(case, ask_ganexplain.CALLS[case.ask])
    if found.kind == ABSENT:
        pytest.skip(found.says)
    assert found.kind == RIGHT, f"{case.issue}: {found.says}"
