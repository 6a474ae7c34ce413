"""Compiled: numbers to levels and back. A row of ``inner`` elements shares a scale; rows take the scales in turn."""

# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit


@njit(error_model="numpy")
def rounded(values, scale, inner, low, high, out):
    """``rint(value / scale)`` within ``low .. high``; all but the result in float64."""
    for row in range((len(values) + inner - 1) // inner):
        step = scale[row % len(scale)]
        for k in range(row * inner, min(row * inner + inner, len(values))):
            out[k] = np.int32(min(max(np.rint(np.float64(values[k]) / step), low), high))


@njit(error_model="numpy")
def times(levels, scale, inner, first, out):
    """``level * scale`` in the type of ``out``; ``first`` is the place of the first level."""
    k = 0
    while k < len(levels):
        row = (first + k) // inner
        stop = min((row + 1) * inner - first, len(levels))
        step = scale[row % len(scale)]
        for j in range(k, stop):
            out[j] = out.dtype.type(levels[j]) * step
        k = stop
