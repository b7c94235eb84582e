"""A folder that appears whole or not at all, names that stay inside it, and archives without a date."""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import shutil
import unicodedata
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

KIND = "ganexplain.report"  # what report.json says of itself
PAGE, DATA, RUN, ARRAYS = "index.html", "report.json", "run.json", "arrays"
OWN = {PAGE, DATA, RUN, ARRAYS}
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


def check_folder(folder: str | Path, *, overwrite: bool = False) -> Path:
    """Refuse a folder that cannot take a report, before anything is computed.

    Raises:
        ValueError: it is a file, holds a report and ``overwrite`` is false, or holds anything that is no report.
        PermissionError: it cannot be written.
    """
    folder = Path(folder)
    parent = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not parent.is_dir():
        raise ValueError(f"a report is a folder, and {parent} is a file; name another folder")
    place = folder.absolute().parent if folder.exists() else parent
    if not os.access(place, os.W_OK | os.X_OK):
        raise PermissionError(f"the folder {place} cannot be written; name another one")
    if not folder.exists():
        return folder
    inside = {p.name for p in folder.iterdir()}
    if foreign := _foreign(folder, inside):
        raise ValueError(f"{folder} holds something that is no report ({foreign!r}); name another folder")
    if inside and not overwrite:
        raise ValueError(f"{folder} already holds a report; name another folder, or overwrite it (--overwrite)")
    return folder


def _foreign(folder: Path, inside: set[str]) -> str:
    """A file that no report has, or any file where there is no report at all; nothing if the folder is empty."""
    extra = sorted(inside - OWN) + sorted(str(p.name) for p in folder.glob(f"{ARRAYS}/*") if p.suffix != ".npz")
    if inside and not extra and not _is_report(folder / DATA):
        return min(inside)
    return extra[0] if extra else ""


def _is_report(path: Path) -> bool:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("kind") == KIND


def write_folder(folder: str | Path, files: Mapping[str, bytes], *, overwrite: bool = False) -> Path:
    """Write files (relative path to bytes) into a new folder: all are there, or none.

    They are written beside ``folder`` first; an older report is moved away, and deleted once the new one is in place.

    Raises:
        ValueError: see `check_folder`.
        OSError: the disk is full or cannot be written; an older report is then untouched.
    """
    folder = check_folder(folder, overwrite=overwrite)
    folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    place = folder.resolve() if folder.is_symlink() else folder.absolute()
    fresh = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    old = fresh.with_name(f"{fresh.name}.old")
    try:
        for name, payload in files.items():
            path = fresh / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(payload)
        if place.exists():
            os.replace(place, old)
        os.replace(fresh, place)
    except BaseException:
        if old.exists() and not place.exists():
            os.replace(old, place)
        raise
    finally:
        for left in (fresh, old):
            shutil.rmtree(left, ignore_errors=True)
    return folder
