"""An examination as a folder: ``doctor.json``, a page that needs nothing else, and its figures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganexplain import folders, pages
from ganexplain.evaluation.doctor.examination import Examination

FOLDER = folders.Kind("an examination", "doctor.json", "doctor", ("doctor.json", "index.html", "*.png"))
TITLES = {
    "logits.png": "What the critic says of each kind",
    "readings.png": "Read in other ways",
    "layers.png": "What BatchNorm layers are fed, beside what they saw in training",
    "seen.png": "The images as the network reads them",
    "samples.png": "Samples, and real images beside them",
}
ORDER = {"fail": 0, "warn": 1, "ok": 2, "not applicable": 3}


def write(result: Examination, folder: str | Path, *, overwrite: bool = False, after: str = "") -> Path:
    """Write an examination with its figures; see `ganexplain.folders.write` for errors.

    Args:
        result: what was found.
        folder: where to.
        overwrite: replace an older examination.
        after: a sentence on what repairing changed, for the page.
    """
    pictures = figures(result)
    document = {"kind": FOLDER.mark, **result.to_dict(), "figures": list(pictures), "after": after}
    text = json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n"
    files = {"doctor.json": text.encode(), "index.html": page(document, pictures).encode(), **pictures}
    return folders.write(folder, files, FOLDER, overwrite=overwrite)


def figures(result: Examination) -> dict[str, bytes]:
    """PNG bytes by file name, of what there is to draw."""
    from ganexplain.figures import doctor, style

    seen, found = result.evidence, {}
    if seen.logits:
        found["logits.png"] = doctor.logits_figure(seen.logits, seen.threshold, seen.unit)
    if seen.areas or seen.fits:
        found["readings.png"] = doctor.readings_figure(seen.areas, seen.fits)
    if len(seen.layers) > 1:
        found["layers.png"] = doctor.layers_figure(seen.fits, seen.layers)
    if seen.seen is not None and result.subject == "generator":
        found["samples.png"] = doctor.rows_figure(seen.seen, seen.given, ("reals", "samples"))
    elif seen.seen is not None:
        found["seen.png"] = doctor.seen_figure(seen.seen, seen.span, seen.given)
    return {name: style.png(figure) for name, figure in found.items()}


def page(document: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """HTML with the pictures inside it; every text is escaped, and there is no script.

    Args:
        document: what ``doctor.json`` holds.
        pictures: PNG bytes by file name.
    """
    environment, images = pages.templates(Path(__file__).parent), pages.inlined(pictures)
    ranked = sorted(document["findings"], key=lambda finding: ORDER[finding["status"]])
    return environment.get_template("page.html.j2").render(doc=document, images=images, titles=TITLES, findings=ranked)
