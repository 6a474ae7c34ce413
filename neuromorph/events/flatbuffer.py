"""The few reads of FlatBuffers that AEDAT 4 needs, each within the buffer or an error.

The package ``flatbuffers`` trusts its buffer, and so do the readers of AEDAT 4 that were tried: on a damaged file one
of them ends the process.
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from neuromorph.errors import TraceError


class Table:
    """The root table of a buffer (without the length before it).

    Parameters
    ----------
    buffer : bytes
    identifier : bytes
        The four letters that tell which schema it follows.

    Raises
    ------
    TraceError
        If they are others, or an offset leaves the buffer; likewise from every method.
    """

    def __init__(self, buffer: bytes, identifier: bytes) -> None:
        self._buffer = buffer
        if buffer[4:8] != identifier:
            raise TraceError(f"a buffer is marked {buffer[4:8]!r}, not {identifier!r}; the file is damaged")
        self._at = self._int("<I", 0)
        fields = self._at - self._int("<i", self._at)
        size = self._int("<H", fields)
        self._offsets = [self._int("<H", fields + at) for at in range(4, size, 2)]

    def number(self, field: int, form: str, default: int) -> int:
        """A number of the struct ``form``; ``default`` where the table leaves it out."""
        at = self._place(field)
        return default if at is None else self._int(form, at)

    def text(self, field: int) -> str:
        """A string, empty where the table leaves it out."""
        return self.vector(field, np.dtype(np.uint8)).tobytes().decode("utf-8", "replace")

    def vector(self, field: int, dtype: np.dtype[np.void] | np.dtype[np.uint8]) -> npt.NDArray[np.void | np.uint8]:
        """A vector of structs, empty where the table leaves it out."""
        at = self._place(field)
        if at is None:
            return np.empty(0, dtype)
        at += self._int("<I", at)
        count = self._int("<I", at)
        if at + 4 + count * dtype.itemsize > len(self._buffer):
            raise TraceError(f"a vector of {count} entries does not fit its buffer of {len(self._buffer)} bytes")
        return np.frombuffer(self._buffer, dtype, count, at + 4)

    def _place(self, field: int) -> int | None:
        offset = self._offsets[field] if field < len(self._offsets) else 0
        return self._at + offset if offset else None

    def _int(self, form: str, at: int) -> int:
        if not 0 <= at <= len(self._buffer) - struct.calcsize(form):
            raise TraceError(f"an offset to byte {at} leaves its buffer of {len(self._buffer)} bytes")
        return int(struct.unpack_from(form, self._buffer, at)[0])
