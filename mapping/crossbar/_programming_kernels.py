"""Compiled loops over the cells of an array: programming, ageing, read noise (imported late).

Every random number is made from the seed and the place of its cell alone: Philox with the counter (physical column,
physical row, array, stream). Stream 0 is what a cell is (whether it is stuck, how it drifts), stream r + 1 its
programming in round r. So results do not depend on the order of the work, nor on what other arrays hold.
"""

# mypy: ignore-errors
# (Numba gives these functions their types)

from __future__ import annotations

import math

import numpy as np
from numba import njit

from neuromorph.random_kernels import philox

_MASK, _32 = np.uint64(0xFFFFFFFF), np.uint64(32)
_SALT = np.uint64(0x43524F53)
"""Part of the key, so that a chip and a network of the same seed draw different numbers."""
CONVERTER = 0xFFFFFFFF
"""The row of the draws that belong to converters; no array has so many rows."""


@njit(cache=True, error_model="numpy", forceinline=True)
def words(seed, array, row, column, stream):
    """Four words of 32 bits of one cell and stream, as uint64."""
    return philox(
        np.uint64(column),
        np.uint64(row),
        np.uint64(array),
        np.uint64(stream),
        seed & _MASK,
        (seed >> _32) ^ _SALT,
    )


@njit(cache=True, error_model="numpy", forceinline=True)
def normals(a, b):
    """Two independent standard normal numbers from two words (Box and Muller)."""
    radius = math.sqrt(-2.0 * math.log((np.float64(a) + 0.5) * 2.0**-32))
    angle = (2.0 * math.pi * 2.0**-32) * np.float64(b)
    return radius * math.cos(angle), radius * math.sin(angle)


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


@njit(cache=True, error_model="numpy", nogil=True)
def write(seed, array, row_first, column_first, levels, low, step, sd, read, tolerance, most, stuck, held, rounds):
    """Program the cells of a block; the number of them that end farther than the tolerance from their target.

    Parameters
    ----------
    seed : uint64
    array, row_first, column_first : int64
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
    rounds : int64 (256,)
        Added to: cells that took so many rounds.
    """
    missed = 0
    noisy, faulty, verified = sd.max() > 0.0, stuck[0] + stuck[1] > 0.0, tolerance < np.inf
    for i in range(levels.shape[0]):
        for j in range(levels.shape[1]):
            level = np.float64(levels[i, j])
            size = abs(level)
            aim = low + size * step
            fixed = -1.0
            if faulty:
                _, _, c, _ = words(seed, array, row_first + i, column_first + j, 0)
                chance = (np.float64(c) + 0.5) * 2.0**-32
                if chance < stuck[0]:
                    fixed = low
                elif chance > 1.0 - stuck[1]:
                    fixed = 1.0
            off, taken = 0.0, 1
            spread = look(sd, aim) if noisy else 0.0
            for r in range(most):
                seen = 0.0
                if noisy or verified:
                    a, b, _, _ = words(seed, array, row_first + i, column_first + j, r + 1)
                    off, seen = normals(a, b)
                    off = max(off * spread, -aim)  # no conductance is below 0
                if fixed >= 0.0:
                    off = fixed - aim
                taken = r + 1
                if not verified or abs(off + seen * look(read, aim + off)) <= tolerance:
                    break
            if abs(off) > tolerance:
                missed += 1
            rounds[taken] += 1
            size += off / step
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
    for i in range(levels.shape[0]):
        for j in range(levels.shape[1]):
            aim = low + abs(np.float64(levels[i, j])) * step
            size = -np.float64(held[i, j]) if levels[i, j] < 0.0 else np.float64(held[i, j])
            share = low + size * step
            a, b, c, _ = words(seed, array, row_first + i, column_first + j, 0)
            chance = (np.float64(c) + 0.5) * 2.0**-32
            now = share
            if not (chance < stuck[0] or chance > 1.0 - stuck[1]):
                x, y = normals(a, b)
                if decay > 0.0:
                    now *= math.exp(-decay * max(look(nu, aim) + look(nu_sd, aim) * x, 0.0))
                now += look(shift, aim) + look(spread, aim) * y
            now = max(now * look(gain, aim), 0.0)
            size += (now - share) / step
            held[i, j] = -size if levels[i, j] < 0.0 else size


@njit(cache=True, error_model="numpy", nogil=True)
def hiss(size, low, step, read, sigma):
    """Standard deviation of a read of every cell, in levels, by the level of its conductance."""
    for i in range(size.shape[0]):
        for j in range(size.shape[1]):
            sigma[i, j] = look(read, low + np.float64(size[i, j]) * step) / step


@njit(cache=True, error_model="numpy", nogil=True)
def converter_normals(seed, array, first, second):
    """Two normal numbers for every converter of an array."""
    for k in range(len(first)):
        a, b, _, _ = words(seed, array, CONVERTER, k, 0)
        first[k], second[k] = normals(a, b)
