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
