"""Compiled loops that distribute the synapses of a projection over the memories of the PEs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(cache=True, error_model="numpy")
def count_image(row_ptr: Any, targets: Any, part: Any, first: int, parts: int) -> Any:
    """Synapses of a projection on every part, and the number of (source, part) sub-rows."""
    words = np.zeros(parts, np.int64)
    stamp = np.full(parts, -1, np.int64)
    sub_ptr = np.zeros(len(row_ptr), np.int64)
    subs = 0
    for source in range(len(row_ptr) - 1):
        for i in range(row_ptr[source], row_ptr[source + 1]):
            p = part[first + np.int64(targets[i])]
            words[p] += 1
            if stamp[p] != source:
                stamp[p] = source
                subs += 1
        sub_ptr[source + 1] = subs
    return words, sub_ptr


@njit(cache=True, error_model="numpy")
def fill_image(
    row_ptr: Any, targets: Any, part: Any, first: int, local: Any, start: Any, sub_ptr: Any,
    sub_part: Any, sub_start: Any, sub_count: Any, word_local: Any, word_from: Any,
) -> None:  # fmt: skip
    """Write every synapse into the image of its part, row by row, in the order of the row.

    ``start`` (parts,) is where each part's words begin and is advanced; ``word_from`` says which synapse of the
    projection a word came from (empty: not wanted).
    """
    parts = len(start)
    slot = np.full(parts, -1, np.int64)
    want = len(word_from) > 0
    for source in range(len(row_ptr) - 1):
        begin = sub_ptr[source]
        at = begin
        # Sub-rows of a source stand in ascending order of their part, so that runs do not depend on row order.
        for i in range(row_ptr[source], row_ptr[source + 1]):
            p = part[first + np.int64(targets[i])]
            if slot[p] < begin:
                slot[p] = at
                sub_part[at] = p
                at += 1
        if at - begin > 1:
            sub_part[begin:at] = np.sort(sub_part[begin:at])
        for k in range(begin, at):
            slot[sub_part[k]] = k
            sub_count[k] = 0
        for i in range(row_ptr[source], row_ptr[source + 1]):
            t = np.int64(targets[i])
            p = part[first + t]
            k = slot[p]
            if sub_count[k] == 0:
                sub_start[k] = start[p]
            w = start[p]
            word_local[w] = local[t]
            if want:
                word_from[w] = i
            sub_count[k] += 1
            start[p] += 1
