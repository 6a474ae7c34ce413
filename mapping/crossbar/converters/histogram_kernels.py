"""Compiled: histograms whose bins widen as larger values come, and the search for the range that errs least.

A histogram has ``bins`` bins, half of them for values below 0. Its bins are ``width`` wide, a power of two that doubles
whenever a value does not fit, so what it holds in the end does not depend on the order of the values. Of every bin the
number and the sum of its values are kept: the mean of a bin stands for it.
"""

# mypy: ignore-errors
# (Numba gives these functions their types)

from __future__ import annotations

import math

import numpy as np
from numba import njit

WIDTH, LOW, HIGH, ZEROS, FRACTIONS, STATE = range(6)
"""Columns of a histogram's state: width of a bin (0 before the first value), smallest and largest value, zeros, values
that are no whole numbers; and how many columns there are."""


@njit(error_model="numpy")
def widen(counts, sums, first, bins):
    """Merge neighbouring bins of the histogram that begins at ``first``."""
    middle = first + bins // 2
    for s in range(bins // 4):
        for side in (0, 1):  # bins 0, 1, ... and bins -1, -2, ...
            a = middle + 2 * s if side == 0 else middle - 1 - 2 * s
            b = a + 1 if side == 0 else a - 1
            to = middle + s if side == 0 else middle - 1 - s
            count, total = counts[a] + counts[b], sums[a] + sums[b]
            counts[a] = counts[b] = 0
            sums[a] = sums[b] = 0.0
            counts[to], sums[to] = count, total


@njit(error_model="numpy")
def observe(value, times, row, bins, counts, sums, state):
    """Add ``times`` values to histogram ``row``.

    Parameters
    ----------
    value : float64
    times, row, bins : int64
        ``bins`` is a power of two of at least 4.
    counts : int64 (histograms * bins,)
    sums : float64 (histograms * bins,)
    state : float64 (histograms * STATE,)
    """
    at, first = row * STATE, row * bins
    if value == 0.0:
        state[at + ZEROS] += times
        return
    state[at + LOW] = min(state[at + LOW], value)
    state[at + HIGH] = max(state[at + HIGH], value)
    state[at + FRACTIONS] += times * (value != np.floor(value))
    width = state[at + WIDTH]
    if width == 0.0:
        width = math.ldexp(1.0, math.frexp(value)[1]) / (bins // 2)
    while abs(value) >= width * (bins // 2):
        widen(counts, sums, first, bins)
        width *= 2.0
    state[at + WIDTH] = width
    k = first + bins // 2 + np.int64(math.floor(value / width))
    counts[k] += times
    sums[k] += times * value


@njit(error_model="numpy")
def observe_columns(values, bins, counts, sums, state):
    """Add float64 ``values`` (n, histograms) each to the histogram of its column."""
    for i in range(values.shape[0]):
        for k in range(values.shape[1]):
            observe(values[i, k], np.int64(1), np.int64(k), bins, counts, sums, state)


@njit(error_model="numpy")
def merge(group, bins, counts, sums, state, into_counts, into_sums, into_state):
    """Add histogram k to histogram ``group[k]`` of the others, for all k; those are wide enough already."""
    for k in range(len(group)):
        g = group[k]
        width = state[k * STATE + WIDTH]
        if width > 0.0:
            wide = into_state[g * STATE + WIDTH]
            for b in range(bins):
                if counts[k * bins + b]:
                    signed = math.floor((b - bins // 2) * (width / wide))
                    to = g * bins + bins // 2 + np.int64(signed)
                    into_counts[to] += counts[k * bins + b]
                    into_sums[to] += sums[k * bins + b]
        into_state[g * STATE + LOW] = min(into_state[g * STATE + LOW], state[k * STATE + LOW])
        into_state[g * STATE + HIGH] = max(into_state[g * STATE + HIGH], state[k * STATE + HIGH])
        into_state[g * STATE + ZEROS] += state[k * STATE + ZEROS]
        into_state[g * STATE + FRACTIONS] += state[k * STATE + FRACTIONS]


@njit(error_model="numpy")
def error_of(counts, sums, width, lo, step, top):
    """Sum of squared errors of what a converter makes of a histogram's values; zeros come out as zeros.

    Where bins are much finer than a step, the mean of each is converted; else errors within the range are uniform.
    """
    bins = len(counts)
    uniform = step * step / 12.0
    fine = width * 2.0 <= step
    error = 0.0
    for b in range(bins):
        n = counts[b]
        if n == 0:
            continue
        value = sums[b] / n
        code = np.rint((value - lo) / step)
        if code < 0.0 or code > top:
            code = 0.0 if code < 0.0 else np.float64(top)
            rest = value - (lo + code * step)
            error += n * rest * rest
        elif fine:
            rest = value - (lo + code * step)
            error += n * rest * rest
        else:
            error += n * uniform
    return error


@njit(error_model="numpy")
def steps_of(below, above, top, least, sided, out):
    """Step and code of zero of the range from -below to above, into ``out``: (step, zero).

    ``sided`` 0: the zero point is free; 1: symmetric, about the middle code; ``least`` is the smallest step allowed.
    """
    if sided == 1:
        zero = np.float64(top // 2)
        step = max(max(below, above) / zero, least)
    else:
        step = max((below + above) / top, least)
        zero = min(np.rint(below / step), np.float64(top))
    out[0], out[1] = step, zero


@njit(error_model="numpy")
def search(counts, sums, width, low, high, top, least, sided, out):
    """The range with the smallest squared error; ``out`` gets (step, code of zero, error).

    Both ends are shrunk together and then in turn, from the values seen down to a thousandth of them, on grids of
    quarter octaves, then of sixteenths around the best.
    """
    made = np.zeros(2)
    ends = np.array([max(-low, 0.0), max(high, 0.0)])
    best = np.array([0.0, 0.0, np.inf])
    shift = np.zeros(2)  # octaves that each end is shrunk by
    for stage in range(7):
        which = 2 if stage == 0 or stage == 3 else stage % 2
        grain, most = (0.25, 41) if stage < 3 else (0.0625, 13)
        origin = shift.copy()
        for k in range(most):
            moved = k * grain if stage < 3 else (k - most // 2) * grain
            trial = origin.copy()
            for end in (0, 1):
                if which == 2 or which == end:
                    trial[end] = max(moved if stage < 3 else origin[end] + moved, 0.0)
            steps_of(ends[0] * 2.0 ** -trial[0], ends[1] * 2.0 ** -trial[1], top, least, sided, made)
            error = error_of(counts, sums, width, -made[1] * made[0], made[0], top)
            if error < best[2]:
                best[0], best[1], best[2] = made[0], made[1], error
                shift[:] = trial
    out[:] = best


@njit(error_model="numpy")
def search_all(bins, counts, sums, state, top, least, sided, out):
    """:func:`search` for every histogram; ``least`` is float64 (histograms,), ``out`` (histograms, 3)."""
    for k in range(len(out)):
        at = slice(k * bins, (k + 1) * bins)
        search(
            counts[at], sums[at], state[k * STATE + WIDTH], state[k * STATE + LOW], state[k * STATE + HIGH], top,
            least[k], sided, out[k],
        )  # fmt: skip


@njit(error_model="numpy")
def judge_all(bins, counts, sums, state, lo, step, top, out):
    """Of every histogram: squared error, values beyond the range, sum of the values and of their squares."""
    for k in range(len(out)):
        out[k, :] = 0.0
        at = slice(k * bins, (k + 1) * bins)
        out[k, 0] = error_of(counts[at], sums[at], state[k * STATE + WIDTH], lo[k], step[k], top)
        for b in range(k * bins, (k + 1) * bins):
            if counts[b]:
                value = sums[b] / counts[b]
                code = np.rint((value - lo[k]) / step[k])
                if code < 0.0 or code > top:
                    out[k, 1] += counts[b]
                out[k, 2] += sums[b]
                out[k, 3] += sums[b] * value
