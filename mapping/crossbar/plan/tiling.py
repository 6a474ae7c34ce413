"""Matrices cut to the size of an array: groups of columns, and for each the rows that it needs, in groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .columns import chunks
from .matrix import Matrix, Part

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tiles:
    """Rectangles of one matrix, none empty. Lists as in :class:`~.plan.Blocks`.

    Attributes
    ----------
    row_list, column_list : int32 (tiles,)
        Tiles of a column group stand together.
    list_ptr : int64, listed : int32
    """

    row_list: Int32
    column_list: Int32
    list_ptr: Int64
    listed: Int32

    def __len__(self) -> int:
        return len(self.row_list)

    @property
    def heights(self) -> Int64:
        """Rows of each tile."""
        return np.diff(self.list_ptr)[self.row_list]

    @property
    def widths(self) -> Int64:
        """Weights side by side in each tile."""
        return np.diff(self.list_ptr)[self.column_list]


def cut(matrix: Matrix, groups: list[Int32], height: int, slot: Int32 | None = None) -> Tiles:
    """Tiles of a matrix; what holds no weight is left out.

    A group of columns takes the rows that have a weight in it, and those are cut into groups of at most `height`.

    Parameters
    ----------
    matrix : Matrix
    groups : list of int32
        From :func:`.columns.column_groups`.
    height : int
        Rows that a block may have.
    slot : int32 (rows,), optional
        Rows are taken in this order, and rows of one group (``slot // height``) stay together where that takes no
        further tile; default: ascending.
    """
    group_of = np.full(matrix.columns, -1, np.int32)
    for g, columns in enumerate(groups):
        group_of[columns] = g
    parts = [part for part in matrix.parts if part.cells]
    if all(part.row_ptr is None for part in parts):
        needed, of_group = _dense_rows(parts, groups)
    else:
        needed, of_group = _listed_rows(matrix, parts, group_of, len(groups))
    lists: list[Int32] = list(groups)
    numbers: list[list[int]] = []
    for rows in needed:
        stacks = _stacks(rows, height, slot)
        numbers.append(list(range(len(lists), len(lists) + len(stacks))))
        lists += stacks
    tiles = [(number, g) for g, k in enumerate(of_group) for number in numbers[k]]
    row_list, column_list = np.array(tiles, np.int32).reshape(-1, 2).T
    sizes = np.array([len(items) for items in lists], np.int64)
    listed = np.concatenate(lists).astype(np.int32) if lists else np.zeros(0, np.int32)
    return Tiles(row_list.copy(), column_list.copy(), np.concatenate([[0], np.cumsum(sizes)]), listed)


def _stacks(rows: Int32, height: int, slot: Int32 | None) -> list[Int32]:
    """Rows of one group of columns in groups of rows."""
    if slot is None:
        return chunks(rows, height)
    ordered = rows[np.argsort(slot[rows], kind="stable")]
    ends = np.flatnonzero(np.diff(slot[ordered] // height)) + 1
    if len(ends) + 1 > -(-len(rows) // height):
        return chunks(ordered, height)
    return np.split(ordered, ends)


def _dense_rows(parts: list[Part], groups: list[Int32]) -> tuple[list[Int32], list[int]]:
    """Rows of each group where parts are dense: groups of the same parts share a list."""
    found: dict[tuple[tuple[int, int], ...], int] = {}
    needed: list[Int32] = []
    of_group = []
    for columns in groups:
        low, high = int(columns.min()), int(columns.max())
        bands = tuple(
            sorted(
                {(p.row_first, p.rows) for p in parts if p.column_first <= high and p.column_first + p.columns > low}
            )
        )
        if bands not in found:  # groups of contiguous columns, as patches have listed cells
            found[bands] = len(needed)
            needed.append(np.concatenate([np.arange(a, a + n, dtype=np.int32) for a, n in bands]) if bands else _NONE)
        of_group.append(found[bands])
    return needed, of_group


def _listed_rows(matrix: Matrix, parts: list[Part], group_of: Int32, groups: int) -> tuple[list[Int32], list[int]]:
    """Rows of each group, ascending, where cells are listed."""
    from ._plan_kernels import rows_of_groups

    every = np.arange(groups)
    found: list[list[Int32]] = [[] for _ in range(groups)]
    for part in sorted(parts, key=lambda part: part.row_first):
        inside = group_of[part.column_first : part.column_first + part.columns]
        if part.row_ptr is None or part.targets is None:
            rows = np.arange(part.row_first, part.row_first + part.rows, dtype=np.int32)
            for g in np.unique(inside).tolist():
                found[g].append(rows)
            continue
        ptr, rows = rows_of_groups(part.row_ptr, part.targets, inside, groups)
        for g in every[np.diff(ptr) > 0].tolist():
            found[g].append(rows[ptr[g] : ptr[g + 1]] + np.int32(part.row_first))
    needed = [each[0] if len(each) == 1 else np.unique(np.concatenate([_NONE, *each])) for each in found]
    return needed, every.tolist()


_NONE = np.zeros(0, np.int32)
