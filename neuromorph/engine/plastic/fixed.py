"""Kernels of plastic projections that do not depend on the model: indices by target, and what views with a lag see.

Like generated kernels, each is a C function of (step, offset, address of its item); the fields are in ``items.py``.
"""

# mypy: ignore-errors
# (Numba gives these functions their types)

from __future__ import annotations

import numpy as np
from numba import njit

from neuromorph.engine.lowlevel import pointer
from neuromorph.native.arrays import carray

MANY = 1 << 62  # length of a view whose bounds nobody checks


def keep(step, offset, item):
    """Copy what a view sees of neurons [lo, hi) to the row of this step."""
    item = carray(pointer(item), 7, np.int64)
    wide = item[6]
    source = carray(pointer(item[0]), MANY, np.uint32)
    ring = carray(pointer(item[1] + (step & item[3]) * item[2] * 4 * wide), MANY, np.uint32)
    for k in range(np.uint64(item[4] * wide), np.uint64(item[5] * wide)):
        ring[k] = source[k]


def record_picked(step, offset, item):
    """Copy chosen values to their columns in the row of this step, every n-th step."""
    item = carray(pointer(item), 9, np.int64)
    now, every, wide = step + offset, item[4], np.uint64(item[8])
    if now % every == 0:
        row = now // every - carray(pointer(item[6]), 1, np.int64)[0]
        values = carray(pointer(item[0]), MANY, np.uint32)
        picks = carray(pointer(item[1]), MANY, np.int64)
        columns = carray(pointer(item[2]), MANY, np.int64)
        out = carray(pointer(item[5] + row * item[7] * 4 * item[8]), MANY, np.uint32)
        for k in range(np.uint64(item[3])):
            source, target = np.uint64(picks[k]) * wide, np.uint64(columns[k]) * wide
            for word in range(wide):
                out[target + word] = values[source + word]


def count_targets(step, offset, item):
    """Count how many synapses each target has."""
    item = carray(pointer(item), 4, np.int64)
    narrow = carray(pointer(item[0]), MANY, np.uint16)
    wide = carray(pointer(item[0]), MANY, np.uint32)
    totals = carray(pointer(item[3]), MANY, np.int64)
    if item[1] == 2:
        for k in range(np.uint64(item[2])):
            totals[np.uint64(narrow[k])] += 1
    else:
        for k in range(np.uint64(item[2])):
            totals[np.uint64(wide[k])] += 1


@njit(error_model="numpy")
def write(address, width, place, value):
    """Store an unsigned integer of 2, 4 or 8 bytes."""
    if width == 2:
        carray(pointer(address), MANY, np.uint16)[place] = np.uint16(value)
    elif width == 4:
        carray(pointer(address), MANY, np.uint32)[place] = np.uint32(value)
    else:
        carray(pointer(address), MANY, np.uint64)[place] = np.uint64(value)


def fill_columns(step, offset, item):
    """List the synapses of some rows by target, in the order of the rows."""
    item = carray(pointer(item), 9, np.int64)
    narrow = carray(pointer(item[0]), MANY, np.uint16)
    wide = carray(pointer(item[0]), MANY, np.uint32)
    row_ptr = carray(pointer(item[2]), MANY, np.int64)
    next_free = carray(pointer(item[4]), MANY, np.int64)
    for source in range(item[3]):
        for k in range(np.uint64(row_ptr[source]), np.uint64(row_ptr[source + 1])):
            target = np.uint64(narrow[k]) if item[1] == 2 else np.uint64(wide[k])
            place = np.uint64(next_free[target])
            next_free[target] += 1
            write(item[5], item[6], place, k)
            if item[7] != 0:
                write(item[7], item[8], place, source)
