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
        Sum of codes times cells, bias included; at most 2**61 in magnitude.
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
