"""Numbers to a file and from it, in chunks of any size."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt

from neuromorph.errors import FormatError

from .container import read_header, read_next, write_end, write_frame, write_header
from .encoded import TILE, Encoded, NumberFormat, as_numbers

FRAME_VALUES = 256 * TILE
"""Values that a writer collects before it writes them."""


class Writer:
    """Writes numbers in a format to a file, as they come.

    Attributes
    ----------
    format : NumberFormat
    count : int
        Numbers taken so far.

    Parameters
    ----------
    file : path or binary file
        A file that was handed in stays open.
    format : NumberFormat
        Its scale must not depend on the data: for floats, ``Spark`` and ``Int`` need a scale (one number).
    dtype : NumPy type
        Of the numbers; each chunk must have it.

    Raises
    ------
    FormatError

    Notes
    -----
    Used with ``with``, it closes the file's last part where the block ends well. After an error the file stays without
    its end, and a reader says so.
    """

    def __init__(self, file: str | Path | BinaryIO, format: NumberFormat, *, dtype: npt.DTypeLike) -> None:
        self.format = format
        self.count = 0
        self._dtype = np.dtype(dtype)
        given = getattr(format, "scale", 1.0)
        if isinstance(given, tuple) or (given == "absmax" and self._dtype.kind == "f"):
            raise FormatError(f"{format.name}: a stream of floats needs one scale from the start; {given!r} is none")
        head = format.encode(np.empty(0, self._dtype))
        self._own = isinstance(file, str | Path)
        self._file: BinaryIO = open(file, "wb") if isinstance(file, str | Path) else file  # noqa: SIM115
        self._waiting: list[npt.NDArray[Any]] = []
        self._held = 0
        self._open = True
        write_header(self._file, head)

    def write(self, values: npt.ArrayLike) -> None:
        """Take numbers; of an array of several axes in C order.

        Raises
        ------
        FormatError
            Another type, what the format cannot store, or the writer is closed.
        """
        if not self._open:
            raise FormatError(f"{self.format.name}: the writer is closed")
        array = as_numbers(values, self.format.name)
        if array.dtype != self._dtype:
            raise FormatError(f"{self.format.name}: numbers of type {array.dtype} in a stream of {self._dtype}")
        self._waiting.append(array.reshape(-1).copy())
        self._held += array.size
        self.count += array.size
        if self._held >= FRAME_VALUES:
            self._put(self._held // TILE * TILE)

    def close(self) -> None:
        """Write what is left and the end. Again: nothing."""
        if not self._open:
            return
        self._put(self._held)
        self._open = False
        write_end(self._file, (self.count,))
        self._leave()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        elif self._open:
            self._open = False
            self._leave()

    def _put(self, count: int) -> None:
        values = np.concatenate([np.empty(0, self._dtype), *self._waiting])
        write_frame(self._file, self.format.encode(values[:count]))
        self._waiting, self._held = [values[count:].copy()], values.size - count

    def _leave(self) -> None:
        if self._own:
            self._file.close()
        else:
            self._file.flush()


class Reader:
    """Reads numbers from what :class:`Writer` or :meth:`Encoded.tobytes` wrote, frame by frame.

    Iterating gives arrays, one for each frame; ``read(n)`` gives the next ``n`` numbers. Nothing is given that was not
    checked.

    Attributes
    ----------
    format : NumberFormat
    dtype : numpy.dtype
        Of the numbers.
    shape : tuple of int or None
        Known once the end was read.

    Parameters
    ----------
    file : path or binary file
        A file that was handed in stays open, behind the end of the stream once that was read.

    Raises
    ------
    FormatError
        Damaged, not whole, or of something else.
    """

    def __init__(self, file: str | Path | BinaryIO) -> None:
        self._own = isinstance(file, str | Path)
        self._file: BinaryIO = open(file, "rb") if isinstance(file, str | Path) else file  # noqa: SIM115
        try:
            self._header = read_header(self._file)
        except BaseException:
            self.close()
            raise
        self.format: NumberFormat = self._header.format
        self.dtype: np.dtype[Any] = self._header.dtype
        self.shape: tuple[int, ...] | None = None
        if self._header.axis is not None:
            self.close()
            raise FormatError(f"{self.format.name}: has a scale for each channel; read it whole with Encoded.frombytes")
        self._tiles, self._count = 0, 0
        self._rest = np.empty(0, self.dtype)

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        if self._rest.size:
            rest, self._rest = self._rest, np.empty(0, self.dtype)
            yield rest
        while (numbers := self._next()) is not None:
            yield numbers

    def read(self, count: int = -1) -> npt.NDArray[Any]:
        """The next numbers, flat: so many, fewer at the end; all with -1."""
        parts, held = [self._rest], self._rest.size
        while (count < 0 or held < count) and (numbers := self._next()) is not None:
            parts.append(numbers)
            held += numbers.size
        all_of_it = np.concatenate(parts)
        stop = all_of_it.size if count < 0 else count
        self._rest = all_of_it[stop:]
        return all_of_it[:stop]

    def close(self) -> None:
        """Close the file if this opened it."""
        if self._own:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _next(self) -> npt.NDArray[Any] | None:
        """Numbers of the next frame; None at the end."""
        if self.shape is not None:
            return None
        frame = read_next(self._file, self._header, self._tiles)
        if not isinstance(frame, Encoded):
            if int(np.prod(frame, dtype=object)) != self._count:
                raise FormatError(f"encoded numbers: {self._count} values where shape {frame} was promised")
            self.shape = frame
            return None
        if self._count % TILE:
            raise FormatError("encoded numbers: a frame that is not the last ends within a tile")
        self._tiles += frame.tiles
        self._count += frame.size
        return frame.decode()
