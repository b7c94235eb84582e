"""A file's bytes, mapped, read as a stream: nothing is copied but what is asked for, and never more than there is."""

from __future__ import annotations

import io

LONGEST_LINE = 65536  # of the names in a pickle; damaged bytes may hold no end of a line at all


class Mapped(io.RawIOBase):
    """A stream over bytes that lie in memory or in a mapped file.

    Args:
        data: the bytes.
    """

    def __init__(self, data: memoryview) -> None:
        self.data, self.at = data, 0

    def seekable(self) -> bool:
        """Any place can be gone to."""
        return True

    def tell(self) -> int:
        """The place of the next byte."""
        return self.at

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, as in any file.

        Raises:
            OSError: the place lies before the first byte.
        """
        place = offset + (0, self.at, len(self.data))[whence]
        if place < 0:
            raise OSError("a place before the file")
        self.at = place
        return place

    def read(self, size: int | None = -1) -> bytes:
        """The next ``size`` bytes, fewer at the end; all that follow without a size."""
        end = len(self.data) if size is None or size < 0 else min(self.at + size, len(self.data))
        piece = bytes(self.data[self.at : end])
        self.at += len(piece)
        return piece

    def readline(self, size: int | None = -1) -> bytes:
        """The bytes up to the end of the line, at most ``size`` or `LONGEST_LINE`."""
        bound = LONGEST_LINE if size is None or size < 0 else size
        line, end, _ = bytes(self.data[self.at : self.at + bound]).partition(b"\n")
        self.at += len(line) + len(end)
        return line + end
