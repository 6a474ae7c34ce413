"""A tensor as it is stored in a number format."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from neuromorph.errors import FormatError

from .scales import from_levels, inner
from .tables import Bytes

TILE = 4096
"""Values in a tile, the unit of random access; a multiple of 8, so that tiles begin at whole bytes in every format."""


class NumberFormat(Protocol):
    """A way to store numbers.

    A format turns numbers into levels (ints, by a scale) and levels into a payload and planes (bytes), tile by tile.
    """

    @property
    def name(self) -> str:
        """What it is called, for people: ``spark``, ``int8``."""

    def encode(self, values: npt.ArrayLike, *, axis: int | None = None) -> Encoded:
        """Store floats or ints of any shape, with one scale, or one for each index of ``axis``."""

    def levels(self, encoded: Encoded, first: int, last: int) -> npt.NDArray[Any]:
        """The levels of tiles ``first .. last - 1``, flat; numbers themselves if the format has no levels."""

    def exact_levels(self, values: npt.NDArray[Any], encoded: Encoded) -> npt.NDArray[Any]:
        """The levels of the values that were encoded, flat, before the code changed any."""

    def code_lengths(self, levels: npt.NDArray[Any]) -> Bytes:
        """Bits of each level's code word, planes not counted."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """Numbers in a format, in memory.

    Attributes
    ----------
    format : NumberFormat
    shape : tuple of int
    dtype : numpy.dtype
        Of the decoded numbers. Floats keep their type; ints take the narrowest that has all levels of the format.
    scale : float64 array
        Shape () or (channels,): a number is ``level * scale``.
    axis : int or None
        Axis of the channels.
    payload : uint8 array
        Code words, tile after tile.
    planes : tuple of uint8 arrays
        A bit for each value, the first the highest of a byte: signs, where the format keeps them apart.
    offsets : int64 array (tiles + 1,)
        Where each tile of :data:`TILE` values begins in the payload.
    """

    format: NumberFormat
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    scale: npt.NDArray[np.float64]
    axis: int | None
    payload: Bytes
    planes: tuple[Bytes, ...]
    offsets: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        tiles = -(-self.size // TILE)
        if len(self.offsets) != tiles + 1 or self.offsets[0] != 0 or self.offsets[-1] != self.payload.size:
            raise FormatError(
                f"{self.format.name}: {len(self.offsets) - 1} tiles up to byte {self.offsets[-1]} of "
                f"{self.payload.size} do not hold {self.size} values ({tiles} tiles)"
            )
        if any(plane.size != (self.size + 7) // 8 for plane in self.planes):
            raise FormatError(f"{self.format.name}: a plane has no bit for each of {self.size} values")

    @property
    def size(self) -> int:
        """How many numbers."""
        return int(np.prod(self.shape))

    @property
    def tiles(self) -> int:
        """How many tiles."""
        return len(self.offsets) - 1

    def __len__(self) -> int:
        return self.size

    def decode(self) -> npt.NDArray[Any]:
        """The numbers that the code stands for.

        Raises
        ------
        FormatError
            The payload is damaged.
        """
        return self._numbers(0, self.tiles).reshape(self.shape)

    def levels(self) -> npt.NDArray[Any]:
        """The ints before the scale, in ``shape``."""
        return self.format.levels(self, 0, self.tiles).reshape(self.shape)

    def tile(self, k: int) -> npt.NDArray[Any]:
        """The numbers of one tile, flat; nothing else is read."""
        if not 0 <= k < self.tiles:
            raise FormatError(f"{self.format.name}: no tile {k} of {self.tiles}", tile=k)
        return self._numbers(k, k + 1)

    def __getitem__(self, places: slice) -> npt.NDArray[Any]:
        """Numbers at consecutive places of the flattened array; only their tiles are read."""
        if not isinstance(places, slice):
            raise FormatError(f"{self.format.name}: {places!r} is no slice of the flattened array; use encoded[a:b]")
        begin, stop, step = places.indices(self.size)
        if step != 1:
            raise FormatError(f"{self.format.name}: a slice in steps of {step}; take consecutive places (step 1)")
        if stop <= begin:
            return np.empty(0, self.dtype)
        first, last = begin // TILE, (stop - 1) // TILE + 1
        return self._numbers(first, last)[begin - first * TILE : stop - first * TILE]

    @cached_property
    def bits(self) -> int:
        """Stored bits: code words and planes, without header, index, and what fills up a tile's last byte."""
        words = self.format.code_lengths(self.format.levels(self, 0, self.tiles))
        return int(words.sum(dtype=np.int64)) + self.size * len(self.planes)

    @property
    def bits_per_value(self) -> float:
        """``bits / size``; 0 if there are no values."""
        return self.bits / self.size if self.size else 0.0

    @property
    def nbytes(self) -> int:
        """Bytes of payload and planes."""
        return int(self.payload.nbytes + sum(plane.nbytes for plane in self.planes))

    def bounds(self, first: int, last: int) -> npt.NDArray[np.int64]:
        """Places where tiles ``first .. last - 1`` begin and end in the flattened array, counted from the first."""
        ends: npt.NDArray[np.int64] = np.minimum(np.arange(first, last + 1) * TILE, self.size)
        return ends - first * TILE

    def tobytes(self) -> bytes:
        """All of it with header and checks, as :class:`neuromorph.formats.Writer` writes it."""
        from .container import to_bytes

        return to_bytes(self)

    @staticmethod
    def frombytes(data: bytes | bytearray | memoryview) -> Encoded:
        """What :meth:`tobytes` gave.

        Raises
        ------
        FormatError
            The bytes are damaged, not whole, or of something else.
        """
        from .container import from_bytes

        return from_bytes(data)

    def _numbers(self, first: int, last: int) -> npt.NDArray[Any]:
        levels = self.format.levels(self, first, last)
        return from_levels(levels, self.scale, inner(self.shape, self.axis), first * TILE, self.dtype)


def tile_starts(size: int) -> npt.NDArray[np.int64]:
    """Places where the tiles of so many values begin, and the end."""
    return np.append(np.arange(0, size, TILE), size).astype(np.int64)


def as_numbers(values: npt.ArrayLike, name: str) -> npt.NDArray[Any]:
    """Floats of 16, 32 or 64 bits, or ints; truth values become ints.

    Raises
    ------
    FormatError
        Anything else.
    """
    array = np.asarray(values)
    if array.dtype.kind == "b":
        array = array.astype(np.uint8)
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise FormatError(f"{name}: values of type {array.dtype}; formats store floats of up to 64 bits and ints")
    return array.astype(array.dtype.newbyteorder("="), copy=False)
