"""Dense matrices delivered to lanes: the work of every event, the memory traffic of one pass over the matrix.

The matrix is kept in tiles of some columns, the rows of a tile one after another. The events of a step are listed by
lane. Then, tile by tile and block by block of sources, each lane adds the rows of its events to sums that are kept in
registers meanwhile; the block stays in the cache for all lanes, and the rows of the next one are asked for ahead.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neuromorph.engine.memory import Array, aligned
from neuromorph.network.synapses import Synapses

from .delivery import LaneKind, module, value_of

VECTORS = 8
"""Vectors of sums that a lane keeps in registers: enough that no addition waits for the one before."""
BLOCK_BYTES = 1 << 17
"""Bytes of a block: a part of a core's own cache, which holds the next one, too."""
CACHE_BYTES = 1 << 19
"""Matrices of fewer bytes are in the cache anyway."""


def tiles(kind: LaneKind) -> tuple[int, int, int]:
    """Whole tiles, their columns, and vectors of what is left (0 if nothing is)."""
    width = 64 // np.dtype(kind.sum).itemsize
    columns = VECTORS * width
    whole, left = divmod(kind.columns, columns)
    return whole, columns, -(-left // width)


def block_rows(kind: LaneKind) -> int:
    """Rows of a block."""
    return BLOCK_BYTES // (tiles(kind)[1] * np.dtype(kind.weights).itemsize)


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


def scratch(kind: LaneKind, synapses: Synapses, dtype: str) -> dict[str, npt.NDArray[np.generic]]:
    """What the kernel writes events into."""
    blocks = -(-synapses.n_pre // block_rows(kind))
    return {
        "lists": aligned((kind.lanes, synapses.n_pre), np.uint32),
        "list_values": aligned((kind.lanes, synapses.n_pre if kind.value else 0), dtype),
        "list_counts": aligned((kind.lanes,), np.int64),
        "block_ends": aligned((blocks + 1, kind.lanes), np.int64),
        "block_events": aligned((blocks + 1,), np.int64),
    }


def print_matrix(kind: LaneKind) -> str:
    """The generated module of the delivery kernel, ``kernel(step, offset, item)`` with fields LANE_DELIVERY."""
    whole, columns, left = tiles(kind)
    narrow = np.dtype(kind.weights).itemsize
    value = [f"    list_values[at] = {value_of(kind, 'first + j')}"] if kind.value else []
    lines = [
        "events = np.uint64(counts[place])",
        "if events == Z:",
        "    return",
        "for lane in range(LANES):",
        "    list_counts[lane] = 0",
        "block = Z",
        "for j in range(events):",
        "    element = np.uint64(fired[first + j])",
        "    s, lane = element >> SHIFT, element & LAST",
        "    while s >= (block + ONE) * ROWS:",
        "        block += ONE",
        "        block_events[block] = j",
        "        for k in range(LANES):",
        "            block_ends[block * LANES + k] = list_counts[k]",
        "    at = lane * n_pre + np.uint64(list_counts[lane])",
        "    lists[at] = np.uint32(s)",
        *value,
        "    list_counts[lane] += 1",
        "blocks = (n_pre + ROWS - ONE) // ROWS",
        "while block < blocks:",
        "    block += ONE",
        "    block_events[block] = np.int64(events)",
        "    for k in range(LANES):",
        "        block_ends[block * LANES + k] = list_counts[k]",
        "base = np.uint64((step + np.int64(delays[Z])) & ring_mask) * row + port",
        "rows_at = weights_at",
    ]
    if whole:
        lines += [f"for tile in range(np.uint64({whole})):", *("    " + line for line in _tile(kind, VECTORS))]
    if left:
        lines += [f"tile = np.uint64({whole})", *_tile(kind, left)]
    constants = [
        f"LANES, SHIFT, LAST = np.uint64({kind.lanes}), np.uint64({(kind.lanes - 1).bit_length()}), "
        f"np.uint64({kind.lanes - 1})",
        f"ROWS, COLUMNS = np.uint64({block_rows(kind)}), np.uint64({columns})",
    ]
    for vectors in {VECTORS} if not left else {VECTORS, left}:
        options = f"{vectors}, {bool(kind.value)}, {kind.scaled and not kind.value}"
        constants.append(f'add{vectors} = add_rows("{kind.sum}", "{kind.weights}", {options})')
    assert columns * narrow % 64 == 0
    return module(kind, ["from neuromorph.engine.batch.vectors import add_rows"], constants, lines)


def _tile(kind: LaneKind, vectors: int) -> list[str]:
    """Lines that do one tile, from ``rows_at`` on, and move on to the next."""
    size, narrow = np.dtype(kind.sum).itemsize, np.dtype(kind.weights).itemsize
    row = vectors * 64 // size * narrow
    given = f"list_values_at + np.int64(lane * n_pre + begin) * {size}" if kind.value else "0"
    return [
        "for block in range(blocks):",
        "    after, after_at = block + ONE, rows_at",
        "    if after == blocks:",
        f"        after, after_at = Z, rows_at + np.int64(n_pre) * {row}",
        "    soon = np.uint64(block_events[after])",
        "    many = np.uint64(block_events[after + ONE]) - soon if ahead else Z",
        "    for lane in range(LANES):",
        "        last = ~Z",
        "        for j in range(soon + many * lane // LANES, soon + many * (lane + ONE) // LANES):",
        "            s = np.uint64(fired[first + j]) >> SHIFT",
        "            if s != last:",
        "                last = s",
        f"                for line in range({-(-row // 64)}):",
        f"                    prefetch(after_at + np.int64(s) * {row} + line * 64)",
        "        begin = np.uint64(block_ends[block * LANES + lane])",
        "        end = np.uint64(block_ends[(block + ONE) * LANES + lane])",
        "        if begin < end:",
        f"            at = sums_at + np.int64(base + lane * apart + tile * COLUMNS) * {size}",
        "            sources = lists_at + np.int64(lane * n_pre + begin) * 4",
        f"            add{vectors}(at, rows_at, sources, {given}, np.int64(end - begin), scale)",
        f"rows_at += np.int64(n_pre) * {row}",
    ]
