"""What a report's folder holds, names that stay inside it, and archives without a date."""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ganexplain import folders

KIND = "ganexplain.report"  # what report.json says of itself
PAGE, DATA, RUN, ARRAYS = "index.html", "report.json", "run.json", "arrays"
REPORT = folders.Kind("a report", DATA, KIND, (PAGE, DATA, RUN, f"{ARRAYS}/*.npz"))
LONGEST = 80  # characters of a file name
DEVICES = {"con", "prn", "aux", "nul", *(f"{d}{i}" for d in ("com", "lpt") for i in range(1, 10))}  # on Windows


def safe_names(names: Sequence[str]) -> list[str]:
    """A file name without suffix for each name: letters, digits, dot, dash and underscore, unique whatever the case.

    >>> safe_names(["../../x.png", "x.png", "X.png", "<img>", ""])
    ['x', 'x-2', 'X-3', 'img', 'image']
    """
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
        stem = re.sub(r"\.\w{1,5}$", "", re.split(r"[/\\]", plain)[-1])
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip(".-_")[:LONGEST] or "image"
        stem = f"{stem}-image" if stem.lower() in DEVICES else stem
        unique, count = stem, 1
        while unique.lower() in taken:
            count += 1
            unique = f"{stem}-{count}"
        taken.add(unique.lower())
        found.append(unique)
    return found


def npz(arrays: Mapping[str, np.ndarray[Any, Any]]) -> bytes:
    """The bytes of a compressed .npz; `numpy.savez` would write the time of day into it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # else the archive differs between Windows and the rest
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, member.getvalue())
    return file.getvalue()
