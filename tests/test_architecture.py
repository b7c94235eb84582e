"""The import rule, the sizes and the forbidden things, each as a small function that is also shown to fail.

foundation <- data <- models <- training, attribution, latent
attribution, latent <- evaluation <- explanation <- report <- app
bench may import all but app and cli; cli may import all
"""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sources import FOUNDATION, FUNCTION, PACKAGE, Source, calls, imports

BELOW = {"data": {"foundation"}}
BELOW["models"] = {"data"} | BELOW["data"]
for _layer in ("training", "attribution", "latent"):
    BELOW[_layer] = {"models"} | BELOW["models"]
BELOW["evaluation"] = {"attribution", "latent"} | BELOW["attribution"]
BELOW["explanation"] = {"evaluation"} | BELOW["evaluation"]
BELOW["report"] = {"explanation"} | BELOW["explanation"]
BELOW["app"] = {"report"} | BELOW["report"]
BELOW["bench"] = set(BELOW) - {"app"} | {"foundation"}
BELOW["cli"] = set(BELOW) | {"foundation"}
BELOW["foundation"] = set()
HOME = {"matplotlib": "figures", "typer": "cli", "gradio": "app"}
HEAVY = {"captum", "shap", "lime", "sklearn", "skimage", "matplotlib", "gradio"}
UNSAFE_MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}


def layers(source: Source) -> Iterator[str]:
    if source.top == "__init__":  # the table of lazy names
        return
    homes = importlib.import_module("ganexplain")._HOMES
    if source.layer() not in BELOW:
        yield f"{source.path} belongs to no layer"
        return
    for name, line, _ in imports(source):
        if not name.startswith("ganexplain.") or name == "ganexplain.__version__":
            continue
        top = homes.get(name.split(".")[1], name).split(".")[1]
        layer = "foundation" if top in FOUNDATION else top
        if layer != source.layer() and layer not in BELOW[source.layer()]:
            yield f"{source.path}:{line}: {source.layer()} imports {name}"


def third_parties(source: Source) -> Iterator[str]:
    for name, line, where in imports(source):
        library = name.split(".")[0]
        home = HOME.get(library, source.top)
        if home != source.top and where != "typing":
            yield f"{source.path}:{line}: {library} belongs in {home}/"
        elif library in HEAVY and where == "module" and source.top != "figures":
            yield f"{source.path}:{line}: import {library} inside the function that needs it"


def no_print(source: Source) -> Iterator[str]:
    for node, name in calls(source.tree):
        if name == "print" and source.top != "cli":
            yield f"{source.path}:{node.lineno}: print outside cli/"


def no_foreign_code(source: Source) -> Iterator[str]:
    for name, line, _ in imports(source):
        if name.split(".")[0] in UNSAFE_MODULES:
            yield f"{source.path}:{line}: {name} runs what a file says"
    for node, name in calls(source.tree):
        given = {k.arg: ast.unparse(k.value) for k in node.keywords}
        if name in {"eval", "exec", "__import__", "yaml.load"} or given.get("allow_pickle") == "True":
            yield f"{source.path}:{node.lineno}: {name} runs what a file says"
        if name == "torch.load" and given.get("weights_only") != "True":
            yield f"{source.path}:{node.lineno}: torch.load without weights_only=True"


def file_sizes(source: Source) -> Iterator[str]:
    lines = len(source.text.splitlines())
    if lines > 300:
        yield f"{source.path} has {lines} lines"


def function_sizes(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, FUNCTION):
            first = node.body[0]
            doc = (first.end_lineno or 0) - first.lineno + 1 if ast.get_docstring(node) else 0
            lines = (node.end_lineno or 0) - node.lineno + 1 - doc
            if lines > 40:
                yield f"{source.path}:{node.lineno}: {node.name} has {lines} lines"


def parameters(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, FUNCTION) and not (source.top == "cli" and node.name == "run"):
            given = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            count = len([name for name in given if name not in {"self", "cls"}])
            if count > 6:
                yield f"{source.path}:{node.lineno}: {node.name} has {count} parameters"


def honest_errors(source: Source) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Assert):
            yield f"{source.path}:{node.lineno}: assert vanishes under python -O; raise"
        if isinstance(node, ast.ExceptHandler):
            silent = all(isinstance(n, ast.Pass | ast.Continue) or ast.unparse(n) == "..." for n in node.body)
            if node.type is None or silent:
                yield f"{source.path}:{node.lineno}: an exception is swallowed"
    for node, name in calls(source.tree):
        if name.endswith("suppress") and re.search(r"\b(Base)?Exception\b", ast.unparse(node)):
            yield f"{source.path}:{node.lineno}: every exception is swallowed"


def file_names(source: Source) -> Iterator[str]:
    if Path(source.path).stem in {"types", "utils", "util", "helpers", "common", "misc"}:
        yield f"{source.path}: a type or tool lives where it is born"


def documented(source: Source) -> Iterator[str]:
    def public(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
        for node in body:
            if isinstance(node, (*FUNCTION, ast.ClassDef)) and not node.name.startswith("_"):
                yield node
                yield from public(node.body) if isinstance(node, ast.ClassDef) else ()

    for node in public(source.tree.body):
        decorators = {ast.unparse(d).split(".")[-1] for d in node.decorator_list}
        if not ast.get_docstring(node) and not decorators & {"overload", "override", "setter"}:
            yield f"{source.path}:{node.lineno}: {node.name} has no docstring"


REGISTRIES = sorted(
    node.args[0].value
    for source in PACKAGE
    for node, name in calls(source.tree)
    if re.match(r"Registry\b", name) and node.args and isinstance(node.args[0], ast.Constant)
)
PARTS = sorted(
    s.path
    for s in PACKAGE
    for r in REGISTRIES
    if s.path.rpartition("/")[0] == "/".join(r.split(".")[1:]) and not Path(s.path).stem.startswith("_")
)


def one_part(source: Source) -> Iterator[str]:
    offers = re.findall(r"^__all__ = (.*)$", source.text, re.MULTILINE)
    if source.path in PARTS and not (len(offers) == 1 and re.fullmatch(r"\[\"\w+\"\]", offers[0])):
        yield f"{source.path}: __all__ must hold the one part of this file, got {offers}"


Rule = Callable[[Source], Iterator[str]]
# every rule, with sources that break it
RULES: list[tuple[Rule, list[tuple[str, str]]]] = [
    (layers, [
        ("attribution/methods/x.py", "def f():\n    from ganexplain.training.loop import train"),
        ("latent/x.py", "from ..attribution import chart"),
        ("attribution/x.py", "import ganexplain.latent.directions"),
        ("report/x.py", "importlib.import_module('ganexplain.training.config')"),
        ("models/x.py", "from ganexplain import explain"),
        ("data/x.py", "from ganexplain.models import gan"),
        ("checks.py", "from ganexplain.data import images"),
        ("bench/x.py", "from ganexplain import cli"),
        ("stray/x.py", ""),
    ]),
    (third_parties, [
        ("report/x.py", "def f():\n    import matplotlib.pyplot as plt"),
        ("models/x.py", "from typer import echo"),
        ("attribution/x.py", "try:\n    from captum.attr import LRP\nexcept ImportError: raise"),
    ]),
    (no_print, [("models/x.py", "def f():\n    print(1)")]),
    (no_foreign_code, [
        ("store.py", "import pickle"),
        ("store.py", "torch.load(path)"),
        ("store.py", "torch.load(path, weights_only=False)"),
        ("store.py", "exec(text)"),
        ("store.py", "np.load(path, allow_pickle=True)"),
    ]),
    (file_sizes, [("a.py", "x = 1\n" * 301)]),
    (function_sizes, [("a.py", "def f():\n    '''Doc.\n    \n    '''\n" + "    x = 1\n" * 40)]),
    (parameters, [("a.py", "class A:\n    def f(self, a, b, c, *, d, e, f, g): ...")]),
    (honest_errors, [
        ("a.py", "assert x"),
        ("a.py", "try: f()\nexcept: raise"),
        ("a.py", "try: f()\nexcept ValueError: pass"),
        ("a.py", "with contextlib.suppress(Exception): f()"),
    ]),
    (file_names, [("models/utils.py", "")]),
    (documented, [("a.py", "def f(): ..."), ("a.py", "class A:\n    '''Doc.'''\n    def f(self): ...")]),
    (one_part, [(path, "__all__ = ['A', 'B']") for path in PARTS[:1]]),
]  # fmt: skip


@pytest.mark.parametrize("rule", [rule for rule, _ in RULES], ids=lambda rule: rule.__name__)
def test_the_package_keeps(rule: Rule) -> None:
    found = [problem for source in PACKAGE for problem in rule(source)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("rule", "broken"), [(r, Source(*b)) for r, all_ in RULES for b in all_])
def test_a_rule_can_fail(rule: Rule, broken: Source) -> None:
    assert len(list(rule(broken))) == 1


ALLOWED = (
    """
def f(a):
    '''See ganexplain.training.

    A docstring does not count.'''
    import shap
    from ganexplain.models import gan
    a.eval()
"""
    + "    a()\n" * 36
)


def test_what_is_allowed_passes() -> None:
    assert [p for rule, _ in RULES for p in rule(Source("attribution/methods/_x.py", ALLOWED))] == []


def test_every_folder_is_a_package() -> None:
    assert {Path(s.path).parent for s in PACKAGE} == {Path(s.path).parent for s in PACKAGE if "__init__" in s.path}


def test_registries_are_found_and_their_parts_import() -> None:
    assert {f"ganexplain.{p}" for p in ("attribution.methods", "latent.finders", "models.families")} <= set(REGISTRIES)
    for path in PARTS:
        module = importlib.import_module("ganexplain." + path.removesuffix(".py").replace("/", "."))
        assert getattr(module, module.__all__[0])


def loaded(code: str) -> set[str]:
    """The top-level modules that are loaded after ``code`` in a fresh interpreter."""
    command = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in shown.stdout.split()}


def test_import_is_light() -> None:
    assert sorted(loaded("import ganexplain") & (HEAVY | set(HOME) | {"torch", "numpy", "scipy"})) == []


def test_no_part_loads_an_explainer_library_before_it_is_used() -> None:
    files = [s.path for s in PACKAGE if s.layer() in BELOW and s.top not in {"cli", "app", "figures"}]
    modules = [path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in files]
    wanted = ", ".join(f"ganexplain.{module}" for module in modules)
    assert sorted(loaded(f"import {wanted}") & (HEAVY | set(HOME))) == []
