"""Compiled Hilbert index in two or three dimensions (imported late)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = Any


@njit(cache=True, error_model="numpy")
def hilbert_index(cells: Array, bits: int) -> Array:
    """Position on the Hilbert curve of integer points, uint32 (n, d) below 2**bits; uint64 (n,), d * bits <= 63.

    Skilling's transposed form: undo excess work, Gray code, interleave (AIP Conf. Proc. 707, 381, 2004).
    """
    n, d = cells.shape
    out = np.zeros(n, np.uint64)
    x = np.empty(d, np.int64)
    for v in range(n):
        for i in range(d):
            x[i] = cells[v, i]
        q = np.int64(1) << (bits - 1)
        while q > 1:
            p = q - 1
            for i in range(d):
                if x[i] & q:
                    x[0] ^= p
                else:
                    t = (x[0] ^ x[i]) & p
                    x[0] ^= t
                    x[i] ^= t
            q >>= 1
        for i in range(1, d):
            x[i] ^= x[i - 1]
        t = np.int64(0)
        q = np.int64(1) << (bits - 1)
        while q > 1:
            if x[d - 1] & q:
                t ^= q - 1
            q >>= 1
        h = np.uint64(0)
        for b in range(bits - 1, -1, -1):
            for i in range(d):
                h = (h << np.uint64(1)) | np.uint64(((x[i] ^ t) >> b) & 1)
        out[v] = h
    return out
