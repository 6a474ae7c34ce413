"""Compiled: every pair connected with one probability, by geometric skipping (one draw for each synapse, not pair)."""

# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit

from neuromorph.network.builders.philox_kernels import pair64, unit


@njit(error_model="numpy")
def count_rows(key, start, stop, candidates, inverse_log_q, counts):
    """Number of synapses of rows ``[start, stop)``; row s is stream s. ``inverse_log_q`` is 1 / log(1 - p)."""
    for row in range(start, stop):
        position = -1.0
        number = 0
        block = np.uint64(0)
        while True:
            a, b = pair64(key, np.uint64(row), block)
            block += np.uint64(1)
            position += 1.0 + np.floor(np.log(unit(a)) * inverse_log_q)
            if position >= candidates:
                break
            number += 1
            position += 1.0 + np.floor(np.log(unit(b)) * inverse_log_q)
            if position >= candidates:
                break
            number += 1
        counts[row] = number


@njit(error_model="numpy")
def fill_rows(key, start, stop, candidates, inverse_log_q, skip_self, row_ptr, targets):
    """The same draws again, written down. With ``skip_self``, candidates from the row's own number on move up one."""
    for row in range(start, stop):
        position = -1.0
        at = row_ptr[row]
        end = row_ptr[row + 1]
        block = np.uint64(0)
        even = True
        b = np.uint64(0)
        while at < end:
            if even:
                a, b = pair64(key, np.uint64(row), block)
                block += np.uint64(1)
                word = a
            else:
                word = b
            even = not even
            position += 1.0 + np.floor(np.log(unit(word)) * inverse_log_q)
            target = np.int64(position)
            if skip_self and target >= row:
                target += 1
            targets[at] = target
            at += 1
