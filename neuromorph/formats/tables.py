"""SPARK's code as tables, computed from its rules.

A value 0..255 with bits b0 (highest) to b7 is stored in nibbles of 4 bits. Values 0..7 take one, ``0 b5 b6 b7``. All
others take two: ``1 b1 b2 b0`` and ``b4 b5 b6 b7``. Bit b3 has no place: where it differs from b0 the second nibble
becomes 1111 (b3 = 1: rounded down) or 0000 (b3 = 0: rounded up). The first bit of a nibble where a value begins says
how long it is, so nothing else has to be stored.

Source: SPARK, HPCA 2024, doi:10.1109/HPCA57654.2024.00082. Of the 128 words of two nibbles, ``1000 0xxx`` never
occur: they would stand for 0..7, which have short words. A decoder here takes them for damage.
"""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from neuromorph.errors import FormatError

Bytes = npt.NDArray[np.uint8]
Rounding = Literal["paper", "nearest"]

ROUNDINGS: tuple[Rounding, ...] = ("paper", "nearest")


@cache
def spark_table(rounding: Rounding = "paper") -> Bytes:
    """What each value 0..255 becomes in SPARK's code and back.

    Parameters
    ----------
    rounding : {"paper", "nearest"}
        ``paper`` drops b3 as published; ``nearest`` takes the nearest of the same 128 numbers (there are no ties). The
        code words and the decoder are the same.

    Returns
    -------
    uint8 array (256,)
        Read-only. ``table[table] == table``; no entry is further than 16 from its place.

    Raises
    ------
    FormatError
        Unknown rounding.
    """
    paper = _read_only(_decoded(_paper_codes()))
    if rounding == "paper":
        return paper
    if rounding != "nearest":
        raise FormatError(f"SPARK: no rounding {rounding!r}; choose 'paper' or 'nearest'", rounding=rounding)
    numbers = np.unique(paper)
    away = np.abs(np.arange(256)[:, None] - numbers.astype(np.int64))
    return _read_only(numbers[away.argmin(axis=1)])


@cache
def spark_codes(rounding: Rounding = "paper") -> Bytes:
    """Code word of each value 0..255: the nibble itself for 0..7, else both nibbles, the first one high.

    Returns
    -------
    uint8 array (256,)
        Read-only. A word of 8 bits has its highest bit set, one of 4 bits has not.
    """
    return _read_only(_paper_codes()[spark_table(rounding)])


@cache
def spark_length() -> Bytes:
    """Bits of each value's code word: 4 for 0..7, else 8, for both roundings. Read-only uint8 (256,)."""
    return _read_only(np.where(np.arange(256) < 8, 4, 8).astype(np.uint8))


def _paper_codes() -> Bytes:
    value = np.arange(256)
    b0, b3 = value >> 7, value >> 4 & 1
    low = np.where(b0 == b3, value & 15, 15 * b3)
    return np.where(value < 8, value, 0x80 | value & 0x60 | b0 << 4 | low).astype(np.uint8)


def _decoded(code: Bytes) -> Bytes:
    """What code words stand for: of a long one, c3 is both b3 and b0."""
    wide = code.astype(np.int64)
    return np.where(wide < 128, wide, wide & 0x7F | (wide & 0x10) << 3).astype(np.uint8)


def _read_only(table: Bytes) -> Bytes:
    table.flags.writeable = False
    return table
