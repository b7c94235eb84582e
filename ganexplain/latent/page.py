"""The page of a set of directions: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganexplain import pages
from ganexplain.latent.comparison import figure_of
from ganexplain.models.forms import told


def page(document: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """HTML with the pictures inside it; every text is escaped, and there is no script.

    Args:
        document: what ``directions.json`` holds.
        pictures: PNG bytes by file name.
    """
    environment, images = pages.templates(Path(__file__).parent), pages.inlined(pictures)
    environment.filters["told"] = told
    first = document["directions"][0]
    shown = {"headings": list(first["figures"]), "measured": first["strength"] is not None, "figure": figure_of}
    return environment.get_template("page.html.j2").render(doc=document, images=images, **shown)
