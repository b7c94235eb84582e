"""The pages are true: their code runs, their links lead somewhere, their tables are those of registries and results.

Directly above a block, ``<!-- no-test: reason -->`` leaves it out, and ``<!-- needs-assets -->`` runs it only where
GANEXPLAIN_ASSETS names a folder. A Python block that starts with a comment such as ``# detector.py`` is also saved so.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks import readme
from ganexplain.cli.main import main
from ganexplain.models.spec import Spec
from tests import own_files

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
NAMES = ("README.md", "docs/your-own-model.md", "docs/training.md")
PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in NAMES}
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the line it starts in, and the comment directly above."""

    language: str
    text: str
    line: int
    comment: str


def blocks(text: str) -> Iterator[Block]:
    for match in FENCE.finditer(text):
        before = text[: match.start()].rstrip().rpartition("\n")[2]
        comment = before if before.startswith("<!--") else ""
        yield Block(match[1], match[2], text.count("\n", 0, match.start()) + 1, comment)


def commands(text: str) -> list[list[str]]:
    """The calls of ganexplain in a console block: lines that start with ``$``, continued by a backslash."""
    lines = text.replace("\\\n", " ").splitlines()
    words = [shlex.split(line[2:], comments=True) for line in lines if line.startswith("$ ")]
    return [line[1:] for line in words if line and line[0] == "ganexplain"]


def run(block: Block, namespace: dict[str, object], page: str = "README.md") -> None:
    """Execute a block; a failure names the page's own line."""
    if block.language == "python":
        named = re.match(r"# (\w+\.py)\n", block.text)
        if named:
            Path(named[1]).write_text(block.text, encoding="utf-8")
        exec(compile("\n" * block.line + block.text, page, "exec"), namespace)
    elif block.language == "console":
        for arguments in commands(block.text):
            with pytest.raises(SystemExit) as stop:
                main(arguments)
            assert not stop.value.code, f"{page}:{block.line}: ganexplain {shlex.join(arguments)} -> {stop.value.code}"


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("page", PAGES)
def test_every_block_runs_in_order(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    own_files.write(tmp_path)
    namespace: dict[str, object] = {"__name__": "readme"}
    for block in blocks(PAGES[page]):
        absent = "needs-assets" in block.comment and not os.environ.get("GANEXPLAIN_ASSETS")
        if not absent and "no-test:" not in block.comment:
            run(block, namespace, page)


def test_specs_on_the_pages_are_specs() -> None:
    texts = [block.text for text in PAGES.values() for block in blocks(text) if block.language == "toml"]
    assert texts
    for text in texts:
        Spec.of(tomllib.loads(text))


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = {name for b in blocks(TEXT) for name in re.findall(r"^(?:\$ )?make ([\w-]+)", b.text, re.MULTILINE)}
    assert named <= set(re.findall(r"^([\w-]+):", makefile, re.MULTILINE))


def broken_links(text: str, root: Path) -> list[str]:
    prose = FENCE.sub("", text)
    targets = re.findall(r"\]\(([^)\s]+)\)", prose) + re.findall(r"(?:src|href)=\"([^\"]+)\"", prose)
    headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    return [t for t in local if (t[1:] not in anchors if t[0] == "#" else not (root / t.partition("#")[0]).exists())]


@pytest.mark.parametrize("page", PAGES)
def test_links_and_images_exist(page: str) -> None:
    assert broken_links(PAGES[page], (ROOT / page).parent) == []


@pytest.mark.parametrize("page", PAGES)
def test_tables_are_those_of_the_registries_and_results(page: str) -> None:
    assert readme.differences(PAGES[page], ROOT / "benchmarks" / "results") == []


def test_blocks_are_found_with_their_lines_and_comments() -> None:
    text = "# T\n\n<!-- no-test: slow -->\n```python\nx = 1\n```\ntext\n"
    text += "```console\n$ ganexplain a \\\n  'b c'\n$ ls\nout\n```\n"
    one, two = blocks(text)
    assert (one.language, one.line, one.comment) == ("python", 4, "<!-- no-test: slow -->")
    assert (two.line, two.comment, commands(two.text)) == (8, "", [["a", "b c"]])


def test_a_failing_block_names_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, console = blocks("text\n```python\n# part.py\n1 / 0\n```\n```console\n$ ganexplain nonsense\n```\n")
    with pytest.raises(ZeroDivisionError) as error:
        run(code, {})
    assert (error.traceback[-1].path, error.traceback[-1].lineno + 1) == ("README.md", 4)
    assert Path("part.py").read_text("utf-8") == code.text
    with pytest.raises(AssertionError, match=r"README.md:6: ganexplain nonsense -> 2"):
        run(console, {})


def test_broken_links_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    text = '# A title\n![x](a.png) [y](b.md#z) [t](#a-title) [u](#none) [w](https://x.y) <img src="c.png">\n'
    assert broken_links(text, tmp_path) == ["b.md#z", "#none", "c.png"]


RESULTS = {"lime": {"seconds": 1.2345, "share": 0.982}, "rows": [{"name": "Kernel SHAP", "n": 200_000, "auc": 0.8312}]}


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ("| `lime` | 1.23 s | 98% |", []),
        ("| kernel_shap | 200,000 | .83 |", []),
        ("| `lime` | 1.24 s | 98.2% |", ["1.24"]),
        ("| kernel_shap | 1.23 | 0.8312 |", ["1.23"]),
        ("| shap | 1 | 2 |", ["no entry 'shap'"]),
    ],
)
def test_every_number_is_compared(tmp_path: Path, row: str, wrong: list[str]) -> None:
    (tmp_path / "speed.json").write_text(json.dumps(RESULTS))
    text = f"<!-- bench:speed -->\n| a | b | c |\n|---|---|---|\n{row}\n<!-- /bench:speed -->"
    found = readme.differences(text, tmp_path)
    assert len(found) == len(wrong)
    assert all(part in sentence for part, sentence in zip(wrong, found, strict=True))


def test_tables_are_written_so_that_they_agree(tmp_path: Path) -> None:
    values = [["`lime`", 1.23456, 3], ["a|b", 0.00012345, 123456.7], ["c", 1e-9, None]]
    rows = [dict(zip(("what", "s", "n"), row, strict=True)) for row in values]
    (tmp_path / "speed.json").write_text(json.dumps({"seed": 0, "rows": rows}))
    empty = "a\n<!-- methods -->\n<!-- /methods -->\nb\n<!-- bench:speed -->\n<!-- /bench:speed -->\nc\n"
    assert len(readme.differences(empty, tmp_path)) == 2
    text = readme.updated(empty, tmp_path)
    assert "| `lime` | 1.23 | 3 |\n" in text
    assert "`saliency`" in text
    assert re.sub(r"^\|.*\n|^\n", "", text, flags=re.MULTILINE) == empty
    assert readme.differences(text.replace(r"a\|b", "a"), tmp_path) == ["speed: no entry 'a' in speed.json"]
    assert readme.updated(text, tmp_path) == text


def test_the_sentence_on_shapley_values_is_that_of_the_result() -> None:
    found = json.loads((ROOT / "benchmarks" / "results" / "shapley.json").read_text(encoding="utf-8"))
    rows = {row["estimator"]: row for row in found["rows"]}
    theirs, ours = max(rows["captum KernelShap"]["evaluations"]), rows["kernel_shap"]["needed"]
    said = f"has after {theirs} evaluations, `kernel_shap` takes at most {ours} "
    assert said in " ".join(TEXT.split())
    assert f"{found['players']} regions, {found['images']} images" in TEXT
