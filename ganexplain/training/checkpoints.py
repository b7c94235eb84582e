"""Checkpoints: written whole or not at all, checked when read, with an older one to fall back to.

A checkpoint is one file of ``torch.save`` that holds tensors, numbers, strings, lists and mappings alone. Its name ends
in the hash of its content, so that a file proves itself even where ``latest.json``, the list of the files, is damaged.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import torch

from ganexplain import checks, store
from ganexplain.training.plain import plain, unpacked

SCHEMA = 1
KIND = "ganexplain checkpoint"
MAX_BYTES = 64 * 2**30  # more than any state that this project writes; guards against a mistaken or hostile file
MAX_LIST_BYTES = 2**20
LIST = "latest.json"
NAME = re.compile(r"step-(\d{9,18})-([0-9a-f]{16})\.pt")
UNFINISHED = ".unfinished"
PIECE = 2**20


@dataclass(frozen=True, order=True)
class _File:
    """A checkpoint on disk: its step and the start of the sha256 of its content."""

    step: int
    digest: str

    @property
    def name(self) -> str:
        return f"step-{self.step:09d}-{self.digest}.pt"


class Checkpoints:
    """The checkpoints of one run: the last few and the best.

    Args:
        folder: where they lie; made at the first `save`.
        keep: how many of the last ones are kept, at least 1; above 1, a damaged one costs no more than an interval.
    """

    def __init__(self, folder: str | Path, keep: int = 3) -> None:
        self.folder, self.keep = Path(folder), int(checks.positive(keep, "keep"))

    def steps(self) -> list[int]:
        """The steps of the files that are there, from the oldest; damaged ones among them."""
        return [file.step for file in self._files()]

    @property
    def best(self) -> int | None:
        """The step of the best one, or None where none was marked."""
        marked = self._best(self._listed([]))
        return marked.step if marked else None

    def save(self, state: Mapping[str, Any], step: int, *, best: bool = False) -> Path:
        """Write the state of ``step``; whatever happens meanwhile, the older checkpoints stay until it is on the disk.

        Args:
            state: nested mappings and lists of tensors, numbers, strings and None.
            step: its number; checkpoints of later steps, of a future that is given up, are removed.
            best: marks it as the one to keep however many come after it, instead of the one so marked before.

        Raises:
            TypeError: something in ``state`` that could not be read back without running code.
            OSError: the disk is full or cannot be written.
        """
        if not 0 <= step < 10**18:
            raise ValueError(f"step must be a number from 0, got {step}")
        content = {"kind": KIND, "schema": SCHEMA, "step": int(step), "state": plain(state, "state")}
        before = self._files()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            file, record = self._write(content, step)
            marked = file if best else self._best(self._listed([]))
            past = [f for f in before if f.step < step]
            kept = sorted({*[*past, file][-self.keep :], *([marked] if marked in past else []), file})
            self._list(kept, record, marked)
        except OSError as problem:
            stay = f"; that of step {before[-1].step} is kept" if before else ""
            raise OSError(
                f"the checkpoint of step {step} could not be written to {self.folder} ({problem}){stay}"
            ) from problem
        for old in {f.name for f in before} - {f.name for f in kept}:
            (self.folder / old).unlink(missing_ok=True)
        return self.folder / file.name

    def load(self) -> tuple[dict[str, Any], list[str]] | None:
        """The newest state that is as it was saved, and a note for every file that is not; None where there is none.

        Raises:
            ValueError: every file is damaged, or the newest intact one is of another version.
        """
        notes: list[str] = []
        listed, files = self._listed(notes), self._files()
        there = {file.name for file in files}
        notes += [f"checkpoint {name} is missing; it is passed over" for name in listed if name not in there]
        for file in reversed(files):
            if problem := self._damage(file, listed.get(file.name, {})):
                notes.append(f"checkpoint {file.name} is damaged ({problem}); it is passed over")
            else:
                return self._read(file), notes
        if not notes:
            return None
        raise ValueError(
            f"no checkpoint in {self.folder} can be read: {'; '.join(notes)}; put a copy back, or start anew"
        )

    def read(self, name: str) -> dict[str, Any]:
        """The state in one file of the folder.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it is damaged, or no checkpoint.
        """
        match = NAME.fullmatch(name)
        if match is None:
            raise ValueError(f"{name} is not the name of a checkpoint, such as step-000001000-0123456789abcdef.pt")
        if not (self.folder / name).is_file():
            raise FileNotFoundError(f"no checkpoint {self.folder / name}")
        file = _File(int(match[1]), match[2])
        if problem := self._damage(file, self._listed([]).get(name, {})):
            raise ValueError(f"checkpoint {self.folder / name} is damaged ({problem}); name another one")
        return self._read(file)

    def path(self, step: int) -> Path:
        """The file of a step.

        Raises:
            ValueError: there is none.
        """
        for file in reversed(self._files()):
            if file.step == step:
                return self.folder / file.name
        raise ValueError(f"there is no checkpoint of step {step} in {self.folder}, there are {self.steps()}")

    def _files(self) -> list[_File]:
        if not self.folder.is_dir():
            return []
        found = (NAME.fullmatch(path.name) for path in self.folder.iterdir())
        return sorted(_File(int(match[1]), match[2]) for match in found if match)

    def _write(self, content: dict[str, Any], step: int) -> tuple[_File, dict[str, Any]]:
        """The file under its final name, on the disk, and its line of the list."""
        for pattern in (f"*{UNFINISHED}", f".{LIST}.*"):  # left by a process that was killed
            for left in self.folder.glob(pattern):
                left.unlink(missing_ok=True)
        fresh = self.folder / f"step-{step:09d}.{os.getpid()}{UNFINISHED}"
        try:
            with fresh.open("wb") as handle:
                sink = _Sink(handle)
                torch.save(content, cast(IO[bytes], sink))
                sink.check()
                handle.flush()
                os.fsync(handle.fileno())
            file = _File(step, sink.sha256.hexdigest()[:16])
            os.replace(fresh, self.folder / file.name)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        _sync(self.folder)
        return file, {"step": step, "bytes": sink.bytes, "sha256": sink.sha256.hexdigest()}

    def _list(self, kept: list[_File], record: dict[str, Any], best: _File | None) -> None:
        """Write ``latest.json``: per kept file step, bytes and sha256."""
        listed = self._listed([])
        lines = {f.name: listed.get(f.name, {"step": f.step}) for f in kept}
        newest = kept[-1].name
        lines[newest] = record
        marked = best.name if best in kept else None
        value = {"kind": f"{KIND}s", "schema": SCHEMA, "latest": newest, "best": marked, "files": lines}
        store.write_json(self.folder / LIST, value)
        _sync(self.folder)

    def _listed(self, notes: list[str]) -> dict[str, dict[str, Any]]:
        """The lines of ``latest.json`` by file name, each with ``best``; a note where it cannot be read."""
        path = self.folder / LIST
        if not path.exists():
            return {}
        try:
            if path.stat().st_size > MAX_LIST_BYTES:
                raise ValueError(f"it has more than {MAX_LIST_BYTES} bytes")
            found = json.loads(path.read_bytes())
            return {str(n): {**line, "best": n == found["best"]} for n, line in found["files"].items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
            notes.append(
                f"{path} is damaged ({' '.join(str(problem).split())[:100]}); which checkpoint was best is lost"
            )
            return {}

    def _best(self, listed: dict[str, dict[str, Any]]) -> _File | None:
        return next((f for f in self._files() if listed.get(f.name, {}).get("best")), None)

    def _damage(self, file: _File, line: dict[str, Any]) -> str:
        """What is wrong with a file, in words; empty where its bytes are those that were written."""
        path = self.folder / file.name
        size = path.stat().st_size
        if size > MAX_BYTES:
            return f"{size} bytes, more than the {MAX_BYTES} that are read"
        if size != line.get("bytes", size):
            return f"{size} bytes of {line['bytes']}"
        digest = hashlib.sha256()
        with path.open("rb") as handle:
            while piece := handle.read(PIECE):
                digest.update(piece)
        return "" if digest.hexdigest()[:16] == file.digest else "its sha256 is not that of what was written"

    def _read(self, file: _File) -> dict[str, Any]:
        path = self.folder / file.name
        content = unpacked(path)
        with store.reading(path, "checkpoint"):
            if content["kind"] != KIND:
                raise ValueError(f"{path} holds {content['kind']!r}, expected a {KIND}")
            if content["schema"] != SCHEMA:
                raise ValueError(
                    f"{path} was written by another version (schema {content['schema']}, this reads {SCHEMA}); "
                    "resume with that version of ganexplain, or start anew"
                )
            state: dict[str, Any] = content["state"]
            return state


class _Sink:
    """What `torch.save` writes into: passes on to a file and hashes; the first error is kept until `check`.

    An error raised inside torch's writer comes out as another one, and without its errno.
    """

    def __init__(self, handle: Any) -> None:
        self.handle, self.sha256, self.bytes = handle, hashlib.sha256(), 0
        self.problem: OSError | None = None

    def write(self, piece: Any) -> int:
        view = memoryview(piece)
        if self.problem is None:
            try:
                self.handle.write(view)
            except OSError as problem:
                self.problem = problem
            self.sha256.update(view)
            self.bytes += view.nbytes
        return view.nbytes

    def flush(self) -> None:
        """Nothing: the file is flushed once it is whole."""

    def check(self) -> None:
        """Raise the first error."""
        if self.problem:
            raise self.problem


def _sync(folder: Path) -> None:
    """Put the names in a folder on the disk, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
