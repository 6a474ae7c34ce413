"""Steps in the order of a pipeline: each group of populations some steps behind those that it gets events from.

Compiled like the engine's kernels, each a C function of (step, offset, address of its item). The engine's driver calls
``advance`` where it would update all populations, and ``drain`` where it would deliver and record.
"""

# mypy: ignore-errors
# (Numba gives these functions their types)

from __future__ import annotations

import numpy as np
from numba import njit

from neuromorph.engine.lowlevel import call, pointer
from neuromorph.native.arrays import carray

MANY = 1 << 62  # length of a view whose bounds nobody checks


@njit(error_model="numpy")
def make_step(groups, group, calls, step, offset):
    """One step of one group: advance its neurons, deliver to them, look on."""
    for k in range(groups[4 * group], groups[4 * group + 1]):
        call(calls[2 * k], step, offset, calls[2 * k + 1])
    groups[4 * group + 3] = step + 1


def advance(step, offset, item):
    """Begin a step: the first level makes it, every other one the step that it is behind.

    Item: groups, address of the groups (first call, last call, level, next step), address of the (function, item)
    pairs, address of a tally.
    """
    item = carray(pointer(item), 4, np.int64)
    groups = carray(pointer(item[1]), MANY, np.int64)
    calls = carray(pointer(item[2]), MANY, np.int64)
    if groups[3] != step:  # a run begins, elsewhere than the last one ended
        for group in range(item[0]):
            groups[4 * group + 3] = step
    tally = carray(pointer(item[3]), 2, np.int64)
    for back in range(item[0]):
        group = item[0] - 1 - back  # the last level first: it can only use what came before
        due = step - groups[4 * group + 2]
        if groups[4 * group + 3] == due:
            make_step(groups, group, calls, due, offset)
            if groups[4 * group + 2] > 0:
                tally[0] += 1
    tally[1] += 1


def drain(step, offset, item):
    """End a run: what is behind makes this step, too."""
    item = carray(pointer(item), 4, np.int64)
    groups = carray(pointer(item[1]), MANY, np.int64)
    calls = carray(pointer(item[2]), MANY, np.int64)
    for group in range(item[0]):
        if groups[4 * group + 3] == step:
            make_step(groups, group, calls, step, offset)


def look(step, offset, item):
    """Add up what the events of a population are to the products that they go to, for this step.

    Item: fired, counts, event_mask, stride, address of the products (address of int32 work of each source, or 0;
    work of any source), products, address of the rows of the series, columns, first column, address of the first step
    of the series, rows.
    """
    item = carray(pointer(item), 11, np.int64)
    place = step & item[2]
    count = carray(pointer(item[1]), MANY, np.int64)[place]
    row = step - carray(pointer(item[9]), 1, np.int64)[0]
    if row < 0 or row >= item[10]:
        return
    fired = carray(pointer(item[0] + 4 * place * item[3]), MANY, np.uint32)
    series = carray(pointer(item[6]), MANY, np.int64)
    products = carray(pointer(item[4]), MANY, np.int64)
    at = row * item[7] + item[8]
    series[at] = count
    for k in range(item[5]):
        total = count * products[2 * k + 1]
        if products[2 * k] != 0:
            work = carray(pointer(products[2 * k]), MANY, np.int32)
            total = 0
            for n in range(count):
                total += work[np.uint64(fired[n])]
        series[at + 1 + k] = total
