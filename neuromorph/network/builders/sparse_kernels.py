"""Compiled: lists of synapses in any order, put into rows."""

# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit


@njit(error_model="numpy")
def is_sorted(row_ptr, indices):
    """Whether every row's indices ascend (repetition allowed)."""
    for row in range(len(row_ptr) - 1):
        for k in range(row_ptr[row] + 1, row_ptr[row + 1]):
            if indices[k] < indices[k - 1]:
                return False
    return True


@njit(error_model="numpy")
def place_stable(keys, order, ptr, out):
    """Counting sort: entries ``order`` go, in this order, to the places of their keys. ``ptr`` is used up."""
    for k in range(len(order)):
        entry = order[k]
        key = keys[entry]
        out[ptr[key]] = entry
        ptr[key] += 1


@njit(error_model="numpy")
def gather_pairs(start, stop, row_ptr, targets, table, row_step, column_step, out):
    """``out[k] = table[row * row_step, target * column_step]`` for the synapses of rows ``[start, stop)``."""
    for row in range(start, stop):
        for k in range(row_ptr[row], row_ptr[row + 1]):
            out[k] = table[row * row_step, np.int64(targets[k]) * column_step]
