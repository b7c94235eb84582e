"""The entry point: finds the commands, and turns every expected error into one sentence and exit code 2."""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import warnings
from collections.abc import Sequence

import typer

import ganexplain
from ganexplain.cli._console import error, note

EXPECTED = (ValueError, TypeError, FileNotFoundError, NotImplementedError, OSError)
INTERRUPTED = "interrupted; what was finished is kept"


def build() -> typer.Typer:
    """The application with every command of this package; a file that starts with an underscore is none."""
    app = typer.Typer(
        help="Explain a GAN: why an image was judged fake, and which latent directions mean something.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    path = importlib.import_module("ganexplain.cli").__path__
    for found in pkgutil.iter_modules(path):
        if not found.name.startswith("_") and found.name != "main":
            module = importlib.import_module(f"ganexplain.cli.{found.name}")
            app.command(found.name.replace("_", "-"))(module.run)
    return app


def _root(version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
    if version:
        print(ganexplain.__version__)
        raise typer.Exit


def _told(message: Warning | str, *_: object, **__: object) -> None:
    """A warning as one sentence for the person at the terminal, without the line of code that gave it."""
    note(f"ganexplain: note: {' '.join(str(message).split())}")


def _sentence(problem: Exception) -> str:
    if isinstance(problem, OSError) and problem.strerror and problem.filename:
        return f"cannot use {problem.filename!r}: {problem.strerror}; name another file or folder"
    return str(problem) or type(problem).__name__


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Exit codes: 0 done, 1 a fault of the program, 2 bad input (one sentence on stderr), 3 a training that diverged, 130
    interrupted, 143 a training that was told to end.
    """
    warnings.showwarning = _told
    try:
        build()(args=list(arguments) if arguments is not None else None, prog_name="ganexplain")
    except EXPECTED as problem:
        if os.environ.get("GANEXPLAIN_TRACEBACK"):
            raise
        error(_sentence(problem))
        sys.exit(2)
    except KeyboardInterrupt:
        error(INTERRUPTED)
        sys.exit(130)
    except SystemExit as stop:
        if stop.code == 130:  # what typer turns an interrupt of a command into, without a word
            error(INTERRUPTED)
        raise


if __name__ == "__main__":
    main()
