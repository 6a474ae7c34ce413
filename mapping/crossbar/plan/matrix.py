"""Matrices: what is driven together, its weights as the projections have them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from neuromorph.network.builders.convolution import Window

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


@dataclass(frozen=True, eq=False, repr=False)
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

    def __repr__(self) -> str:
        passes = "" if self.passes == 1 else f", {self.passes} passes"
        return f"<Matrix {self.name}: {self.rows:,} x {self.columns:,}{passes}>"


def _largest(weights: npt.NDArray[Any]) -> float:
    return max(float(weights.max()), -float(weights.min())) if weights.size else 0.0
