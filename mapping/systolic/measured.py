"""Real tensors as operands: absolute values on 255 levels, in the order in which an array reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuromorph.errors import MappingError

from .values import MAGNITUDES, Codes

_BLOCK = 1 << 22
"""Values that are worked on at once, so that large tensors need little memory beside themselves."""


def measured(values: ArrayLike, *, axis: int = -1, per_line: bool = False) -> Codes:
    """The codes of a tensor's magnitudes, ``rint(|x| / scale)`` with the scale at which the largest is 255.

    Integers of which none is above 255 are their own magnitudes: spikes are ones, not 255.

    Parameters
    ----------
    values : array
        Real, finite, of any shape with at least one value: an operand of a layer. A tensor of zeros has zeros.
    axis : int
        Along which products are summed: an array reads it step by step. For weights (depth, columns) it is 0.
    per_line : bool
        Whether every line along ``axis`` has its own scale (per channel), or the tensor one.

    Raises
    ------
    MappingError
        If there are no values, or one is not a finite real number.
    """
    given = np.asarray(values)
    if given.dtype.kind not in "buif":
        raise MappingError(f"operand of {given.dtype}: expected an array of real numbers")
    array = np.atleast_1d(given)
    if not array.size or not np.isfinite(array).all():
        raise MappingError(f"operand of the shape {array.shape}: expected at least one value, and finite ones alone")
    lines: NDArray[Any] = np.moveaxis(array, axis, -1).reshape(-1, array.shape[axis])
    high, low = lines.max(axis=1).astype(np.float64), lines.min(axis=1).astype(np.float64)
    largest = np.maximum(high, -low)
    if not per_line:
        largest[:] = largest.max()
    scale = largest / (MAGNITUDES - 1)
    scale[scale == 0.0] = 1.0  # zeros, or too small to have 255 levels
    if given.dtype.kind in "bui" and largest.max() < MAGNITUDES:
        scale[:] = 1.0
    magnitudes = np.empty(lines.shape, np.uint8)
    rows = max(_BLOCK // lines.shape[1], 1)
    for start in range(0, len(lines), rows):
        part = slice(start, start + rows)
        magnitudes[part] = np.rint(np.abs(lines[part].astype(np.float64)) / scale[part, None])
    share = np.bincount(magnitudes.ravel(), minlength=MAGNITUDES) / magnitudes.size
    return Codes(share, bool((low < 0.0).any()), magnitudes)
