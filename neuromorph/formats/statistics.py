"""What a format costs and loses on given numbers."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log10

import numpy as np
import numpy.typing as npt

from .encoded import NumberFormat, as_numbers
from .scales import from_levels, inner


@dataclass(frozen=True)
class Statistics:
    """Errors are ``decoded - value`` in the values' own units.

    Attributes
    ----------
    count : int
    short_share : float
        Share of values with a code word of 4 bits or less; a plane of signs is not counted.
    lossy_share : float
        Share of values whose level the code changes; 0 where the code keeps every level.
    mean_error : float
        Mean of ``|error|``.
    max_error : float
        Largest ``|error|``.
    rms_error : float
    bias : float
        Mean error, with its sign.
    sqnr_db : float
        ``10 log10(sum(value**2) / sum(error**2))``; infinite without error.
    rounding_sqnr_db, code_sqnr_db : float
        The same of the two parts: rounding to levels (``level * scale - value``), and the code's change of levels
        (``decoded - level * scale``, against the levels).
    bits_per_value : float
        Code words and sign planes.
    payload_bytes : int
        As stored: with what fills up a tile's last byte, without header and index.
    """

    count: int
    short_share: float
    lossy_share: float
    mean_error: float
    max_error: float
    rms_error: float
    bias: float
    sqnr_db: float
    rounding_sqnr_db: float
    code_sqnr_db: float
    bits_per_value: float
    payload_bytes: int


def statistics(format: NumberFormat, values: npt.ArrayLike, axis: int | None = None) -> Statistics:
    """Encode numbers, decode them and compare.

    Parameters
    ----------
    format : NumberFormat
    values : array_like of floats or ints
    axis : int, optional
        One scale for each index of this axis.

    Raises
    ------
    FormatError
        What the format cannot store.
    """
    array = as_numbers(values, format.name)
    encoded = format.encode(array, axis=axis)
    if not array.size:
        return Statistics(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, inf, inf, inf, 0.0, 0)
    stored = format.levels(encoded, 0, encoded.tiles)
    exact = format.exact_levels(array, encoded)
    value = np.ascontiguousarray(array).reshape(-1).astype(np.float64)
    run = inner(encoded.shape, encoded.axis)
    decoded = from_levels(stored, encoded.scale, run, 0, encoded.dtype).astype(np.float64)
    rounded = from_levels(exact, encoded.scale, run, 0, encoded.dtype).astype(np.float64)
    error = decoded - value
    away = np.abs(error)
    return Statistics(
        count=array.size,
        short_share=float((format.code_lengths(stored) <= 4).mean()),
        lossy_share=float((stored != exact).mean()),
        mean_error=float(away.mean()),
        max_error=float(away.max()),
        rms_error=_rms(error),
        bias=float(error.mean()),
        sqnr_db=_ratio(value, error),
        rounding_sqnr_db=_ratio(value, rounded - value),
        code_sqnr_db=_ratio(rounded, decoded - rounded),
        bits_per_value=encoded.bits_per_value,
        payload_bytes=encoded.nbytes,
    )


def _rms(x: npt.NDArray[np.float64]) -> float:
    """Root of the mean square, also of numbers whose squares are none."""
    largest = float(np.abs(x).max())
    return largest * float(np.sqrt(np.mean((x / largest) ** 2))) if largest else 0.0


def _ratio(signal: npt.NDArray[np.float64], noise: npt.NDArray[np.float64]) -> float:
    """In dB; infinite without noise, minus infinite without signal."""
    over = _rms(noise)
    if not over:
        return inf
    under = _rms(signal)
    return 20 * (log10(under) - log10(over)) if under else -inf
