"""Files of torch.save (archives of today, streams of before 1.6) and plain pickles: what they describe, unrun."""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping
from typing import Any

from ganexplain.models.checkpoints.archive import Archive
from ganexplain.models.checkpoints.machine import interpret
from ganexplain.models.checkpoints.mapped import Mapped
from ganexplain.models.checkpoints.naming import UnreadableError
from ganexplain.models.checkpoints.storages import SLACK, Storage, Store, storage

MAGIC = 0x1950A86A20F9469CFC6C  # the number at the head of every stream of torch.save before 1.6
PROTOCOL = 1001


def from_archive(archive: Archive) -> tuple[Any, Store]:
    """What a zip archive of torch.save describes, and the store of its numbers.

    Raises:
        UnreadableError: it holds something else than weights and settings.
    """
    order = bytes(archive.view("byteorder")) if "byteorder" in archive.spans else b"little"
    if order not in (b"little", b"big"):
        raise UnreadableError(
            f"states the byte order {order[:20]!r}, expected little or big; download or copy it again"
        )
    stored = interpret(Mapped(archive.view("data.pkl")), storage)
    budget = 4 * len(archive.data) + SLACK  # four: half precision doubles, and tied weights count twice
    return stored, Store(lambda key: archive.view(f"data/{key}"), budget, order.decode() != sys.byteorder)


def from_stream(data: memoryview) -> tuple[Any, Store]:
    """What a file of torch.save before 1.6 describes, or a plain pickle, and the store of its numbers.

    Raises:
        UnreadableError: it is damaged, or holds something else than weights and settings.
    """
    stream = Mapped(data)
    first = interpret(stream, storage)
    budget = 4 * len(data) + SLACK
    if first != MAGIC:
        return first, Store(_member(data, {}), budget, inner=_held)
    if interpret(stream, storage) != PROTOCOL:
        raise UnreadableError("was written by a torch.save that is unknown here; save it again by today's PyTorch")
    system = interpret(stream, storage)
    seen: dict[str, Storage] = {}

    def noted(saved: Any) -> Any:
        found = storage(saved)
        return seen.setdefault(found.key, found) if isinstance(found, Storage) and not found.start else found

    stored, keys = interpret(stream, noted), interpret(stream, storage)
    big = isinstance(system, Mapping) and system.get("little_endian") is False
    spans = _spans(data, stream.tell(), keys, seen)
    return stored, Store(_member(data, spans), budget, big != (sys.byteorder == "big"))


def _held(raw: Any) -> tuple[Storage, Store]:
    """The storage that a plain pickle keeps as the bytes of a file of its own."""
    raw = raw.encode("latin1") if isinstance(raw, str) else raw
    found, store = from_stream(memoryview(raw))
    if not isinstance(found, Storage):
        raise UnreadableError("keeps something else than numbers where numbers should be; do not trust it")
    return found, store


def _spans(data: memoryview, at: int, keys: Any, seen: Mapping[str, Storage]) -> dict[str, tuple[int, int]]:
    """Where the numbers of every storage lie: one after the other, each behind its count."""
    spans: dict[str, tuple[int, int]] = {}
    for key in keys if isinstance(keys, list) else []:
        run = seen.get(str(key))
        if run is None or at + 8 > len(data):
            raise UnreadableError("is cut in the middle of its numbers; download or copy it again")
        (count,) = struct.unpack_from("<q", data, at)
        end = at + 8 + count * run.dtype.itemsize
        if count < 0 or end > len(data):
            raise UnreadableError("is cut in the middle of its numbers; download or copy it again")
        spans[str(key)] = at + 8, end
        at = end
    return spans


def _member(data: memoryview, spans: Mapping[str, tuple[int, int]]) -> Any:
    def member(key: str) -> memoryview:
        if key not in spans:
            raise UnreadableError("refers to numbers that it does not hold; download or copy it again")
        begin, end = spans[key]
        return data[begin:end]

    return member
