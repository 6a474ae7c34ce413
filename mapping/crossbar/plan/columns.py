"""Columns of a matrix in groups that fit side by side: those that the same rows feed stand together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neuromorph.network.builders.convolution import Axis, Window

from ...hypergraph import Hypergraph, Limits
from ...partition import partition
from ...partition.metrics import part_bytes
from .matrix import Matrix, Part

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

PINS = 500_000
"""Synapses of a sparse matrix up to which its columns are gathered by the partitioners of neurons."""
WORTH = 0.95
"""Share of the rows of all groups, or of their tiles, that gathering must come down to."""


def column_groups(matrix: Matrix, height: int, width: int) -> list[Int32]:
    """Columns cut into groups of at most `width`: patches of a convolution's output, or neighbours.

    A group has columns of ports that the same rows drive, unless all fit in one group of rows and columns.
    """
    align = matrix.columns > width or matrix.rows > height
    if matrix.passes > 1 or not align:
        return chunks(np.arange(matrix.columns, dtype=np.int32), width)
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
        groups += gathered(matrix, np.concatenate(run), height, width)
    return groups


def gathered(matrix: Matrix, columns: Int32, height: int, width: int) -> list[Int32]:
    """Columns in groups of at most `width` that few rows reach; in their order if that does no better.

    Columns are the vertices and rows the nets of a hypergraph: cutting it well is what partitioners do, and the copies
    of an event are the further groups that its row stands in.
    """
    plain = chunks(columns, width)
    place = np.full(matrix.columns, -1, np.int64)
    place[columns] = np.arange(len(columns))
    lists = [_pins(part, place) for part in matrix.parts if part.row_ptr is not None]
    pins = sum(len(targets) for _, targets in lists)
    if len(plain) == 1 or not 0 < pins <= PINS:
        return plain
    graph = _hypergraph(len(columns), lists)
    before = (np.arange(len(columns)) // width).astype(np.int32)
    limits = Limits(1 << 62, width)
    part = partition(graph, limits, method="greedy").part
    if _price(graph, part, height)[1] < WORTH * _price(graph, before, height)[1]:  # there is something to find
        part = partition(graph, limits).part
    tiles, rows = _price(graph, part, height)
    tiles_before, rows_before = _price(graph, before, height)
    if not (tiles < WORTH * tiles_before or (tiles <= tiles_before and rows < WORTH * rows_before)):
        return plain
    order = np.argsort(part, kind="stable")
    return [columns[group] for group in np.split(order, np.cumsum(np.bincount(part))[:-1])]


def _pins(part: Part, place: Int64) -> tuple[Int64, Int32]:
    """Rows of a part as lists of places, columns that have none left out."""
    assert part.row_ptr is not None
    assert part.targets is not None
    goal = place[part.column_first + part.targets.astype(np.int64)]
    inside = goal >= 0
    ends = np.concatenate([[0], np.cumsum(inside)])
    return ends[part.row_ptr].astype(np.int64), goal[inside].astype(np.int32)


def _hypergraph(columns: int, lists: list[tuple[Int64, Int32]]) -> Hypergraph:
    """A net for each row of each part that has cells, its first column as the source."""
    sizes = np.concatenate([np.diff(ptr) for ptr, _ in lists])
    pins = np.concatenate([targets for _, targets in lists])
    used = sizes > 0
    ptr = np.concatenate([[0], np.cumsum(sizes[used])]).astype(np.int64)
    nets = len(ptr) - 1
    return Hypergraph(
        vertex_bytes=np.zeros(columns, np.int64),
        net_ptr=ptr,
        net_pins=pins,
        net_source=pins[ptr[:-1]],
        net_weight=np.ones(nets),
        net_bytes=np.ones(nets, np.int64),
        group_ptr=np.zeros(columns + 1, np.int64),
        vertex_groups=np.zeros(0, np.int32),
        group_bytes=np.zeros(0, np.int64),
        layer=np.zeros(columns, np.int32),
    )


def _price(graph: Hypergraph, part: Int32, height: int) -> tuple[int, int]:
    """Tiles and rows of all groups: the bytes of a part are its rows, as each net costs one."""
    rows = part_bytes(graph, part)
    return int((-(-rows // height)).sum()), int(rows.sum())


def chunks(items: Int32, size: int) -> list[Int32]:
    """Items in their order, at most so many in each piece."""
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


def stationary_tiles(window: Window, height: int, width: int) -> int:
    """Tiles that a convolution takes if its kernel is stored once."""
    rows, columns = (
        window.channels // window.groups * window.y.taps * window.x.taps,
        window.out_channels // window.groups,
    )
    if columns > width:
        return window.groups * -(-columns // width) * -(-rows // height)
    beside = min(window.groups, width // columns)
    return -(-window.groups // beside) * -(-rows * beside // height)
