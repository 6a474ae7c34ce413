"""The kernel of populations that read states of others; compiled as the text of this file.

A C function of (step, offset, address of its item), whose fields are in ``neuromorph/engine/readings.py``.
"""

# mypy: ignore-errors
# (Numba gives these functions their types)

from __future__ import annotations

import numpy as np
from numba import njit

from neuromorph.engine.lowlevel import pointer
from neuromorph.native.arrays import carray

MANY = 1 << 62  # length of a view whose bounds nobody checks


@njit(error_model="numpy")
def add(source, index, size, sums):
    """Add the value of the neuron that each one reads."""
    for k in range(np.uint64(size)):
        sums[k] += source[np.uint64(index[k])]


def read(step, offset, item):
    """Add a state of one population to the sums of another in this step."""
    item = carray(pointer(item), 8, np.int64)
    wide = item[7]
    index = carray(pointer(item[1]), MANY, np.int64)
    start = item[3] + 4 * wide * ((step & item[4]) * item[5] + item[6])
    if wide == 1:
        add(carray(pointer(item[0]), MANY, np.float32), index, item[2], carray(pointer(start), MANY, np.float32))
    else:
        add(carray(pointer(item[0]), MANY, np.float64), index, item[2], carray(pointer(start), MANY, np.float64))
