"""The notebooks run without an error or a warning, and hold the outputs of the code that is there now."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from benchmarks import notebooks


@pytest.mark.parametrize("path", notebooks.paths(), ids=lambda path: path.stem)
def test_runs_and_holds_its_own_outputs(path: Path, tmp_path: Path) -> None:
    stored = notebooks.read(path)
    assert path.stat().st_size <= notebooks.MAX_BYTES
    fresh = notebooks.executed(stored, tmp_path)
    assert notebooks.complaints(fresh) == []
    assert notebooks.differences(stored, fresh) == []


def test_there_are_four_that_show_pictures() -> None:
    assert [path.stem for path in notebooks.paths()] == [
        "01_train",
        "02_why_fake",
        "03_directions",
        "04_frequency_and_latent",
    ]
    for path in notebooks.paths():
        outputs = [o for cell in notebooks.read(path).cells for o in cell.get("outputs", [])]
        assert sum("image/png" in o.get("data", {}) for o in outputs) >= 3


def made(*code: str, tags: tuple[str, ...] = ()) -> nbformat.NotebookNode:
    cells = [nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)}) for source in code]
    return nbformat.v4.new_notebook(cells=cells)


DRAWN = "from IPython.display import Image, display\nimport io\nfrom PIL import Image as Pillow\n"
DRAWN += "file = io.BytesIO()\nPillow.new('RGB', (8, 8), 'red').save(file, 'PNG')\ndisplay(Image(file.getvalue()))"


def test_a_kernel_of_this_python_runs_and_everything_that_differs_is_said(tmp_path: Path) -> None:
    speak = "import sys, pathlib\npathlib.Path('here').touch()\nprint('AUC', 0.978)\nprint(sys.executable)"
    run = notebooks.executed(made(speak, DRAWN, "import warnings\nwarnings.warn('careful')"), tmp_path)
    assert (tmp_path / "here").exists()
    assert run.cells[0].outputs[0].text.splitlines()[1] == __import__("sys").executable
    assert len(notebooks.complaints(run)) == 1
    assert "careful" in notebooks.complaints(run)[0]
    assert notebooks.differences(run, run) == []
    other = nbformat.from_dict(run)
    other.cells[0].outputs[0].text = "AUC 0.7\n"
    (said,) = notebooks.differences(run, other)
    assert said.startswith("cell 0 holds 'AUC 0.978")
    other.cells[1].outputs = []
    assert "cell 1 holds outputs of the kinds [['image/png', 'text/plain']], and gives []" in notebooks.differences(
        run, other
    )
    run.cells[0].source += "\n"
    assert notebooks.differences(run, run) == ["the outputs belong to other cells"]


def test_an_error_stops_with_its_cell(tmp_path: Path) -> None:
    from nbclient.exceptions import CellExecutionError

    with pytest.raises(CellExecutionError, match="1 / 0"):
        notebooks.executed(made("1 / 0"), tmp_path)


@pytest.mark.parametrize(
    ("one", "two", "free", "alike"),
    [
        ("AUC 0.978", "AUC 0.941", False, True),  # 4 %
        ("AUC 0.978", "AUC 0.91", False, False),
        ("AUC 0.978", "AUC 0.5", True, True),
        ("AUC 0.978 of the judge", "AUC 0.978 of the critic", True, False),
        ("moves by −0.02", "moves by -0.01", False, True),  # one unit of the last digit
        ("moves by −0.02", "moves by 0.02", False, False),
        ("1,797 images\n", "1797 images", False, True),
        ("layer 3", "layer 4", False, True),  # a count of one digit is only a number
        ("3e-4", "3.4e-4", False, True),
        ("a1", "a2", True, False),  # a name is no number
    ],
)
def test_words_are_compared_exactly_and_numbers_nearly(one: str, two: str, free: bool, alike: bool) -> None:
    assert notebooks.same(one, two, free=free) is alike
