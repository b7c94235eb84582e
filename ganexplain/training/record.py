"""What a run leaves in its folder while it goes on: ``metrics.jsonl`` and sheets of samples."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from ganexplain import store
from ganexplain.figures.grid import grid_png
from ganexplain.models.gan import GAN
from ganexplain.training.loop import Step

AVERAGED = ("loss_d", "loss_g", "r1", "r2", "accuracy")


class Recorder:
    """Writes one line of means every ``every`` steps and a sheet of the same codes every ``sheets`` steps.

    Args:
        folder: where; made if missing. A ``metrics.jsonl`` of an older run is replaced.
        every: steps a line.
        sheets: steps a sheet.
        n: samples a sheet.
    """

    def __init__(self, folder: str | Path, *, every: int = 50, sheets: int = 1000, n: int = 100) -> None:
        if min(every, sheets, n) < 1:
            raise ValueError(f"every, sheets and n must be at least 1, got {every}, {sheets} and {n}")
        self.folder, self.every, self.sheets, self.n = Path(folder), every, sheets, n
        self.window: list[Step] = []
        self.last: dict[str, Any] | None = None
        store.write_bytes(self.folder / "metrics.jsonl", b"")

    def add(self, step: Step, gan: GAN) -> None:
        """Take one step in."""
        self.window.append(step)
        if step.step % self.every == 0 or step.step == 1:
            self.flush()
        if step.step % self.sheets == 0:
            self.sheet(gan, f"samples-{step.step:06d}.png")

    def flush(self) -> None:
        """Write the line of the steps since the last one; means over the steps that were taken."""
        if not self.window:
            return
        line = asdict(self.window[-1])
        for name in AVERAGED:
            values = [v for v in (getattr(s, name) for s in self.window) if v is not None and math.isfinite(v)]
            line[name] = sum(values) / len(values) if values else None
        self.last, self.window = line, []
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, allow_nan=False) + "\n")

    def sheet(self, gan: GAN, name: str) -> Path:
        """Draw the sheet of samples now."""
        return store.write_bytes(self.folder / name, sheet_png(gan.samples(self.n, seed=0)))


def sheet_png(samples: Tensor, columns: int = 10) -> bytes:
    """A sheet about 600 pixels wide."""
    return grid_png(samples, columns, max(1, round(600 / (columns * samples.shape[-1]))))
