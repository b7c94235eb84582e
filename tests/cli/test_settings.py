"""``--set name=value`` by the annotations of a constructor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ganexplain.cli._settings import converted, settings


class Part:
    def __init__(
        self,
        *,
        n: int = 1,
        share: float | None = 0.5,
        how: str | Callable[[int], int] = "a",
        names: str | Sequence[str] | None = None,
        flag: bool = False,
        space: str = "z",
    ) -> None: ...


def test_each_value_has_the_type_of_its_annotation() -> None:
    given = ["n=3", "share = .25", "how=svm", "names=a, b", "flag=yes"]
    assert settings(Part, given) == {"n": 3, "share": 0.25, "how": "svm", "names": ["a", "b"], "flag": True}
    assert settings(Part, ["share=none", "names=one", "how=a=b"]) == {"share": None, "names": "one", "how": "a=b"}
    assert settings(Part, []) == {}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["m=3"], "unknown setting of Part 'm'"),
        (["hwo=x"], "did you mean 'how'"),
        (["n"], "must read name=value"),
        (["=3"], "must read name=value"),
        (["n=3.5"], "Part's n must be a whole number, got '3.5'"),
        (["share=x"], "Part's share must be a number, got 'x'"),
        (["flag=maybe"], "Part's flag must be true or false, got 'maybe'"),
        (["n=1", "n=2"], "names n twice"),
        (["space=w"], "space has an option of its own"),
    ],
)
def test_what_cannot_be_set_is_one_sentence(given: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings(Part, given, taken=("space",))


def test_paths_numbers_in_lists_and_what_no_text_can_be() -> None:
    assert converted("a/b", Path, "x") == Path("a/b")
    assert converted("1,2", tuple[int, ...], "x") == [1, 2]
    assert converted("1,2.5", Sequence[float], "x") == [1.0, 2.5]
    with pytest.raises(ValueError, match="cannot be given as text; set it from Python"):
        converted("f", Callable[[int], Any], "x")
