"""How the value of an event is written: floats, ints of so many bits, or SPARK's variable-length code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError
from neuromorph.formats import Float, Int, NumberFormat, Spark, absmax_scale, spark_length
from neuromorph.formats.tables import Rounding

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Range:
    """What a population's values are written in: multiples of a scale, with a sign or without.

    Attributes
    ----------
    largest : float
        Magnitude that gets the largest code; larger ones get it, too.
    signed : bool
        False: no value is negative, so none carries a sign; one that is gets the code of 0.
    """

    largest: float
    signed: bool

    def __post_init__(self) -> None:
        if not (np.isfinite(self.largest) and self.largest >= 0):
            raise MappingError(f"range of values: largest is {self.largest}; it must be a number of at least 0")

    @classmethod
    def of(cls, values: npt.ArrayLike) -> Range:
        """The range that just holds some values."""
        array = np.asarray(values, np.float64)
        if not array.size:
            return cls(0.0, False)
        return cls(float(np.abs(array).max()), bool(array.min() < 0))


@dataclass(frozen=True)
class ValueCode:
    """A number format for the values of events.

    The number for x is ``sign(x) * T(min(rint(|x| / scale), top)) * scale``, halves to even, in float32: what
    :class:`neuromorph.formats.Int` and :class:`neuromorph.formats.Spark` make of it. ``top`` is the largest magnitude,
    ``scale`` the range's largest value over ``top``; T changes nothing for ints and is SPARK's table for SPARK. Values
    that are never negative have no sign: an int of 8 bits then goes to 255, and SPARK's plane of signs is left out.

    Attributes
    ----------
    name : str
    bits : int
        Of an int, sign included; of SPARK's bytes without it; 32 for floats.
    rounding : {"paper", "nearest"} or None
        Of SPARK's lossy codes; None: the code is not SPARK's.
    exact : bool
        float32, which is what a run sends: nothing is rounded.
    """

    name: str
    bits: int
    rounding: Rounding | None = None
    exact: bool = False

    def top(self, signed: bool) -> int:
        """Largest magnitude."""
        return (1 << self.bits - (signed and self.rounding is None)) - 1

    def scale(self, range: Range) -> float:
        """Value of a magnitude of 1, a float32; 1 where every value is 0."""
        return float(absmax_scale(range.largest, self.top(range.signed), np.float32))

    def format(self, range: Range) -> NumberFormat:
        """The number format; of an int without a sign, the one with a sign bit that is never 1 and never sent."""
        if self.exact:
            return Float(32)
        if self.rounding is None:
            return Int(self.bits + (not range.signed), self.scale(range))
        return Spark(self.rounding, "plane" if range.signed else "unsigned", self.scale(range))

    def numbers(self, values: npt.ArrayLike, range: Range) -> Floats:
        """The numbers that a receiver reads, float64."""
        written = np.asarray(values, np.float32) if self.exact else _written(values, range)
        return np.asarray(self.format(range).encode(written).decode(), np.float64)

    def lengths(self, values: npt.ArrayLike, range: Range) -> npt.NDArray[np.int64]:
        """Bits of each value, its sign included, int64."""
        if self.rounding is None:
            return np.full(np.shape(values), self.bits, np.int64)
        magnitude = np.rint(np.abs(self.numbers(values, range)) / self.scale(range)).astype(np.int64)
        return spark_length()[magnitude].astype(np.int64) + int(range.signed)

    def lossy(self, values: npt.ArrayLike, range: Range) -> npt.NDArray[np.bool_]:
        """Where SPARK changes a magnitude; nowhere for other codes."""
        if self.rounding is None:
            return np.zeros(np.shape(values), bool)
        bytes_ = Int(self.bits + 1, self.scale(range)).encode(_written(values, range)).decode()
        return np.asarray(bytes_ != self.numbers(values, range))


def _written(values: npt.ArrayLike, range: Range) -> npt.NDArray[np.float32]:
    array = np.asarray(values, np.float32)
    return array if range.signed else np.maximum(array, np.float32(0))


VALUES: Mapping[str, ValueCode] = MappingProxyType(
    {
        code.name: code
        for code in (
            ValueCode("float32", 32, exact=True),
            ValueCode("int16", 16),
            ValueCode("int8", 8),
            ValueCode("int4", 4),
            ValueCode("spark", 8, "paper"),
            ValueCode("spark-nearest", 8, "nearest"),
        )
    }
)
"""The codes by name."""


def value_code(name: str) -> ValueCode:
    """The code of that name.

    Raises
    ------
    MappingError
        If there is none; the message lists those that there are.
    """
    if name not in VALUES:
        raise MappingError(f"no code for values is called {name!r}; there is {', '.join(VALUES)}", name=name)
    return VALUES[name]
