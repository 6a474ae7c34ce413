"""From plain rows to what storage forms need: cuts, runs of equal delay, bits, narrower targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.native import compiled
from neuromorph.network.builders.parallel import available_threads, blocks, for_each

Array = npt.NDArray[Any]

_KERNELS = "neuromorph.engine.delivery.conversion_kernels"
split, set_bits, mark = compiled(_KERNELS, "split"), compiled(_KERNELS, "set_bits"), compiled(_KERNELS, "mark")
count_delays, sort_by_delay = compiled(_KERNELS, "count_delays"), compiled(_KERNELS, "sort_by_delay")
repeats = compiled(_KERNELS, "repeats", bool)

RANGES = 64
CHUNK = 1 << 22
"""Targets that are narrowed at a time."""


def positions(begin: Array, end: Array, targets: Array, bound: int) -> Array:
    """Where each ascending run ``targets[begin[r]:end[r]]`` reaches ``bound``."""
    out = np.empty(len(begin), begin.dtype)
    threads = available_threads() if len(begin) >= 1 << 16 else 1
    for_each(lambda a, b: split(a, b, begin, end, targets, bound, out), blocks(len(begin), RANGES), threads)
    return out


def distinct(delays: Array) -> Array:
    """The delays that occur, ascending."""
    seen = np.zeros(1 << 8 * delays.itemsize, np.bool_)
    mark(delays, seen)
    return np.flatnonzero(seen).astype(delays.dtype)


class Sorting:
    """The order of a projection's synapses by row and, within it, by delay; synapses of equal delay stay in order.

    Attributes
    ----------
    ptr : (n_pre * len(runs) + 1,)
        Where the synapses of each row and delay begin.
    """

    def __init__(self, row_ptr: Array, delays: Array, runs: Array, pointer: np.dtype[Any]) -> None:
        n_pre = len(row_ptr) - 1
        self._row_ptr, self._delays = row_ptr, delays
        self._rank = np.zeros(1 << 8 * delays.itemsize, np.int64)
        self._rank[runs] = np.arange(len(runs))
        self._ranges = blocks(n_pre, RANGES)
        self.ptr = np.zeros(n_pre * len(runs) + 1, pointer)
        numbers = self.ptr[1:].reshape(n_pre, len(runs))
        self._each(lambda a, b: count_delays(a, b, row_ptr, delays, self._rank, numbers))
        np.cumsum(self.ptr, dtype=pointer, out=self.ptr)
        self._begin = self.ptr[:-1].reshape(n_pre, len(runs))

    def _each(self, work: Any) -> None:
        for_each(work, self._ranges, available_threads() if len(self._delays) >= 1 << 18 else 1)

    def __call__(self, values: Array, consume: bool) -> Array:
        """The synapses' values in this order; over the same memory if nobody else needs it."""
        out = values if consume and values.flags.writeable else np.empty(values.shape, values.dtype)
        self._each(lambda a, b: sort_by_delay(a, b, self._row_ptr, self._delays, self._rank, self._begin, values, out))
        return out


def narrowed(targets: Array, consume: bool) -> Array:
    """The low 16 bits of each target; over the same memory if nobody else needs it."""
    count = len(targets)
    if not (consume and targets.flags.owndata and targets.flags.writeable):
        return targets.astype(np.uint16)
    narrow = targets.view(np.uint16)
    for start in range(0, count, CHUNK):  # what is written lies before what is still to be read
        stop = min(start + CHUNK, count)
        narrow[start:stop] = targets[start:stop].astype(np.uint16)
    del narrow
    targets.resize(-(-count // 2), refcheck=False)
    return targets.view(np.uint16)[:count]


def bit_rows(row_ptr: Array, targets: Array, n_post: int) -> npt.NDArray[np.uint8]:
    """Rows of one bit for each target, lowest bit first, padded to whole multiples of 8 bytes."""
    n_pre = len(row_ptr) - 1
    bits = np.zeros((n_pre, -(-n_post // 64) * 8), np.uint8)
    threads = available_threads() if len(targets) >= 1 << 18 else 1
    for_each(lambda a, b: set_bits(a, b, row_ptr, targets, bits), blocks(n_pre, RANGES), threads)
    return bits
