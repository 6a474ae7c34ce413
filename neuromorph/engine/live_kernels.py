"""Compiled: what a live source is given for a step, made into the list that its replay kernel reads.

Kernels of (step, number of events, address of an item); the item's fields are :data:`neuromorph.engine.live.GIVEN`.
"""

# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit

from neuromorph.engine.lowlevel import pointer
from neuromorph.native.arrays import carray

MANY = 1 << 62
STEP_PTR, STEPS = 2, 3  # fields of a replay item


@njit(error_model="numpy")
def emit(step, n, item):
    """Let the source emit the n events of its list in this step, and nothing later."""
    pair = carray(pointer(item[5]), 2, np.int64)
    replays = carray(pointer(item[6]), MANY, np.int64)
    pair[0] = 0
    pair[1] = n
    for k in range(item[7]):
        replay = carray(pointer(replays[k]), 4, np.int64)
        replay[STEP_PTR] = item[5] - 8 * step  # so that this step's two entries are the pair
        replay[STEPS] = step + 1


@njit(error_model="numpy")
def list_values(dense, indices, values, size):
    """Indices and values of the entries that are not 0; gives their number."""
    n = np.uint64(0)
    for k in range(size):
        indices[n] = np.uint32(k)
        values[n] = dense[k]
        n += np.uint64(dense[k] != 0)
    return n


def emit_dense(step, offset, item):
    """Events wherever the dense array is not 0, with what it holds as their values.

    Every entry is written where the next event goes, and stays if it is one: no branch that could be guessed wrong.
    """
    item = carray(pointer(item), 9, np.int64)
    size, wide = np.uint64(item[1]), item[2]
    indices = carray(pointer(item[3]), MANY, np.uint32)
    n = np.uint64(0)
    if wide == 0:
        flags = carray(pointer(item[0]), MANY, np.uint8)
        for k in range(size):
            indices[n] = np.uint32(k)
            n += np.uint64(flags[k] != 0)
    elif wide == 1:
        n = list_values(
            carray(pointer(item[0]), MANY, np.float32), indices, carray(pointer(item[4]), MANY, np.float32), size
        )
    else:
        n = list_values(
            carray(pointer(item[0]), MANY, np.float64), indices, carray(pointer(item[4]), MANY, np.float64), size
        )
    emit(step, np.int64(n), item)


def emit_listed(step, n, item):
    """The n events of the list, unless its indices do not ascend or exceed the size: then none, and a mark."""
    item = carray(pointer(item), 9, np.int64)
    indices = carray(pointer(item[3]), MANY, np.uint32)
    item[8] = 0
    for k in range(n):
        if np.int64(indices[k]) >= item[1] or (k > 0 and indices[k] <= indices[k - 1]):
            item[8] = 1
    emit(step, 0 if item[8] else n, item)
