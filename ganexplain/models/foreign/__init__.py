"""Which network a file of weights belongs to, told from names and shapes. One layout a file; its stem is its name."""

from __future__ import annotations

from ganexplain.models.foreign._layout import Found, Layout, recognised
from ganexplain.registry import Registry

LAYOUTS: Registry[type[Layout]] = Registry("ganexplain.models.foreign", "layout")

__all__ = ["LAYOUTS", "Found", "Layout", "recognised"]
