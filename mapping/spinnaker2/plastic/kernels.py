"""Compiled helpers of plastic projections: events as each PE hears them, and how much work they make.

Items are addresses of their fields, which are in ``inbox.py``.
"""

# mypy: ignore-errors
# (Numba gives these functions their types)

from __future__ import annotations

import numpy as np
from numba import njit

from neuromorph.engine.lowlevel import pointer
from neuromorph.native.arrays import carray

from ..kernels import is_dropped

MANY = 1 << 62  # length of a view whose bounds nobody checks


@njit(error_model="numpy")
def put(item, row, event, pair):
    """List an event for a (source, PE) pair in a row of the inbox."""
    counts = carray(pointer(item[16]), MANY, np.int64)
    at = row * item[17] + counts[row]
    carray(pointer(item[14]), MANY, np.uint32)[at] = np.uint32(pair)
    if item[15] != 0:
        carray(pointer(item[15]), MANY, np.float32)[at] = carray(pointer(item[1]), MANY, np.float32)[event]
    counts[row] += 1


@njit(error_model="numpy")
def receive(step, item):
    """List this step's events for each PE that they reach, in the step in which they do."""
    item = carray(pointer(item), 19, np.int64)
    fired = carray(pointer(item[0]), MANY, np.uint32)
    sub_ptr = carray(pointer(item[5]), MANY, np.int64)
    sub_part = carray(pointer(item[6]), MANY, np.int32)
    source_part = carray(pointer(item[7]), MANY, np.int32)
    first, parts, max_shift, mask = item[8], item[9], item[13], item[18]
    lag = carray(pointer(item[10]), MANY, np.int64)
    drops = carray(pointer(item[11]), MANY, np.int64)
    flags = carray(pointer(item[12]), 2, np.int64)
    counts = carray(pointer(item[16]), MANY, np.int64)
    counts[(step + max_shift) & mask] = 0  # the row that no late packet has reached yet
    place = step & item[4]
    for j in range(carray(pointer(item[2]), MANY, np.int64)[place]):
        event = place * item[3] + j
        s = np.int64(fired[event])
        for k in range(sub_ptr[s], sub_ptr[s + 1]):
            p = np.int64(sub_part[k])
            shift = 0
            if p >= 0 and (flags[0] > 0 or flags[1] > 0):
                if flags[0] > 0 and is_dropped(drops, flags[0], (first + s) * parts + p):
                    continue
                shift = min(max(0, lag[source_part[s]] - lag[p]), max_shift)
            put(item, (step + shift) & mask, event, k)


@njit(error_model="numpy")
def tally(step, item):
    """Count the events that act in this step, and the synapses that they visit, by the part that has them."""
    item = carray(pointer(item), 10, np.int64)
    sent = step - item[4]
    if sent >= 0:
        fired = carray(pointer(item[0]), MANY, np.uint32)
        ptr = carray(pointer(item[5]), MANY, np.int64)
        part = carray(pointer(item[6]), MANY, np.int32)
        applied = carray(pointer(item[7]), MANY, np.int64)
        visits = carray(pointer(item[8]), MANY, np.int64)
        events = carray(pointer(item[9]), MANY, np.int64)
        place = sent & item[3]
        for j in range(carray(pointer(item[1]), MANY, np.int64)[place]):
            i = np.int64(fired[place * item[2] + j])
            p = np.int64(part[i])
            if p >= 0:
                events[p] += 1
                if item[5] != 0:
                    count = ptr[i + 1] - ptr[i]
                    visits[p] += count
                    if item[7] != 0:
                        applied[p] += count
