"""Compiled packing of rectangles (imported late)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = Any

FREE = 512  # free rectangles that are remembered of an array


@njit(cache=True, error_model="numpy")
def first_fit(
    heights: Array, widths: Array, order: Array, starts: Array, rooms: Array, reserved: int, columns: int, limit: int
) -> tuple[Array, Array, Array, int]:
    """Rectangles one below and beside the other in the first of the last ``limit`` arrays with room.

    ``starts, rooms`` are the stretches of rows of an array. A rectangle that is taller than each of them needs all that
    it reaches over, from row 0, to be empty.

    Returns array, first row and first column of each, and the number of arrays.
    """
    n, stretches = len(heights), len(starts)
    array, row, column = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int32)
    filled = np.zeros((n, stretches), np.int64)
    edge = np.full(n, reserved, np.int64)
    arrays = 0
    for i in order:
        h, w = heights[i], widths[i]
        tall = True
        for s in range(stretches):
            tall = tall and h > rooms[s]
        found, where = -1, -1
        for a in range(max(0, arrays - limit), arrays):
            if edge[a] + w > columns:
                continue
            if tall:
                free = True
                for s in range(stretches):
                    free = free and (starts[s] >= h or filled[a, s] == 0)
                if free:
                    found = a
            else:
                for s in range(stretches):
                    if filled[a, s] + h <= rooms[s]:
                        found, where = a, s
                        break
            if found >= 0:
                break
        if found < 0:
            found = arrays
            arrays += 1
            if not tall:
                where = 0
                while h > rooms[where]:
                    where += 1
        array[i], column[i] = found, edge[found]
        edge[found] += w
        if tall:
            row[i] = 0
            for s in range(stretches):
                if starts[s] < h:
                    filled[found, s] = min(rooms[s], h - starts[s])
        else:
            row[i] = starts[where] + filled[found, where]
            filled[found, where] += h
    return array, row, column, arrays


@njit(cache=True, error_model="numpy")
def put(rectangle: Array, row: int, column: int, height: int, width: int) -> None:
    """Set a free rectangle."""
    rectangle[0], rectangle[1], rectangle[2], rectangle[3] = row, column, height, width


@njit(cache=True, error_model="numpy")
def guillotine(
    heights: Array,
    widths: Array,
    order: Array,
    starts: Array,
    rooms: Array,
    reserved: int,
    columns: int,
    rows: int,
    limit: int,
) -> tuple[Array, Array, Array, int]:
    """Rectangles into the free rectangle that they fill best, which is then cut in two (shorter rest first).

    Rectangles that are taller than every stretch come first and stand side by side from row 0. Returns as above.
    """
    n, stretches = len(heights), len(starts)
    array, row, column = np.empty(n, np.int32), np.empty(n, np.int32), np.empty(n, np.int32)
    kept = min(limit, n)
    free = np.zeros((kept, FREE, 4), np.int64)  # row, column, height, width
    count = np.zeros(kept, np.int64)
    arrays = 0
    for tall in (True, False):
        for i in order:
            h, w = heights[i], widths[i]
            above = True
            for s in range(stretches):
                above = above and h > rooms[s]
            if above != tall:
                continue
            best, goal, place = np.int64(1) << 62, -1, -1
            for a in range(max(0, arrays - kept), arrays):
                slot = a % kept
                if tall:  # the first rectangles of the list are the stretches, all from the same column
                    if free[slot, 0, 3] >= w and best > free[slot, 0, 3] - w:
                        best, goal, place = free[slot, 0, 3] - w, a, 0
                    continue
                for f in range(count[slot]):
                    spare_h, spare_w = free[slot, f, 2] - h, free[slot, f, 3] - w
                    if spare_h >= 0 and spare_w >= 0 and min(spare_h, spare_w) < best:
                        best, goal, place = min(spare_h, spare_w), a, f
                        if best == 0:
                            break
                if best == 0:
                    break
            if goal < 0:
                goal = arrays
                arrays += 1
                slot = goal % kept
                count[slot] = stretches
                for s in range(stretches):
                    put(free[slot, s], starts[s], reserved, rooms[s], columns - reserved)
                place = 0
                while not tall and h > rooms[place]:
                    place += 1
            slot = goal % kept
            array[i] = goal
            if tall:
                row[i], column[i] = 0, free[slot, 0, 1]
                for s in range(stretches):
                    below = starts[s] + rooms[s] - max(h, starts[s])
                    if below > 0 and count[slot] < FREE:
                        put(free[slot, count[slot]], max(h, starts[s]), column[i], below, w)
                        count[slot] += 1
                    free[slot, s, 1] += w
                    free[slot, s, 3] -= w
                continue
            at, left = free[slot, place, 0], free[slot, place, 1]
            spare_h, spare_w = free[slot, place, 2] - h, free[slot, place, 3] - w
            row[i], column[i] = at, left
            wide = spare_h > spare_w  # the rest below gets the whole width
            put(free[slot, place], at, left + w, h if wide else h + spare_h, spare_w)
            if count[slot] < FREE:
                put(free[slot, count[slot]], at + h, left, spare_h, w + spare_w if wide else w)
                count[slot] += 1
    return array, row, column, arrays


@njit(cache=True, error_model="numpy")
def colour(
    ptr: Array,
    order: Array,
    row: Array,
    column: Array,
    heights: Array,
    widths: Array,
    owner: Array,
    row_list: Array,
) -> Array:
    """Lowest turn of each rectangle in which nothing of its array shares its rows or columns.

    Those that are driven by the same list of rows in the same place may share the rows.
    """
    turn = np.zeros(len(order), np.int32)
    for a in range(len(ptr) - 1):
        taken = np.zeros(ptr[a + 1] - ptr[a] + 1, np.bool_)
        for i in range(ptr[a], ptr[a + 1]):
            b = order[i]
            taken[:] = False
            for j in range(ptr[a], i):
                c = order[j]
                rows = row[b] < row[c] + heights[c] and row[c] < row[b] + heights[b]
                columns = column[b] < column[c] + widths[c] and column[c] < column[b] + widths[b]
                same = owner[b] == owner[c] and row_list[b] == row_list[c] and row[b] == row[c]
                if columns or (rows and not same):
                    taken[turn[c]] = True
            while taken[turn[b]]:
                turn[b] += 1
    return turn
