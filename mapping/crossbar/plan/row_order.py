"""Rows that are active together into the same groups of rows, so that more groups stay silent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ...hypergraph import Hypergraph, Limits
from ...partition import partition
from ...partition.anneal import anneal, worth_annealing
from ...partition.level import as_level
from ...partition.metrics import copies_per_spike
from .activity import Events, lines_of_events, row_rates
from .matrix import Matrix

Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

PINS = 300_000
"""Events of rows that are looked at; of more, a random choice of steps."""
PARTITIONERS = ("portfolio", "greedy", "metis")
STEPS = 200
"""Proposals of the annealer for each row: full groups only swap, which takes more of them."""


def row_slots(
    matrices: Sequence[Matrix],
    names: Sequence[str],
    rate: Sequence[Float64],
    events: Events | None,
    height: int,
    seed: int,
) -> list[Int32]:
    """Place of every row in groups of ``height`` rows, one group after another: int32 (rows,) for each matrix.

    Parameters
    ----------
    matrices, names, rate, events
        As for :func:`.activity.silent_share`.
    height : int
        Rows of a group.
    seed : int
    """
    slots = []
    for matrix in matrices:
        busy = row_rates(matrix, rate[matrix.index])
        slot = by_rate(busy)
        known = events is not None and all(names[source] in events for source in matrix.sources)
        if known and events is not None and matrix.passes == 1 and matrix.rows > height:
            step, line = lines_of_events(matrix, names, events)
            slot = by_events(slot, step, _rows(matrix, line, step), height, seed)
        slots.append(slot)
    return slots


def by_rate(rate: Float64) -> Int32:
    """Busiest rows first.

    For independent neurons no other order leaves more groups silent: their number is the sum over groups of
    exp(sum of log(1 - rate)), a convex function of sums that sorted groups spread furthest.
    """
    slot = np.empty(len(rate), np.int32)
    slot[np.argsort(-rate, kind="stable")] = np.arange(len(rate), dtype=np.int32)
    return slot


def by_events(slot: Int32, step: Int64, rows: tuple[Int64, Int32], height: int, seed: int) -> Int32:
    """Rows of common steps into the same groups; in the events given never worse than ``slot``.

    The rows are the vertices and the steps the nets of a hypergraph, whose partition into groups of ``height`` rows
    leaves steps in few groups. The order given and the results of the partitioners are annealed.

    Parameters
    ----------
    slot : int32 (rows,)
        The order to begin with: row r is in group ``slot[r] // height``.
    step : int64 (events,)
    rows : (int64 (events + 1,), int32)
        Rows that each event drives, as pointers and a list.
    height : int
    seed : int

    Returns
    -------
    int32 (rows,)
        Slots, of which some at the ends of groups may be free.
    """
    graph = _hypergraph(slot, step, rows, seed)
    if graph is None:
        return slot
    level, limits = as_level(graph), Limits(bytes=1 << 62, vertices=height)
    found = [(slot // height).astype(np.int32)]
    found += [_full(partition(graph, limits, method=name, seed=seed).part, slot, height) for name in PARTITIONERS]
    if worth_annealing(level, -(-len(slot) // height)):
        found += [anneal(level, limits, part, seed, steps=STEPS * len(slot)) for part in found]
    best = int(np.argmin([copies_per_spike(graph, part) for part in found]))
    return slot if best == 0 else _slots(found[best], slot, height)


def _slots(part: Int32, before: Int32, height: int) -> Int32:
    """Slots of rows in their groups, in the order in which they were before."""
    order = np.lexsort((before, part))
    sizes = np.bincount(part)
    slot = np.empty(len(part), np.int32)
    slot[order] = part[order] * height + np.arange(len(part)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return slot


def _full(part: Int32, slot: Int32, height: int) -> Int32:
    """As few groups as rows need: the largest parts, and what is in others where there is room."""
    groups = -(-len(slot) // height)
    sizes = np.bincount(part, minlength=groups)
    kept = np.argsort(-sizes, kind="stable")[:groups]
    number = np.full(len(sizes), -1, np.int32)
    number[kept] = np.arange(groups, dtype=np.int32)
    found = number[part]
    left = np.flatnonzero(found < 0)
    room = np.repeat(np.arange(groups, dtype=np.int32), height - sizes[kept])
    found[left[np.argsort(slot[left], kind="stable")]] = room[: len(left)]
    return found


def _rows(matrix: Matrix, line: Int64, step: Int64) -> tuple[Int64, Int32]:
    """Rows that each event drives."""
    if matrix.entry_ptr is None or matrix.entry_row is None:
        return np.arange(len(line) + 1), line.astype(np.int32)
    count = np.diff(matrix.entry_ptr)[line]
    ptr = np.concatenate([[0], np.cumsum(count)])
    at = np.arange(ptr[-1]) - np.repeat(ptr[:-1] - matrix.entry_ptr[line], count)
    return ptr, matrix.entry_row[at]


def _hypergraph(slot: Int32, step: Int64, rows: tuple[Int64, Int32], seed: int) -> Hypergraph | None:
    """A net for each step that drives two rows or more, its first row as the source; None without any."""
    n = len(slot)
    pairs = np.unique(np.repeat(step, np.diff(rows[0])) * n + rows[1])
    when, row = pairs // n, (pairs % n).astype(np.int32)
    _, begin, count = np.unique(when, return_index=True, return_counts=True)
    chosen = np.flatnonzero(count > 1)
    if count[chosen].sum() > PINS:
        chosen = np.random.default_rng(seed).permutation(chosen)
        chosen = np.sort(chosen[: max(1, int(np.searchsorted(np.cumsum(count[chosen]), PINS)))])
    if not len(chosen):
        return None
    ptr = np.concatenate([[0], np.cumsum(count[chosen])]).astype(np.int64)
    at = np.arange(ptr[-1]) - np.repeat(ptr[:-1] - begin[chosen], count[chosen])
    return Hypergraph(
        vertex_bytes=np.zeros(n, np.int64),
        net_ptr=ptr,
        net_pins=row[at],
        net_source=row[begin[chosen]],
        net_weight=np.ones(len(chosen)),
        net_bytes=np.zeros(len(chosen), np.int64),
        group_ptr=np.zeros(n + 1, np.int64),
        vertex_groups=np.zeros(0, np.int32),
        group_bytes=np.zeros(0, np.int64),
        layer=np.zeros(n, np.int32),
    )
