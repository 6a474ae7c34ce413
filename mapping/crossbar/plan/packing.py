"""Blocks into arrays: side by side so that they are read at once, or as tightly as cells allow, read in turns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..machine.machine import CrossbarMachine
from .rules import Rules

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

OPEN = 256
"""Arrays that are looked at for room; the ones that were opened first are closed first."""


@dataclass(frozen=True, eq=False)
class Packing:
    """Places of rectangles: int32 arrays of one number for each, and how many arrays they take."""

    array: Int32
    row_first: Int32
    column_first: Int32
    turn: Int32
    arrays: int


def alone(heights: Int64, widths: Int64, machine: CrossbarMachine, rules: Rules) -> Packing:
    """An array for each rectangle.

    Parameters
    ----------
    heights, widths : int64 (n,)
        Physical rows and columns.
    machine : CrossbarMachine
    rules : Rules
    """
    first = np.array([start for start, _ in rules.stretches(machine)], np.int32)
    room = np.array([rows for _, rows in rules.stretches(machine)], np.int64)
    fits = room >= heights[:, None]
    rows = np.where(fits.any(1), first[np.argmax(fits, axis=1)], 0).astype(np.int32)
    n = len(heights)
    columns = np.full(n, rules.reserved_columns, np.int32)
    return Packing(np.arange(n, dtype=np.int32), rows, columns, np.zeros(n, np.int32), n)


def side_by_side(heights: Int64, widths: Int64, machine: CrossbarMachine, rules: Rules) -> Packing:
    """Rectangles that share neither rows nor columns of their array, so that one read serves all; first fit.

    Rows of one carry no current into columns of another that is read, whatever drives them.
    """
    from ._packing_kernels import first_fit

    order = _decreasing(heights, widths, machine)
    starts, rooms = _stretches(machine, rules)
    array, row, column, arrays = first_fit(
        heights, widths, order, starts, rooms, rules.reserved_columns, machine.columns, OPEN
    )
    return Packing(array, row, column, np.zeros(len(heights), np.int32), int(arrays))


def in_turns(
    heights: Int64, widths: Int64, owner: Int32, row_list: Int32, machine: CrossbarMachine, rules: Rules
) -> Packing:
    """Rectangles that only share no cell, packed tightly; those that share rows or columns are read one after another.

    While one of them is read, rows of the others are not driven and their columns not converted.

    Parameters
    ----------
    owner, row_list : int32 (n,)
        Matrix, and list of rows, of each rectangle; the same rows of a matrix in the same place are driven for both.
    """
    from ._packing_kernels import colour, guillotine

    order = _decreasing(heights, widths, machine)
    starts, rooms = _stretches(machine, rules)
    tall = np.full_like(heights, machine.rows) if rules.columns_once else heights
    array, row, column, arrays = guillotine(
        tall, widths, order, starts, rooms, rules.reserved_columns, machine.columns, machine.rows, OPEN
    )
    if rules.columns_once:
        row = alone(heights, widths, machine, rules).row_first
    by_array = np.argsort(array, kind="stable")
    ptr = np.searchsorted(array[by_array], np.arange(arrays + 1)).astype(np.int64)
    turn = colour(ptr, by_array, row, column, heights, widths, owner, row_list)
    return Packing(array, row, column, turn, int(arrays))


def _stretches(machine: CrossbarMachine, rules: Rules) -> tuple[Int64, Int64]:
    both = np.array(rules.stretches(machine), np.int64).T
    return both[0].copy(), both[1].copy()


def _decreasing(heights: Int64, widths: Int64, machine: CrossbarMachine) -> Int64:
    """Rectangles by the larger share of a side, then by area; equal ones in their order."""
    longest = np.maximum(heights / machine.rows, widths / machine.columns)
    order: Int64 = np.lexsort((-heights * widths, -longest)).astype(np.int64)
    return order
