"""Exit codes and messages of the command line, and that asking for help loads no heavy library."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from collections.abc import Callable

import pytest
import typer

import ganexplain
import ganexplain.cli
from ganexplain.cli import main as cli
from tests.cli.conftest import Run

FILES = [m.name for m in pkgutil.iter_modules(ganexplain.cli.__path__) if m.name != "main" and m.name[0] != "_"]
COMMANDS = [name.replace("_", "-") for name in FILES]


@pytest.fixture
def raising(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Replace the commands by one, ``fail``, that raises what it is told."""

    def replace(problem: BaseException) -> None:
        app = typer.Typer(pretty_exceptions_enable=False)
        app.callback()(lambda: None)

        @app.command("fail")
        def fail() -> None:
            raise problem

        monkeypatch.setattr(cli, "build", lambda: app)

    return replace


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"{ganexplain.__version__}\n", "")


def test_help_lists_every_command(run: Run) -> None:
    code, out, err = run("--help")
    assert (code, err) == (0, "")
    assert [name for name in COMMANDS if f" {name} " not in out] == []
    assert run("-h")[:2] == (0, out)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run: Run, command: str) -> None:
    code, out, err = run(command, "--help")
    assert (code, err) == (0, "")
    assert f"ganexplain {command}" in out


@pytest.mark.parametrize("arguments", [("nonsense",), ("methods", "--nonsense"), ("methods", "too", "many")])
def test_a_wrong_call_ends_with_2(run: Run, arguments: tuple[str, ...]) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert arguments[-1] in err or "many" in err


@pytest.mark.parametrize("error", [ValueError, TypeError, FileNotFoundError, NotImplementedError, OSError])
def test_an_expected_error_is_one_line_and_2(run: Run, raising: Callable[..., None], error: type[Exception]) -> None:
    raising(error("images must lie in [-1, 1],\n got [0, 255]"))
    assert run("fail") == (2, "", "ganexplain: images must lie in [-1, 1], got [0, 255]\n")


def test_an_error_without_words_is_named(run: Run, raising: Callable[..., None]) -> None:
    raising(ValueError())
    assert run("fail") == (2, "", "ganexplain: ValueError\n")


def test_a_traceback_can_be_asked_for(raising: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANEXPLAIN_TRACEBACK", "1")
    raising(ValueError("seen"))
    with pytest.raises(ValueError, match="seen"):
        cli.main(["fail"])


def test_a_fault_of_the_program_is_not_hidden(raising: Callable[..., None]) -> None:
    raising(RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        cli.main(["fail"])


def test_an_interrupt_is_one_line_and_130(run: Run, raising: Callable[..., None]) -> None:
    raising(KeyboardInterrupt())
    code, out, err = run("fail")
    assert (code, out) == (130, "")
    assert err.startswith("ganexplain: interrupted")
    assert err.count("\n") == 1


def test_the_listing_of_parts_is_json(run: Run) -> None:
    code, out, err = run("methods", "--json")
    assert (code, err) == (0, "")
    kinds = json.loads(out)
    assert {"saliency", "integrated_gradients"} <= set(kinds["attribution methods"])
    assert all(row["summary"] for rows in kinds.values() for row in rows.values())
    code, text, _ = run("methods")
    assert code == 0
    assert [name for rows in kinds.values() for name in rows if f" {name} " not in text] == []


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)], ids=" ".join
)
def test_help_loads_no_heavy_library(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom ganexplain.cli.main import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit as stop: print(stop.code or 0, *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    status, *modules = done.stderr.split()
    assert status == "0"
    assert sorted({"torch", "numpy", "scipy", "sklearn", "matplotlib", "shap", "captum"} & set(modules)) == []


def test_module_and_script_are_the_same_program() -> None:
    done = subprocess.run([sys.executable, "-m", "ganexplain.cli.main", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{ganexplain.__version__}\n", "")
