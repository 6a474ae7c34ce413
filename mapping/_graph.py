"""Compiled loops that turn built projections into nets (imported late)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = Any


@njit(cache=True, error_model="numpy")
def append_rows(row_ptr: Array, targets: Array, shift: int, cursor: Array, pins: Array) -> None:
    """Write every row's targets, shifted to global ids, where the source's cursor stands."""
    for s in range(len(row_ptr) - 1):
        at = cursor[s]
        for i in range(row_ptr[s], row_ptr[s + 1]):
            pins[at] = targets[i] + shift
            at += 1
        cursor[s] = at


@njit(cache=True, error_model="numpy")
def append_dense(n_post: int, shift: int, cursor: Array, pins: Array) -> None:
    """Like ``append_rows`` for a projection in which every source reaches every target."""
    for s in range(len(cursor)):
        at = cursor[s]
        for t in range(n_post):
            pins[at + t] = shift + t
        cursor[s] = at + n_post


@njit(cache=True, error_model="numpy")
def unique_rows(ptr: Array, pins: Array) -> Any:
    """Sort each row and drop repetitions, in place; (new ptr, pins kept)."""
    new = np.empty_like(ptr)
    new[0] = 0
    at = 0
    for e in range(len(ptr) - 1):
        low, high = ptr[e], ptr[e + 1]
        for i in range(low + 1, high):
            if pins[i] < pins[i - 1]:
                pins[low:high].sort()
                break
        for i in range(low, high):
            if i == low or pins[i] != pins[i - 1]:
                # Never ahead of the reading index, but it may overwrite i - 1 of this row only with itself.
                pins[at] = pins[i]
                at += 1
        new[e + 1] = at
    return new, at


@njit(cache=True, error_model="numpy")
def count_targets(targets: Array, each: int, out: Array) -> None:
    """Add ``each`` to ``out`` for every target."""
    for i in range(len(targets)):
        out[targets[i]] += each


@njit(cache=True, error_model="numpy")
def weight_blocks(targets: Array, weight_index: Array, n_post: int, weights: int) -> Any:
    """Smallest blocks of shared weights such that every target uses exactly one block.

    Returns (block of each target or -1, int32 (n_post,); block of each weight, int32 (weights,); blocks).
    """
    parent = np.arange(weights)
    first = np.full(n_post, -1, np.int64)
    for i in range(len(targets)):
        t = targets[i]
        w = np.int64(weight_index[i])
        if first[t] < 0:
            first[t] = w
            continue
        a = first[t]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        b = w
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        if a < b:
            parent[b] = a
        elif b < a:
            parent[a] = b
    block = np.full(weights, -1, np.int32)
    blocks = 0
    for i in range(weights):
        root = parent[i]
        while parent[root] != root:
            root = parent[root]
        if block[root] < 0:
            block[root] = blocks
            blocks += 1
        block[i] = block[root]
    of_target = np.full(n_post, -1, np.int32)
    for t in range(n_post):
        if first[t] >= 0:
            of_target[t] = block[first[t]]
    return of_target, block, blocks
