"""Compiled loops that cut weights into digits (imported late)."""

# mypy: ignore-errors
# (Numba gives these functions their types)

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, error_model="numpy", nogil=True)
def cut(weights, scale, whole, lowest, highest, offset, base, slices, pair, levels):
    """Write the digits of every weight to its cells; the number of weights that had to be clipped.

    Parameters
    ----------
    weights : number (R, C)
    scale : float64
        Of one code.
    whole : bool
        Round to whole codes; else the lowest digit keeps the fraction.
    lowest, highest : float64
        Codes that can be held.
    offset : float64
        Added to every code.
    base : float64
        Of the digits.
    slices : int64
        Digits, ascending; the highest takes what is left.
    pair : bool
        Cells for + and - in turn; else a cell holds the digit with the code's sign.
    levels : float (R, C * slices * (1 + pair))
        Written completely.
    """
    clipped = 0
    cells = 2 * slices if pair else slices
    for i in range(weights.shape[0]):
        for j in range(weights.shape[1]):
            code = np.float64(weights[i, j]) / scale
            if whole:
                code = np.rint(code)
            if code > highest:
                code = highest
                clipped += 1
            elif code < lowest:
                code = lowest
                clipped += 1
            code += offset
            left = abs(code)
            power = base ** (slices - 1)
            at = j * cells
            for k in range(slices - 1, -1, -1):
                digit = left
                if k:
                    digit = np.floor(left / power)
                    left -= digit * power
                    power /= base
                if pair:
                    levels[i, at + 2 * k] = digit if code > 0.0 else 0.0
                    levels[i, at + 2 * k + 1] = digit if code < 0.0 else 0.0
                else:
                    levels[i, at + k] = -digit if code < 0.0 else digit
    return clipped
