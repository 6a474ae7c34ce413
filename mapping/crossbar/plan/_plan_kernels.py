"""Compiled access to the weights and rows of a plan (imported late)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = Any


@njit(cache=True, error_model="numpy")
def place_dense(
    out: Array, rows: Array, columns: Array, first: int, height: int, left: int, width: int, values: Array
) -> None:
    """Add the cells of a part that has all of them, ``height`` by ``width`` from row ``first`` and column ``left``."""
    one = len(values) == 1
    for i in range(len(rows)):
        r = rows[i] - first
        if r < 0 or r >= height:
            continue
        for j in range(len(columns)):
            c = columns[j] - left
            if 0 <= c < width:
                out[i, j] += values[0] if one else values[r * width + c]


@njit(cache=True, error_model="numpy")
def place_listed(
    out: Array,
    rows: Array,
    place: Array,
    first: int,
    height: int,
    row_ptr: Array,
    targets: Array,
    values: Array,
    index: Array,
) -> None:
    """The same for a part whose cells are listed; ``place`` maps its columns to those of ``out``, or to -1.

    An empty ``index``: each cell has its own value, or there is one for all.
    """
    one = len(values) == 1
    for i in range(len(rows)):
        r = rows[i] - first
        if r < 0 or r >= height:
            continue
        for k in range(row_ptr[r], row_ptr[r + 1]):
            j = place[targets[k]]
            if j >= 0:
                out[i, j] += values[0] if one else values[k] if len(index) == 0 else values[index[k]]


@njit(cache=True, error_model="numpy")
def transpose_rows(
    rows: int, blocks: Array, row_list: Array, list_ptr: Array, listed: Array
) -> tuple[Array, Array, Array]:
    """For each matrix row the blocks, ascending, that hold it, and its position there."""
    ptr = np.zeros(rows + 1, np.int64)
    for b in blocks:
        for k in range(list_ptr[row_list[b]], list_ptr[row_list[b] + 1]):
            ptr[listed[k] + 1] += 1
    for r in range(rows):
        ptr[r + 1] += ptr[r]
    fill = ptr[:-1].copy()
    block = np.empty(ptr[-1], np.int32)
    position = np.empty(ptr[-1], np.int32)
    for b in blocks:
        start = list_ptr[row_list[b]]
        for k in range(start, list_ptr[row_list[b] + 1]):
            at = fill[listed[k]]
            fill[listed[k]] += 1
            block[at], position[at] = b, k - start
    return ptr, block, position


@njit(cache=True, error_model="numpy")
def rows_of_groups(row_ptr: Array, targets: Array, group_of: Array, groups: int) -> tuple[Array, Array]:
    """Rows that have a listed cell in each group of columns, ascending and once each: (pointers, rows)."""
    stamp = np.full(groups, -1, np.int64)
    ptr = np.zeros(groups + 1, np.int64)
    for r in range(len(row_ptr) - 1):
        for k in range(row_ptr[r], row_ptr[r + 1]):
            g = group_of[targets[k]]
            if stamp[g] != r:
                stamp[g] = r
                ptr[g + 1] += 1
    for g in range(groups):
        ptr[g + 1] += ptr[g]
    fill = ptr[:-1].copy()
    rows = np.empty(ptr[-1], np.int32)
    stamp[:] = -1
    for r in range(len(row_ptr) - 1):
        for k in range(row_ptr[r], row_ptr[r + 1]):
            g = group_of[targets[k]]
            if stamp[g] != r:
                stamp[g] = r
                rows[fill[g]] = r
                fill[g] += 1
    return ptr, rows


@njit(cache=True, error_model="numpy")
def sums_of_lists(values: Array, lists: Array, list_ptr: Array, listed: Array) -> Array:
    """Sum of the values of each list's items."""
    out = np.zeros(len(lists))
    for i in range(len(lists)):
        for k in range(list_ptr[lists[i]], list_ptr[lists[i] + 1]):
            out[i] += values[listed[k]]
    return out


@njit(cache=True, error_model="numpy")
def count_touched(
    step: Array,
    line: Array,
    entry_ptr: Array,
    entry_row: Array,
    entry_pass: Array,
    row_ptr: Array,
    row_block: Array,
    blocks: int,
    passes: int,
) -> int:
    """How often a block is reached by events, which are sorted by step; each step and pass counts once."""
    stamp = np.full(blocks * passes, -1, np.int64)
    found = 0
    for i in range(len(step)):
        for e in range(entry_ptr[line[i]], entry_ptr[line[i] + 1]):
            r = entry_row[e]
            for k in range(row_ptr[r], row_ptr[r + 1]):
                at = row_block[k] * passes + entry_pass[e]
                if stamp[at] != step[i]:
                    stamp[at] = step[i]
                    found += 1
    return found
