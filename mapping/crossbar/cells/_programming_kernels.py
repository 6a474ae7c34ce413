"""Compiled loops over the cells of an array: programming, ageing, noise of reads (imported late).

Every random number is made from the seed and the place of its cell alone (:func:`.noise_kernels.normals` with the
physical column, the physical row, the array and a stream). So results do not depend on the order of the work, nor on
what else the arrays hold.
"""

# mypy: ignore-errors
# (Numba gives these functions their types)

from __future__ import annotations

import numpy as np
from numba import njit

from neuromorph.random_kernels import _exp_minus as exp_minus
from neuromorph.random_kernels import random_words

from ..reads.noise_kernels import GROUP, normals

SALT = np.uint64(0x43524F53 << 32)
"""Part of the key, so that programming draws other numbers than reads and neurons of the same seed."""
FAULT, OWN, SPREAD, OFFSET, GAIN, ROUND = (np.uint64(n) for n in (0, 1, 2, 3, 4, 16))
"""Streams: whether a cell is stuck, its nu, its loss, two of converters; from ROUND on two for each round."""
CONVERTERS = np.uint64(0xFFFFFFFF)
"""The row of the draws that belong to converters; no array has so many rows."""
_1, _2 = np.uint64(1), np.uint64(2)


@njit(cache=True, error_model="numpy", forceinline=True)
def look(table, share):
    """A table of a quantity at equally spaced shares from 0 to 1, interpolated linearly; constant beyond."""
    last = len(table) - 1
    at = share * last
    if not at > 0.0:
        return table[0]
    if at >= last:
        return table[last]
    k = np.int64(at)
    return table[k] + (at - k) * (table[k + 1] - table[k])


@njit(cache=True, error_model="numpy", forceinline=True)
def fault(word, stuck, low):
    """The share that a cell is stuck at, -1 if it works."""
    chance = (np.float64(word) + 0.5) * 2.0**-32
    if chance < stuck[0]:
        return low
    return 1.0 if chance > 1.0 - stuck[1] else -1.0


@njit(cache=True, error_model="numpy", nogil=True)
def write(seed, array, row_first, column_first, levels, low, step, sd, read, tolerance, most, stuck, held, rounds):
    """Program the cells of a block; the number of them that end farther than the tolerance from their target.

    Parameters
    ----------
    seed, array, row_first, column_first : uint64
        Place of the block.
    levels : float (R, C)
        Targets; cells of negative ones hold the magnitude.
    low, step : float64
        Share of full scale of level 0, and of one level.
    sd : float64 (n,)
        Table of the programming error.
    read : float64 (n,)
        Table of the noise of the reads that verify.
    tolerance : float64
        In shares; infinite without verification.
    most : int64
        Rounds at most.
    stuck : float64 (2,)
        Shares of cells that are stuck low and high.
    held : float (R, C)
        Written: levels, with the target's sign.
    rounds : int64 (most + 1,)
        Added to: cells that took so many rounds.
    """
    noisy, faulty, verified = sd.max() > 0.0, stuck.max() > 0.0, tolerance < np.inf
    seen = verified and read.max() > 0.0
    columns = levels.shape[1]
    group = column_first // np.uint64(GROUP)
    at = np.int64(column_first % np.uint64(GROUP))
    groups = np.uint64((at + columns + GROUP - 1) // GROUP)
    words = np.zeros(np.int64(groups) * GROUP, np.uint32)
    first, second = np.zeros(len(words)), np.zeros(len(words))
    aim, off, fixed = np.empty(columns), np.zeros(columns), np.full(columns, -1.0)
    taken = np.empty(columns, np.int64)
    missed = 0
    for i in range(levels.shape[0]):
        row = row_first + np.uint64(i)
        if faulty:
            random_words(seed, group, groups, row | array << np.uint64(32), FAULT, words.ctypes.data)
            for j in range(columns):
                fixed[j] = fault(words[at + j], stuck, low)
        for j in range(columns):
            aim[j] = low + abs(np.float64(levels[i, j])) * step
            taken[j] = 0
        for r in range(most):
            stream = ROUND + _2 * np.uint64(r)
            if noisy:
                normals(seed, group, groups, row, array, stream, words.ctypes.data, words, first)
            if seen:
                normals(seed, group, groups, row, array, stream + _1, words.ctypes.data, words, second)
            left = 0
            for j in range(columns):
                if taken[j] == 0:
                    if fixed[j] >= 0.0:
                        off[j] = fixed[j] - aim[j]
                    elif noisy:
                        off[j] = max(first[at + j] * look(sd, aim[j]), -aim[j])  # no conductance is below 0
                    else:
                        off[j] = 0.0
                    if verified and abs(off[j] + second[at + j] * look(read, aim[j] + off[j])) > tolerance:
                        left += 1
                    else:
                        taken[j] = r + 1
            if left == 0:
                break
        for j in range(columns):
            missed += np.int64(abs(off[j]) > tolerance)
            rounds[taken[j] if taken[j] else most] += 1
            level = np.float64(levels[i, j])
            size = abs(level) + off[j] / step
            held[i, j] = -size if level < 0.0 else size
    return missed


@njit(cache=True, error_model="numpy", nogil=True)
def age(seed, array, row_first, column_first, levels, low, step, decay, nu, nu_sd, shift, spread, gain, stuck, held):
    """Bring programmed cells to a later time and another temperature; cells that are stuck do not drift.

    Parameters
    ----------
    seed, array, row_first, column_first, levels, low, step, stuck
        As in :func:`write`.
    decay : float64
    nu, nu_sd, shift, spread : float64 (n,)
        Tables of what :class:`.devices.Drifted` has.
    gain : float64 (n,)
        Table of the factor of the temperature.
    held : float (R, C)
        As programmed; overwritten.
    """
    faulty, decays, loses = stuck.max() > 0.0, decay > 0.0, np.abs(shift).max() + spread.max() > 0.0
    warm = gain.max() != 1.0 or gain.min() != 1.0
    columns = levels.shape[1]
    group = column_first // np.uint64(GROUP)
    at = np.int64(column_first % np.uint64(GROUP))
    groups = np.uint64((at + columns + GROUP - 1) // GROUP)
    words = np.zeros(np.int64(groups) * GROUP, np.uint32)
    own, lost = np.zeros(len(words)), np.zeros(len(words))
    kept, fixed = np.ones(columns), np.zeros(columns, np.bool_)
    for i in range(levels.shape[0]):
        row = row_first + np.uint64(i)
        if faulty:
            random_words(seed, group, groups, row | array << np.uint64(32), FAULT, words.ctypes.data)
            for j in range(columns):
                fixed[j] = fault(words[at + j], stuck, low) >= 0.0
        if decays:
            normals(seed, group, groups, row, array, OWN, words.ctypes.data, words, own)
            for j in range(columns):
                aim = low + abs(np.float64(levels[i, j])) * step
                kept[j] = decay * (look(nu, aim) + look(nu_sd, aim) * own[at + j])
            for j in range(columns):  # apart, so that it is vectorised
                kept[j] = exp_minus(min(max(kept[j], 0.0), 32.0))
        if loses:
            normals(seed, group, groups, row, array, SPREAD, words.ctypes.data, words, lost)
        for j in range(columns):
            level = np.float64(levels[i, j])
            size = -np.float64(held[i, j]) if level < 0.0 else np.float64(held[i, j])
            aim, share = low + abs(level) * step, low + size * step
            now = share
            if not fixed[j]:
                now *= kept[j]
                if loses:
                    now = max(now + look(shift, aim) + look(spread, aim) * lost[at + j], 0.0)
            if warm:
                now *= look(gain, aim)
            size += (now - share) / step
            held[i, j] = -size if level < 0.0 else size


@njit(cache=True, error_model="numpy", nogil=True)
def hiss(size, low, step, read, sigma):
    """Standard deviation of a read of every cell, in levels, by the level of its conductance."""
    for i in range(size.shape[0]):
        for j in range(size.shape[1]):
            sigma[i, j] = look(read, low + np.float64(size[i, j]) * step) / step


@njit(cache=True, error_model="numpy", nogil=True)
def converter_normals(seed, array, offset, gain):
    """Two normal numbers for every converter of an array; the results have room for whole groups."""
    groups = np.uint64(len(offset) // GROUP)
    words = np.zeros(len(offset), np.uint32)
    normals(seed, np.uint64(0), groups, CONVERTERS, array, OFFSET, words.ctypes.data, words, offset)
    normals(seed, np.uint64(0), groups, CONVERTERS, array, GAIN, words.ctypes.data, words, gain)
