"""An independent checker of plans: it looks at what lies where, never at how the planner got there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError
from neuromorph.lowering.program import LoweredNetwork

from .plan import Block, Matrix, Plan

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FIELDS = ("post", "port", "delay", "target", "pre", "source", "weight", "scale")
"""What a contribution to a sum is told by; a row of the tables below."""


def check_plan(plan: Plan, lowered: LoweredNetwork) -> None:
    """Raise :class:`MappingError` unless the plan holds the network and its machine can.

    Every weight of every projection lies at exactly one place of each copy of its matrix, and nothing else does; along
    matrices, lines and rows, the contributions to each sum come in the engine's order. Blocks lie inside their array
    and its rules, share no cell, and what is read together neither drives nor senses for another. Tiles and chips hold
    no more arrays than they have.

    Parameters
    ----------
    plan : Plan
    lowered : LoweredNetwork
        The network that was planned.
    """
    _check_chips(plan)
    blocks = list(plan.blocks)
    for block in blocks:
        _check_block(plan, block)
    by_array: list[list[Block]] = [[] for _ in range(plan.arrays)]
    for block in blocks:
        by_array[block.array].append(block)
    for array, held in enumerate(by_array):
        _check_array(plan, array, held)
    _check_copies(plan, blocks)
    _check_weights(plan, lowered, blocks)


def _fail(plan: Plan, what: str, **numbers: object) -> MappingError:
    return MappingError(f"plan of network {plan.network} on {plan.machine.name}: {what}", **numbers)


def _check_chips(plan: Plan) -> None:
    machine, tiles = plan.machine, plan.tile_of_array
    if tiles.shape != (plan.arrays,):
        raise _fail(plan, f"{plan.arrays} arrays need a tile each, and {tiles.shape} are given")
    if machine.chips is not None and plan.chips > machine.chips:
        raise _fail(plan, f"it takes {plan.chips} chips, and there are {machine.chips}", chips=plan.chips)
    if plan.arrays and (tiles.min() < 0 or tiles.max() >= plan.chips * machine.tiles):
        raise _fail(plan, f"tiles {tiles.min()} to {tiles.max()} are used of {plan.chips * machine.tiles}")
    held = np.bincount(tiles, minlength=1)
    if held.max() > machine.arrays_per_tile:
        tile = int(held.argmax())
        raise _fail(plan, f"tile {tile} has {machine.arrays_per_tile} arrays and is given {held[tile]}", tile=tile)
    if len(plan.blocks) and int(plan.blocks.matrix.max()) >= len(plan.matrices):
        raise _fail(plan, f"a block is of matrix {plan.blocks.matrix.max()}, and there are {len(plan.matrices)}")
    if (np.diff(plan.blocks.matrix) < 0).any():
        raise _fail(plan, "blocks of a matrix do not stand together")


def _check_block(plan: Plan, block: Block) -> None:
    """One block inside its array and matrix."""
    machine, matrix = plan.machine, plan.matrices[block.matrix]
    where = f"block {block.index} ({matrix.name}, array {block.array})"
    for what, items, most in (("row", block.rows, matrix.rows), ("column", block.columns, matrix.columns)):
        if not len(items):
            raise _fail(plan, f"{where} has no {what}", block=block.index)
        if items.min() < 0 or items.max() >= most or len(np.unique(items)) != len(items):
            raise _fail(plan, f"{where} has a {what} twice, or one beyond the {most} of its matrix", block=block.index)
    if not 0 <= block.array < plan.arrays:
        raise _fail(plan, f"{where} is in no array: there are {plan.arrays}", block=block.index)
    bottom, right = _ends(plan, block)
    if block.row_first < 0 or bottom > machine.rows or right > machine.columns:
        raise _fail(
            plan,
            f"{where} covers rows {block.row_first} to {bottom} and columns {block.column_first} to {right} of "
            f"{machine.rows} x {machine.columns}",
            block=block.index,
        )
    if block.column_first < plan.rules.reserved_columns:
        raise _fail(plan, f"{where} begins in the {plan.rules.reserved_columns} reserved columns", block=block.index)
    regions = plan.rules.regions
    if any(len(block.rows) <= rows for _, rows in regions):
        if not any(first <= block.row_first and bottom <= first + rows for first, rows in regions):
            raise _fail(plan, f"{where} crosses from one region of rows into another", block=block.index)
    elif regions and (not plan.rules.joined or block.row_first):
        raise _fail(plan, f"{where} is taller than every region of rows", block=block.index)


def _ends(plan: Plan, block: Block) -> tuple[int, int]:
    """First row below and first column beside a block."""
    return block.row_first + len(block.rows), block.column_first + len(block.columns) * plan.cells_per_weight


def _check_array(plan: Plan, array: int, held: list[Block]) -> None:
    """Blocks of one array against each other."""
    if not held:
        raise _fail(plan, f"array {array} holds nothing", array=array)
    used = np.zeros((plan.machine.rows, plan.machine.columns), np.bool_)
    for block in held:
        bottom, right = _ends(plan, block)
        place = used[block.row_first : bottom, block.column_first : right]
        if place.any():
            raise _fail(plan, f"block {block.index} overlaps another in array {array}", array=array)
        place[:] = True
    for i, one in enumerate(held):
        for other in held[:i]:
            _check_pair(plan, one, other)


def _check_pair(plan: Plan, one: Block, other: Block) -> None:
    """Two blocks of an array: those of one turn share no column, and rows only if the same input drives them."""
    (bottom, right), (low, far) = _ends(plan, one), _ends(plan, other)
    rows = range(max(one.row_first, other.row_first), min(bottom, low))
    columns = max(one.column_first, other.column_first) < min(right, far)
    both = f"blocks {other.index} and {one.index} of array {one.array}"
    if columns and plan.rules.columns_once and one.matrix != other.matrix:
        raise _fail(plan, f"{both} share columns")
    if one.turn != other.turn:
        return
    if columns:
        raise _fail(plan, f"{both} share columns and are read together")
    if rows:
        mine = one.rows[rows.start - one.row_first : rows.stop - one.row_first]
        others = other.rows[rows.start - other.row_first : rows.stop - other.row_first]
        same = one.matrix == other.matrix and one.replica == other.replica
        if not same or not np.array_equal(mine, others):
            raise _fail(plan, f"{both} share rows that different inputs drive, and are read together")


def _check_copies(plan: Plan, blocks: list[Block]) -> None:
    """Copies of a matrix: as many as passes at most, all of the same pieces."""
    for matrix in plan.matrices:
        pieces: dict[int, list[tuple[bytes, bytes]]] = {}
        for k in plan.blocks_of(matrix.index):
            pieces.setdefault(blocks[k].replica, []).append((blocks[k].rows.tobytes(), blocks[k].columns.tobytes()))
        copies = len(pieces)
        if sorted(pieces) != list(range(copies)) or copies > matrix.passes:
            raise _fail(plan, f"matrix {matrix.name} of {matrix.passes} passes has copies {sorted(pieces)}")
        for copy, held in pieces.items():
            if sorted(held) != sorted(pieces[0]):
                raise _fail(plan, f"copy {copy} of matrix {matrix.name} differs from the first", matrix=matrix.index)


def _check_weights(plan: Plan, lowered: LoweredNetwork, blocks: list[Block]) -> None:
    """The contributions to every sum, in order, against the network's."""
    found = _sorted(_from_plan(plan, blocks))
    expected = _sorted(_from_network(lowered, plan.machine.cell_levels is None))
    shared = min(found.shape[1], expected.shape[1])
    close = np.isclose(found[:, :shared], expected[:, :shared], rtol=1e-6, atol=0.0)
    exact = found[:, :shared] == expected[:, :shared]
    same = np.where((np.arange(len(FIELDS)) == FIELDS.index("weight"))[:, None], close, exact).all(0)
    if same.all() and found.shape == expected.shape:
        return
    at = int(np.argmin(same)) if not same.all() else shared

    def told(table: Floats) -> str:
        if at >= table.shape[1]:
            return "no more"
        return ", ".join(f"{name} {value:g}" for name, value in zip(FIELDS, table[:, at], strict=True))

    raise _fail(
        plan,
        f"{found.shape[1]:,} weights lie in arrays, and the network has {expected.shape[1]:,}; the first that differs "
        f"is [{told(found)}], expected [{told(expected)}]",
        found=found.shape[1],
        expected=expected.shape[1],
    )


def _sorted(table: Floats) -> Floats:
    """By sum, contributions to a sum staying in their order; those of 0 left out."""
    some = table[:, table[FIELDS.index("weight")] != 0.0]
    return some[:, np.lexsort(some[3::-1])]


def _from_plan(plan: Plan, blocks: list[Block]) -> Floats:
    """What the first copy of each matrix adds, matrix by matrix, line by line, row by row."""
    tables = [np.zeros((len(FIELDS), 0))]
    for matrix in plan.matrices:
        held = [blocks[k] for k in plan.blocks_of(matrix.index) if blocks[k].replica == 0]
        rows, columns, weights = (np.concatenate(arrays) for arrays in zip(*_cells(matrix, held), strict=True))
        order = np.lexsort((columns, rows))
        tables.append(_contributions(matrix, rows[order], columns[order], weights[order]))
    return np.concatenate(tables, axis=1)


def _cells(matrix: Matrix, held: list[Block]) -> Iterator[tuple[Ints, Ints, Floats]]:
    """Cells with a weight: matrix row, matrix column, weight."""
    yield np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    for block in held:
        dense = matrix.dense(block.rows, block.columns)
        i, j = np.nonzero(dense)
        yield block.rows[i].astype(np.int64), block.columns[j].astype(np.int64), dense[i, j].astype(np.float64)


def _contributions(matrix: Matrix, rows: Ints, columns: Ints, weights: Floats) -> Floats:
    """Cells (sorted by row) of a matrix, seen by the events that drive them."""
    if matrix.entry_ptr is None or matrix.entry_row is None or matrix.entry_pass is None:
        lines = entry_row = np.arange(matrix.rows)
        passes = np.zeros(matrix.rows, np.int64)
    else:
        lines = np.repeat(np.arange(matrix.lines), np.diff(matrix.entry_ptr))
        entry_row, passes = matrix.entry_row.astype(np.int64), matrix.entry_pass.astype(np.int64)
    starts = np.searchsorted(rows, np.arange(matrix.rows + 1))
    count = (starts[1:] - starts[:-1])[entry_row]
    entry = np.repeat(np.arange(len(entry_row)), count)
    cell = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(starts[entry_row], count)
    line, column = lines[entry], columns[cell]
    source = np.searchsorted(matrix.source_first, line, side="right") - 1
    one = np.ones(len(entry))
    return np.stack(
        [
            one * matrix.post,
            matrix.column_port[column].astype(np.float64),
            one * matrix.delay,
            (matrix.column_post[column] + matrix.pass_post[passes[entry]]).astype(np.float64),
            np.array(matrix.sources, np.float64)[source],
            (line - matrix.source_first[source]).astype(np.float64),
            weights[cell],
            one * (-1.0 if matrix.scale is None else matrix.scale),
        ]
    )


def _from_network(lowered: LoweredNetwork, apart: bool) -> Floats:
    """What the engine adds, projection by projection, source by source.

    Several synapses from one neuron to another are one contribution, unless they are floats and kept ``apart``.
    """
    tables = [np.zeros((len(FIELDS), 0))]
    for synapses in lowered.projections:
        listed = synapses.expanded()
        if listed.row_ptr is None or listed.targets is None:
            source = np.repeat(np.arange(listed.n_pre), listed.n_post)
            target = np.tile(np.arange(listed.n_post), listed.n_pre)
        else:
            source = np.repeat(np.arange(listed.n_pre), np.diff(listed.row_ptr))
            target = listed.targets.astype(np.int64)
        weight = listed.weights if listed.weight_index is None else listed.weights[listed.weight_index]
        weight = np.broadcast_to(weight, source.shape)
        delay = np.broadcast_to(listed.delays, source.shape).astype(np.int64)
        value = weight.astype(np.float64)
        if weight.dtype.kind in "iu" or not apart:
            key = (source * (int(delay.max(initial=0)) + 1) + delay) * listed.n_post + target
            _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
            value = np.bincount(inverse.ravel(), value, len(first)).astype(np.float64)
            source, target, delay = source[first], target[first], delay[first]
        one = np.ones(len(source))
        scale = -1.0 if synapses.weight_scale is None else synapses.weight_scale
        columns = (
            one * synapses.post,
            one * synapses.port,
            delay,
            target,
            one * synapses.pre,
            source,
            value,
            one * scale,
        )
        tables.append(np.stack([np.asarray(column, np.float64) for column in columns]))
    return np.concatenate(tables, axis=1)
