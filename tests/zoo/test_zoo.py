"""Bad wirings: every critic of the zoo is explained rightly, or refused in so many words, and the record says so."""

from __future__ import annotations

import json
from typing import Any

import pytest

from benchmarks import zoo
from benchmarks._zoo import CASES
from benchmarks._zoo.case import ABSENT, RAISES, RIGHT, WRONG, Case, Outcome, applies, outcome

pytestmark = pytest.mark.zoo
OURS = [case for case in CASES if applies(case, "ganexplain", zoo.LIBRARIES["ganexplain"])]
STALE = "benchmarks/results/zoo.json is of another state; run python -m benchmarks.zoo --write"


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(zoo.RESULT.read_text(encoding="utf-8"))
    return found


def test_names_are_unique() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", OURS, ids=lambda case: case.name)
def test_a_bad_wiring_is_explained_rightly_and_the_record_says_so(case: Case, written: dict[str, Any]) -> None:
    found = outcome(case, zoo.LIBRARIES["ganexplain"][case.ask])
    assert found.kind == RIGHT, f"{case.issue}: {found.says}"
    assert written["cases"].get(case.name, {}).get("ganexplain", {}).get("outcome") == RIGHT, STALE


def test_the_record_is_of_these_cases_and_calls(written: dict[str, Any]) -> None:
    assert list(written["cases"]) == [case.name for case in CASES], STALE
    for library, calls in zoo.LIBRARIES.items():
        assert written["calls"][library] == {ask: call.words for ask, call in calls.items()}, STALE
        asked = [case.name for case in CASES if applies(case, library, calls)]
        assert [name for name, entry in written["cases"].items() if library in entry] == asked, STALE


def test_the_table_counts_the_cases(written: dict[str, Any]) -> None:
    for library, line in zip(zoo.LIBRARIES, written["rows"], strict=True):
        entries = {name: entry[library] for name, entry in written["cases"].items() if library in entry}
        assert {e["outcome"] for e in entries.values()} <= {RIGHT, WRONG, RAISES, ABSENT}
        found = {name: Outcome(entry["outcome"], entry["says"]) for name, entry in entries.items()}
        assert line == zoo.row(library, found)
        assert all(e["says"] for e in entries.values() if e["outcome"] != RIGHT)
