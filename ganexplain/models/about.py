"""Where a model that was opened from a file came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganexplain.models.spec import Spec


@dataclass(frozen=True)
class About:
    """Where a model came from, and what was assumed.

    Attributes:
        path: the file.
        network: the network's name in it, "" where it has none.
        layout: name of the layout, or the format of a program ("torchscript", "onnx").
        lines: the architecture in a few readable lines.
        unknown: what the file cannot say, and what was assumed in its place.
        spec: what was said, read and assumed.
        notes: what a reader must know, one sentence each.
        reread: opens the same network with another spec.
    """

    path: Path
    network: str
    layout: str
    lines: tuple[str, ...]
    unknown: Mapping[str, str]
    spec: Spec
    notes: tuple[str, ...] = ()
    reread: Callable[[Spec], Any] = field(repr=False, compare=False, default=lambda spec: None)

    @property
    def text(self) -> str:
        """All of it for a person."""
        name = f", network {self.network!r}" if self.network else ""
        assumed = [f"not in the file: {what}: {said}" for what, said in self.unknown.items()]
        return "\n".join([f"{self.path.name}{name}, layout {self.layout}", *self.lines, *assumed, *self.notes])

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON, without the folder."""
        return {
            "file": self.path.name,
            "network": self.network,
            "layout": self.layout,
            "architecture": list(self.lines),
            "assumed": dict(self.unknown),
            "spec": self.spec.to_dict(),
            "notes": list(self.notes),
        }
