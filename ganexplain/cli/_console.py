"""What the commands print with: results on stdout, progress and messages on stderr."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

Advance = Callable[[str, float], None]


def error(message: str) -> None:
    """One sentence on stderr, on one line."""
    print(f"ganexplain: {' '.join(message.split())}", file=sys.stderr)


def note(message: str, *, quiet: bool = False) -> None:
    """A message on stderr, unless ``quiet``."""
    if not quiet:
        print(message, file=sys.stderr)


def emit(value: Any) -> None:
    """A result as JSON on stdout."""
    print(json.dumps(value, indent=2, sort_keys=True, allow_nan=False))


@contextlib.contextmanager
def progress(title: str, *, quiet: bool = False, done: float = 0.0) -> Iterator[Advance]:
    """A bar on stderr; the block gets ``advance(what, done)`` with ``done`` from 0 to 1. Silent with ``quiet``."""
    if quiet:
        yield lambda what, done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    left = TimeRemainingColumn(elapsed_when_finished=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), left)
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=1.0)
        bar.tasks[0].completed = done  # an update would count as speed
        yield lambda what, done: bar.update(task, completed=done, description=f"{title}: {what}" if what else title)
