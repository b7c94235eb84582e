from __future__ import annotations

from pathlib import Path

import pytest

from ganexplain import folders

KIND = folders.Kind("a sheet", "sheet.json", "sheet", ("sheet.json", "*.png", "arrays/*.npz"))
FILES = {"sheet.json": b'{"kind": "sheet"}', "a.png": b"a", "arrays/x.npz": b"x"}


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_files_arrive_whole_and_replace_an_older_one_only_when_told(tmp_path: Path) -> None:
    out = folders.write(tmp_path / "deep" / "out", FILES, KIND)
    assert content(out) == FILES
    with pytest.raises(ValueError, match="already holds a sheet"):
        folders.write(out, FILES, KIND)
    fewer = {"sheet.json": FILES["sheet.json"]}
    folders.write(out, fewer, KIND, overwrite=True)
    assert content(out) == fewer  # nothing of the older one is left
    assert [p.name for p in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("name", ["thesis.txt", "deep/photo.png", "arrays/notes.txt", "arrays/deep/x.npz"])
def test_what_is_not_of_the_kind_is_never_replaced(tmp_path: Path, name: str) -> None:
    out = folders.write(tmp_path / "out", FILES, KIND)
    mine = out / name
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(ValueError, match="not a sheet"):
        folders.write(out, FILES, KIND, overwrite=True)
    assert mine.read_text() == "mine"


def test_pictures_without_the_index_are_somebody_elses(tmp_path: Path) -> None:
    (tmp_path / "holiday.png").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"not a sheet \('holiday.png'\)"):
        folders.check(tmp_path, KIND, overwrite=True)
    (tmp_path / "sheet.json").write_text('{"kind": "another"}')
    with pytest.raises(ValueError, match="not a sheet"):
        folders.check(tmp_path, KIND, overwrite=True)


def test_an_older_one_survives_a_failing_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = folders.write(tmp_path / "out", FILES, KIND)
    broken = {**FILES, "b.png": "no bytes"}
    with pytest.raises(TypeError):
        folders.write(out, broken, KIND, overwrite=True)  # type: ignore[arg-type]
    assert content(out) == FILES
    real = folders.os.replace
    calls = []

    def fails_second(source: Path, target: Path) -> None:
        calls.append(source)
        if len(calls) == 2:
            raise OSError("no space left on device")
        real(source, target)

    monkeypatch.setattr(folders.os, "replace", fails_second)
    with pytest.raises(OSError, match="no space"):
        folders.write(out, {"sheet.json": FILES["sheet.json"]}, KIND, overwrite=True)
    assert content(out) == FILES
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_file_in_the_way_is_refused_before_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="a sheet is a folder, and .* is a file"):
        folders.check(tmp_path / "file" / "deeper", KIND)
    assert not (tmp_path / "new").exists()
    assert folders.check(tmp_path / "new", KIND) == tmp_path / "new"


def test_a_place_that_takes_nothing_is_found_before_work() -> None:
    with pytest.raises(PermissionError, match="cannot be written"):
        folders.check("/proc/here", KIND)
