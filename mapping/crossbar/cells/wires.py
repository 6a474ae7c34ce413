"""What the resistance of its wires makes of an array: one effective conductance for every pair of input and output.

Cells that conduct in proportion to the voltage make the whole array a linear network, so the currents of its outputs
are a matrix times the voltages of its inputs, whatever the wires do. The matrix is found once for each array; a product
with wires then costs what a product without them costs.

The circuit, driven from the rows: each row wire starts at its source and has one segment before each crosspoint; each
column wire has one segment after each crosspoint and ends, after the last one, at a virtual ground. A cell joins the
two wires at every crosspoint. The far ends of both wires are open. An input that is not used is at 0 V, not floating.

The solution is exact nodal analysis by nested dissection, without a sparse matrix: a block of cells is known by the
admittances between the ends of its wires alone, two neighbouring blocks become one by eliminating the nodes that they
share, and at the end only sources and grounds are left. Every step adds numbers of one sign, and diagonals are made
from their rows anew (as in W. Grassmann, M. Taksar, D. Heyman, "Regenerative analysis and steady state distributions
for Markov chains", Operations Research 33 (1985), 1107). So each entry keeps nearly all its digits however different
the resistances of wires and cells are.
"""

from __future__ import annotations

from functools import partial, reduce
from math import prod
from typing import Literal

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

Floats = npt.NDArray[np.float64]

_SHORT = 1e-30
"""Resistance in units of the smallest one of a cell, in place of 0: no digit of a result notices it."""
_GROUP = 8
_SPLIT = {4: [2, 2], 6: [2, 3], 8: [2, 2, 2]}
"""A side is filled up to a multiple of a power of two by a group of at most eight, of which these are composite."""


def effective(
    g: npt.ArrayLike,
    r_row: float,
    r_column: float,
    drive: Literal["rows", "columns"] = "rows",
    *,
    r_source: float = 0.0,
    r_sense: float = 0.0,
) -> Floats:
    """Conductances that an array without resistance would need for the same currents.

    Time grows with the third power of the side of the array, and memory with its cells, about 500 bytes each.

    Parameters
    ----------
    g : (rows, columns) array
        Conductances of the cells, S.
    r_row, r_column : float
        Resistance of a row's or a column's wire from one crosspoint to the next, ohm.
    drive : {"rows", "columns"}
        Which wires the sources drive, at the end of the first crosspoint; the others are the outputs, sensed behind
        their last crosspoint. Reverse an axis of `g` and of the result for ends on the other side.
    r_source, r_sense : float
        Of a source and of an input of a converter, in series with the first and the last segment, ohm.

    Returns
    -------
    float64 (rows, columns)
        Current of an output for 1 V at an input, S: nothing is below 0, and without resistance it is `g`.

    Raises
    ------
    MappingError
        If a conductance or a resistance is below 0 or not finite, or `g` is not a matrix.
    """
    cells = np.asarray(g, dtype=np.float64)
    resistances = {"r_row": r_row, "r_column": r_column, "r_source": r_source, "r_sense": r_sense}
    _check(cells, resistances, drive)
    top = float(cells.max(initial=0.0))
    if top == 0.0 or not any(resistances.values()):
        return cells.copy()
    if drive == "columns":
        return effective(cells.T, r_column, r_row, r_source=r_source, r_sense=r_sense).T
    short = _SHORT / top
    row, column = (np.full(cells.shape, float(max(r, short))) for r in (r_row, r_column))
    row[:, 0] += r_source
    column[-1, :] += r_sense
    return _transfer(_whole(_cells(cells, 1.0 / row, 1.0 / column)), *cells.shape)


def _check(g: Floats, resistances: dict[str, float], drive: str) -> None:
    if g.ndim != 2 or not g.size or not np.isfinite(g).all() or g.min() < 0.0:
        raise MappingError(
            f"wires of an array: expected a matrix of finite conductances of at least 0 S, got shape {g.shape}"
            + (f", {np.nanmin(g):g} to {np.nanmax(g):g} S" if g.size else "")
        )
    for name, r in resistances.items():
        if not 0.0 <= r < np.inf:
            raise MappingError(f"wires of an array: {name} must be finite and at least 0 ohm, got {r:g}", **{name: r})
    if drive not in ("rows", "columns"):
        raise MappingError(f"wires of an array: drive must be 'rows' or 'columns', got {drive!r}", drive=drive)


def _cells(g: Floats, row: Floats, column: Floats) -> Floats:
    """Blocks of one cell: admittances between its nodes, from conductances of the cell and of its two segments.

    The nodes are the start and the end of the piece of row wire, then those of the piece of column wire; the cell is
    between the end of one and the start of the other.
    """
    blocks = np.zeros((*g.shape, 4, 4))
    for (i, j), conductance in {(0, 1): row, (2, 3): column, (1, 2): g}.items():
        blocks[..., i, j] = blocks[..., j, i] = -conductance
    _balance(blocks)
    return blocks


def _balance(blocks: Floats) -> None:
    """Set diagonals so that every row sums to 0: equal voltages drive no current."""
    diagonal = np.einsum("...ii->...i", blocks)
    diagonal[...] = 0.0
    diagonal[...] = -blocks.sum(axis=-1)


def _factors(n: int) -> list[int]:
    """How many blocks become one at each turn, along a side of n cells; their product is n or little above it."""
    twice = max(0, -(-n // _GROUP) - 1).bit_length()
    group = -(-n // 2**twice)
    return _SPLIT.get(group, [group]) + [2] * twice


def _whole(blocks: Floats) -> Floats:
    """Join blocks along rows and along columns in turn, until one is left.

    Sides are filled up with nothing, where the wires' ends are open.
    """
    factors = [_factors(n) for n in blocks.shape[:2]]
    above, behind = (prod(f) - n for f, n in zip(factors, blocks.shape[:2], strict=True))
    blocks = np.pad(blocks, ((above, 0), (0, behind), (0, 0), (0, 0)))
    wires = 1
    for turn in range(2 * max(len(f) for f in factors)):
        axis = 1 - turn % 2
        if turn // 2 < len(factors[axis]):
            n = factors[axis][turn // 2]
            parts = [blocks[:, k::n] if axis else blocks[k::n] for k in range(n)]
            blocks = reduce(partial(_join, wires=wires), parts)
        across = blocks.shape[-1] // 2 - wires
        blocks = np.roll(blocks, 2 * across, axis=(-2, -1))
        wires = across
    return np.asarray(blocks[0, 0])


def _join(first: Floats, second: Floats, wires: int) -> Floats:
    """Pairs of blocks as one each: so many wires of the first go on in the second.

    Nodes of a block are in four groups: starts and ends of the wires in the direction of the joint, starts and ends
    of those across.
    """
    counts = [block.shape[-1] // 2 - wires for block in (first, second)]
    size = 2 * (wires + sum(counts))
    starts, ends = slice(wires), slice(wires, 2 * wires)
    joined = np.zeros((*first.shape[:-2], size, size))
    inner = np.empty((*first.shape[:-2], wires, size))
    for block, at, outer, before, across in (
        (first, ends, starts, 0, counts[0]),
        (second, starts, ends, counts[0], counts[1]),
    ):
        groups = [(outer, outer)]
        for old, new in ((2 * wires, 2 * wires + before), (2 * wires + across, 2 * wires + sum(counts) + before)):
            groups.append((slice(old, old + across), slice(new, new + across)))
        for i, to_i in groups:
            inner[..., to_i] = block[..., at, i]
            for j, to_j in groups:
                joined[..., to_i, to_j] = block[..., i, j]
    _eliminate(first[..., ends, ends] + second[..., starts, starts], inner, inner, joined)
    _balance(joined)
    return joined


def _eliminate(nodes: Floats, left: Floats, right: Floats, rest: Floats) -> None:
    """Take away from the admittances of the rest what nodes that are left alone contribute: left^T nodes^-1 right."""
    diagonal = np.einsum("...ii->...i", nodes)
    diagonal[diagonal == 0.0] = 1.0  # a node that nothing is connected to
    rest -= np.swapaxes(left, -1, -2) @ np.linalg.solve(nodes, right)


def _transfer(block: Floats, rows: int, columns: int) -> Floats:
    """Current into the grounds for 1 V at the sources: the ends of the row wires and the column wires' starts are open.

    Nodes beyond the array, where it was filled up with nothing, lie behind those of its row starts and before those of
    its column ends.
    """
    tall, wide = (prod(_factors(n)) for n in (rows, columns))
    sources = slice(tall - rows, tall)
    grounds = slice(2 * tall + wide, 2 * tall + wide + columns)
    open_ends = slice(tall, 2 * tall + wide)
    current = -block[sources, grounds]
    _eliminate(block[open_ends, open_ends].copy(), block[open_ends, sources], -block[open_ends, grounds], current)
    return np.asarray(np.maximum(current, 0.0))  # rounding could leave -1e-300
