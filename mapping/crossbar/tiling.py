"""Matrices cut to the size of an array: groups of columns, and for each the rows that it needs, in groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neuromorph.network.builders.convolution import Axis, Window

from .plan import Matrix, Part

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


def cut(matrix: Matrix, height: int, width: int, slot: Int32 | None = None) -> Tiles:
    """Tiles of a matrix; what holds no weight is left out.

    Columns are cut into groups of at most `width`, ports with the same sources side by side. A group takes the rows
    that have a weight in it, and those are cut into groups of at most `height`. A matrix that fits stays whole.

    Parameters
    ----------
    matrix : Matrix
    height, width : int
        Rows and weights side by side that a block may have.
    slot : int32 (rows,), optional
        Rows are taken in this order, and rows of one group (``slot // height``) stay together where that takes no
        further tile; default: ascending.
    """
    groups = column_groups(matrix, height, width)
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
        return _chunks(rows, height)
    ordered = rows[np.argsort(slot[rows], kind="stable")]
    ends = np.flatnonzero(np.diff(slot[ordered] // height)) + 1
    if len(ends) + 1 > -(-len(rows) // height):
        return _chunks(ordered, height)
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


def column_groups(matrix: Matrix, height: int, width: int) -> list[Int32]:
    """Columns cut into groups of at most `width`: patches of a convolution's output, or neighbours.

    A group has columns of ports that the same rows drive, unless all fit in one group of rows and columns.
    """
    align = matrix.columns > width or matrix.rows > height
    if matrix.passes > 1 or not align:
        return _chunks(np.arange(matrix.columns, dtype=np.int32), width)
    size = matrix.columns // len(np.unique(matrix.column_port))
    groups: list[Int32] = []
    runs: dict[object, list[Int32]] = {}  # ports by the rows that drive them
    for first in range(0, matrix.columns, size):
        fed = [part for part in matrix.parts if part.column_first == first]
        window = next((part.window for part in fed if part.window is not None), None)
        if window is not None:
            groups += [first + patch for patch in patches(window, height, width)]
            continue
        drivers = tuple(sorted((part.row_first, part.rows) for part in fed)) if align else None
        runs.setdefault(drivers, []).append(np.arange(first, first + size, dtype=np.int32))
    for run in runs.values():
        groups += _chunks(np.concatenate(run), width)
    return groups


def _chunks(items: Int32, size: int) -> list[Int32]:
    return [items[at : at + size] for at in range(0, len(items), size)]


def patches(window: Window, height: int, width: int) -> list[Int32]:
    """Outputs of a convolution by the piece of the image that they see, at most `width` in a group.

    All channels of a group of channels stand together if they fit, and the patch is the one that takes the fewest tiles
    for an output, then the fewest inputs.
    """
    y, x = window.y, window.x
    out_group = window.out_channels // window.groups
    together = min(out_group, width)
    side_y, side_x = _patch(y, x, width // together, window.channels // window.groups, height)
    plane = np.arange(y.out * x.out, dtype=np.int32).reshape(y.out, x.out)
    groups = []
    for first in range(0, window.out_channels, out_group):
        for low in range(first, first + out_group, together):
            channels = np.arange(low, min(low + together, first + out_group), dtype=np.int32) * plane.size
            for top in range(0, y.out, side_y):
                for left in range(0, x.out, side_x):
                    places = plane[top : top + side_y, left : left + side_x].ravel()
                    groups.append((places[:, None] + channels).ravel().astype(np.int32))
    return groups


def _patch(y: Axis, x: Axis, places: int, channels: int, height: int) -> tuple[int, int]:
    """Sides of the patch of at most so many outputs that needs the fewest tiles, then inputs, for each."""
    best = (float("inf"), float("inf"), 1, 1)
    for side_y in range(1, min(y.out, max(places, 1)) + 1):
        for side_x in range(1, max(1, min(x.out, places // side_y)) + 1):
            outputs, inputs = side_y * side_x, channels * _seen(side_y, y) * _seen(side_x, x)
            best = min(best, (-(-inputs // height) / outputs, inputs / outputs, side_y, side_x))
    return best[2], best[3]


def _seen(outputs: int, axis: Axis) -> int:
    """Inputs along an axis that so many neighbouring outputs see, at most."""
    return min(axis.size, (outputs - 1) * axis.stride + axis.dilation * (axis.taps - 1) + 1)


_NONE = np.zeros(0, np.int32)


def unrolled_tiles(window: Window, height: int, width: int) -> int:
    """Tiles that a convolution takes if every output position has its own cells (at its borders some are smaller)."""
    y, x = window.y, window.x
    out_group = window.out_channels // window.groups
    together = min(out_group, width)
    channels = window.channels // window.groups
    side_y, side_x = _patch(y, x, width // together, channels, height)
    inputs = channels * _seen(side_y, y) * _seen(side_x, x)
    patches = window.groups * -(-out_group // together) * -(-y.out // side_y) * -(-x.out // side_x)
    return patches * -(-inputs // height)
