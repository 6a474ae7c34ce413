"""Counter-based random numbers: Philox 4x32-10 of who asks, when and what for.

A number depends on (seed, global neuron id, step, word) and on nothing else, so it is the same for any number of
threads, any partition and any order of evaluation. A block of Philox serves the same word of four neurons whose ids
differ in bits 4 and 5 alone: the word of neuron ``id`` is lane ``id >> 4 & 3`` of

    philox(counter = (id >> 6 << 4 | id & 15, step low, step high, word), key = (seed low, seed high))

so that vector code which counts blocks writes 16 neighbours at a time, and 64 neurons take 16 blocks.

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
POISSON_PART = 32.0
"""Poisson means above this are drawn in so many equal parts as bring them below it, each with a word of its own."""
POISSON_SMALL = 2.0**-12
"""Poisson means below this use two words."""
POISSON_WORDS = 2048
"""Words that one Poisson call site may use: one for every 32 of its mean."""
POISSON_MOST = 255
"""Counts of a part above this have a probability below 1e-130: only rounding could get there."""
POISSON_TABLE = POISSON_MOST + 9
"""Elements of a table of thresholds: those of all counts, and filling up to a multiple of 8."""


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
        Global ids, below 2**34.
    step : int
        At least 0.
    word : int
        Which number of this neuron and step, below 2**32.

    Returns
    -------
    int64 array of the shape of `neuron`
        In [0, 2**32).
    """
    ids = np.asarray(neuron, dtype=np.int64)
    block, lane = (ids >> 6 << 4) | (ids & 15), ids >> 4 & 3
    key = (seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF)
    lanes = philox((block, step & 0xFFFFFFFF, step >> 32 & 0xFFFFFFFF, word), key)
    return np.choose(lane, lanes).astype(np.int64)


def poisson(seed: int, neuron: npt.ArrayLike, step: int, word: int, mean: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Poisson counts, by inversion of random words in float64 from + * / and comparisons.

    A mean of at least 2**-12 is split into equal parts of at most 32. Each part inverts one word w: its count is the
    smallest k with ``(w + 1/2) 2**-32 < P(N <= k)``, so probabilities are right within 2**-33 and counts whose tail
    has a probability below that never come (above 16 for a mean of 2, above 74 for a mean of 32). A smaller mean
    inverts two words: the count is the number of k < 4 with ``w 2**-32 + w' 2**-64 < P(N > k)``, right within 2**-64
    and without counts above 4, whose probability is below 2**-66. Means that are not above 0 (or nan) give 0, those
    above :data:`POISSON_LIMIT` are taken as the limit.

    Parameters
    ----------
    seed, neuron, step, word
        As in :func:`bits`; words ``word`` to ``word + POISSON_WORDS - 1`` belong to the call.
    mean : float or array, broadcast against `neuron`

    Returns
    -------
    int64 array
    """
    ids, means = np.broadcast_arrays(np.asarray(neuron, dtype=np.int64), np.asarray(mean, dtype=np.float64))
    shape = ids.shape
    ids, means = ids.ravel(), np.where(means > POISSON_LIMIT, POISSON_LIMIT, means).ravel()
    count = np.zeros(ids.size, dtype=np.int64)
    few = np.flatnonzero((means > 0.0) & (means < POISSON_SMALL))
    if few.size:
        u = bits(seed, ids[few], step, word) * 2.0**-32 + bits(seed, ids[few], step, word + 1) * 2.0**-64
        count[few] = _count_few(u, means[few])
    parts = np.where(means >= POISSON_SMALL, np.ceil(means * (1.0 / POISSON_PART)), 0.0).astype(np.int64)
    for part in range(int(parts.max(initial=0))):
        alive = np.flatnonzero(parts > part)
        u = (bits(seed, ids[alive], step, word + part) + 0.5) * 2.0**-32
        count[alive] += _invert(u, means[alive] / parts[alive])
    return count.reshape(shape)


def _count_few(u: npt.NDArray[Any], m: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Number of k < 4 with u < P(Poisson(m) > k), for small m: the tails by their series."""
    tails = (
        m * (1.0 - m * (0.5 - m * (1 / 6 - m * (1 / 24)))),
        m * m * (0.5 - m * (1 / 3 - m * (1 / 8))),
        m * m * m * (1 / 6 - m * (1 / 8)),
        m * m * m * m * (1 / 24),
    )
    return np.asarray(np.sum([u < tail for tail in tails], axis=0))


def _invert(u: npt.NDArray[Any], mean: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Smallest k with u < P(Poisson(mean) <= k)."""
    p = _exp_minus(mean)
    below = p.copy()
    count = np.zeros(u.size, dtype=np.int64)
    open_ = np.flatnonzero(u >= below)
    k = 0
    while open_.size and k < POISSON_MOST:
        k += 1
        count[open_] = k
        p[open_] = p[open_] * (mean[open_] * (1.0 / k))
        below[open_] = below[open_] + p[open_]
        open_ = open_[u[open_] >= below[open_]]
    return count


def _exp_minus(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """exp(-x) for 0 <= x <= 32 from + and * alone, so that every printer gives the same bits."""
    r = x * -(2.0**-8)
    e = 1 / 40320 + r * (1 / 362880)
    for term in (1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 0.5, 1.0, 1.0):
        e = term + r * e
    for _ in range(8):
        e = e * e
    return e
