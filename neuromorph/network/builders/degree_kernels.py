"""Compiled: fixed numbers of partners for each neuron, drawn with or without repetition."""

# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit

from neuromorph.network.builders.philox_kernels import below, pair64


@njit(error_model="numpy", inline="always")
def draw_with_repetition(key, row, n, skip_self, out):
    """``len(out)`` independent draws from [0, n), from [0, n) without ``row`` if ``skip_self``."""
    k = len(out)
    candidates = n - 1 if skip_self else n
    block = np.uint64(0)
    i = 0
    while i < k:
        a, b = pair64(key, np.uint64(row), block)
        block += np.uint64(1)
        for half in range(4):
            if i == k:
                break
            word = a if half < 2 else b
            if half % 2 == 1:
                word = word >> np.uint64(32)
            partner = np.int64(below(word, candidates))
            if skip_self and partner >= row:
                partner += 1
            out[i] = partner
            i += 1


@njit(error_model="numpy", inline="always")
def draw_distinct(key, row, n, skip_self, marks, out):
    """A uniform random subset of ``len(out)`` of the candidates, in any order.

    Draws repeat until they meet an unmarked candidate. Where more than half are wanted, those left out are drawn.
    ``marks`` is all False before and after, length n.
    """
    k = len(out)
    candidates = n - 1 if skip_self else n
    invert = 2 * k > candidates
    wanted = candidates - k if invert else k
    block = np.uint64(0)
    found = 0
    while found < wanted:
        a, b = pair64(key, np.uint64(row), block)
        block += np.uint64(1)
        for half in range(4):
            if found == wanted:
                break
            word = a if half < 2 else b
            if half % 2 == 1:
                word = word >> np.uint64(32)
            partner = np.int64(below(word, candidates))
            if skip_self and partner >= row:
                partner += 1
            if not marks[partner]:
                marks[partner] = True
                if not invert:
                    out[found] = partner
                found += 1
    if invert:
        at = 0
        for partner in range(n):
            if marks[partner]:
                marks[partner] = False
            elif not (skip_self and partner == row):
                out[at] = partner
                at += 1
    else:
        for i in range(k):
            marks[out[i]] = False


@njit(error_model="numpy")
def count_uniform(key, start, stop, n, counts):
    """Add draws ``start`` to ``stop`` from [0, n) to ``counts``; ``start`` is a multiple of 4."""
    drawn = start
    while drawn < stop:
        a, b = pair64(key, np.uint64(0), np.uint64(drawn // 4))
        for half in range(min(4, stop - drawn)):
            word = a if half < 2 else b
            if half % 2 == 1:
                word = word >> np.uint64(32)
            counts[below(word, n)] += 1
        drawn += 4


@njit(error_model="numpy")
def count_sources(key, start, stop, k, n_pre, multapses, skip_self, degrees):
    """Add to ``degrees[source]`` the synapses that targets ``[start, stop)`` draw, k each."""
    drawn = np.empty(k, np.int64)
    marks = np.zeros(1 if multapses else n_pre, np.bool_)
    for target in range(start, stop):
        if multapses:
            draw_with_repetition(key, target, n_pre, skip_self, drawn)
        else:
            draw_distinct(key, target, n_pre, skip_self, marks, drawn)
        for i in range(k):
            degrees[drawn[i]] += 1


@njit(error_model="numpy")
def scatter_targets(key, start, stop, k, n_pre, multapses, skip_self, cursor, targets):
    """Draw the same again and put each target at its source's ``cursor``; ascending, since targets come in order."""
    drawn = np.empty(k, np.int64)
    marks = np.zeros(1 if multapses else n_pre, np.bool_)
    for target in range(start, stop):
        if multapses:
            draw_with_repetition(key, target, n_pre, skip_self, drawn)
        else:
            draw_distinct(key, target, n_pre, skip_self, marks, drawn)
        for i in range(k):
            source = drawn[i]
            targets[cursor[source]] = target
            cursor[source] += 1


@njit(error_model="numpy")
def fill_rows(key, start, stop, row_ptr, n_post, multapses, skip_self, targets):
    """Rows ``[start, stop)``: as many partners as ``row_ptr`` leaves room for, ascending."""
    marks = np.zeros(1 if multapses else n_post, np.bool_)
    for row in range(start, stop):
        k = row_ptr[row + 1] - row_ptr[row]
        drawn = np.empty(k, np.int64)
        if multapses:
            draw_with_repetition(key, row, n_post, skip_self, drawn)
        else:
            draw_distinct(key, row, n_post, skip_self, marks, drawn)
        drawn.sort()
        for i in range(len(drawn)):
            targets[row_ptr[row] + i] = drawn[i]
