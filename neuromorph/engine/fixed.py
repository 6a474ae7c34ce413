"""Kernels that do not depend on the network: replay, recording, counting and the drivers that run whole chunks.

Like generated kernels, each is a C function of (step, offset, address of its item); this module's text is compiled
through the same cache. The fields of the items are in ``neuromorph/engine/items.py``. ``offset`` is what recorders
add to a step number: samples of a batch follow one another on one time axis.
"""

# mypy: ignore-errors
# (Numba gives these functions their types)

from __future__ import annotations

import numpy as np
from numba import njit

from neuromorph.engine.lowlevel import atomic_add, atomic_load, atomic_store, call, pause, pointer, sched_yield
from neuromorph.native.arrays import carray

MANY = 1 << 62  # length of a view whose bounds nobody checks


@njit(error_model="numpy")
def copy_words(source, target, words):
    """Copy so many 4-byte words from one address to another."""
    a = carray(pointer(source), MANY, np.uint32)
    b = carray(pointer(target), MANY, np.uint32)
    for k in range(np.uint64(words)):
        b[k] = a[k]


def replay(step, offset, item):
    """Emit the events of a source population for this step, from its list."""
    item = carray(pointer(item), 12, np.int64)
    lo, hi, steps, stride, wide = item[0], item[1], item[3], item[6], item[10]
    step_ptr = carray(pointer(item[2]), MANY, np.int64)
    indices = carray(pointer(item[4]), MANY, np.uint32)
    fired = carray(pointer(item[7]), MANY, np.uint32)
    counts = carray(pointer(item[9]), MANY, np.int64)
    place = step & item[11]
    first = place * stride + lo
    n = 0
    if step < steps:
        for k in range(step_ptr[step], step_ptr[step + 1]):
            index = np.int64(indices[k])
            if lo <= index < hi:
                fired[first + n] = np.uint32(index)
                if item[5] != 0:
                    copy_words(item[5] + k * 4 * wide, item[8] + (first + n) * 4 * wide, wide)
                n += 1
    counts[place] = n


@njit(error_model="numpy")
def emit_row(table, columns, ids, lanes, lo, hi, fired, values):
    """List what is not 0 in the rows ``ids`` of a table, element = column * lanes + lane; gives the number of events.

    Every entry is written where the next event goes, and stays if it is one: no branch that could be guessed wrong.
    """
    n = np.uint64(0)
    for column in range(lo // lanes, hi // lanes):
        for lane in range(lanes):
            if ids[lane] >= 0:
                value = table[np.int64(ids[lane]) * columns + column]
                fired[n] = np.uint32(column * lanes + lane)
                values[n] = value
                n += np.uint64(value != 0)
    return np.int64(n)


def lookup(step, offset, item):
    """Emit the row of a table that this step names."""
    item = carray(pointer(item), 13, np.int64)
    lo, hi, lanes, wide = item[0], item[1], item[6], item[11]
    place = step & item[12]
    first = place * item[7] + lo
    n = 0
    if step < item[5]:
        ids = carray(pointer(item[4] + 4 * step * lanes), MANY, np.int32)
        fired = carray(pointer(item[8] + 4 * first), MANY, np.uint32)
        at = item[9] + 4 * wide * first
        if wide == 1:
            table = carray(pointer(item[2]), MANY, np.float32)
            n = emit_row(table, item[3], ids, lanes, lo, hi, fired, carray(pointer(at), MANY, np.float32))
        else:
            table = carray(pointer(item[2]), MANY, np.float64)
            n = emit_row(table, item[3], ids, lanes, lo, hi, fired, carray(pointer(at), MANY, np.float64))
    carray(pointer(item[10]), MANY, np.int64)[place] = n


def follow(step, offset, item):
    """Emit an event of each neuron of which a state of another population, which has made the step, is not 0."""
    item = carray(pointer(item), 7, np.int64)
    lo, hi, place = item[0], item[1], step & item[6]
    state = carray(pointer(item[2]), MANY, np.int32)
    fired = carray(pointer(item[4] + 4 * (place * item[3] + lo)), MANY, np.uint32)
    n = np.uint64(0)
    for i in range(lo, hi):
        if state[np.uint64(i)] != 0:
            fired[n] = np.uint32(i)
            n += np.uint64(1)
    carray(pointer(item[5]), MANY, np.int64)[place] = np.int64(n)


def record_events(step, offset, item):
    """Append this step's events to a buffer; ask the driver to stop while another window would still fit."""
    item = carray(pointer(item), 15, np.int64)
    counts = carray(pointer(item[2]), MANY, np.int64)
    starts = carray(pointer(item[3]), MANY, np.int64)
    segments, stride, wide = item[4], item[5], item[13]
    steps_out = carray(pointer(item[6]), MANY, np.int64)
    place = step & item[14]
    length = carray(pointer(item[9]), 1, np.int64)
    n = length[0]
    for segment in range(segments):
        count = counts[segment * (item[14] + 1) + place]
        first = place * stride + starts[segment]
        copy_words(item[0] + first * 4, item[7] + n * 4, count)
        if item[1] != 0:
            copy_words(item[1] + first * 4 * wide, item[8] + n * 4 * wide, count * wide)
        for k in range(count):
            steps_out[n + k] = step + offset
        n += count
    length[0] = n
    if item[10] - n < 2 * item[11]:
        stop = carray(pointer(item[12]), 1, np.int64)
        stop[0] = min(stop[0], step + 1)


def record_state(step, offset, item):
    """Copy a variable of neurons [lo, hi) to its row of the buffer, every n-th step."""
    item = carray(pointer(item), 8, np.int64)
    now, every, wide = step + offset, item[4], item[7]
    if now % every == 0:
        row = now // every - carray(pointer(item[6]), 1, np.int64)[0]
        start = item[0] * 4 * wide
        copy_words(item[3] + start, item[5] + row * item[2] * 4 * wide + start, (item[1] - item[0]) * wide)


def count(step, offset, item):
    """Add this step's events to the totals of their neurons, if the step is in the window."""
    item = carray(pointer(item), 9, np.int64)
    if item[6] <= step < item[7]:
        fired = carray(pointer(item[0]), MANY, np.uint32)
        counts = carray(pointer(item[1]), MANY, np.int64)
        starts = carray(pointer(item[2]), MANY, np.int64)
        totals = carray(pointer(item[5]), MANY, np.int64)
        segments, place = item[3], step & item[8]
        for segment in range(segments):
            first = place * item[4] + starts[segment]
            for k in range(counts[segment * (item[8] + 1) + place]):
                totals[np.uint64(fired[first + k])] += 1


@njit(error_model="numpy")
def call_all(table, first, last, step, offset):
    """Call the (function, item) pairs [first, last) of a table."""
    pairs = carray(pointer(table), MANY, np.int64)
    for k in range(first, last):
        call(pairs[2 * k], step, offset, pairs[2 * k + 1])


@njit(error_model="numpy")
def meet(barrier, threads):
    """Wait until every thread is here: spin, and after a while give the core away."""
    generation = atomic_load(barrier + 64)
    if atomic_add(barrier, 1) == threads - 1:
        atomic_store(barrier, 0)
        atomic_add(barrier + 64, 1)
    else:
        spins = 0
        while atomic_load(barrier + 64) == generation:
            spins += 1
            if spins < 500:
                pause()
            else:
                sched_yield()


@njit(error_model="numpy")
def run_steps(first, last, item):
    """Run steps until ``last`` or, once a recorder names a step, through the next window; gives the next step."""
    item = carray(pointer(item), 11, np.int64)
    threads, window, offset = item[0], item[3], item[9]
    groups = carray(pointer(item[7]), MANY, np.int64)
    begin = first
    while begin < last:
        end = min(begin + window, last)
        for step in range(begin, end):
            call_all(item[4], 0, item[5], step, offset)
        if threads > 1:
            meet(item[1], threads)
        stop = atomic_load(item[2])
        for k in range(item[8]):
            for step in range(begin, end):
                call_all(item[6], groups[k], groups[k + 1], step, offset)
        if stop <= begin:  # named in an earlier window; a thread that is ahead names a later step
            return end
        begin = end
    return last


def drive(first, last, item):
    """Run steps [first, last) of one thread's tables; the item's last field becomes the next step."""
    fields = carray(pointer(item), 11, np.int64)
    fields[10] = run_steps(first, last, item)


def drive_batch(first, last, item):
    """Run samples [first, last): restore the initial memory, set the sample's values, run its steps, counting."""
    item = carray(pointer(item), 8, np.int64)
    copies = carray(pointer(item[2]), MANY, np.int64)
    rows = carray(pointer(item[4]), MANY, np.int64)
    totals = carray(pointer(item[6]), MANY, np.int64)
    for sample in range(first, last):
        for k in range(item[3]):  # (source, target, words)
            copy_words(copies[3 * k], copies[3 * k + 1], copies[3 * k + 2])
        for k in range(item[5]):  # (array of all samples, target, words of one sample)
            copy_words(rows[3 * k] + sample * 4 * rows[3 * k + 2], rows[3 * k + 1], rows[3 * k + 2])
        for k in range(item[7]):  # (item of a counter, totals of sample 0, bytes of one sample)
            counter = carray(pointer(totals[3 * k]), 9, np.int64)
            counter[5] = totals[3 * k + 1] + sample * totals[3 * k + 2]
        run_steps(0, item[1], item[0])
