"""Which network a file of weights belongs to, told from names and shapes. One layout a file; its stem is its name."""

from __future__ import annotations

from typing import Any

from ganexplain.models.foreign._layout import Found, Layout, likeliest, recognised
from ganexplain.registry import Registry

LAYOUTS: Registry[type[Layout]] = Registry("ganexplain.models.foreign", "layout")


def listing() -> dict[str, dict[str, dict[str, Any]]]:
    """Per layout: the first line of its docstring as ``summary``, and what ``[architecture]`` may set as ``facts``."""
    rows = {}
    for name in LAYOUTS.names():
        layout = LAYOUTS.get(name)
        summary = (layout.__doc__ or "").strip().partition("\n")[0]
        rows[name] = {"summary": summary, "facts": [f"options {', '.join(layout.options)}"] if layout.options else []}
    return {"layouts of other people's models": rows}


__all__ = ["LAYOUTS", "Found", "Layout", "likeliest", "listing", "recognised"]
