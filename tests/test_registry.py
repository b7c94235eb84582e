"""One file, one part: names come from files, and a part is imported when it is first asked for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ganexplain.registry import Registry


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[str]:
    """A package of two parts and a helper, outside ganexplain."""
    package = tmp_path / "made_up_parts"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "round_one.py").write_text('__all__ = ["PART"]\nPART = "round"\nHELPER = 1\n')
    (package / "angular.py").write_text('__all__ = ["PART"]\nPART = "angular"\n')
    (package / "_helper.py").write_text("raise RuntimeError('a helper is no part')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.startswith("made_up_parts")]:
        monkeypatch.delitem(sys.modules, name)
    return Registry("made_up_parts", "shape of part")


def test_names_are_the_stems_in_order_and_import_nothing(parts: Registry[str]) -> None:
    assert parts.names() == ("angular", "round_one")
    assert not [name for name in sys.modules if name.startswith("made_up_parts.")]


def test_get_imports_the_part_alone(parts: Registry[str]) -> None:
    assert parts.get("round_one") == "round"
    assert "made_up_parts.angular" not in sys.modules


@pytest.mark.parametrize("spelling", ["round-one", "Round_One", " round_one "])
def test_spelling_of_a_name_is_forgiving(parts: Registry[str], spelling: str) -> None:
    assert parts.get(spelling) == "round"


def test_an_unknown_name_is_answered_with_the_nearest(parts: Registry[str]) -> None:
    with pytest.raises(
        ValueError, match=r"unknown shape of part 'angulr'; did you mean 'angular'\?.*angular, round_one"
    ):
        parts.get("angulr")


@pytest.mark.parametrize("name", ["_helper", "", "..", "angular.x", "os"])
def test_nothing_but_a_part_can_be_reached(parts: Registry[str], name: str) -> None:
    with pytest.raises(ValueError, match="unknown shape of part"):
        parts.get(name)


def test_a_file_that_is_added_is_found(parts: Registry[str], tmp_path: Path) -> None:
    (tmp_path / "made_up_parts" / "new.py").write_text('__all__ = ["new"]\nnew = "new"\n')
    assert "new" in parts.names()
    assert parts.get("new") == "new"
