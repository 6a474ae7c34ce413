"""Compiled: normal random numbers of columns, the same for any order in which columns, samples or threads come.

A number depends on (seed, column, step, sample, read) alone: Philox words as in :mod:`neuromorph.random`, and two
normal numbers from two of them by the method of Box and Muller (1958). Everything is built of ``+ - * / sqrt`` and
bits, so that every processor makes the same numbers; the polynomials are right to 1e-8.
"""

# mypy: ignore-errors
# (Numba gives these functions their types)

from __future__ import annotations

import numpy as np
from numba import njit

from neuromorph.engine.lowlevel import bits_float, float_bits
from neuromorph.random_kernels import random_words

GROUP = 64
"""Columns that share blocks of Philox; a block of the plan begins at a multiple of it."""

_LN2 = 0.6931471805599453
_QUARTER = 1.5707963267948966 * 2.0**-30  # a quarter turn over the 30 bits that are left of a word


@njit(error_model="numpy", forceinline=True)
def log_unit(word):
    """Natural logarithm of ``(word + 1/2) 2**-32``, below 0."""
    bits = float_bits(np.float64(word) + 0.5)
    exponent = (bits >> 52) - 1023
    m = bits_float((bits & 0xFFFFFFFFFFFFF) | 0x3FF0000000000000)  # from 1 to 2
    high = m > 1.4142135623730951
    m = m * 0.5 if high else m
    e = np.float64(exponent - 31 if high else exponent - 32)
    s = (m - 1.0) / (m + 1.0)
    q = s * s
    series = 1.0 + q * (1 / 3 + q * (0.2 + q * (1 / 7 + q * (1 / 9))))
    return e * _LN2 + 2.0 * s * series


@njit(error_model="numpy", forceinline=True)
def turn(word):
    """Cosine and sine of a turn of ``word 2**-32``."""
    quarter = (np.int64(word) + (1 << 29)) >> 30  # the nearest one
    x = np.float64(np.int64(word) - (quarter << 30)) * _QUARTER
    q = x * x
    sine = x * (1.0 + q * (-1 / 6 + q * (1 / 120 + q * (-1 / 5040 + q * (1 / 362880)))))
    cosine = 1.0 + q * (-0.5 + q * (1 / 24 + q * (-1 / 720 + q * (1 / 40320 + q * (-1 / 3628800)))))
    odd = (quarter & 1) != 0
    a = sine if odd else cosine
    b = cosine if odd else sine
    a = -a if ((quarter + 1) & 2) != 0 else a
    b = -b if (quarter & 2) != 0 else b
    return a, b


@njit(error_model="numpy")
def normals(seed, group, groups, step, sample, read, words_at, words, out):
    """Standard normal numbers of the columns of ``groups`` groups from ``group`` on.

    Parameters
    ----------
    seed, group, groups, step, sample, read : uint64
        ``step`` and ``sample`` below 2**32; ``read`` tells the reads of a column in a step apart.
    words_at : int64
        Address of ``words``.
    words : uint32 (64 * groups,)
        Scratch.
    out : float64 (64 * groups,)
    """
    random_words(seed, group, groups, step | sample << np.uint64(32), read, words_at)
    for base in range(np.uint64(0), groups * np.uint64(GROUP), np.uint64(32)):
        for j in range(np.uint64(16)):
            radius = np.sqrt(-2.0 * log_unit(words[base + j]))
            c, s = turn(words[base + j + np.uint64(16)])
            out[base + j] = radius * c
            out[base + j + np.uint64(16)] = radius * s
