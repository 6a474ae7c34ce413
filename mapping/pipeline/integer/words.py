"""Words of hardware: how many bits a value has, and what does not fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuromorph.errors import FormatError, MappingError

Integers = NDArray[Any]
"""An array of int32 or int64, whichever its values need."""


@dataclass(frozen=True, slots=True)
class Width:
    """An integer of ``bits`` bits, in two's complement where it is signed; 1 to 62."""

    bits: int
    signed: bool = True

    def __post_init__(self) -> None:
        if self.bits not in range(1, 63):
            raise MappingError(f"a word of {self.bits!r} bits; 1 to 62 are possible", bits=self.bits)

    @property
    def low(self) -> int:
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def high(self) -> int:
        return (1 << (self.bits - self.signed)) - 1

    @property
    def magnitude(self) -> int:
        """Largest absolute value."""
        return max(-self.low, self.high)

    @classmethod
    def of(cls, low: int, high: int) -> Width:
        """The narrowest that holds ``low`` to ``high``; signed if ``low`` is below 0."""
        return cls(_bits(low, high), signed=low < 0)

    def check(self, values: Integers | int, owner: str, what: str) -> None:
        """Raise if a value does not fit.

        Raises
        ------
        FormatError
            Names the operator, its word, the value and the bits that it would need.
        MappingError
            Values that are no integers.
        """
        if not isinstance(values, int) and values.dtype.kind not in "iu":
            raise MappingError(f"{owner}: {what} is an array of {values.dtype}; expected integers", owner=owner)
        low, high = (values, values) if isinstance(values, int) else _range(values)
        if low < self.low or high > self.high:
            found = high if high > self.high else low
            kind = "signed" if self.signed else "unsigned"
            raise FormatError(
                f"{owner}: {what} reaches {found}, but it has {self.bits} bits ({kind}, {self.low} to {self.high}); "
                f"give it {_bits(min(low, -1 if self.signed else 0), high)} bits, or calibrate on data that "
                "reach so far",
                owner=owner,
                what=what,
                value=found,
            )

    def __str__(self) -> str:
        return f"{'int' if self.signed else 'uint'}{self.bits}"


def real_values(values: Any, owner: str) -> NDArray[np.float64]:
    """An array of real numbers as float64.

    Raises
    ------
    MappingError
        Something else, or values that are not finite.
    """
    try:
        found = np.asarray(values)
    except ValueError as error:
        raise MappingError(f"{owner}: no array of numbers: rows differ in length", owner=owner) from error
    if found.dtype.kind not in "biuf":
        raise MappingError(f"{owner}: an array of {found.dtype}; expected real numbers", owner=owner)
    if not np.isfinite(found).all():
        first = tuple(np.argwhere(~np.isfinite(found))[0].tolist())
        raise MappingError(f"{owner}: the value at {first} is {found[first]}, which is not finite", owner=owner)
    return found.astype(np.float64, copy=False)


def storage(largest: int) -> type[np.int32] | type[np.int64]:
    """The type of an array whose values and sums stay within ``largest``."""
    return np.int32 if largest < 1 << 31 else np.int64


def table_of(values: Any, owner: str) -> NDArray[np.int32]:
    """A table as an array that nobody can change."""
    table = np.array(values, np.int64)
    if table.ndim != 1 or not len(table) or np.abs(table).max() >= 1 << 31:
        raise MappingError(f"{owner}: a table needs one axis of at least one entry of at most 31 bits", owner=owner)
    narrow = table.astype(np.int32)
    narrow.flags.writeable = False
    return narrow


def indices(values: Integers, offset: int, shift: int, entries: int) -> Integers:
    """``clamp((values + offset) >> shift, 0, entries - 1)``: a power-of-two index, without a multiplier."""
    largest = max(abs(bound) for bound in _range(values)) + abs(offset)
    index: Integers = values.astype(storage(largest), copy=True)
    index += offset
    index >>= shift
    np.clip(index, 0, entries - 1, out=index)
    return index


def _range(values: Integers) -> tuple[int, int]:
    return (int(values.min()), int(values.max())) if values.size else (0, 0)


def _bits(low: int, high: int) -> int:
    if low < 0:
        return max(int(high).bit_length(), int(-low - 1).bit_length()) + 1
    return max(1, int(high).bit_length())
