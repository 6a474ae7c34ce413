"""Dense matrices delivered to lanes: the work of every event, the memory traffic of one pass over the matrix.

The matrix is kept in tiles of some columns, the rows of a tile one after another. Tile by tile, the events of all lanes
come in the order of their sources, so a tile is read from its beginning to its end, and a row that several lanes need
is read once for them; the sums of all lanes for the columns of a tile stay in the cache meanwhile.
"""

from __future__ import annotations

import numpy as np

from neuromorph.engine.memory import Array, aligned
from neuromorph.network.synapses import Synapses

from .delivery import LaneKind, module, value_of

VECTORS = 8
"""Vectors of sums that a tile is wide."""


def tiles(kind: LaneKind) -> tuple[int, int, int]:
    """Whole tiles, their columns, and vectors of what is left (0 if nothing is)."""
    width = 64 // np.dtype(kind.sum).itemsize
    columns = VECTORS * width
    whole, left = divmod(kind.columns, columns)
    return whole, columns, -(-left // width)


def tiled(kind: LaneKind, synapses: Synapses) -> Array:
    """The matrix in tiles, zeros in the columns that are missing in the last."""
    whole, columns, left = tiles(kind)
    matrix = synapses.weights.reshape(synapses.n_pre, kind.columns)
    rest = left * columns // VECTORS
    out = aligned((synapses.n_pre * (whole * columns + rest),), matrix.dtype)
    cut = synapses.n_pre * whole * columns
    parts = matrix[:, : whole * columns].reshape(synapses.n_pre, whole, columns)
    out[:cut].reshape(whole, synapses.n_pre, columns)[:] = parts.swapaxes(0, 1)
    out[cut:].reshape(synapses.n_pre, rest)[:, : kind.columns - whole * columns] = matrix[:, whole * columns :]
    return out


def print_matrix(kind: LaneKind) -> str:
    """The generated module of the delivery kernel, ``kernel(step, offset, item)`` with fields LANE_DELIVERY."""
    whole, _, left = tiles(kind)
    lines = [
        "events = np.uint64(counts[place])",
        "sums_at += np.int64(np.uint64((step + np.int64(delays[Z])) & ring_mask) * row + port) * SIZE",
    ]
    if whole:
        lines += [f"for _ in range({whole}):", *("    " + line for line in _tile(kind, VECTORS))]
    if left:
        lines += _tile(kind, left)
    constants = [
        f"SHIFT, LAST = np.uint64({(kind.lanes - 1).bit_length()}), np.uint64({kind.lanes - 1})",
        f"SIZE = np.int64({np.dtype(kind.sum).itemsize})",
    ]
    for vectors in sorted({VECTORS} if not left else {VECTORS, left}):
        options = f"{vectors}, {bool(kind.value)}, {kind.scaled and not kind.value}"
        constants.append(f'add{vectors} = add_row("{kind.sum}", "{kind.weights}", {options})')
    return module(kind, ["from neuromorph.engine.batch.vectors import add_row"], constants, lines)


def _tile(kind: LaneKind, vectors: int) -> list[str]:
    """Lines that do one tile, and move on to the next."""
    row = vectors * 64 // np.dtype(kind.sum).itemsize * np.dtype(kind.weights).itemsize
    value = value_of(kind, "first + j") if kind.value else "scale"
    return [
        "for j in range(events):",
        "    element = np.uint64(fired[first + j])",
        "    at = sums_at + np.int64((element & LAST) * apart) * SIZE",
        f"    add{vectors}(at, weights_at + np.int64(element >> SHIFT) * {row}, {value}, scale)",
        f"weights_at += np.int64(n_pre) * {row}",
        f"sums_at += {vectors * 64}",
    ]
