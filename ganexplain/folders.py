"""Folders of results that appear whole or not at all, and are replaced only by their own kind."""

from __future__ import annotations

import fnmatch
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Kind:
    """What a folder of results holds.

    Attributes:
        noun: what it is called in an error, with its article.
        index: the JSON file that says what the folder is.
        mark: the value of ``kind`` in it.
        files: patterns of every file that it may hold, relative to the folder.
    """

    noun: str
    index: str
    mark: str
    files: tuple[str, ...]


def check(folder: str | Path, kind: Kind, *, overwrite: bool = False) -> Path:
    """Refuse a folder that cannot take results of this kind, before anything is computed.

    Raises:
        ValueError: it is a file, holds such results and ``overwrite`` is false, or holds anything else.
        PermissionError: it cannot be written.
    """
    folder = Path(folder)
    parent = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    if not parent.is_dir():
        raise ValueError(f"{kind.noun} is a folder, and {parent} is a file; name another folder")
    place = folder.absolute().parent if folder.exists() else parent
    try:  # rights alone do not tell: root may write anywhere, but not on a file system that takes nothing
        os.rmdir(tempfile.mkdtemp(dir=place))
    except OSError as error:
        raise PermissionError(f"the folder {place} cannot be written ({error.strerror}); name another one") from error
    if not folder.exists():
        return folder
    if foreign := _foreign(folder, kind):
        raise ValueError(f"{folder} holds something that is not {kind.noun} ({foreign!r}); name another folder")
    if any(folder.iterdir()) and not overwrite:
        raise ValueError(f"{folder} already holds {kind.noun}; name another folder, or overwrite it (--overwrite)")
    return folder


def _foreign(folder: Path, kind: Kind) -> str:
    """A file that no folder of this kind has, or any file where the index is none; nothing if the folder is empty."""
    inside = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir() or p.is_symlink())
    extra = [name for name in inside if not any(_fits(name, pattern) for pattern in kind.files)]
    if extra or not inside:
        return extra[0] if extra else ""
    return "" if _is(folder / kind.index, kind) else inside[0]


def _fits(name: str, pattern: str) -> bool:
    return name.count("/") == pattern.count("/") and fnmatch.fnmatchcase(name, pattern)  # a star crosses no folder


def _is(path: Path, kind: Kind) -> bool:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("kind") == kind.mark


def write(folder: str | Path, files: Mapping[str, bytes], kind: Kind, *, overwrite: bool = False) -> Path:
    """Write files (relative path to bytes) into a new folder: all are there, or none.

    They are written beside ``folder`` first; older results are moved away, and deleted once the new ones are in place.

    Raises:
        ValueError: see `check`.
        OSError: the disk is full or cannot be written; older results are then untouched.
    """
    folder = check(folder, kind, overwrite=overwrite)
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
