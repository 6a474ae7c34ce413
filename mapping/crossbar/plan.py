"""What the other stages share: matrices, their blocks in arrays, and where the arrays stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from neuromorph.network.builders.convolution import Window

    from .machine import CrossbarMachine
    from .rules import Rules

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Part:
    """What one projection puts into a matrix; arrays are the projection's own wherever they can be.

    Attributes
    ----------
    projection : int
        Index among the network's projections.
    row_first, column_first : int
        Matrix row of the part's row 0 and matrix column of its column 0.
    rows, columns : int
    row_ptr : int64 (rows + 1,) or None
        Cells of row r are ``[row_ptr[r], row_ptr[r + 1])``; None: every cell of the part.
    targets : unsigned int (cells,) or None
        Column of each cell inside the part; each (row, column) at most once.
    weights : array
        Shape () (one for all), (cells,), (rows * columns,) row-major if dense, or (kernel,) with ``weight_index``.
    weight_index : unsigned int (cells,) or None
    window : Window or None
        Geometry, if the projection is a convolution or pooling.
    """

    projection: int
    row_first: int
    column_first: int
    rows: int
    columns: int
    row_ptr: Int64 | None
    targets: npt.NDArray[Any] | None
    weights: npt.NDArray[Any]
    weight_index: npt.NDArray[Any] | None = None
    window: Window | None = None

    @property
    def cells(self) -> int:
        """Number of weights."""
        return self.rows * self.columns if self.row_ptr is None else int(self.row_ptr[-1])

    def values(self, cells: npt.NDArray[Any] | slice) -> npt.NDArray[Any]:
        """Weights of some cells, in their own type."""
        if self.weights.ndim == 0:
            index = np.arange(self.cells)[cells]
            return np.broadcast_to(self.weights, index.shape)
        found: npt.NDArray[Any] = self.weights[cells if self.weight_index is None else self.weight_index[cells]]
        return found


@dataclass(frozen=True, eq=False)
class Matrix:
    """What is driven together: synapses into the ports of one population that share delay, scale and number type.

    The stacked gates of an EGRU are one matrix: its lines are the inputs and the recurrent units, its columns the
    ports. A *line* is a neuron that may send an event: line ``source_first[k] + n`` is neuron n of population
    ``sources[k]``. A population stands there more than once if its projections must not share rows, so that the sum at
    a port can be taken in the engine's order: matrices in the plan's order, and inside a matrix lines, and the rows of
    a line, ascending.

    Attributes
    ----------
    name : str
    index : int
        Position in :attr:`Plan.matrices`.
    post : int
        Population index.
    delay : int
        Steps, at least 1.
    scale : float or None
        Of quantised float weights: a weight stands for ``weight * scale``. All parts have the same.
    whole : bool
        Whether the ports take ints.
    sources : tuple of int
        Population of each range of lines.
    source_first : int32 (len(sources) + 1,)
        First line of each, and the number of lines.
    rows, columns : int
        Size in weights.
    column_port, column_post : int32 (columns,)
        Port, and neuron of the post population (in pass 0), whose sum a column makes.
    parts : tuple of Part
        The weights.
    passes : int
        How often it is read in a step: 1, or the output positions of a convolution whose kernel is stored once.
    pass_post : int32 (passes,)
        Added to ``column_post`` in each pass.
    entry_ptr : int32 (lines + 1,) or None
        An event on line n drives row ``entry_row[k]`` in pass ``entry_pass[k]`` for k in ``[entry_ptr[n],
        entry_ptr[n + 1])``. None: line n is row n, in the only pass.
    entry_row, entry_pass : int32 or None
    """

    name: str
    index: int
    post: int
    delay: int
    scale: float | None
    whole: bool
    sources: tuple[int, ...]
    source_first: Int32
    rows: int
    columns: int
    column_port: Int32
    column_post: Int32
    parts: tuple[Part, ...]
    passes: int
    pass_post: Int32
    entry_ptr: Int64 | None = None
    entry_row: Int32 | None = None
    entry_pass: Int32 | None = None

    @property
    def lines(self) -> int:
        """Neurons that may drive it."""
        return int(self.source_first[-1])

    @property
    def projections(self) -> tuple[int, ...]:
        """Indices of the projections that it holds (parts of), ascending."""
        return tuple(sorted({part.projection for part in self.parts}))

    @property
    def weights(self) -> int:
        """Number of weights that are stored, empty cells not counted."""
        return sum(part.cells for part in self.parts)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Type of :meth:`dense`: int32 for ints, quantised ones included, else the projections' float type."""
        kinds = [part.weights.dtype for part in self.parts]
        return np.dtype(np.int32) if kinds[0].kind in "iu" else np.result_type(*kinds)

    @cached_property
    def largest(self) -> float:
        """Largest absolute weight (0 without any), in the weights' own unit."""
        return max((_largest(part.weights) for part in self.parts if part.cells), default=0.0)

    @cached_property
    def row_line(self) -> Int32:
        """Line whose events drive each row, int32 (rows,); in a matrix of several passes the first such line."""
        if self.entry_ptr is None or self.entry_row is None:
            return np.arange(self.rows, dtype=np.int32)
        lines = np.repeat(np.arange(self.lines, dtype=np.int32), np.diff(self.entry_ptr))
        first = np.full(self.rows, -1, np.int32)
        first[self.entry_row[::-1]] = lines[::-1]
        return first

    def dense(self, rows: npt.NDArray[Any] | None = None, columns: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
        """Weights of some rows and columns as a matrix; cells that hold none are 0.

        Parameters
        ----------
        rows, columns : int arrays, optional
            Default: all. Without repetition.

        Returns
        -------
        :attr:`dtype` (rows, columns)
        """
        from ._plan_kernels import place_dense, place_listed

        chosen = np.arange(self.rows, dtype=np.int32) if rows is None else np.asarray(rows, np.int32)
        wanted = np.arange(self.columns, dtype=np.int32) if columns is None else np.asarray(columns, np.int32)
        out = np.zeros((len(chosen), len(wanted)), self.dtype)
        place: Int32 | None = None
        for part in self.parts:
            values = part.weights.reshape(-1)  # of shape (1,) if there is one for all
            if part.row_ptr is None or part.targets is None:
                place_dense(out, chosen, wanted, part.row_first, part.rows, part.column_first, part.columns, values)
                continue
            if place is None:
                place = np.full(self.columns, -1, np.int32)
                place[wanted] = np.arange(len(wanted), dtype=np.int32)
            there = place[part.column_first : part.column_first + part.columns]
            index = np.zeros(0, np.uint32) if part.weight_index is None else part.weight_index
            place_listed(out, chosen, there, part.row_first, part.rows, part.row_ptr, part.targets, values, index)
        return out


@dataclass(frozen=True, eq=False, slots=True)
class Block:
    """A piece of one matrix in one array.

    Attributes
    ----------
    index : int
        Position in :attr:`Plan.blocks`.
    matrix, array : int
    row_first, column_first : int
        Its place: physical row and column of the array.
    rows, columns : int32
        Matrix rows and columns in physical order; row i stands in physical row ``row_first + i``, and column j in the
        ``cells_per_weight`` physical columns from ``column_first + j * cells_per_weight``.
    replica : int
        Which copy of the matrix; pass p is read from replica ``p % replicas``.
    turn : int
        Blocks of an array with the same turn are read together, turns one after another.
    """

    index: int
    matrix: int
    array: int
    row_first: int
    column_first: int
    rows: Int32
    columns: Int32
    replica: int
    turn: int


@dataclass(frozen=True, eq=False)
class Blocks(Sequence[Block]):
    """Every block, as arrays; ``blocks[k]`` makes one of them. Blocks of a matrix stand together, matrices ascending.

    Attributes
    ----------
    matrix, array, row_first, column_first, replica, turn : int32 (blocks,)
        See :class:`Block`.
    row_list, column_list : int32 (blocks,)
        Number of the list of rows, and of columns, of each block.
    list_ptr : int64 (lists + 1,)
    listed : int32
        List n is ``listed[list_ptr[n]:list_ptr[n + 1]]``; blocks share lists.
    """

    matrix: Int32
    array: Int32
    row_first: Int32
    column_first: Int32
    replica: Int32
    turn: Int32
    row_list: Int32
    column_list: Int32
    list_ptr: Int64
    listed: Int32

    def __len__(self) -> int:
        return len(self.matrix)

    @overload
    def __getitem__(self, index: int) -> Block: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Block]: ...
    def __getitem__(self, index: int | slice) -> Block | Sequence[Block]:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        k = range(len(self))[index]
        return Block(
            index=k,
            matrix=int(self.matrix[k]),
            array=int(self.array[k]),
            row_first=int(self.row_first[k]),
            column_first=int(self.column_first[k]),
            rows=self.items(int(self.row_list[k])),
            columns=self.items(int(self.column_list[k])),
            replica=int(self.replica[k]),
            turn=int(self.turn[k]),
        )

    def __iter__(self) -> Iterator[Block]:
        return (self[k] for k in range(len(self)))

    def items(self, number: int) -> Int32:
        """One list of rows or columns."""
        return self.listed[self.list_ptr[number] : self.list_ptr[number + 1]]

    @cached_property
    def heights(self) -> Int64:
        """Rows of each block, int64 (blocks,)."""
        return np.diff(self.list_ptr)[self.row_list]

    @cached_property
    def widths(self) -> Int64:
        """Columns of each block in weights, int64 (blocks,)."""
        return np.diff(self.list_ptr)[self.column_list]


@dataclass(frozen=True)
class Activity:
    """Share of blocks that are silent in a step, that is, have no active row; see :func:`.activity.silent_share`.

    Attributes
    ----------
    given, planned : float
        With rows in the network's order, and as planned.
    basis : str
        What it was reckoned from: "events", "rates" or "none" (then every row counts as active).
    """

    given: float
    planned: float
    basis: str


@dataclass(frozen=True, eq=False)
class Plan:
    """A network on a crossbar machine.

    Attributes
    ----------
    machine : CrossbarMachine
    network : str
    matrices : tuple of Matrix
        In the order in which deliveries are added to ports.
    blocks : Blocks
    arrays : int
        Arrays that hold something.
    tile_of_array : int32 (arrays,)
        Tile of each array; tile t of chip c has number ``c * machine.tiles + t``.
    chips : int
    cells_per_weight : int
        Physical columns that one weight takes.
    rules : Rules
        Where blocks may lie.
    order, convolution : str
        As asked for.
    seed : int
    activity : Activity
    hops : (float, float)
        Values that travel in a step times mesh hops: tiles filled row by row, and as placed; see :mod:`.place`.
    """

    machine: CrossbarMachine
    network: str
    matrices: tuple[Matrix, ...]
    blocks: Blocks
    arrays: int
    tile_of_array: Int32
    chips: int
    cells_per_weight: int
    rules: Rules
    order: str
    convolution: str
    seed: int
    activity: Activity
    hops: tuple[float, float]

    @cached_property
    def block_ptr(self) -> Int64:
        """Blocks of matrix m are ``[block_ptr[m], block_ptr[m + 1])``, int64 (matrices + 1,)."""
        return np.searchsorted(self.blocks.matrix, np.arange(len(self.matrices) + 1)).astype(np.int64)

    def blocks_of(self, matrix: int) -> range:
        """Indices of the blocks of a matrix."""
        return range(int(self.block_ptr[matrix]), int(self.block_ptr[matrix + 1]))

    @cached_property
    def replicas(self) -> Int32:
        """Copies of each matrix, int32 (matrices,)."""
        most = np.zeros(len(self.matrices), np.int32)
        np.maximum.at(most, self.blocks.matrix, self.blocks.replica + 1)
        return most

    @cached_property
    def array_blocks(self) -> tuple[Int64, Int32]:
        """Blocks by array: those of array a are ``order[ptr[a]:ptr[a + 1]]`` of the returned (ptr, order)."""
        order = np.argsort(self.blocks.array, kind="stable").astype(np.int32)
        ptr = np.searchsorted(self.blocks.array[order], np.arange(self.arrays + 1)).astype(np.int64)
        return ptr, order

    @cached_property
    def turns(self) -> Int32:
        """Turns of each array, int32 (arrays,)."""
        most = np.zeros(self.arrays, np.int32)
        np.maximum.at(most, self.blocks.array, self.blocks.turn + 1)
        return most

    @cached_property
    def utilisation(self) -> npt.NDArray[np.float64]:
        """Share of each array's cells that lie in a block, float64 (arrays,)."""
        cells = self.blocks.heights * self.blocks.widths * self.cells_per_weight
        held = np.bincount(self.blocks.array, cells, self.arrays)
        return held / (self.machine.rows * self.machine.columns)

    def row_entries(self, matrix: int, replica: int = 0) -> tuple[Int64, Int32, Int32]:
        """Where the rows of a matrix stand.

        Returns
        -------
        ptr : int64 (rows + 1,), block : int32, position : int32
            Row r stands in block ``block[k]`` at its row ``position[k]``, for k in ``[ptr[r], ptr[r + 1])``; blocks
            ascending.
        """
        from ._plan_kernels import transpose_rows

        those = np.array([b for b in self.blocks_of(matrix) if self.blocks.replica[b] == replica], np.int32)
        held = self.blocks
        found = transpose_rows(self.matrices[matrix].rows, those, held.row_list, held.list_ptr, held.listed)
        ptr, block, position = found
        return ptr, block, position


def _largest(weights: npt.NDArray[Any]) -> float:
    return max(float(weights.max()), -float(weights.min())) if weights.size else 0.0
