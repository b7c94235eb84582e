"""The package's source as data: its files, what they call and what they import."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(importlib.import_module("ganexplain").__file__ or "").parent
FOUNDATION = {"registry", "checks", "tensors", "store", "folders", "pages", "figures"}
FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Source:
    """A file of the package: its path in it and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed text."""
        return ast.parse(self.text)

    @property
    def top(self) -> str:
        """The first folder of the path, or the stem of a file at the top."""
        return self.path.split("/")[0].removesuffix(".py")

    def layer(self) -> str:
        """The layer that the file belongs to."""
        return "foundation" if self.top in FOUNDATION else self.top


def calls(tree: ast.AST) -> Iterator[tuple[ast.Call, str]]:
    """Every call with the text of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


def is_module(value: object) -> bool:
    """Whether a constant is the dotted name of something in the package."""
    found = re.fullmatch(r"ganexplain\.(\w+)(\.\w+)*", value) if isinstance(value, str) else None
    return found is not None and ((ROOT / found[1]).is_dir() or (ROOT / f"{found[1]}.py").is_file())


def imports(source: Source) -> Iterator[tuple[str, int, str]]:
    """(dotted name, line, "module", "function" or "typing") of every import and of every module named in a string."""
    package = ["ganexplain", *source.path.split("/")[:-1]]

    def walk(node: ast.AST, where: str) -> Iterator[tuple[str, int, str]]:
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno, where) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((f"{module}.{alias.name}", node.lineno, where) for alias in node.names)
        elif isinstance(node, ast.Constant) and is_module(node.value):
            yield str(node.value), node.lineno, "function"
        elif isinstance(node, FUNCTION):
            where = "function"
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            where = "typing"
        for child in ast.iter_child_nodes(node):
            yield from walk(child, where)

    yield from walk(source.tree, "module")


PACKAGE = [Source(str(p.relative_to(ROOT)), p.read_text(encoding="utf-8")) for p in sorted(ROOT.rglob("*.py"))]
