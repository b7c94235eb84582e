"""Events for TensorBoard, with the extra ``tensorboard``: the numbers of ``metrics.jsonl`` and the sheets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDER = "tensorboard"


class Events:
    """A writer of events.

    Args:
        folder: of the run; the events go to its subfolder ``tensorboard``.
        after: of a run that is continued, the last step that stays; what was written of later ones is marked as void.

    Raises:
        ValueError: the package tensorboard is not installed.
    """

    def __init__(self, folder: str | Path, *, after: int | None = None) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as problem:
            raise ValueError(
                f"events for TensorBoard need a package ({problem}); pip install 'ganexplain[tensorboard]'"
            ) from problem
        purge = None if after is None else after + 1
        self.writer: Any = SummaryWriter(str(Path(folder) / FOLDER), purge_step=purge)

    def line(self, line: Mapping[str, Any]) -> None:
        """Write every number of a line, and an event's words."""
        for name, value in _numbers(line["kind"], line):
            self.writer.add_scalar(name, value, line["step"])
        if line["kind"] == "event":
            self.writer.add_text(f"event/{line['event']}", line["words"], line["step"])
        self.writer.flush()

    def picture(self, path: Path) -> None:
        """Write a sheet; its step is the number in its name."""
        import numpy as np
        from PIL import Image

        digits = path.stem.rpartition("-")[2]
        with Image.open(path) as sheet:
            pixels = np.asarray(sheet.convert("RGB"))
        self.writer.add_image("samples", pixels, int(digits) if digits.isdecimal() else None, dataformats="HWC")

    def close(self) -> None:
        """Put everything on the disk."""
        self.writer.close()


def _numbers(name: str, values: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(f"{name}/{key}", value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and key != "step":
            yield f"{name}/{key}", value
