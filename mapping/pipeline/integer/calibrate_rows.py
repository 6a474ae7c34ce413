"""From floats to the integer parameters of LayerNorm and softmax."""

from __future__ import annotations

from math import floor, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuromorph.errors import MappingError

from .calibrate import centres, checked_rows, covering
from .parameters import Norm
from .rows import Anchor, Exponential, LayerNorm, Segment, Softmax
from .words import Integers, Width, indices

_VALUES = 1 << 16
_ROWS = 4096
_BEYOND = 1.3
"""Two sums of squares are added to those of the data, so far beyond their ends: rows that calibration did not see."""
PIVOTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4)
"""Where the first of two segments may end, in parts of the range of the sums; HG-PIPE's ends at 1/8."""


def layer_norm(
    values: Integers,
    scale: float,
    norm: Norm,
    output_scale: float,
    *,
    input: Width,
    output: Width,
    epsilon: float = 1e-6,
    entries: int = 128,
    table_bits: int = 12,
    weight_bits: int = 17,
    name: str = "layernorm",
) -> LayerNorm:
    """All integers of a LayerNorm: the table of the reciprocal root by least squared error of the result on data.

    Parameters
    ----------
    values : ndarray of int, shape (..., channels)
    scale : float
        Of the values.
    norm : Norm
    output_scale : float
    input, output : Width
    epsilon : float
    entries, table_bits : int
        Of the reciprocal root.
    weight_bits : int
        Of the integer weights, sign included.
    name : str
    """
    rows = checked_rows(values, name)
    channels = rows.shape[1]
    rows = rows[:: -(-len(rows) // _ROWS)].astype(np.int64)
    mean_shift = 16 + floor(log2(channels))
    multiplier = round((1 << mean_shift) / channels)
    mean = (rows.sum(1) * multiplier + (1 << (mean_shift - 1))) >> mean_shift
    squares = ((rows - mean[:, None]) ** 2).sum(1)
    added = epsilon / scale**2
    offset, shift, roots = _roots(squares, channels, added, entries)
    unit = ((1 << table_bits) - 1) / roots.max()
    gain = norm.weight / output_scale
    largest = float(np.abs(gain).max(initial=0.0)) or 1.0
    output_shift = floor(log2(unit * ((1 << (weight_bits - 1)) - 1) / largest))
    if output_shift < 1:
        raise MappingError(f"{name}: {table_bits} and {weight_bits} bits are too few for these values", name=name)
    weight = np.rint(gain * (2.0**output_shift / unit)).astype(np.int64)
    bias = np.rint(norm.bias / output_scale * 2.0**output_shift).astype(np.int64) + (1 << (output_shift - 1))
    table = np.rint(roots * unit).astype(np.int32)

    reach = channels * input.magnitude
    total = Width.of(-reach if input.signed else 0, reach)
    middle = Width.of(input.low - 1 if input.signed else 0, input.high + 1)
    difference = Width.of(-input.magnitude * 2 - 1, input.magnitude * 2 + 1)
    affine = difference.magnitude * int(table.max()) * np.abs(weight) + np.abs(bias)
    return LayerNorm(
        multiplier,
        mean_shift,
        offset,
        shift,
        table,
        weight,
        bias,
        output_shift,
        input=input,
        sum=total,
        product=Width.of(-reach * multiplier - (1 << mean_shift), reach * multiplier + (1 << mean_shift)),
        mean=middle,
        difference=difference,
        variance=Width.of(0, channels * difference.magnitude**2),
        affine=Width.of(-int(affine.max()), int(affine.max())),
        output=output,
        name=name,
    )


def softmax(
    values: Integers,
    scale: float,
    output_scale: float,
    *,
    input: Width,
    output: Width,
    anchor: Anchor = "maximum",
    segments: int = 2,
    exponents: int = 32,
    reciprocals: int = 64,
    exponent_bits: int = 16,
    reciprocal_bits: int = 8,
    name: str = "softmax",
) -> Softmax:
    """All integers of a softmax, by least squared error of the result on data.

    Parameters
    ----------
    values : ndarray of int, shape (..., n)
    scale : float
        Of the values, with the division by the root of a head's channels.
    output_scale : float
    input, output : Width
    anchor : {"maximum", "minimum", "zero"}
        Of the exponential. The shift of the inverted one, ``"maximum"``, and its contents are chosen on the data. The
        others are the plain table, without that choice: from the smallest to the largest value of the data, in bins of
        the power of two that is nearest to its share of the range; what the bins do not reach has the last entry.
    segments : {1, 2}
        Of the reciprocal.
    exponents, reciprocals : int
        Entries of a table.
    exponent_bits, reciprocal_bits : int
        Of their contents.
    name : str
    """
    if segments not in (1, 2):
        raise MappingError(f"{name}: {segments} segments of the reciprocal; 1 or 2", name=name)
    rows = checked_rows(values, name)
    columns = rows.shape[1]
    rows = rows[:: -(-rows.size // _VALUES)].astype(np.int64)
    real = (rows - rows.max(1, keepdims=True)) * scale
    exact = np.exp(real)
    exact /= exact.sum(1, keepdims=True)
    top = 1 << (exponent_bits - 1)
    if anchor == "maximum":
        exponential = _inverted(rows, scale, exact, exponents, top)
    else:
        exponential = _plain(rows, scale, anchor, exponents, top)
    powers = _powers(exponential, rows)
    sums = np.maximum(powers.sum(1), 1)
    importance = np.sum((powers / sums[:, None]) ** 2, 1)
    parts = _segments(sums, importance, output_scale, segments, reciprocals, reciprocal_bits)
    largest = int(exponential.table.max())
    reach = input.high - input.low
    differences = {"maximum": (0, reach), "minimum": (-reach, 0), "zero": (input.low, input.high)}
    return Softmax(
        exponential,
        parts,
        input=input,
        difference=Width.of(*differences[anchor]),
        sum=Width.of(0, columns * largest),
        product=Width.of(0, largest * max(int(part.table.max()) for part in parts)),
        output=output,
        name=name,
    )


def reciprocal_error(operator: Softmax, values: Integers) -> float:
    """Mean squared relative error of the reciprocal of the row sums, as far as tables and their rounding make it.

    Parameters
    ----------
    operator : Softmax
    values : ndarray of int, shape (..., n)
    """
    _, sums = operator.powers(values)
    root, _, shift = operator.reciprocals(sums)
    product = root * sums.astype(np.float64) / 2.0**shift
    if not product.any():
        return 1.0
    # In the units of the output, whose scale is the factor that fits all rows best.
    factor = float(np.sum(product) / np.sum(product**2))
    return float(np.mean((product * factor - 1.0) ** 2))


def _roots(squares: Integers, channels: int, added: float, entries: int) -> tuple[int, int, NDArray[np.float64]]:
    """Offset, shift and contents of ``1 / sqrt(sum of squares / channels + added)``, by least relative error."""
    ends = [int(squares.min() / _BEYOND), int(squares.max() * _BEYOND) + 1]
    points = np.sort(np.concatenate([squares, ends]))
    variance = points / channels + added
    deviation = np.sqrt(variance)
    widest = covering(int(points[-1] - points[0]) + 1, entries)
    best: tuple[float, int, int] = (np.inf, 0, 0)
    for shift in range(widest + 1, max(-1, widest - 6), -1):
        for share in (0.0, 0.0025, 0.01, 0.04):
            for part in (0.0, 0.25, 0.5, 0.75):
                low = int(np.quantile(points, share)) - int(part * (1 << shift))
                index = np.clip((points - low) >> shift, 0, entries - 1)
                entry = _fit(index, deviation, variance, np.ones(len(points)), entries)
                error = float(np.sum((entry[index] * deviation - 1.0) ** 2))
                if error < best[0]:
                    best = (error, shift, low)
    _, shift, low = best
    index = np.clip((points - low) >> shift, 0, entries - 1)
    entry = _fit(index, deviation, variance, np.ones(len(points)), entries)
    elsewhere = np.maximum(centres(-low, shift, entries), float(points[0])) / channels + added
    return -low, shift, np.where(entry > 0, entry, 1.0 / np.sqrt(np.maximum(elsewhere, 1e-30)))


def _fit(
    index: Integers, first: NDArray[Any], second: NDArray[Any], importance: NDArray[np.float64], entries: int
) -> NDArray[np.float64]:
    """Entries t with the least ``sum of importance * (t * first - 1)^2``, ``second`` = first^2; 0 where no data are."""
    above = np.bincount(index, importance * first, entries)
    below = np.bincount(index, importance * second, entries)
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), 0.0)


def _powers(exponential: Exponential, rows: Integers) -> Integers:
    distance = exponential.distance(rows)
    table = exponential.table
    return table[indices(distance, exponential.offset, exponential.shift, len(table))].astype(np.int64)


def _inverted(rows: Integers, scale: float, exact: NDArray[np.float64], entries: int, top: int) -> Exponential:
    """Bins around the maximum: shift, and contents at their middles or the means of the data, with the least error."""
    distance = rows.max(1, keepdims=True) - rows
    real = np.exp(-distance * scale).ravel()
    best, least = None, np.inf
    for shift in range(covering(int(distance.max()) + 1, entries) + 1):
        if (entries << shift) * scale < 1.0 and (entries << shift) <= distance.max():
            continue
        half = (1 << shift) >> 1
        middle = top * np.exp(-np.arange(entries) * ((1 << shift) * scale))
        index = np.minimum((distance + half) >> shift, entries - 1).ravel()
        count = np.bincount(index, minlength=entries)
        mean = np.where(count > 0, top * np.bincount(index, real, entries) / np.maximum(count, 1), middle)
        for contents in (middle, mean):
            tried = Exponential(half, shift, np.rint(contents).astype(np.int32))
            powers = _powers(tried, rows)
            error = float(np.sum((powers / np.maximum(powers.sum(1, keepdims=True), 1) - exact) ** 2))
            if error < least:
                best, least = tried, error
    assert best is not None  # the widest shift always covers the data
    return best


def _plain(rows: Integers, scale: float, anchor: Anchor, entries: int, top: int) -> Exponential:
    """Bins from the smallest value of the data on; the largest that a bin reaches has exp(0)."""
    distance = rows if anchor == "zero" else rows - rows.max(1, keepdims=True)
    low, high = int(distance.min()), int(distance.max())
    shift = max(0, round(log2(max(high - low + 1, 1) / entries)))
    middle = centres(-low, shift, entries)
    real = np.minimum((middle - min(float(high), float(middle[-1]))) * scale, 0.0)
    return Exponential(-low, shift, np.rint(top * np.exp(real)).astype(np.int32), anchor)


def _segments(
    sums: Integers, importance: NDArray[np.float64], output_scale: float, segments: int, entries: int, bits: int
) -> tuple[Segment, ...]:
    """The reciprocal's tables; of two, the place where the first one ends has the least error on the data."""
    low, high = int(sums.min()), int(sums.max())
    whole = _segment(sums, importance, low, high, output_scale, entries, bits)
    if segments == 1 or high - low < entries:
        return (whole,) * segments
    best: tuple[Segment, ...] = (whole, whole)
    least = np.inf
    for part in PIVOTS:
        pivot = max(low + 1, int(high * part))
        if pivot >= high:
            continue
        first = _segment(sums, importance, low, pivot, output_scale, entries, bits)
        reach = (entries << first.shift) - first.offset
        second = _segment(sums, importance, min(reach, high), high, output_scale, entries, bits)
        error = _error((first, second), sums, importance, output_scale)
        if error < least:
            best, least = (first, second), error
    return best


def _segment(
    sums: Integers,
    importance: NDArray[np.float64],
    low: int,
    high: int,
    output_scale: float,
    entries: int,
    bits: int,
) -> Segment:
    """One table from ``low``, in the middle of its first bin, to ``high``."""
    shift = covering(high - low + 1, entries)
    offset = ((1 << shift) >> 1) - low
    output_shift = floor(log2(((1 << bits) - 1) * output_scale * low))
    factor = 2.0**output_shift / output_scale
    index = (sums + offset) >> shift
    here = (index >= 0) & (index < entries)
    exact = sums[here] / factor
    entry = _fit(index[here], exact, exact**2, importance[here], entries)
    elsewhere = factor / np.maximum(centres(offset, shift, entries), low)
    contents = np.minimum(np.rint(np.where(entry > 0, entry, elsewhere)), (1 << bits) - 1)
    return Segment(offset, shift, contents.astype(np.int32), (1 << output_shift) >> 1, output_shift)


def _error(parts: tuple[Segment, ...], sums: Integers, importance: NDArray[np.float64], output_scale: float) -> float:
    first, second = parts
    error = np.zeros(len(sums))
    index = (sums + first.offset) >> first.shift
    for part, here in ((first, index < len(first.table)), (second, index >= len(first.table))):
        at = np.clip((sums[here] + part.offset) >> part.shift, 0, len(part.table) - 1)
        error[here] = part.table[at] * (sums[here] * output_scale / 2.0**part.output_shift) - 1.0
    return float(np.sum(importance * error**2))
