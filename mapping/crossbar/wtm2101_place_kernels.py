"""Compiled: rectangles into arrays of two halves and shared bias rows, one after another, as far up and left as can be.

Rectangles are rows of int64 (n, 3): rows, columns, bias rows. Places are rows of int64 (n, 4): array, row, column, bias
row. A geometry is int64 (5,): rows of a half, columns, columns reserved at the left, bias rows, arrays at most.
"""

# mypy: ignore-errors
# (Numba gives these functions their types)

from __future__ import annotations

import numpy as np
from numba import njit


@njit(error_model="numpy")
def inside(row, rows, half):
    """Whether a rectangle lies inside one half, or spans both if it is higher than a half."""
    if row < 0 or row + rows > 2 * half:
        return False
    return rows > half or row // half == (row + rows - 1) // half


@njit(error_model="numpy")
def bias_row(index, column, array, sizes, places, members, bias_rows):
    """First bias row from which a rectangle's bias cells are free, or -1."""
    need = sizes[index, 2]
    at = np.int64(0)
    moved = True
    while moved and at + need <= bias_rows:
        moved = False
        for m in members:
            other = places[m]
            if other[0] != array or sizes[m, 2] == 0:
                continue
            apart = other[2] + sizes[m, 1] <= column or column + sizes[index, 1] <= other[2]
            if not apart and at < other[3] + sizes[m, 2] and other[3] < at + need:
                at = other[3] + sizes[m, 2]
                moved = True
    return at if at + need <= bias_rows else np.int64(-1)


@njit(error_model="numpy")
def free(index, row, column, array, sizes, places, members):
    """Whether a rectangle overlaps none of those that are placed."""
    for m in members:
        other = places[m]
        if (
            other[0] == array
            and row < other[1] + sizes[m, 0]
            and other[1] < row + sizes[index, 0]
            and column < other[2] + sizes[m, 1]
            and other[2] < column + sizes[index, 1]
        ):
            return False
    return True


@njit(error_model="numpy")
def fit(index, array, sizes, places, members, geometry):
    """Place a rectangle in one array beside its members: the leftmost corner, of those the highest; whether it fits."""
    half, columns, reserved, bias_rows = geometry[0], geometry[1], geometry[2], geometry[3]
    best_row, best_column, best_bias = np.int64(-1), columns, np.int64(-1)
    for cx in range(-1, len(members)):
        column = reserved if cx < 0 else places[members[cx], 2] + sizes[members[cx], 1]
        if column >= best_column or column + sizes[index, 1] > columns:
            continue
        bias = bias_row(index, column, array, sizes, places, members, bias_rows)
        if bias < 0:
            continue
        best = np.int64(-1)
        for cy in range(-2, len(members)):
            row = half * (cy + 2) if cy < 0 else places[members[cy], 1] + sizes[members[cy], 0]
            better = (best < 0 or row < best) and inside(row, sizes[index, 0], half)
            if better and free(index, row, column, array, sizes, places, members):
                best = row
        if best >= 0:
            best_row, best_column, best_bias = best, column, bias
    if best_row < 0:
        return False
    places[index, 0], places[index, 1], places[index, 2], places[index, 3] = array, best_row, best_column, best_bias
    return True


@njit(error_model="numpy")
def place_in_order(order, sizes, geometry, places):
    """Place rectangles in an order, each in the first array that it fits in; the number of arrays, or -1 if too few."""
    count = len(order)
    most = min(geometry[4], np.int64(count))
    room = np.full(most, 2 * geometry[0] * (geometry[1] - geometry[2]), np.int64)  # cells that are left in each array
    last = np.full(most, -1, np.int64)  # the rectangle that came last into each array, and before each rectangle
    before = np.full(count, -1, np.int64)
    members = np.empty(count, np.int64)
    arrays = np.int64(0)
    for index in order:
        cells = sizes[index, 0] * sizes[index, 1]
        done = False
        for array in range(most):
            if room[array] < cells:
                continue
            number = 0
            other = last[array]
            while other >= 0:
                members[number] = other
                number += 1
                other = before[other]
            if fit(index, np.int64(array), sizes, places, members[:number], geometry):
                room[array] -= cells
                before[index] = last[array]
                last[array] = index
                arrays = max(arrays, np.int64(array + 1))
                done = True
                break
        if not done:
            return np.int64(-1)
    return arrays
