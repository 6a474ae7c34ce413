"""Numbered draws for builders: one Philox stream for each row."""

# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit

from neuromorph.random_kernels import philox

LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


@njit(error_model="numpy", inline="always")
def pair64(key, row, block):
    """Two 64-bit random words: block ``block`` of stream ``row`` under the 64-bit ``key``; all three are uint64."""
    a, b, c, d = philox(block & LOW, block >> HALF, row & LOW, row >> HALF, key & LOW, key >> HALF)
    return a | (b << HALF), c | (d << HALF)


@njit(error_model="numpy", inline="always")
def unit(word):
    """A number in (0, 1]: ``(j + 1) / 2**53`` for the upper 53 bits j of a word; its logarithm is finite."""
    return (np.float64(word >> np.uint64(11)) + 1.0) * 1.1102230246251565e-16


@njit(error_model="numpy", inline="always")
def below(word, n):
    """An integer in [0, n) for n < 2**32: the upper half of ``n`` times 32 bits (bias below n / 2**32)."""
    return (np.uint64(n) * (word & LOW)) >> HALF
