"""What the other stages share: blocks of matrices in arrays, and where the arrays stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, overload

import numpy as np
import numpy.typing as npt

from .matrix import Matrix, Part

if TYPE_CHECKING:
    from ..machine.machine import CrossbarMachine
    from .rules import Rules

__all__ = ["Activity", "Block", "Blocks", "Matrix", "Part", "Plan"]

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


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


@dataclass(frozen=True, eq=False, repr=False)
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

    def __repr__(self) -> str:
        return (
            f"<Plan of {self.network} on {self.machine.name}: {len(self.matrices)} matrices in {len(self.blocks):,} "
            f"blocks, {self.arrays:,} arrays, {self.chips} chip(s)>"
        )
