"""SPARK: 4 bits for a magnitude of 0 to 7, 8 bits for one up to 255."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from neuromorph.errors import FormatError
from neuromorph.native import compiled

from .encoded import TILE, Encoded, as_numbers, tile_starts
from .scales import Scale, as_scale, find_scale, to_levels, whole_axis
from .tables import ROUNDINGS, Bytes, Rounding, spark_length

Sign = Literal["plane", "twos_complement", "unsigned"]

SIGNS: tuple[Sign, ...] = ("plane", "twos_complement", "unsigned")
KINDS = {"plane": np.int16, "twos_complement": np.int8, "unsigned": np.uint8}

_pack = compiled("neuromorph.formats.spark_kernels", "pack")
_unpack = compiled("neuromorph.formats.spark_kernels", "unpack", int)
_split = compiled("neuromorph.formats.spark_kernels", "split_signs")
_join = compiled("neuromorph.formats.spark_kernels", "join_signs")


@dataclass(frozen=True)
class Spark:
    """SPARK as a number format.

    Attributes
    ----------
    rounding : {"paper", "nearest"}
        See :func:`spark_table`.
    sign : {"plane", "twos_complement", "unsigned"}
        ``plane``: levels -255..255, magnitudes in the code and one more bit for each value in a plane of signs.
        ``twos_complement``: the bytes of levels -128..127 are coded as they are; small negative numbers take 8 bits.
        ``unsigned``: levels 0..255. The publication has unsigned bytes only.
    scale : "absmax", float or one float for each channel
        ``absmax`` takes ``max|x| / 255`` (127 in two's complement). Floats beyond the last level are limited to it.
    """

    rounding: Rounding = "paper"
    sign: Sign = "plane"
    scale: Scale = "absmax"

    def __post_init__(self) -> None:
        if self.rounding not in ROUNDINGS:
            raise FormatError(f"Spark: no rounding {self.rounding!r}; choose one of {', '.join(ROUNDINGS)}")
        if self.sign not in SIGNS:
            raise FormatError(f"Spark: no sign {self.sign!r}; choose one of {', '.join(SIGNS)}")
        object.__setattr__(self, "scale", as_scale(self.scale, "Spark"))

    @property
    def name(self) -> str:
        """``spark``, and what differs from the published code with a plane of signs."""
        rounding = "" if self.rounding == "paper" else f"-{self.rounding}"
        return "spark" + rounding + {"plane": "", "twos_complement": "-twos", "unsigned": "-unsigned"}[self.sign]

    @property
    def low(self) -> int:
        """Lowest level."""
        return {"plane": -255, "twos_complement": -128, "unsigned": 0}[self.sign]

    @property
    def high(self) -> int:
        """Highest level."""
        return 127 if self.sign == "twos_complement" else 255

    def encode(self, values: npt.ArrayLike, *, axis: int | None = None) -> Encoded:
        """Store numbers of any shape.

        Parameters
        ----------
        values : array_like of floats or ints
            Ints are levels, unless a scale is given.
        axis : int, optional
            One scale for each index of this axis.

        Raises
        ------
        FormatError
            Not finite, negative without sign, or ints beyond the levels.
        """
        array = as_numbers(values, self.name)
        axis = whole_axis(axis, array.ndim, self.name)
        scale = find_scale(array, self.high, axis, self.scale, self.name)
        levels = self._levels(array, scale, axis)
        planes: tuple[Bytes, ...] = ()
        magnitude = levels.view(np.uint8) if self.sign != "plane" else np.empty(levels.size, np.uint8)
        if self.sign == "plane":
            planes = (np.empty((levels.size + 7) // 8, np.uint8),)
            _split(levels, magnitude, planes[0])
        payload, offsets = spark_pack(magnitude, tile_starts(levels.size), self.rounding)
        dtype = array.dtype if array.dtype.kind == "f" else np.dtype(KINDS[self.sign])
        if array.dtype.kind != "f" and self.scale != "absmax":
            dtype = np.dtype(np.float64)
        return Encoded(self, array.shape, dtype, scale, axis, payload, planes, offsets)

    def levels(self, encoded: Encoded, first: int, last: int) -> npt.NDArray[Any]:
        """The levels of tiles ``first .. last - 1`` after the code's rounding: int16, int8 or uint8."""
        bounds = encoded.bounds(first, last)
        magnitude = spark_unpack(encoded.payload, encoded.offsets[first : last + 1], bounds, first)
        if self.sign != "plane":
            return magnitude.view(KINDS[self.sign])
        out = np.empty(magnitude.size, np.int16)
        _join(magnitude, encoded.planes[0][first * TILE // 8 :], out)
        return out

    def exact_levels(self, values: npt.NDArray[Any], encoded: Encoded) -> npt.NDArray[Any]:
        """The levels before the code rounds them, flat."""
        return self._levels(values, encoded.scale, encoded.axis)

    def code_lengths(self, levels: npt.NDArray[Any]) -> Bytes:
        """4 or 8 bits for each."""
        magnitude = np.abs(levels).astype(np.uint8) if self.sign == "plane" else levels.view(np.uint8)
        lengths: Bytes = spark_length()[magnitude]
        return lengths

    def _levels(self, array: npt.NDArray[Any], scale: npt.NDArray[np.float64], axis: int | None) -> npt.NDArray[Any]:
        """Flat, in the type of the sign."""
        kind = KINDS[self.sign]
        if array.dtype.kind != "f" and self.scale == "absmax":
            bottom, top = (int(array.min()), int(array.max())) if array.size else (0, 0)
            if bottom < self.low or top > self.high:
                raise FormatError(
                    f"{self.name}: ints from {bottom} to {top} are not levels {self.low} to {self.high}; give a scale, "
                    "or floats",
                    low=bottom,
                    high=top,
                )
            return np.ascontiguousarray(array.astype(kind, copy=False)).reshape(-1)
        if self.sign == "unsigned" and array.size and array.min() < 0:
            raise FormatError(f"{self.name}: a value is {array.min():g}; negative numbers need sign='plane'")
        return to_levels(array, scale, axis, self.low, self.high).astype(kind, copy=False)


def spark_pack(
    values: Bytes, bounds: npt.NDArray[np.int64], rounding: Rounding = "paper"
) -> tuple[Bytes, npt.NDArray[np.int64]]:
    """Code words of bytes, packed nibble by nibble (the first is the high half of a byte) in pieces.

    Parameters
    ----------
    values : uint8 array (n,)
    bounds : int64 array (pieces + 1,)
        Where pieces begin and end: ``values[bounds[k] : bounds[k+1]]`` begins at a byte of its own. From 0 to n.
    rounding : {"paper", "nearest"}

    Returns
    -------
    payload : uint8 array
    offsets : int64 array (pieces + 1,)
        Where each piece begins in the payload.
    """
    if rounding not in ROUNDINGS:
        raise FormatError(f"SPARK: no rounding {rounding!r}; choose one of {', '.join(ROUNDINGS)}")
    if values.dtype != np.uint8 or values.ndim != 1:
        raise FormatError(f"SPARK: packs bytes, uint8 in one axis; these are {values.dtype} of shape {values.shape}")
    _check_bounds(bounds, len(values))
    payload = np.empty(len(values), np.uint8)
    offsets = np.zeros(len(bounds), np.int64)
    _pack(np.ascontiguousarray(values), np.ascontiguousarray(bounds), rounding == "nearest", payload, offsets)
    return payload[: offsets[-1]].copy(), offsets


def spark_unpack(
    payload: Bytes, offsets: npt.NDArray[np.int64], bounds: npt.NDArray[np.int64], first: int = 0
) -> Bytes:
    """The bytes that packed pieces stand for.

    Parameters
    ----------
    payload, offsets, bounds
        As in :func:`spark_pack`; ``offsets`` may begin anywhere in the payload, ``bounds`` begin at 0.
    first : int
        Number of the first piece, for messages.

    Raises
    ------
    FormatError
        A piece does not hold exactly its values, or holds a word that no value has.
    """
    _check_bounds(bounds, int(bounds[-1]) if len(bounds) else 0)
    if payload.dtype != np.uint8 or payload.ndim != 1 or offsets.dtype != np.int64:
        raise FormatError(f"SPARK: a payload is uint8 in one axis with offsets int64, not {payload.dtype}")
    sizes, counts = np.diff(offsets), np.diff(bounds)
    whole = len(offsets) == len(bounds) and offsets[0] >= 0 and offsets[-1] <= len(payload)
    if not whole or (2 * sizes < counts).any() or (sizes > counts).any():
        raise FormatError(f"SPARK: pieces of {counts.sum()} values do not fit their places in {len(payload)} bytes")
    out = np.empty(int(bounds[-1]), np.uint8)
    bad = _unpack(
        np.ascontiguousarray(payload), np.ascontiguousarray(offsets), np.ascontiguousarray(bounds), _pairs(), out
    )
    if bad >= 0:
        raise FormatError(
            f"SPARK: tile {first + bad} does not hold its {counts[bad]} values: the stream is damaged", tile=first + bad
        )
    return out


def _check_bounds(bounds: npt.NDArray[np.int64], size: int) -> None:
    if (
        bounds.dtype != np.int64
        or not len(bounds)
        or bounds[0] != 0
        or bounds[-1] != size
        or (np.diff(bounds) < 0).any()
    ):
        raise FormatError(f"SPARK: pieces (int64) do not go from 0 to {size} in ascending order")


@cache
def _pairs() -> npt.NDArray[np.uint16]:
    """What the decoder emits for a byte and the open word before it; see the kernel."""
    index = np.arange(4096)
    before, first, second = index >> 8, index & 15, index >> 4 & 15
    ended = (before & 7 | (before & 1) << 3) << 4 | first
    long = (first & 7 | (first & 1) << 3) << 4 | second
    number = np.where(before >= 8, ended, np.where(first < 8, first, long))
    made: npt.NDArray[np.uint16] = (number | second << 8).astype(np.uint16)
    return made
