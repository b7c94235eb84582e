"""Several processes of one run: started like torchrun's, each calling one function and writing down what it found.

``launch("tests.training.test_x:scenario", folder)`` runs ``scenario()`` in two processes, which join the world that
their environment describes, and gives back what each returned, or how it ended.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.distributed import TCPStore

from ganexplain.training.world import World

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Ended:
    """How a process ended: what its function returned, its exit status, what it wrote to stderr."""

    found: Any
    status: int
    said: str


def launch(function: str, folder: Path, *, size: int = 2, meetings: int = 1, seconds: float = 120) -> list[Ended]:
    """Run the function in ``size`` processes, which may join ``meetings`` worlds one after another, by `meeting`.

    Processes that are still there after ``seconds`` are stopped and started once more, since on a busy machine they
    may miss each other; the second time fails the test.
    """
    try:
        return _launched(function, folder, size, meetings, seconds)
    except subprocess.TimeoutExpired:
        return _launched(function, folder, size, meetings, seconds)


def _launched(function: str, folder: Path, size: int, meetings: int, seconds: float) -> list[Ended]:
    # each finds a free port, and keeps it; a place to meet serves once
    stores = [TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False) for _ in range(meetings)]
    shared = {
        "MASTER_ADDR": "127.0.0.1",
        "PORTS": " ".join(str(store.port) for store in stores),
        "TORCHELASTIC_USE_AGENT_STORE": "True",  # process 0 must not open one of its own
        "GLOO_SOCKET_IFNAME": "lo",  # also where the machine's name leads nowhere
        "WORLD_SIZE": str(size),
        "OMP_NUM_THREADS": "1",
    }
    running, outputs = [], [folder / f"rank-{rank}.pt" for rank in range(size)]
    for rank, output in enumerate(outputs):
        command = [sys.executable, "-m", "tests.training._ranks", function, str(output)]
        env = {**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)}
        running.append(subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True))
    try:
        said = [process.communicate(timeout=seconds)[1] for process in running]
    finally:
        for process in running:
            process.kill()
    found = [torch.load(output, weights_only=True) if output.is_file() else None for output in outputs]
    return [Ended(f, p.returncode, s) for f, p, s in zip(found, running, said, strict=True)]


@contextmanager
def meeting(timeout: float, patience: float = 60) -> Iterator[World]:
    """Join the next world of this launch."""
    os.environ["MASTER_PORT"], _, os.environ["PORTS"] = os.environ["PORTS"].partition(" ")
    with World.join(timeout, patience=patience) as world:
        yield world


def main() -> None:
    """Call the function that is named, and save what it returns, or first yields: then it may end as it likes."""
    torch.set_num_threads(1)
    module, _, name = sys.argv[1].partition(":")
    found = getattr(importlib.import_module(module), name)()
    for value in found if isinstance(found, Iterator) else (found,):
        torch.save(value, sys.argv[2])


if __name__ == "__main__":
    main()
