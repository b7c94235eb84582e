"""What lies in the folder of a training, read with limits: nothing outside of it, and nothing in it is run."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ganexplain.models import health
from ganexplain.report.training import lines

RUN, METRICS, HEALTH, GAN = "run.json", "metrics.jsonl", "health.json", "gan.safetensors"
SHEET = re.compile(r"samples-(\d{1,15})\.png", re.ASCII)
MOST_BYTES = {RUN: 2**24, HEALTH: 2**22, METRICS: 2**31, GAN: 2**33}
MOST_ENTRIES = 100_000  # of the folder that are looked at
REALS = 100  # that are shown


@dataclass(frozen=True)
class Run:
    """What is known of a training.

    Attributes:
        name: of the folder.
        facts: what ``run.json`` holds; empty without one.
        metrics: the lines of ``metrics.jsonl``.
        health: the verdict as `ganexplain.models.health.checked` returns it, or None where there is none yet.
        card: of the finished GAN, or None before it is written.
        reals: (R, C, H, W) uint8 held-out reals that the GAN carries, or None.
        sheets: steps and paths of the sheets of samples, in order.
        notes: what could not be read, one sentence each.
    """

    name: str
    facts: Mapping[str, Any]
    metrics: lines.Metrics
    health: dict[str, Any] | None
    card: Mapping[str, Any] | None
    reals: Tensor | None
    sheets: list[tuple[int, Path]]
    notes: list[str]

    def config(self, *keys: str) -> Any:
        """A value of the configuration, such as ``config("loss", "name")``; None where there is none."""
        found: Any = self.facts.get("config") or (self.card or {}).get("config")
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found

    @property
    def data(self) -> Mapping[str, Any]:
        """What is recorded of the data; empty where nothing is."""
        found = self.facts.get("data") or (self.card or {}).get("data")
        return found if isinstance(found, Mapping) else {}

    @property
    def planned(self) -> int | None:
        """Steps of the whole run."""
        total = lines.number(self.config("run", "steps"))
        return int(total) if 0 < total <= lines.FURTHEST else None


def read(folder: str | Path) -> Run:
    """Read the folder that ``ganexplain train`` writes, also while it does.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it is a file, or no training has written into it.
    """
    folder = Path(folder)
    if not folder.exists():
        raise FileNotFoundError(f"no folder {folder}; name the one that was given to ganexplain train as --out")
    if not folder.is_dir():
        raise ValueError(f"a training is a folder, and {folder} is a file; name the folder that it lies in")
    root, notes = folder.resolve(), list[str]()
    if not any(_own(root, name) for name in (RUN, METRICS)):
        raise ValueError(
            f"{folder} is no folder of a training: it holds neither {RUN} nor {METRICS}; name the one that was given "
            "to ganexplain train as --out"
        )
    metrics = lines.Metrics()
    if _sized(root, METRICS, notes):
        metrics = lines.read(root / METRICS)
    card, reals = _gan(root, notes)
    facts, ended = _mapping(root, RUN, notes), _mapping(root, HEALTH, notes)
    known = health.checked(ended) or health.checked((card or {}).get("health"))
    notes += metrics.notes
    return Run(root.name, facts, metrics, known, card, reals, _sheets(root), notes)


def _own(root: Path, name: str) -> bool:
    """Whether it is a plain file of the folder: no link that leads out of it, no pipe that never ends."""
    path = root / name
    try:
        inside = path.resolve(strict=True).is_relative_to(root)
        return inside and stat.S_ISREG(path.stat().st_mode)
    except (OSError, RuntimeError):
        return False


def _sized(root: Path, name: str, notes: list[str]) -> bool:
    """Whether a file is there to be read; a note where it is too large or no plain file of the folder."""
    if not os.path.lexists(root / name):
        return False
    if not _own(root, name):
        notes.append(f"{name} is no plain file of this folder and was not read.")
        return False
    size = (root / name).stat().st_size
    if size > MOST_BYTES[name]:
        notes.append(f"{name} has {size:,} bytes, more than the {MOST_BYTES[name]:,} that are read.")
        return False
    return True


def _mapping(root: Path, name: str, notes: list[str]) -> Mapping[str, Any]:
    if not _sized(root, name, notes):
        return {}
    try:
        found = json.loads((root / name).read_bytes())
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    notes.append(f"{name} is damaged and was left out.")
    return {}


def _gan(root: Path, notes: list[str]) -> tuple[Mapping[str, Any] | None, Tensor | None]:
    """Card and reals of the finished GAN; its networks are not built."""
    from safetensors import SafetensorError, safe_open

    if not _sized(root, GAN, notes):
        return None, None
    try:
        with safe_open(str(root / GAN), framework="pt") as file:
            header = json.loads((file.metadata() or {}).get("ganexplain", "null"))
            reals = file.get_slice("reals")[:REALS] if "reals" in file.keys() else None  # noqa: SIM118 - no mapping
    except (SafetensorError, ValueError, RecursionError):
        notes.append(f"{GAN} is damaged and was left out.")
        return None, None
    card = header.get("card") if isinstance(header, dict) else None
    return card if isinstance(card, dict) else {}, reals


def _sheets(root: Path) -> list[tuple[int, Path]]:
    found = {}
    with os.scandir(root) as entries:
        for _, entry in zip(range(MOST_ENTRIES), entries, strict=False):
            match = SHEET.fullmatch(entry.name)
            if match and _own(root, entry.name):
                found[int(match[1]), entry.name] = root / entry.name
    return [(step, found[step, name]) for step, name in sorted(found)]
