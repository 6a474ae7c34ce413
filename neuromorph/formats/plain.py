"""Formats in which every number takes the same bits: ints, fixed point and floats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import FormatError
from neuromorph.native import compiled

from .encoded import TILE, Encoded, as_numbers, tile_starts
from .scales import Scale, as_scale, find_scale, to_levels, whole_axis
from .tables import Bytes

_pack = compiled("neuromorph.formats.plain_kernels", "pack_bits")
_unpack = compiled("neuromorph.formats.plain_kernels", "unpack_bits")


@dataclass(frozen=True)
class Int:
    """Ints of so many bits in two's complement, and a scale.

    Floats become ``rint(x / scale)`` with ``scale = max|x| / (2**(bits - 1) - 1)``, limited to plus and minus that top,
    by the rule of ``CPU(weights="int8")``. Ints are stored as they are. A number's highest bit comes first, in the
    highest bit of a byte.

    Attributes
    ----------
    bits : int
        2 to 32.
    scale : "absmax", float or one float for each channel
    """

    bits: int
    scale: Scale = "absmax"

    def __post_init__(self) -> None:
        _check_bits("Int", self.bits)
        object.__setattr__(self, "scale", as_scale(self.scale, "Int"))

    @property
    def name(self) -> str:
        """``int8``."""
        return f"int{self.bits}"

    @property
    def low(self) -> int:
        """Lowest level of floats; ints may be one lower."""
        return -self.high

    @property
    def high(self) -> int:
        """Highest level."""
        return int((1 << (self.bits - 1)) - 1)

    def encode(self, values: npt.ArrayLike, *, axis: int | None = None) -> Encoded:
        """Store floats or ints; ints beyond the range are refused (``FormatError``) unless there is a scale."""
        array = as_numbers(values, self.name)
        axis = whole_axis(axis, array.ndim, self.name)
        scale = find_scale(array, self.high, axis, self.scale, self.name)
        if array.dtype.kind != "f" and self.scale == "absmax":
            bottom, top = (int(array.min()), int(array.max())) if array.size else (0, 0)
            if bottom < self.low - 1 or top > self.high:
                raise FormatError(
                    f"{self.name}: ints from {bottom} to {top} do not fit ({self.low - 1} to {self.high}); take more "
                    "bits, give a scale, or floats",
                    low=bottom,
                    high=top,
                )
            return _fixed_width(self, self.bits, array, array.astype(np.int32).reshape(-1), scale, axis)
        return _fixed_width(
            self, self.bits, array, to_levels(array, scale, axis, self.low, self.high), scale, axis, given=True
        )

    def levels(self, encoded: Encoded, first: int, last: int) -> npt.NDArray[Any]:
        """The levels of tiles ``first .. last - 1``."""
        return _levels(encoded, self.bits, first, last)

    def exact_levels(self, values: npt.NDArray[Any], encoded: Encoded) -> npt.NDArray[Any]:
        """The stored ones: the code keeps every level."""
        return self.levels(encoded, 0, encoded.tiles)

    def code_lengths(self, levels: npt.NDArray[Any]) -> Bytes:
        """``bits`` for each."""
        return np.full(levels.shape, self.bits, np.uint8)


@dataclass(frozen=True)
class Fixed:
    """Fixed point: multiples of ``2**-fraction`` in two's complement of so many bits; what is beyond is limited.

    Attributes
    ----------
    bits : int
        2 to 32.
    fraction : int
        Bits after the point; may be negative or more than ``bits``.
    """

    bits: int
    fraction: int

    def __post_init__(self) -> None:
        _check_bits("Fixed", self.bits)
        if not -64 <= self.fraction <= 64:
            raise FormatError(f"Fixed: {self.fraction} bits after the point; choose -64 to 64", fraction=self.fraction)

    @property
    def name(self) -> str:
        """``fixed16.8``: bits and those after the point."""
        return f"fixed{self.bits}.{self.fraction}"

    @property
    def low(self) -> int:
        """Lowest level."""
        return -(1 << (self.bits - 1))

    @property
    def high(self) -> int:
        """Highest level."""
        return int((1 << (self.bits - 1)) - 1)

    def encode(self, values: npt.ArrayLike, *, axis: int | None = None) -> Encoded:
        """Store floats or ints, as numbers both; an axis makes no difference to the step."""
        array = as_numbers(values, self.name)
        axis = whole_axis(axis, array.ndim, self.name)
        scale = find_scale(array, self.high, axis, 2.0**-self.fraction, self.name)
        return _fixed_width(
            self, self.bits, array, to_levels(array, scale, axis, self.low, self.high), scale, axis, given=True
        )

    def levels(self, encoded: Encoded, first: int, last: int) -> npt.NDArray[Any]:
        """The levels of tiles ``first .. last - 1``."""
        return _levels(encoded, self.bits, first, last)

    def exact_levels(self, values: npt.NDArray[Any], encoded: Encoded) -> npt.NDArray[Any]:
        """The stored ones: the code keeps every level."""
        return self.levels(encoded, 0, encoded.tiles)

    def code_lengths(self, levels: npt.NDArray[Any]) -> Bytes:
        """``bits`` for each."""
        return np.full(levels.shape, self.bits, np.uint8)


@dataclass(frozen=True)
class Float:
    """IEEE 754 floats of 32 or 16 bits; numbers beyond the range are refused.

    Attributes
    ----------
    bits : {32, 16}
    """

    bits: int = 32

    def __post_init__(self) -> None:
        if self.bits not in (16, 32):
            raise FormatError(f"Float: {self.bits} bits; choose 16 or 32", bits=self.bits)

    @property
    def name(self) -> str:
        """``float32``."""
        return f"float{self.bits}"

    def encode(self, values: npt.ArrayLike, *, axis: int | None = None) -> Encoded:
        """Store floats or ints as floats; they come back in the format's type. There is no scale, so no channels."""
        array = as_numbers(values, self.name)
        axis = whole_axis(axis, array.ndim, self.name)
        with np.errstate(over="ignore"):
            kept = array.astype(f"<f{self.bits // 8}").reshape(-1)
        if not np.isfinite(kept).all():
            raise FormatError(f"{self.name}: a value is not finite, or beyond {np.finfo(kept.dtype).max:g}")
        scale = np.ones(() if axis is None else array.shape[axis])
        offsets = tile_starts(array.size) * (self.bits // 8)
        dtype = np.dtype(f"f{self.bits // 8}")
        return Encoded(self, array.shape, dtype, scale, axis, kept.view(np.uint8), (), offsets)

    def levels(self, encoded: Encoded, first: int, last: int) -> npt.NDArray[Any]:
        """The numbers of tiles ``first .. last - 1``."""
        return _tiles(encoded, self.bits, first, last).view(f"<f{self.bits // 8}")

    def exact_levels(self, values: npt.NDArray[Any], encoded: Encoded) -> npt.NDArray[Any]:
        """The stored ones: the code keeps every level."""
        return self.levels(encoded, 0, encoded.tiles)

    def code_lengths(self, levels: npt.NDArray[Any]) -> Bytes:
        """``bits`` for each."""
        return np.full(levels.shape, self.bits, np.uint8)


def _check_bits(name: str, bits: int) -> None:
    if not 2 <= bits <= 32:
        raise FormatError(f"{name}: {bits} bits; choose 2 to 32", bits=bits)


def _kind(bits: int) -> np.dtype[Any]:
    """Narrowest type of NumPy's that has so many bits."""
    return np.dtype(np.int8 if bits <= 8 else np.int16 if bits <= 16 else np.int32)


def _fixed_width(
    form: Int | Fixed,
    bits: int,
    array: npt.NDArray[Any],
    levels: npt.NDArray[Any],
    scale: npt.NDArray[np.float64],
    axis: int | None,
    *,
    given: bool = False,
) -> Encoded:
    """Levels packed; ``given``: ints were divided by a scale, and come back as float64."""
    dtype = array.dtype if array.dtype.kind == "f" else np.dtype(np.float64) if given else _kind(bits)
    payload = np.zeros((levels.size * bits + 7) // 8, np.uint8)
    _pack(levels, bits, payload)
    starts = tile_starts(levels.size)
    return Encoded(form, array.shape, dtype, scale, axis, payload, (), (starts * bits + 7) // 8)


def _tiles(encoded: Encoded, bits: int, first: int, last: int) -> Bytes:
    """The bytes of some tiles, which must be as many as their values take."""
    wanted = (np.minimum(np.arange(first, last + 1) * TILE, encoded.size) * bits + 7) // 8
    if (encoded.offsets[first : last + 1] != wanted).any():
        raise FormatError(f"{encoded.format.name}: tiles {first} to {last - 1} have not the bytes of their values")
    return encoded.payload[wanted[0] : wanted[-1]]


def _levels(encoded: Encoded, bits: int, first: int, last: int) -> npt.NDArray[Any]:
    out = np.empty(min(last * TILE, encoded.size) - min(first * TILE, encoded.size), _kind(bits))
    _unpack(_tiles(encoded, bits, first, last), bits, out)
    return out
