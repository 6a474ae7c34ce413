"""Counter-based random numbers: Philox 4x32-10 of who asks, when and what for.

A number depends on (seed, global neuron id, step, word) and on nothing else, so it is the same for any number of
threads, any partition and any order of evaluation. Words come in blocks of four: word ``w`` is lane ``w & 3`` of

    philox(counter = (neuron id, step low, step high, w >> 2), key = (seed low, seed high))

Source: J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

UIntArray = npt.NDArray[np.uint64]

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
_MASK, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)

POISSON_LIMIT = 65536.0
"""Poisson means above this are taken as this."""
POISSON_WORDS = 4096
"""Words that one Poisson call site may use: two for every 32 of its mean."""
_PART = 32.0
_LONGEST = 256  # P(Poisson(32) > 256) < 1e-130: only rounding of the running sum could get there


def philox(
    counter: tuple[Any, Any, Any, Any], key: tuple[int, int]
) -> tuple[UIntArray, UIntArray, UIntArray, UIntArray]:
    """Philox 4x32 with 10 rounds.

    Parameters
    ----------
    counter : four ints or arrays of ints below 2**32
        Broadcast against each other.
    key : two ints below 2**32

    Returns
    -------
    tuple of four uint64 arrays
        Each below 2**32.
    """
    c0, c1, c2, c3 = (np.asarray(c, dtype=np.uint64) for c in counter)
    k0, k1 = key
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (p1 >> _32) ^ c1 ^ np.uint64(k0), p1 & _MASK, (p0 >> _32) ^ c3 ^ np.uint64(k1), p0 & _MASK
        k0, k1 = (k0 + _W0) & 0xFFFFFFFF, (k1 + _W1) & 0xFFFFFFFF
    return c0, c1, c2, c3


def bits(seed: int, neuron: npt.ArrayLike, step: int, word: int) -> npt.NDArray[np.int64]:
    """32 random bits for each neuron.

    Parameters
    ----------
    seed : int
        64 bits are used.
    neuron : int or array of ints
        Global ids, below 2**32.
    step : int
        At least 0.
    word : int
        Which number of this neuron and step, below 2**34.

    Returns
    -------
    int64 array of the shape of `neuron`
        In [0, 2**32).
    """
    key = (seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF)
    lanes = philox((neuron, step & 0xFFFFFFFF, step >> 32 & 0xFFFFFFFF, word >> 2), key)
    return lanes[word & 3].astype(np.int64)


def uniform(seed: int, neuron: npt.ArrayLike, step: int, word: int) -> npt.NDArray[np.float64]:
    """Uniform in [0, 1) with 53 bits: word gives the upper 32, word + 1 the lower 21."""
    high, low = bits(seed, neuron, step, word), bits(seed, neuron, step, word + 1)
    return np.asarray(((high << 21) | (low >> 11)) * 2.0**-53, dtype=np.float64)


def _exp_minus(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """exp(-x) for 0 <= x <= 32 from + and * alone, so that every printer gives the same bits."""
    r = -x * 2.0**-8
    e = 1 / 40320 + r * (1 / 362880)
    for term in (1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5, 1.0, 1.0):
        e = term + r * e
    for _ in range(8):
        e = e * e
    return e


def poisson(seed: int, neuron: npt.ArrayLike, step: int, word: int, mean: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Poisson counts, by sequential inversion in float64 from + * / and comparisons.

    A large mean is split into parts of at most 32, each with its own uniform (two words), so nothing underflows and
    the cost grows with the mean. Means that are not above 0 (or nan) give 0, those above :data:`POISSON_LIMIT` are
    taken as the limit.

    Parameters
    ----------
    seed, neuron, step, word
        As in :func:`bits`; words ``word`` to ``word + POISSON_WORDS - 1`` belong to the call.
    mean : float or array, broadcast against `neuron`

    Returns
    -------
    int64 array
    """
    ids, rest = np.broadcast_arrays(np.asarray(neuron, dtype=np.int64), np.asarray(mean, dtype=np.float64))
    shape = ids.shape
    ids, rest = ids.ravel(), np.where(rest > POISSON_LIMIT, POISSON_LIMIT, rest).ravel()
    count = np.zeros(ids.size, dtype=np.int64)
    alive = np.flatnonzero(rest > 0.0)
    while alive.size:
        part = np.where(rest[alive] < _PART, rest[alive], _PART)
        rest[alive] = rest[alive] - part
        u = uniform(seed, ids[alive], step, word)
        word += 2
        count[alive] += _invert(u, part)
        alive = alive[rest[alive] > 0.0]
    return count.reshape(shape)


def _invert(u: npt.NDArray[np.float64], mean: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Smallest k with u < P(Poisson(mean) <= k)."""
    p = _exp_minus(mean)
    below = p.copy()
    count = np.zeros(u.size, dtype=np.int64)
    open_ = np.flatnonzero(u >= below)
    k = 0
    while open_.size and k < _LONGEST:
        k += 1
        p[open_] = p[open_] * (mean[open_] / float(k))
        below[open_] = below[open_] + p[open_]
        count[open_] = k
        open_ = open_[u[open_] >= below[open_]]
    return count
