"""HTML pages that need nothing else: pictures inside, every text escaped, no script."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment


def templates(folder: Path, *, lstrip_blocks: bool = False) -> Environment:
    """The templates of a folder; every text is escaped, and a name that nothing fills is an error.

    Args:
        folder: of the templates.
        lstrip_blocks: whether the indentation of a block's line is left out.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=lstrip_blocks,
    )


def inlined(pictures: Mapping[str, bytes]) -> dict[str, str]:
    """Addresses that hold the PNG bytes themselves, by name.

    >>> inlined({"a.png": b"abc"})
    {'a.png': 'data:image/png;base64,YWJj'}
    """
    return {name: "data:image/png;base64," + base64.b64encode(data).decode() for name, data in pictures.items()}
