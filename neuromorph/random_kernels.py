"""The counter-based generator as Numba functions, bit-identical to :mod:`neuromorph.random`.

Numbers are made for whole groups of 64 neurons at a time, by loops without branches that LLVM vectorises: a caller
gives the first group (global id divided by 64), how many, and the addresses of arrays of 64 elements a group. (Arrays
as arguments would be counted by Numba's run-time library, which cached kernels do without.)
"""

# mypy: ignore-errors
# (Numba gives these functions their types)

from __future__ import annotations

import numba
import numpy as np

from neuromorph.engine.lowlevel import pointer
from neuromorph.native.arrays import carray
from neuromorph.random import POISSON_LIMIT, POISSON_MOST, POISSON_PART, POISSON_SMALL, POISSON_TABLE

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_MASK, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)
_1, _4, _6, _8, _16, _48 = (np.uint64(n) for n in (1, 4, 6, 8, 16, 48))
_0, _2, _3, _15 = (np.uint64(n) for n in (0, 2, 3, 15))


@numba.njit(error_model="numpy", forceinline=True)
def philox(c0, c1, c2, c3, k0, k1):
    """Philox 4x32-10 of four counter words and two key words; all are uint64 below 2**32."""
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & _MASK, (p0 >> _32) ^ c3 ^ k1, p0 & _MASK
        k0 = (k0 + _W0) & _MASK
        k1 = (k1 + _W1) & _MASK
    return c0, c1, c2, c3


@numba.njit(error_model="numpy")
def random_words(seed, group, groups, step, word, out):
    """Words of the neurons of ``groups`` groups from ``group`` on: see :func:`neuromorph.random.bits`.

    Parameters
    ----------
    seed, group, groups, step, word : uint64
    out : int64
        Address of uint32 (64 * groups,).
    """
    out = carray(pointer(out), np.int64(groups << _6), np.uint32)
    k0, k1, s0, s1, c3 = seed & _MASK, seed >> _32, step & _MASK, step >> _32, word & _MASK
    for g in range(groups):
        block, at = (group + g) << _4, g << _6
        for j in range(_16):
            a, b, c, d = philox(block | j, s0, s1, c3, k0, k1)
            out[at + j] = np.uint32(a)
            out[at + _16 + j] = np.uint32(b)
            out[at + _32 + j] = np.uint32(c)
            out[at + _48 + j] = np.uint32(d)


@numba.njit(error_model="numpy", forceinline=True)
def random_word(seed, number, step, word):
    """One word of one neuron or synapse: see :func:`neuromorph.random.bits`. All are uint64."""
    block, lane = (number >> _6 << _4) | (number & _15), number >> _4 & _3
    a, b, c, d = philox(block, step & _MASK, step >> _32, word & _MASK, seed & _MASK, seed >> _32)
    return np.int64((a if lane == _0 else b) if lane < _2 else (c if lane == _2 else d))


@numba.njit(error_model="numpy", forceinline=True)
def _exp_minus(x):
    """exp(-x) for 0 <= x <= 32 from + and * alone, so that every printer gives the same bits."""
    r = x * -(2.0**-8)
    e = 1 / 40320 + r * (1 / 362880)
    for term in (1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5, 1.0, 1.0):
        e = term + r * e
    for _ in range(8):
        e = e * e
    return e


@numba.njit(error_model="numpy", forceinline=True)
def _count_few(u, m):
    """Number of k < 4 with u < P(Poisson(m) > k), for small m: the tails by their series."""
    return (
        np.int32(u < m * (1.0 - m * (0.5 - m * (1 / 6 - m * (1 / 24)))))
        + np.int32(u < m * m * (0.5 - m * (1 / 3 - m * (1 / 8))))
        + np.int32(u < m * m * m * (1 / 6 - m * (1 / 8)))
        + np.int32(u < m * m * m * m * (1 / 24))
    )


@numba.njit(error_model="numpy")
def _thresholds(mean, table):
    """What words are compared with: the count of a word is ``base`` and one for each entry that it is above.

    ``(w + 1/2) 2**-32 >= P(N <= k)`` is ``w >= ceil(2**32 P - 1/2)``; where that is 0 it holds for every word, from
    2**32 on for none.

    Returns
    -------
    base : int
    entries : int
        A multiple of 8; the last ones are filled with 2**32 - 1, which no word is above.
    """
    table = carray(pointer(table), POISSON_TABLE, np.uint32)
    base = entries = 0
    p = _exp_minus(mean)
    below = p
    k = 0
    while k < POISSON_MOST:
        threshold = np.ceil(below * 2.0**32 - 0.5)
        if threshold >= 2.0**32:
            break
        if threshold < 1.0:
            base += 1
        else:
            table[entries] = np.uint32(np.uint64(threshold) - _1)
            entries += 1
        k += 1
        p = p * (mean * (1.0 / k))
        below = below + p
    while entries % 8:
        table[entries] = np.uint32(_MASK)
        entries += 1
    return base, entries


@numba.njit(error_model="numpy")
def _count_above(n, words, base, table, entries, out):
    """Add to each count the base and the number of thresholds that its word is above."""
    words = carray(pointer(words), np.int64(n), np.uint32)
    table = carray(pointer(table), POISSON_TABLE, np.uint32)
    out = carray(pointer(out), np.int64(n), np.int32)
    for i in range(n):
        out[i] += np.int32(base)
    for k in range(np.uint64(0), np.uint64(entries), _8):
        a, b, c, d = table[k], table[k + _1], table[k + np.uint64(2)], table[k + np.uint64(3)]
        e, f, g, h = table[k + _4], table[k + np.uint64(5)], table[k + _6], table[k + np.uint64(7)]
        for i in range(n):
            w = words[i]
            low = np.int32(w > a) + np.int32(w > b) + np.int32(w > c) + np.int32(w > d)
            high = np.int32(w > e) + np.int32(w > f) + np.int32(w > g) + np.int32(w > h)
            out[i] += np.int32(low + high)


@numba.njit(error_model="numpy")
def poisson_shared(seed, group, groups, step, word, mean, words, more, table, out):
    """Poisson counts of one mean for the neurons of some groups: see :func:`neuromorph.random.poisson`.

    Parameters
    ----------
    seed, group, groups, step, word : uint64
    mean : float64
    words, more, table : int64
        Addresses of scratch, uint32 (64 * groups,), (64 * groups,), (POISSON_TABLE,).
    out : int64
        Address of int32 (64 * groups,).
    """
    n = groups << _6
    counts = carray(pointer(out), np.int64(n), np.int32)
    for i in range(n):
        counts[i] = 0
    if not mean > 0.0:
        return
    random_words(seed, group, groups, step, word, words)
    if mean < POISSON_SMALL:
        random_words(seed, group, groups, step, word + _1, more)
        high = carray(pointer(words), np.int64(n), np.uint32)
        low = carray(pointer(more), np.int64(n), np.uint32)
        for i in range(n):
            counts[i] = _count_few(np.float64(high[i]) * 2.0**-32 + np.float64(low[i]) * 2.0**-64, mean)
        return
    mean = min(mean, POISSON_LIMIT)
    parts = np.ceil(mean * (1.0 / POISSON_PART))
    base, entries = _thresholds(mean / parts, table)
    for part in range(np.uint64(parts)):
        if part:
            random_words(seed, group, groups, step, word + part, words)
        _count_above(n, words, base, table, entries, out)


@numba.njit(error_model="numpy")
def poisson_own(seed, group, groups, step, word, means, words, parts, p, below, out):
    """Poisson counts of a mean for each neuron: see :func:`neuromorph.random.poisson`.

    All neurons of the groups advance along their distributions together, until none is left below its number.

    Parameters
    ----------
    seed, group, groups, step, word : uint64
    means : int64
        Address of float64 (64 * groups,): not above 0 for neurons that take no part; overwritten.
    words, parts, p, below : int64
        Addresses of scratch, uint32, int32, float64, float64 (64 * groups,).
    out : int64
        Address of int32 (64 * groups,).
    """
    n = groups << _6
    drawn, size = words, np.int64(n)
    words, parts = carray(pointer(words), size, np.uint32), carray(pointer(parts), size, np.int32)
    means, p = carray(pointer(means), size, np.float64), carray(pointer(p), size, np.float64)
    below, out = carray(pointer(below), size, np.float64), carray(pointer(out), size, np.int32)
    few, most = np.int64(0), np.int32(0)
    for i in range(n):
        m = means[i] if means[i] > 0.0 else 0.0
        m = m if m < POISSON_LIMIT else POISSON_LIMIT
        many = m >= POISSON_SMALL
        count = np.int32(np.ceil(m * (1.0 / POISSON_PART))) if many else np.int32(0)
        parts[i] = count
        most = max(most, count)
        few += np.int64(m > 0.0) - np.int64(many)
        means[i] = m / np.float64(count) if many else m
        out[i] = 0
    random_words(seed, group, groups, step, word, drawn)
    if few:
        for i in range(n):
            p[i] = np.float64(words[i]) * 2.0**-32
        random_words(seed, group, groups, step, word + _1, drawn)
        for i in range(n):
            count = _count_few(p[i] + np.float64(words[i]) * 2.0**-64, means[i])
            out[i] = count if parts[i] == 0 else 0
    for part in range(most):
        if few or part:
            random_words(seed, group, groups, step, word + np.uint64(part), drawn)
        for i in range(n):
            p[i] = _exp_minus(means[i])
            below[i] = p[i] if part < parts[i] else 2.0
        for k in range(1, POISSON_MOST + 1):
            inverse = 1.0 / k
            left = np.int64(0)
            for i in range(n):
                above = (np.float64(words[i]) + 0.5) * 2.0**-32 >= below[i]
                left += np.int64(above)
                out[i] += np.int32(above)
                p[i] = p[i] * (means[i] * inverse)
                below[i] = below[i] + p[i]
            if left == 0:
                break
