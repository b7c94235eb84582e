"""What the directions of a generator's latent space mean."""

from __future__ import annotations

from typing import Any


def listing() -> dict[str, dict[str, dict[str, Any]]]:
    """Per kind of part and name: the first sentence of its docstring as ``summary``, and its ``facts``."""
    from ganexplain.latent.finders import FINDERS

    rows = {}
    for name in FINDERS.names():
        finder = FINDERS.get(name)
        summary = (finder.__doc__ or "").strip().partition("\n")[0]
        rows[name] = {"summary": summary, "facts": list(finder.facts)}
    return {"direction finders": rows}
