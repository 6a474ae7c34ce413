"""The counter-based generator as scalar Numba functions, bit-identical to :mod:`neuromorph.random`."""

from __future__ import annotations

import numba
import numpy as np

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_MASK, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)
_PART, _LONGEST = 32.0, 256  # as in neuromorph.random
_BLOCK = 256  # uniform numbers that are made at a time


@numba.njit(cache=True, error_model="numpy", forceinline=True)
def philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """Philox 4x32-10 of four counter words and two key words; all are uint64 below 2**32."""
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ k0, p1 & _MASK, (p0 >> _32) ^ c3 ^ k1, p0 & _MASK
        k0 = (k0 + _W0) & _MASK
        k1 = (k1 + _W1) & _MASK
    return c0, c1, c2, c3


@numba.njit(cache=True, error_model="numpy", forceinline=True)
def random_bits(seed, neuron, step, word):  # type: ignore[no-untyped-def]
    """32 random bits as an int64: see :func:`neuromorph.random.bits`."""
    seed, neuron, step, word = np.uint64(seed), np.uint64(neuron), np.uint64(step), np.uint64(word)
    lanes = philox(
        neuron & _MASK, step & _MASK, (step >> _32) & _MASK, word >> np.uint64(2), seed & _MASK, (seed >> _32) & _MASK
    )
    lane = word & np.uint64(3)
    if lane == np.uint64(0):
        return np.int64(lanes[0])
    if lane == np.uint64(1):
        return np.int64(lanes[1])
    if lane == np.uint64(2):
        return np.int64(lanes[2])
    return np.int64(lanes[3])


@numba.njit(cache=True, error_model="numpy", forceinline=True)
def _exp_minus(x):  # type: ignore[no-untyped-def]
    """exp(-x) for 0 <= x <= 32 from + and * alone, so that every printer gives the same bits."""
    r = -x * 2.0**-8
    e = 1 / 40320 + r * (1 / 362880)
    for term in (1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5, 1.0, 1.0):
        e = term + r * e
    for _ in range(8):
        e = e * e
    return e


@numba.njit(cache=True, error_model="numpy", forceinline=True)
def _two_words(seed, neuron, step, word):  # type: ignore[no-untyped-def]
    """Words ``word`` and ``word + 1``, from one block where they share it."""
    if word & 1:
        return random_bits(seed, neuron, step, word), random_bits(seed, neuron, step, word + 1)
    seed, neuron, step, word = np.uint64(seed), np.uint64(neuron), np.uint64(step), np.uint64(word)
    lanes = philox(
        neuron & _MASK, step & _MASK, (step >> _32) & _MASK, word >> np.uint64(2), seed & _MASK, (seed >> _32) & _MASK
    )
    if word & np.uint64(2):
        return np.int64(lanes[2]), np.int64(lanes[3])
    return np.int64(lanes[0]), np.int64(lanes[1])


@numba.njit(cache=True, error_model="numpy", forceinline=True)
def _uniform(seed, neuron, step, word):  # type: ignore[no-untyped-def]
    """Uniform in [0, 1) with 53 bits: see :func:`neuromorph.random.uniform`."""
    high, low = _two_words(seed, neuron, step, word)
    return float((high << np.int64(21)) | (low >> np.int64(11))) * 2.0**-53


@numba.njit(cache=True, error_model="numpy")
def random_poisson(seed, neuron, step, word, mean):  # type: ignore[no-untyped-def]
    """A Poisson count as an int64: see :func:`neuromorph.random.poisson`."""
    rest = 65536.0 if mean > 65536.0 else float(mean)
    count = np.int64(0)
    while rest > 0.0:
        part = rest if rest < _PART else _PART
        rest = rest - part
        u = _uniform(seed, neuron, step, word)
        word += 2
        p = _exp_minus(part)
        below = p
        k = 0
        while u >= below and k < _LONGEST:
            k += 1
            p = p * (part / float(k))
            below = below + p
        count += k
    return count


@numba.njit(cache=True, error_model="numpy")
def poisson_counts(seed, first, step, word, mean, lo, hi, out):  # type: ignore[no-untyped-def]
    """:func:`random_poisson` of neurons ``first + lo`` to ``first + hi - 1`` with one mean, into ``out[lo:hi]``.

    For a mean of one part, the probabilities that the loop above adds up are the same for all neurons: they are added
    once, and each uniform number is looked up among them, beginning where a guide by its upper 8 bits says.
    """
    if not 0.0 < mean <= _PART:
        for i in range(lo, hi):
            out[i] = random_poisson(seed, first + i, step, word, mean)
        return
    below, guide, u = np.empty(_LONGEST + 1), np.empty(257, np.int64), np.empty(_BLOCK)
    p = _exp_minus(mean)
    below[0] = p
    entries = 1
    while entries < _LONGEST:
        p = p * (mean / float(entries))
        below[entries] = below[entries - 1] + p
        entries += 1
        if float(entries) > mean and below[entries - 1] == below[entries - 2]:
            break  # from here on every sum is the same
    k = 0
    for j in range(256):
        while k < entries and j * 2.0**-8 >= below[k]:
            k += 1
        guide[j] = k
    begin = lo
    while begin < hi:
        end = min(hi, begin + np.uint64(_BLOCK))
        for i in range(begin, end):
            u[i - begin] = _uniform(seed, first + i, step, word)
        for i in range(begin, end):
            x = u[i - begin]
            k = guide[np.int64(x * 256.0)]
            while k < entries and x >= below[k]:
                k += 1
            out[i] = k if k < entries else _LONGEST
        begin = end
