"""Compiled loops of the batched product: values to digits, column sums to what converters make of them."""

# mypy: ignore-errors
# (Numba gives these functions their types)

from __future__ import annotations

import numpy as np
from numba import njit

from ..converters.converter_kernels import adc_saturates, dac_code, dac_digit, distort, quantise_adc
from .noise_kernels import normals


@njit(error_model="numpy")
def drive(x, scale, least, most, phase, bits, sign, out):
    """Digits that one phase drives rows with.

    Parameters
    ----------
    x : float (batch, rows)
    scale : float64
    least, most : int64
        Smallest and largest code; if `most` is 0, values are driven as they are.
    phase, bits : int64
        Which digit, of how many bits.
    sign : int64
        1 drives positive codes alone, -1 the magnitudes of negative ones, 0 both with their signs.
    out : float (batch, rows)
    """
    for b in range(x.shape[0]):
        for i in range(x.shape[1]):
            v = np.float64(x[b, i])
            d = np.float64(dac_digit(dac_code(v, scale, least, most), phase, bits)) if most else v / scale
            if sign != 0:
                d = d * sign
                d = d if d > 0.0 else 0.0
            out[b, i] = d


@njit(error_model="numpy")
def read(
    sums, driven, scalar, deviation, lo, step, top, offset, gain, place, words_at, words, normal, weight, out, counts
):
    """Convert the column sums of a tile, with noise, and add what comes out.

    Parameters
    ----------
    sums : float (batch, columns)
        Level units.
    driven : float (batch,)
        0 where no row is driven: the tile is not read.
    scalar : bool
        Whether `deviation` is (batch, 1), the same for all columns, or (batch, columns).
    deviation : float (batch, 1 or columns)
        Of the noise of a sum, level units; empty where there is none.
    lo, step, offset, gain : float64 (columns,)
    top : int64
    place : uint64 (5,)
        Seed, group of columns, step, first sample and read of the random numbers.
    words_at : int64
        Address of ``words``.
    words, normal : uint32, float64
        Scratch of as many elements as there are columns in whole groups of 64.
    weight : float64
        What the result counts.
    out : float (batch, columns)
    counts : int64 (2,)
        To which sums beyond the range of their converter and all conversions are added.
    """
    saturated = np.int64(0)
    conversions = np.int64(0)
    columns = sums.shape[1]
    noisy = deviation.size > 0
    groups = np.uint64(normal.size // 64)
    for b in range(sums.shape[0]):
        if driven[b] == 0.0:
            continue
        conversions += columns
        if noisy:
            sample = place[3] + np.uint64(b)
            normals(place[0], place[1], groups, place[2], sample, place[4], words_at, words, normal)
            if scalar:
                sd = np.float64(deviation[b, 0])
                for c in range(columns):
                    normal[c] = np.float64(sums[b, c]) + sd * normal[c]
            else:
                for c in range(columns):
                    normal[c] = np.float64(sums[b, c]) + np.float64(deviation[b, c]) * normal[c]
        else:
            for c in range(columns):
                normal[c] = np.float64(sums[b, c])
        for c in range(columns):
            a = distort(normal[c], step[c], offset[c], gain[c])
            saturated += np.int64(adc_saturates(a, lo[c], step[c], top))
            out[b, c] += weight * quantise_adc(a, lo[c], step[c], top)
    counts[0] += saturated
    counts[1] += conversions
