"""Compiled: candidates within a cutoff from a cell grid, and their independent draws."""

# mypy: ignore-errors

from __future__ import annotations

import numpy as np
from numba import njit

from neuromorph.network.builders.philox_kernels import pair64

LANES = np.uint64(4)
LANE_BITS = np.uint64(32)
LOW = np.uint64(0xFFFFFFFF)


@njit(error_model="numpy", inline="always")
def around(step, period):
    """Distance along one axis; the shorter way round if it has a period. Both points lie within [0, period)."""
    return min(step, period - step) if period > 0.0 else step


@njit(error_model="numpy", inline="always")
def neighbourhood(place, low, size, cells, period, first, span):
    """First cell and number of cells along each axis that can hold candidates of a source."""
    for axis in range(3):
        first[axis] = 0
        span[axis] = 1
        if cells[axis] > 1:
            here = np.int64(np.floor((place[axis] - low[axis]) / size[axis]))
            if period[axis] > 0.0:
                first[axis] = here - 1
                span[axis] = min(3, cells[axis])
            else:
                first[axis] = max(here - 1, 0)
                span[axis] = max(min(here + 2, cells[axis]) - first[axis], 0)


@njit(error_model="numpy", inline="always")
def cell_number(first, cells, i, j, k):
    """Number of the cell i, j, k away from the first, round the edges."""
    x = (first[0] + i) % cells[0]
    y = (first[1] + j) % cells[1]
    return (x * cells[1] + y) * cells[2] + (first[2] + k) % cells[2]


@njit(error_model="numpy")
def bound(start, stop, sources, cell_ptr, low, size, cells, period, bounds):
    """Number of points in the cells around each source ``[start, stop)``: no row has more candidates."""
    first = np.zeros(3, np.int64)
    span = np.zeros(3, np.int64)
    for row in range(start, stop):
        neighbourhood(sources[row], low, size, cells, period, first, span)
        number = 0
        for i in range(span[0]):
            for j in range(span[1]):
                for k in range(span[2]):
                    cell = cell_number(first, cells, i, j, k)
                    number += cell_ptr[cell + 1] - cell_ptr[cell]
        bounds[row] = number


@njit(error_model="numpy")
def scan(start, stop, sources, points, cell_ptr, members, low, size, cells, period, cutoff, row_ptr, out, distance):
    """Write the candidates of rows ``[start, stop)`` within ``cutoff`` and their distances, row after row.

    ``members[cell_ptr[c]:cell_ptr[c + 1]]`` are the points in cell c, ascending; cells are ``size`` wide from ``low``
    on and at least ``cutoff`` wide, so that 3 along each axis hold every candidate.
    """
    limit = cutoff * cutoff
    first = np.zeros(3, np.int64)
    span = np.zeros(3, np.int64)
    at = 0
    for row in range(start, stop):
        px, py, pz = sources[row, 0], sources[row, 1], sources[row, 2]
        neighbourhood(sources[row], low, size, cells, period, first, span)
        for i in range(span[0]):
            for j in range(span[1]):
                for k in range(span[2]):
                    cell = cell_number(first, cells, i, j, k)
                    for m in range(cell_ptr[cell], cell_ptr[cell + 1]):
                        target = members[m]
                        dx = around(abs(points[target, 0] - px), period[0])
                        dy = around(abs(points[target, 1] - py), period[1])
                        dz = around(abs(points[target, 2] - pz), period[2])
                        d2 = dx * dx + dy * dy + dz * dz
                        if d2 <= limit:
                            out[at] = target
                            distance[at] = np.sqrt(d2)
                            at += 1
        row_ptr[row - start + 1] = at


@njit(error_model="numpy")
def draw(start, stop, key, row_ptr, candidates, probability, skip_self, kept):
    """Keep each candidate with its probability (to 32 bits); ``kept`` counts by row.

    Pair (row, target) has a draw of its own: lane ``target % 4`` of block ``target // 4``. Survivors move to the front
    of their row, ascending.
    """
    for row in range(start, stop):
        begin = row_ptr[row - start]
        at = begin
        block = np.uint64(0)
        a, b = pair64(key, np.uint64(row), block)
        for c in range(begin, row_ptr[row - start + 1]):
            target = candidates[c]
            if np.uint64(target) // LANES != block:
                block = np.uint64(target) // LANES
                a, b = pair64(key, np.uint64(row), block)
            lane = np.uint64(target) % LANES
            word = a if lane < 2 else b
            word = word >> LANE_BITS if lane % 2 else word & LOW
            if (np.float64(word) + 1.0) * 2.3283064365386963e-10 <= probability[c] and not (
                skip_self and target == row
            ):
                candidates[at] = target
                at += 1
        candidates[begin:at].sort()
        kept[row - start] = at - begin


@njit(error_model="numpy")
def compact(row_ptr, candidates, kept, out):
    """Survivors of every row, one after the other."""
    at = 0
    for row in range(len(kept)):
        begin = row_ptr[row]
        for c in range(begin, begin + kept[row]):
            out[at] = candidates[c]
            at += 1
