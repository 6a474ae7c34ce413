"""Compiled: the output rule of WTM2101, for one sum and for arrays of them.

The rule is inferred from the vendor's mapper, whose vectors it reproduces; nobody has checked it against silicon.
"""

# mypy: ignore-errors
# (Numba gives these functions their types)

from __future__ import annotations

import numpy as np
from numba import njit


@njit(error_model="numpy")
def output_code(total, gain):
    """Output code of one column: a 10-bit result truncated toward zero, then rounded to 8 bits and clipped.

    Parameters
    ----------
    total : int64
        Sum of codes times cells, bias included; below 2**61 in magnitude.
    gain : int64
        At least 1.

    Returns
    -------
    int64
        -128 to 127.
    """
    fine = 4 * np.int64(total)
    gain = np.int64(gain)
    quarters = fine // gain if fine >= 0 else -((-fine) // gain)
    return min(max((quarters + 2) >> 2, np.int64(-128)), np.int64(127))


@njit(error_model="numpy")
def output_codes(totals, gain, rectify, out):
    """:func:`output_code` of int64 ``totals`` (n,) into int8 ``out`` (n,); returns how many were clipped.

    A code that ``rectify`` sets to 0 is not counted as clipped from below.
    """
    clipped = 0
    for k in range(totals.size):
        code = output_code(totals[k], gain)
        if code == 127:  # the largest sum that ends at 127 without the clip: (quarters + 2) >> 2 == 127
            clipped += 4 * totals[k] // gain + 2 >= 512
        elif code == -128 and not rectify:
            clipped += -((-4 * totals[k]) // gain) + 2 < -512
        out[k] = max(code, 0) if rectify else code
    return clipped


@njit(error_model="numpy")
def gain_error(counts, sums, gain, code):
    """Sum of squared errors of a histogram's sums, made for code 1, when inputs are driven with ``code`` instead.

    The mean of each bin stands for its values; errors are in the unit of the sums for code 1.
    """
    error, unit = 0.0, np.float64(gain) / np.float64(code)
    for b in range(len(counts)):
        if counts[b]:
            mean = sums[b] / counts[b]
            rest = mean - unit * output_code(np.int64(np.rint(mean * code)), gain)
            error += counts[b] * rest * rest
    return error


@njit(error_model="numpy")
def best_gains(bins, counts, sums, gains, codes, out):
    """For every histogram the gain and the code with the smallest error: ``out`` float64 (n, 3): gain, code, error.

    Of equally good ones the first gain, and of its codes the first.
    """
    for k in range(len(out)):
        at = slice(k * bins, (k + 1) * bins)
        out[k, 2] = np.inf
        for gain in gains:
            for code in codes:
                error = gain_error(counts[at], sums[at], gain, code)
                if error < out[k, 2]:
                    out[k, 0], out[k, 1], out[k, 2] = gain, code, error
