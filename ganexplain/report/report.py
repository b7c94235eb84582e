"""The report: one page that needs nothing else, the same as JSON, and the arrays behind it."""

from __future__ import annotations

import base64
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ganexplain import __version__, folders, pages, store
from ganexplain.explanation import Explanation
from ganexplain.report import content, facets, files, pictures
from ganexplain.report.directions import Discovery

EXTRAS = {  # pictures of a domain that are folded away, with what they show
    "frequency": (
        ("spectrum", "The spectrum: where in it the values lie"),
        ("profile", "The power at each frequency, beside the known reals"),
    ),
}
LIBRARIES = ("torch", "numpy", "scipy", "scikit-image", "captum", "matplotlib")


class Report:
    """What is handed to the person whose image was judged.

    Args:
        explanations: one an image; those that are interrupted are marked.
        model: what the judge is called.
        directions: latent directions of the generator, shown after the images.
        command: how to make this report again.
        planned: how many images were to be explained, if more than there are.

    The same explanations give the same bytes of page, JSON and arrays; what differs from run to run is in ``run.json``.
    """

    def __init__(
        self,
        explanations: Sequence[Explanation],
        *,
        model: str = "",
        directions: Discovery | None = None,
        command: str = "",
        planned: int | None = None,
    ) -> None:
        self.explanations = tuple(explanations)
        if not self.explanations and directions is None:
            raise ValueError("a report needs at least one explanation, or directions")
        self.model, self.directions, self.command, self.planned = model, directions, command, planned

    @cached_property
    def document(self) -> dict[str, Any]:
        """What ``report.json`` holds; ``report/schema.json`` says what each field means."""
        return content.document(
            self.explanations,
            model=self.model,
            directions=self.directions,
            command=self.command,
            planned=self.planned,
        )

    def save(self, folder: str | Path, *, overwrite: bool = False, run: Mapping[str, Any] | None = None) -> Path:
        """Write ``index.html``, ``report.json``, ``arrays/NAME.npz`` and ``run.json``: all of them, or nothing.

        Args:
            folder: a new or empty folder, or an older report if ``overwrite``.
            overwrite: replace an older report. What is no report is never replaced.
            run: what else to note in ``run.json``, such as seconds and paths.

        Returns:
            The path of the page.

        Raises:
            ValueError: the folder holds a report and ``overwrite`` is false, or something else.
            PermissionError: it cannot be written.
        """
        folders.check(folder, files.REPORT, overwrite=overwrite)
        made = {
            files.PAGE: self.html().encode("utf-8", "replace"),
            files.DATA: store.json_bytes(self.document, sort_keys=False),  # methods stay in the order of the plan
            files.RUN: store.json_bytes(_run(run or {})),
        }
        for explanation, entry in zip(self.explanations, self.document["explanations"], strict=True):
            made[entry["arrays"]] = files.npz(content.arrays(explanation))
        return folders.write(folder, made, files.REPORT, overwrite=overwrite) / files.PAGE

    def html(self) -> str:
        """The page: no script, nothing loaded from elsewhere, every text escaped."""
        return self._rendered("page.html")

    def fragment(self) -> str:
        """The explanations without the frame of a page, for a notebook."""
        return self._rendered("fragment.html")

    def _rendered(self, template: str) -> str:
        environment = pages.templates(Path(__file__).parent / "templates", lstrip_blocks=True)
        environment.filters["told"] = _told
        shown = {"doc": self.document, "pictures": self._pictures, "numbered": pictures.NUMBERED, **_filters()}
        return environment.get_template(template).render(shown)

    @cached_property
    def _pictures(self) -> dict[str, Any]:
        entries = self.document["explanations"]
        drawn = [pictures.pictures(e, entry) for e, entry in zip(self.explanations, entries, strict=True)]
        return {
            "explanations": [{name: _inline(p) for name, p in row.items()} for row in drawn],
            "mapped": [pictures.mapped(e) for e in self.explanations],
            "thumbnails": [_thumbnail(e) for e in self.explanations],
            "directions": None if self.directions is None else _inline(pictures.directions_picture(self.directions)),
        }

    def _repr_html_(self) -> str:
        return self.fragment()

    def __repr__(self) -> str:
        return f"Report({self.document['title']!r})"


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on; nothing of the machine."""
    found = {"ganexplain": __version__, "python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _filters() -> dict[str, Any]:
    from ganexplain.figures import style
    from ganexplain.report import coordinates, words

    questions, order = words.QUESTIONS, list(words.QUESTIONS)
    return {
        "number": words.number,
        "percent": words.percent,
        "signless": style.signless,
        "judged": words.judged,
        "questions": questions,
        "order": order,
        "most": coordinates.MOST,
        "facet_extras": lambda domain: EXTRAS.get(domain, ()),
    }


def _told(text: str, place: str) -> str:
    """A sentence on regions and images as it reads for a form, or for a domain."""
    from ganexplain.models.forms import told

    return facets.told(text, place) if place in facets.PARTS else told(text, place)


def _run(more: Mapping[str, Any]) -> dict[str, Any]:
    return {"time": datetime.now(UTC).isoformat(timespec="seconds"), "versions": versions(), **more}


def _thumbnail(explanation: Explanation) -> str | None:
    from ganexplain.report import plots

    images = explanation.form.name == "images"
    png = pictures.thumbnail(explanation.image[0]) if images else plots.small(explanation)
    return None if png is None else _uri(png)


def _inline(picture: pictures.Picture) -> dict[str, str]:
    return {"src": _uri(picture.png), "alt": picture.alt}


def _uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()
