"""The compiled walk of the route checker."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = Any

FINE, NO_ENTRY, NO_LINK, TWICE, MISSING, SUPERFLUOUS = range(6)


@njit(cache=True, error_model="numpy")
def _first_match(key: Any, chip: int, mask_ptr: Array, mask: Array, value_ptr: Array, value: Array, row: Array) -> Any:
    """Row of the first entry of a chip's table that matches, -1 if none: one binary search for each mask."""
    best = np.int64(-1)
    for m in range(mask_ptr[chip], mask_ptr[chip + 1]):
        wanted = key & mask[m]
        low, high = value_ptr[m], value_ptr[m + 1]
        while low < high:
            middle = (low + high) // 2
            if value[middle] < wanted:
                low = middle + 1
            else:
                high = middle
        if low < value_ptr[m + 1] and value[low] == wanted and (best < 0 or row[low] < best):
            best = row[low]
    return best


@njit(cache=True, error_model="numpy")
def follow(
    ptr: Array,
    parts: Array,
    part: Array,
    key: Array,
    placement: Array,
    pes_per_chip: int,
    neighbour: Array,
    mask_ptr: Array,
    mask: Array,
    value_ptr: Array,
    value: Array,
    row: Array,
    table_ptr: Array,
    links: Array,
    pes: Array,
    allow_extra: bool,
) -> Any:
    """Follow the packet of every neuron with destinations until one goes wrong.

    Returns
    -------
    code : int
        FINE, or what is wrong.
    neuron, chip, detail : int
        Where; ``detail`` is a link or a PE of the chip.
    packets, deliveries, extra, look_ups : int
    """
    chips, words = len(neighbour), pes.shape[1]
    seen = np.full(chips, -1, np.int64)
    need_seen = np.full(chips, -1, np.int64)
    got, need = np.zeros((chips, words), np.uint64), np.zeros((chips, words), np.uint64)
    queue = np.empty(chips + 1, np.int64)
    packets = deliveries = extra = look_ups = 0
    for v in range(len(part)):
        if ptr[v] == ptr[v + 1]:
            continue
        packets += 1
        queue[0], size, at = placement[part[v]] // pes_per_chip, 1, 0
        seen[queue[0]] = v
        while at < size:
            c = queue[at]
            at += 1
            look_ups += 1
            entry = _first_match(key[v], c, mask_ptr, mask, value_ptr, value, row)
            if entry < 0:
                return NO_ENTRY, v, c, 0, packets, deliveries, extra, look_ups
            entry += table_ptr[c]
            for w in range(words):
                got[c, w] = pes[entry, w]
            for d in range(neighbour.shape[1]):
                if links[entry] >> d & 1:
                    there = neighbour[c, d]
                    if there < 0:
                        return NO_LINK, v, c, d, packets, deliveries, extra, look_ups
                    if seen[there] == v:
                        return TWICE, v, there, d, packets, deliveries, extra, look_ups
                    seen[there] = v
                    queue[size] = there
                    size += 1
        for k in range(ptr[v], ptr[v + 1]):
            pe = placement[parts[k]]
            c, p = pe // pes_per_chip, pe % pes_per_chip
            if need_seen[c] != v:
                need_seen[c] = v
                need[c] = np.uint64(0)
            need[c, p >> 6] |= np.uint64(1) << np.uint64(p & 63)
            if seen[c] != v or not got[c, p >> 6] >> np.uint64(p & 63) & np.uint64(1):
                return MISSING, v, c, p, packets, deliveries, extra, look_ups
        for k in range(size):
            c = queue[k]
            for w in range(words):
                wanted = need[c, w] if need_seen[c] == v else np.uint64(0)
                bits, more = got[c, w], got[c, w] & ~wanted
                while bits:
                    bits &= bits - np.uint64(1)
                    deliveries += 1
                if more and not allow_extra:
                    p = 0
                    while not more >> np.uint64(p) & np.uint64(1):
                        p += 1
                    return SUPERFLUOUS, v, c, 64 * w + p, packets, deliveries, extra, look_ups
                while more:
                    more &= more - np.uint64(1)
                    extra += 1
    return FINE, -1, -1, -1, packets, deliveries, extra, look_ups
