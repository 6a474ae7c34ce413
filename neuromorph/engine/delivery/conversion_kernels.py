"""Compiled: rows of targets brought into other forms. Most work on ranges of rows, so that threads can share them."""

# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit


@njit(error_model="numpy")
def split(start, stop, begin, end, targets, bound, out):
    """Position of the first target of at least ``bound`` in each of the ascending rows ``begin[r] .. end[r]``."""
    for row in range(start, stop):
        low, high = np.int64(begin[row]), np.int64(end[row])
        while low < high:
            middle = (low + high) >> 1
            if np.int64(targets[middle]) < bound:
                low = middle + 1
            else:
                high = middle
        out[row] = low


@njit(error_model="numpy")
def repeats(row_ptr, targets):
    """Whether a row names a target more than once."""
    for row in range(len(row_ptr) - 1):
        for k in range(row_ptr[row] + 1, row_ptr[row + 1]):
            if targets[k] == targets[k - 1]:
                return True
    return False


@njit(error_model="numpy")
def set_bits(start, stop, row_ptr, targets, bits):
    """Set the bit of each target in its row of bytes, lowest bit first."""
    for row in range(start, stop):
        for k in range(row_ptr[row], row_ptr[row + 1]):
            target = np.int64(targets[k])
            bits[row, target >> 3] |= np.uint8(1 << (target & 7))


@njit(error_model="numpy")
def mark(values, seen):
    """Set ``seen[v]`` for every value."""
    for value in values:
        seen[value] = True


@njit(error_model="numpy")
def count_delays(start, stop, row_ptr, delays, rank, numbers):
    """Count each row's synapses by the rank of their delay, into ``numbers[row, rank]``."""
    for row in range(start, stop):
        for k in range(row_ptr[row], row_ptr[row + 1]):
            numbers[row, rank[delays[k]]] += 1


@njit(error_model="numpy")
def sort_by_delay(start, stop, row_ptr, delays, rank, begin, values, out):
    """Put each row's values in the order of their delays; equal ones keep their order.

    ``begin[row, rank]`` says where those of a delay begin; ``out`` may be ``values`` itself.
    """
    at = np.empty(begin.shape[1], np.int64)
    longest = 0
    for row in range(start, stop):
        longest = max(longest, row_ptr[row + 1] - row_ptr[row])
    before = np.empty(longest, values.dtype)
    for row in range(start, stop):
        for d in range(len(at)):
            at[d] = begin[row, d]
        first = row_ptr[row]
        for k in range(first, row_ptr[row + 1]):
            before[k - first] = values[k]
        for k in range(first, row_ptr[row + 1]):
            d = rank[delays[k]]
            out[at[d]] = before[k - first]
            at[d] += 1
