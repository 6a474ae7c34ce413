"""Real tensors as operands: absolute values on 255 levels, in the order in which an array reads them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuromorph.errors import MappingError

from .values import MAGNITUDES, Codes


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
    array = np.atleast_1d(given).astype(np.float64)
    if not array.size or not np.isfinite(array).all():
        raise MappingError(f"operand of the shape {array.shape}: expected at least one value, and finite ones alone")
    lines: NDArray[np.float64] = np.moveaxis(np.abs(array), axis, -1).reshape(-1, array.shape[axis])
    largest = lines.max(axis=1, keepdims=True) if per_line else lines.max()
    scale = np.where(largest > 0.0, largest / (MAGNITUDES - 1), 1.0)
    if given.dtype.kind in "bui" and lines.max() < MAGNITUDES:
        scale = np.ones(())
    magnitudes = np.rint(lines / scale).astype(np.uint8)
    share = np.bincount(magnitudes.ravel(), minlength=MAGNITUDES) / magnitudes.size
    return Codes(share, bool((array < 0.0).any()), magnitudes)
