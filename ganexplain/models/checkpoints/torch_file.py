"""Files of torch.save, the zip archives of today and the streams of before 1.6: what they describe, unrun."""

from __future__ import annotations

import struct
import sys
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from ganexplain.models.checkpoints.archive import Archive
from ganexplain.models.checkpoints.machine import interpret
from ganexplain.models.checkpoints.naming import UnreadableError
from ganexplain.models.checkpoints.storages import SLACK, Storage, Store, storage

MAGIC = 0x1950A86A20F9469CFC6C  # the number at the head of every stream of torch.save before 1.6
PROTOCOL = 1001
MAX_PICKLE = 256 * 2**20  # of descriptions; the numbers themselves lie outside
TOO_LONG = (
    f"has a description of more than {MAX_PICKLE} bytes; save the weights alone, torch.save(net.state_dict(), path)"
)


def from_archive(archive: Archive) -> tuple[Any, Store]:
    """What a zip archive of torch.save describes, and the store of its numbers.

    Raises:
        UnreadableError: it holds something else than weights and settings.
    """
    described = archive.view("data.pkl")
    if len(described) > MAX_PICKLE:
        raise UnreadableError(TOO_LONG)
    order = bytes(archive.view("byteorder")) if "byteorder" in archive.spans else b"little"
    if order not in (b"little", b"big"):
        raise UnreadableError(
            f"states the byte order {order[:20]!r}, expected little or big; download or copy it again"
        )
    stored = interpret(BytesIO(described), storage)
    budget = 4 * len(archive.data) + SLACK  # four: half precision doubles, and tied weights count twice
    return stored, Store(lambda key: archive.view(f"data/{key}"), budget, order.decode() != sys.byteorder)


def from_stream(data: memoryview) -> tuple[Any, Store]:
    """What a file of torch.save before 1.6 describes, and the store of its numbers.

    Raises:
        UnreadableError: it is none, or holds something else than weights and settings.
    """
    stream = BytesIO(data[: MAX_PICKLE + 1])
    head = interpret(stream, storage), interpret(stream, storage)
    if head != (MAGIC, PROTOCOL):
        raise UnreadableError(
            "is a pickle that torch.save did not write; load it where it was made, if you trust it, and save the "
            "weights by torch.save(net.state_dict(), path)"
        )
    system = interpret(stream, storage)
    seen: dict[str, Storage] = {}

    def noted(saved: Any) -> Any:
        found = storage(saved)
        return seen.setdefault(found.key, found) if isinstance(found, Storage) and not found.start else found

    stored, keys = interpret(stream, noted), interpret(stream, storage)
    if stream.tell() > MAX_PICKLE:
        raise UnreadableError(TOO_LONG)
    big = isinstance(system, Mapping) and system.get("little_endian") is False
    spans = _spans(data, stream.tell(), keys, seen)
    return stored, Store(_member(data, spans), 4 * len(data) + SLACK, big != (sys.byteorder == "big"))


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
