"""The wire format of protocol buffers, as far as it takes to look into an ONNX file without running anything."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ganexplain.models.checkpoints.naming import UnreadableError

CUT = "is a damaged ONNX file; download or copy it again"


def fields(message: Any) -> Iterator[tuple[int, Any]]:
    """Number and value of every field of a message: bytes for what has a length, integers else.

    Source: https://protobuf.dev/programming-guides/encoding/

    Raises:
        UnreadableError: the bytes are no message.
    """
    if not isinstance(message, memoryview):
        raise UnreadableError(CUT)
    at = 0
    while at < len(message):
        key, at = _number(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _number(message, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _number(message, at)
        else:
            size = {1: 8, 5: 4}.get(kind, -1)
        if size < 0 or at + size > len(message):
            raise UnreadableError(CUT)
        yield key >> 3, message[at : at + size]
        at += size


def _number(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(message) and shift < 70:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise UnreadableError(CUT)


def text(value: Any) -> str:
    """A field's bytes as text."""
    return bytes(value).decode("utf-8", "replace") if isinstance(value, memoryview | bytes) else ""
