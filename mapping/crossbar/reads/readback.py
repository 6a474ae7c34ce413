"""What cells hold, read back: blocks as matrices, and whole matrices as synapses where the way through them is linear.

A matrix whose converters round nothing and whose cells do not fluctuate adds ``weight * value`` to each sum, and so it
can be delivered event by event, in the engine's order of sums. The weights are those that the cells hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.network.rules.rule import target_dtype
from neuromorph.network.synapses import Synapses

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..cells.chip import Chip
    from ..plan.plan import Block, Matrix

Array = npt.NDArray[Any]
Int64 = npt.NDArray[np.int64]


def paired(chip: Chip) -> bool:
    """Whether pairs of cells are subtracted before they are converted."""
    return chip.machine.encoding == "differential" and chip.machine.subtract == "analog"


def digit_of(chip: Chip) -> Int64:
    """Digit of a weight that each of its conversions belongs to, (conversions of a weight,)."""
    machine = chip.machine
    return np.arange(machine.conversions_per_weight) * machine.slices // machine.conversions_per_weight


def window(chip: Chip, cells: Array, block: Block) -> Array:
    """The part of an array's (rows, columns) that is a block's: (rows, weights, cells of a weight)."""
    each = chip.coding.cells_per_weight
    high, wide = len(block.rows), len(block.columns)
    rows = slice(block.row_first, block.row_first + high)
    part = cells[rows, block.column_first : block.column_first + wide * each]
    made: Array = part.reshape(high, wide, each)
    return made


def told_apart(chip: Chip, cells: Array, sign: float = -1.0) -> npt.NDArray[np.float64]:
    """What is converted, (rows, conversions of a weight, weights): the second cell of a pair counts ``sign``."""
    values = cells.astype(np.float64)
    if paired(chip):
        values = values[:, :, 0::2] + sign * values[:, :, 1::2]
    return values.swapaxes(1, 2)


def block_weights(chip: Chip, block: Block) -> npt.NDArray[np.float64]:
    """Codes that a block's cells are worth, (rows, weights), after the array's digital compensation."""
    cells = window(chip, chip.held[block.array], block).astype(np.float64)
    worth = chip.coding.combine.astype(np.float64)
    made = np.zeros(cells.shape[:2])
    for k in range(len(worth)):
        made += worth[k] * cells[:, :, k]
    factor = float(chip.compensation[block.array])
    return (made if factor == 1.0 else made * factor) - chip.coding.offset


def whole_weights(chip: Chip, matrix: Matrix) -> bool:
    """Whether all cells of a matrix are worth whole numbers."""
    if chip.scale[matrix.index] != 1.0:
        return False
    blocks = (block_weights(chip, chip.plan.blocks[b]) for b in chip.plan.blocks_of(matrix.index))
    return all(bool(np.array_equal(weights, np.rint(weights))) for weights in blocks)


def read_back(chip: Chip, matrix: Matrix, sizes: Sequence[int], dtype: str, first: int) -> list[Synapses]:
    """A matrix as projections, in the order of sums: one for each source and port, of the weights that cells hold.

    Parameters
    ----------
    chip : Chip
    matrix : Matrix
    sizes : sequence of int
        Neurons of every population.
    dtype : {"float32", "float64"}
        Of float weights.
    first : int
        Index of the first projection that is made.
    """
    ptr, columns, codes = _by_row(chip, matrix)
    codes, scale = _weights(chip, matrix, codes, dtype)
    line, cell, shift = _by_line(chip, matrix, ptr)
    target = matrix.column_post[columns[cell]].astype(np.int64) + shift
    port = matrix.column_port[columns[cell]]
    made: list[Synapses] = []
    for k, source in enumerate(matrix.sources):
        inside = (line >= matrix.source_first[k]) & (line < matrix.source_first[k + 1])
        for each in np.unique(port[inside]):
            mine = np.flatnonzero(inside & (port == each))
            n_pre, n_post = sizes[source], sizes[matrix.post]
            row = line[mine] - matrix.source_first[k]
            order = mine[np.lexsort((target[mine], row))]  # stable: rows of a line stay in order
            row_ptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n_pre))]).astype(np.int64)
            targets, weights = target[order], codes[cell[order]]
            full = np.tile(np.arange(n_post), n_pre) if len(targets) == n_pre * n_post else None
            dense = full is not None and np.array_equal(targets, full)
            made.append(
                Synapses(
                    name=matrix.name,
                    index=first + len(made),
                    pre=source,
                    post=matrix.post,
                    port=int(each),
                    n_pre=n_pre,
                    n_post=n_post,
                    row_ptr=None if dense else row_ptr,
                    targets=None if dense else targets.astype(target_dtype(n_post)),
                    weights=weights,
                    weight_index=None,
                    delays=np.array(matrix.delay, np.uint16),
                    weight_scale=scale,
                )
            )
    return made


def _by_row(chip: Chip, matrix: Matrix) -> tuple[Int64, Int64, npt.NDArray[np.float64]]:
    """Cells of all replicas by row: row r of replica k is ``[ptr[k * rows + r], ptr[k * rows + r + 1])``."""
    rows, columns, codes = [_NONE], [_NONE], [np.zeros(0)]
    for b in chip.plan.blocks_of(matrix.index):
        block = chip.plan.blocks[b]
        held = block_weights(chip, block)
        i, j = np.nonzero(held)
        rows.append(block.rows[i].astype(np.int64) + block.replica * matrix.rows)
        columns.append(block.columns[j].astype(np.int64))
        codes.append(held[i, j])
    row, column, code = np.concatenate(rows), np.concatenate(columns), np.concatenate(codes)
    order = np.lexsort((column, row))
    replicas = int(chip.plan.replicas[matrix.index])
    ptr = np.searchsorted(row[order], np.arange(replicas * matrix.rows + 1))
    return ptr.astype(np.int64), column[order], code[order]


_NONE = np.zeros(0, np.int64)


def _weights(chip: Chip, matrix: Matrix, codes: npt.NDArray[np.float64], dtype: str) -> tuple[Array, float | None]:
    """Weights of codes in the type that ports add, and the scale that ints of quantised weights have."""
    worth = float(chip.scale[matrix.index])
    if matrix.whole or (matrix.scale is not None and worth == 1.0 and np.array_equal(codes, np.rint(codes))):
        ends = float(codes.min(initial=0.0)), float(codes.max(initial=0.0))
        fits = (
            kind
            for kind in ("int8", "int16", "int32")
            if np.iinfo(kind).min <= ends[0] <= ends[1] <= np.iinfo(kind).max
        )
        return np.rint(codes).astype(next(fits)), matrix.scale
    return (codes * (worth * (1.0 if matrix.scale is None else matrix.scale))).astype(dtype), None


def _by_line(chip: Chip, matrix: Matrix, ptr: Int64) -> tuple[Int64, Int64, Int64]:
    """Of every contribution of every line, in order: the line, the cell, and what is added to the column's neuron."""
    if matrix.entry_ptr is None or matrix.entry_row is None or matrix.entry_pass is None:
        line = np.repeat(np.arange(matrix.rows), np.diff(ptr[: matrix.rows + 1]))
        return line, np.arange(len(line)), np.zeros(len(line), np.int64)
    replicas = int(chip.plan.replicas[matrix.index])
    row = matrix.entry_row.astype(np.int64) + (matrix.entry_pass.astype(np.int64) % replicas) * matrix.rows
    count = np.diff(ptr)[row]
    entry = np.repeat(np.arange(len(row)), count)
    within = np.arange(len(entry)) - np.repeat(np.cumsum(count) - count, count)
    line = np.repeat(np.arange(matrix.lines), np.diff(matrix.entry_ptr))
    return line[entry], ptr[row][entry] + within, matrix.pass_post.astype(np.int64)[matrix.entry_pass][entry]
