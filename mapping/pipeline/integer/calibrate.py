"""From floats to integer parameters: tables with a power-of-two index, residuals."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor, log2
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from neuromorph.errors import MappingError

from .operators import GeluRequant, Requant, Residual
from .words import Integers, Width

Ranges = Literal["joint", "data", "type"]
"""How a table's range is found: ``"joint"`` with its contents, by least squared error on data; ``"data"`` from the
smallest to the largest value of the data; ``"type"`` all that the accumulator's word can hold."""

Target = Callable[[NDArray[np.float64]], NDArray[np.float64]]
_Kind = TypeVar("_Kind", bound=Requant)

_HISTOGRAM = 2048
_WINDOWS = 64
_SHIFTS = 6


def requant(
    values: Integers,
    ratio: float,
    *,
    input: Width,
    output: Width,
    entries: int = 64,
    ranges: Ranges = "joint",
    name: str = "requant",
) -> Requant:
    """A table for ``round(ratio * x)``, clamped.

    Parameters
    ----------
    values : ndarray of int
        Accumulators of sample data; where only a range is known, all integers of it.
    ratio : float
        Scale of an accumulator over that of the output.
    input, output : Width
    entries : int
    ranges : {"joint", "data", "type"}
    name : str

    Raises
    ------
    MappingError
        No data, or a ratio that is not above 0.
    """
    _check(values, ratio, name)
    return _lookup(Requant, values, lambda x: x * ratio, input, output, entries, ranges, name)


def gelu_requant(
    values: Integers,
    scale: float,
    output_scale: float,
    *,
    input: Width,
    output: Width,
    zero: int = 0,
    entries: int = 64,
    ranges: Ranges = "joint",
    name: str = "gelu",
) -> GeluRequant:
    """A table for ``round(gelu(scale * x) / output_scale) + zero``, clamped; parameters as :func:`requant`'s.

    Parameters
    ----------
    scale, output_scale : float
        Of an accumulator and of the output.
    zero : int
        Code of 0.
    """
    _check(values, scale, name)
    target: Target = lambda x: gelu(x * scale) / output_scale + zero  # noqa: E731
    return _lookup(GeluRequant, values, target, input, output, entries, ranges, name)


def residual(ratio: float, *, carried: Width, main: Width, bits: int = 20, name: str = "residual") -> Residual:
    """Multiplier and shift for the scale of the carried value over that of the main one.

    Parameters
    ----------
    ratio : float
    carried, main : Width
    bits : int
        Of the multiplier, whose highest is 1.
    name : str
    """
    _check(np.ones(1, np.int32), ratio, name)
    shift = bits - 1 - floor(log2(ratio))
    if shift < 1:
        raise MappingError(f"{name}: a ratio of scales of {ratio:g} needs more than {bits} bits", name=name)
    multiplier = round(ratio * 2.0**shift)
    half = 1 << (shift - 1)
    high = main.high + ((carried.high * multiplier + half) >> shift)
    low = main.low + ((carried.low * multiplier + half) >> shift)
    return Residual(multiplier, shift, carried, main, Width.of(low, high), name)


def gelu(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """``x * Phi(x)`` with the error function, not its approximation by tanh."""
    from scipy.special import erf

    activated: NDArray[np.float64] = 0.5 * values * (1.0 + erf(values * 0.5**0.5))
    return activated


def squared_error(operator: Requant, values: Integers, target: Target) -> tuple[float, float]:
    """Mean squared error of a table in units of its output, and that of rounding the exact function.

    Parameters
    ----------
    operator : Requant
    values : ndarray of int
    target : callable
        What the output should be, in codes, before rounding and clamping.
    """
    exact = np.clip(target(values.astype(np.float64)), operator.output.low, operator.output.high)
    found = float(np.mean((operator.apply(values) - exact) ** 2))
    return found, float(np.mean((np.rint(exact) - exact) ** 2))


def _lookup(
    kind: type[_Kind],
    values: Integers,
    target: Target,
    input: Width,
    output: Width,
    entries: int,
    ranges: Ranges,
    name: str,
) -> _Kind:
    if ranges not in get_args(Ranges):
        raise MappingError(f"{name}: ranges {ranges!r}; they are 'joint', 'data' or 'type'", name=name)
    if ranges == "joint":
        offset, shift, table = _joint(values, target, output, entries)
    else:
        low, high = (input.low, input.high) if ranges == "type" else (int(values.min()), int(values.max()))
        offset, shift = -low, covering(high - low + 1, entries)
        table = np.clip(target(centres(offset, shift, entries)), output.low, output.high)
    return kind(offset, shift, np.rint(table).astype(np.int32), input, output, name)


def covering(span: int, entries: int) -> int:
    """The smallest shift with which ``entries`` bins cover ``span`` values."""
    return max(0, ceil(log2(span / entries)))


def centres(offset: int, shift: int, entries: int) -> NDArray[np.float64]:
    """Middle of the values that each bin takes."""
    middles: NDArray[np.float64] = (np.arange(entries, dtype=np.float64) + 0.5) * (1 << shift) - 0.5 - offset
    return middles


def histogram(values: Integers, at_most: int) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """Values, or the middles of groups of ``2^k`` of them so that there are at most so many; their counts; k."""
    low, high = int(values.min()), int(values.max())
    group = covering(high - low + 1, at_most)
    counts = np.bincount((values.ravel().astype(np.int64) - low) >> group)
    there = np.flatnonzero(counts)
    middles = low + (there << group) + ((1 << group) >> 1)
    return middles, counts[there].astype(np.float64), group


def _joint(values: Integers, target: Target, output: Width, entries: int) -> tuple[int, int, NDArray[np.float64]]:
    """Offset, shift and contents with the least squared error, in the range where they differ."""
    points, counts, group = histogram(values, max(_HISTOGRAM, 8 * entries))
    wanted = np.clip(target(points.astype(np.float64)), output.low, output.high)
    weighted = counts * wanted
    widest = covering(int(points[-1] - points[0]) + 1, entries)
    best: tuple[float, int, int] = (np.inf, 0, 0)
    for shift in range(widest, max(-1, group - 1, widest - _SHIFTS), -1):
        for low in _windows(int(points[0]), int(points[-1]), shift, entries):
            index = np.clip((points - low) >> shift, 0, entries - 1)
            total = np.bincount(index, counts, entries)
            mean = np.rint(np.bincount(index, weighted, entries) / np.maximum(total, 1.0))
            error = float(np.dot(counts, (mean[index] - wanted) ** 2))
            if error < best[0]:
                best = (error, shift, low)
    _, shift, low = best
    index = np.clip((points - low) >> shift, 0, entries - 1)
    total = np.bincount(index, counts, entries)
    mean = np.bincount(index, weighted, entries) / np.maximum(total, 1.0)
    elsewhere = np.clip(target(centres(-low, shift, entries)), output.low, output.high)
    return -low, shift, np.where(total > 0, mean, elsewhere)


def _windows(low: int, high: int, shift: int, entries: int) -> NDArray[np.int64]:
    """Where a table may begin: every eighth of a bin, or fewer places if the table is much shorter than the data."""
    first = low - (1 << shift) + 1
    last = max(low, high - (entries << shift) + 1)
    step = max(1, (1 << shift) // 8, (last - first) // _WINDOWS)
    return np.arange(first, last + 1, step, dtype=np.int64)


def _check(values: Integers, ratio: float, name: str) -> None:
    if not np.asarray(values).size:
        raise MappingError(f"{name}: calibration needs data", name=name)
    if not (np.isfinite(ratio) and ratio > 0):
        raise MappingError(f"{name}: a ratio of scales of {ratio}; it is above 0", name=name)


def checked_rows(values: Any, name: str) -> Integers:
    """Sample data of an operator on rows as (rows, columns)."""
    rows = np.asarray(values)
    if rows.ndim < 2 or not rows.size:
        raise MappingError(f"{name}: calibration needs rows of data, found shape {rows.shape}", name=name)
    return rows.reshape(-1, rows.shape[-1])
