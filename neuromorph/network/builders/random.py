"""Build the random rules: rows (or columns) of counter-based draws, in blocks on a few threads."""

from __future__ import annotations

from math import log1p

import numpy as np
import numpy.typing as npt

from neuromorph.native import compiled
from neuromorph.network.builders.parallel import blocks, for_each
from neuromorph.network.rules.rule import Connections, Stream, target_dtype

ROW_BLOCKS = 64
COLUMN_BLOCKS = 8  # each keeps a cursor for every source

_BY_CHANCE, _BY_DEGREE = (f"neuromorph.network.builders.{name}_kernels" for name in ("probability", "degree"))
count_chosen, fill_chosen = compiled(_BY_CHANCE, "count_rows"), compiled(_BY_CHANCE, "fill_rows")
count_sources, scatter_targets = compiled(_BY_DEGREE, "count_sources"), compiled(_BY_DEGREE, "scatter_targets")
fill_rows, count_uniform = compiled(_BY_DEGREE, "fill_rows"), compiled(_BY_DEGREE, "count_uniform")


def row_pointers(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Offsets of rows from their lengths."""
    row_ptr = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=row_ptr[1:])
    return row_ptr


def fixed_probability(n_pre: int, n_post: int, p: float, skip_self: bool, stream: Stream) -> Connections:
    """Each pair with probability ``p``; ``skip_self`` leaves the diagonal out."""
    candidates = n_post - 1 if skip_self else n_post
    key = np.uint64(stream.key("topology"))
    # p = 1 gives 1 / -inf = -0.0 and with it a skip of 0 after every synapse
    inverse_log_q = 1 / log1p(-p) if 0 < p < 1 else -0.0
    counts = np.zeros(n_pre, np.int64)
    ranges = blocks(n_pre, ROW_BLOCKS)
    if p > 0:
        for_each(lambda a, b: count_chosen(key, a, b, candidates, inverse_log_q, counts), ranges, stream.threads)
    row_ptr = row_pointers(counts)
    targets = np.empty(row_ptr[-1], target_dtype(n_post))
    for_each(
        lambda a, b: fill_chosen(key, a, b, candidates, inverse_log_q, skip_self, row_ptr, targets),
        ranges,
        stream.threads,
    )
    return Connections(row_ptr, targets)


def fixed_in_degree(n_pre: int, n_post: int, k: int, multapses: bool, skip_self: bool, stream: Stream) -> Connections:
    """``k`` sources for each target.

    Column blocks draw twice, first to count each source's synapses, then to put them where they belong, so that nothing
    but the result and one cursor for each source and block is ever held.
    """
    key = np.uint64(stream.key("topology"))
    ranges = blocks(n_post, COLUMN_BLOCKS)
    number = {start: i for i, (start, _) in enumerate(ranges)}
    cursors = np.zeros((len(ranges), n_pre), np.int64)
    for_each(
        lambda a, b: count_sources(key, a, b, k, n_pre, multapses, skip_self, cursors[number[a]]),
        ranges,
        stream.threads,
    )
    row_ptr = row_pointers(cursors.sum(axis=0))
    begin = row_ptr[:-1].copy()
    for block in cursors:  # counts become the places where this block's synapses of each source begin
        begin += block
        np.subtract(begin, block, out=block)
    targets = np.empty(row_ptr[-1], target_dtype(n_post))
    for_each(
        lambda a, b: scatter_targets(key, a, b, k, n_pre, multapses, skip_self, cursors[number[a]], targets),
        ranges,
        stream.threads,
    )
    return Connections(row_ptr, targets)


def fixed_rows(
    counts: npt.NDArray[np.int64], n_post: int, multapses: bool, skip_self: bool, stream: Stream
) -> Connections:
    """``counts[s]`` targets for source s."""
    key = np.uint64(stream.key("topology"))
    row_ptr = row_pointers(counts)
    targets = np.empty(row_ptr[-1], target_dtype(n_post))
    for_each(
        lambda a, b: fill_rows(key, a, b, row_ptr, n_post, multapses, skip_self, targets),
        blocks(len(counts), ROW_BLOCKS),
        stream.threads,
    )
    return Connections(row_ptr, targets)


def fixed_total(n_pre: int, n_post: int, total: int, skip_self: bool, stream: Stream) -> Connections:
    """``total`` synapses, each from a uniform random source to a uniform random target."""
    key = np.uint64(stream.key("rows"))
    fours = blocks((total + 3) // 4, COLUMN_BLOCKS) if total else []
    ranges = [(4 * start, min(4 * stop, total)) for start, stop in fours]
    number = {start: i for i, (start, _) in enumerate(ranges)}
    counts = np.zeros((max(1, len(ranges)), n_pre), np.int64)
    for_each(lambda a, b: count_uniform(key, a, b, n_pre, counts[number[a]]), ranges, stream.threads)
    return fixed_rows(counts.sum(axis=0), n_post, True, skip_self, stream)
