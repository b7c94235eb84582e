"""The zip archives that PyTorch writes: numbers uncompressed and apart, found by the directory at the file's end."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from ganexplain.models.checkpoints.mapped import Mapped
from ganexplain.models.checkpoints.naming import UnreadableError

MAX_DIRECTORY = 32 * 2**20  # some 300,000 members; the largest public checkpoints have a few thousand
MAX_INFLATED = 64 * 2**20  # of all code in a program; TorchScript alone packs its code
END = b"PK\x05\x06"
AGAIN = "download or copy it again"


@dataclass(frozen=True)
class Archive:
    """The members of a zip archive whose bytes lie apart in the file.

    Attributes:
        data: the file's bytes, mapped.
        spans: begin and end of every member by its name without the archive's own folder.
        checks: the CRC-32 that the directory states for every member.
        packed: the sizes that packed members, which are code, state for what is in them.
    """

    data: memoryview
    spans: dict[str, tuple[int, int]]
    checks: dict[str, int]
    packed: dict[str, int]

    def view(self, name: str) -> memoryview:
        """The bytes of one member, not copied unless it is packed.

        Raises:
            UnreadableError: there is no such member, or a packed one holds more or less than it states.
        """
        if name not in self.spans:
            raise UnreadableError(f"lacks its part {name!r}; {AGAIN}")
        begin, end = self.spans[name]
        if name not in self.packed:
            return self.data[begin:end]
        size = self.packed[name]
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        content = inflate.decompress(self.data[begin:end], size + 1)
        if len(content) != size:
            raise UnreadableError(f"packs another size into its part {name!r} than it states; {AGAIN}")
        return memoryview(content)

    def intact(self, name: str) -> bool:
        """Whether a member's bytes have the checksum that the directory states."""
        return zlib.crc32(self.view(name)) == self.checks[name]


def opened(data: memoryview) -> Archive:
    """The archive in a file's bytes.

    Raises:
        UnreadableError: truncated, compressed, overlapping, repeated or too many members.
    """
    _bounded(data)
    try:
        with zipfile.ZipFile(Mapped(data)) as file:
            members = [m for m in file.infolist() if not m.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, struct.error, IndexError) as error:
        raise UnreadableError(f"is a damaged archive ({error}); {AGAIN}") from None
    spans = {m.filename: _span(data, m) for m in members}
    if len(spans) < len(members):
        raise UnreadableError(f"holds several parts of the same name; {AGAIN}")
    _apart([(m.header_offset, spans[m.filename][1], m.filename) for m in members])
    root = next((n.partition("/")[0] + "/" for n in spans if n.count("/") == 1 and n.endswith("/data.pkl")), "")
    inside = {m.filename.removeprefix(root): m for m in members}
    packed = {name: m.file_size for name, m in inside.items() if m.compress_type != zipfile.ZIP_STORED}
    if sum(packed.values()) > MAX_INFLATED:
        raise UnreadableError(f"packs code of {sum(packed.values())} bytes, more than the {MAX_INFLATED} that are read")
    checks = {name: m.CRC for name, m in inside.items()}
    return Archive(data, {name: spans[m.filename] for name, m in inside.items()}, checks, packed)


def _bounded(data: memoryview) -> None:
    """Refuse a directory that would fill memory; `zipfile` reads it whole."""
    tail = bytes(data[-(65535 + 22) :])
    place = tail.rfind(END)
    if place < 0 or len(tail) < place + 22:
        raise UnreadableError(f"is a cut archive: its directory at the end is missing; {AGAIN}")
    (size,) = struct.unpack_from("<L", tail, place + 12)
    end = len(data) - len(tail) + place
    if bytes(data[max(end - 20, 0) : end][:4]) == b"PK\x06\x07":  # beyond 4 GiB or 65,535 members
        (record,) = struct.unpack_from("<Q", data, end - 12)
        (size,) = struct.unpack_from("<Q", data, record + 40) if record + 56 <= len(data) else (size,)
    if size > MAX_DIRECTORY:
        raise UnreadableError(f"has a directory of {size} bytes, more than the {MAX_DIRECTORY} that are read")


def _span(data: memoryview, member: zipfile.ZipInfo) -> tuple[int, int]:
    """Where a member's bytes lie."""
    stored = member.compress_type == zipfile.ZIP_STORED and member.compress_size == member.file_size
    code = member.compress_type == zipfile.ZIP_DEFLATED and "/code/" in member.filename
    if not stored and not code:
        raise UnreadableError(
            f"holds the compressed part {member.filename[:200]!r}, which torch.save never writes; "
            "if it is a checkpoint packed into a zip, unpack it first"
        )
    if member.flag_bits & 1:
        raise UnreadableError(f"holds the encrypted part {member.filename[:200]!r}, which torch.save never writes")
    at = member.header_offset
    if at + 30 > len(data) or bytes(data[at : at + 4]) != b"PK\x03\x04":
        raise UnreadableError(f"is a damaged archive: {member.filename[:200]!r} is not where it should be; {AGAIN}")
    name, extra = struct.unpack_from("<HH", data, at + 26)
    begin = at + 30 + name + extra
    if begin + member.compress_size > len(data):
        raise UnreadableError(f"is cut in the middle of its part {member.filename[:200]!r}; {AGAIN}")
    return begin, begin + member.compress_size


def _apart(places: Sequence[tuple[int, int, str]]) -> None:
    """Refuse members that share bytes, by which a small file would claim to be a large one."""
    ordered = sorted(places)
    for (_, end, name), (begin, _, other) in zip(ordered, ordered[1:], strict=False):
        if begin < end:
            raise UnreadableError(
                f"holds the parts {name[:200]!r} and {other[:200]!r} in the same bytes; do not trust it"
            )
