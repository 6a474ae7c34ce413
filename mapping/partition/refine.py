"""Refinement and repair of a partition, with exact copies and exact bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ..hypergraph import Hypergraph, Limits
from .level import Level, as_level
from .sequential import pack_in_order

Int32 = npt.NDArray[np.int32]

TABLE_BYTES = 1 << 30  # largest table of pins by net and part that refinement may hold
SLACK = 0.03  # how far a sweep may overfill parts before they are drained again


def table_bytes(level: Level, parts: int) -> int:
    """Memory that ``refine`` and ``repair`` need for their table of pins (of up to 32,000 neurons a part)."""
    return level.graph.n_nets * parts * 2


def refine(
    graph: Hypergraph | Level, limits: Limits, part: Int32, seed: int = 0, *, rounds: int = 50, patience: int = 2
) -> Int32:
    """Repair a partition if it is infeasible, then move neurons while that saves copies.

    Sweeps move every neuron to its best part, at first within the limits, then a little above them followed by
    draining; the best feasible partition seen is returned. Parts that fit in one are joined, before and after. A
    feasible partition never gets worse.

    Parameters
    ----------
    graph : Hypergraph or Level
    limits : Limits
    part : int32 (n,)
    seed : int
        Of the order in which vertices are visited; 0 visits them by id.
    rounds, patience : int
        At most so many sweeps; stop after so many that do not help.

    Returns
    -------
    int32 (n,)
        No part is empty; some parts may have been added or emptied.

    Raises
    ------
    MappingError
        If a vertex does not fit in a part of its own, or the table of pins would be too large.
    """
    level = as_level(graph)
    state = repaired(level, limits, part)
    join(level, state, limits)
    order = visiting_order(level, seed)
    for slack in (0.0, SLACK):
        improve(level, state, limits, order, rounds, patience, slack)
    join(level, state, limits)
    return compact(state.part)


def improve(level: Level, state: Any, limits: Limits, order: Int32, rounds: int, patience: int, slack: float) -> None:
    """Sweeps under limits loosened by ``slack``, each followed by draining; keeps the best feasible partition.

    The state must be feasible on entry, and is on return, with at most as many copies.
    """
    from ._moves import fill
    from ._refine import sweep

    nets = level.arrays
    loose = Limits(limits.bytes, limits.vertices)
    if slack > 0:
        loose = Limits(int(limits.bytes * (1 + slack)), int(limits.vertices * (1 + slack)) + 1)
    active = np.ones(len(order), np.bool_)
    best_part, best, now = state.part.copy(), 0.0, 0.0
    bad = 0
    for _ in range(rounds):
        change, moves = sweep(nets, state, order, active, loose.bytes, loose.vertices, False)
        now += change
        if slack > 0:
            now += rebalance(level, state, limits, False)
        if now < best - 1e-9 and not overfull(state, limits).size:
            bad = 0 if now < best * 1.002 - 1e-9 else bad + 1
            best = now
            best_part[:] = state.part
        else:
            bad += 1
        if bad >= patience or moves == 0:
            break
    if now > best or overfull(state, limits).size:
        state.part[:] = best_part
        fill(nets, state)


def rebalance(level: Level, state: Any, limits: Limits, empty: bool) -> float:
    """Drain every overfull part, into empty ones only if ``empty``; the change of the copies."""
    from ._refine import drain

    nets = level.arrays
    return sum(float(drain(nets, state, int(p), limits.bytes, limits.vertices, empty)) for p in overfull(state, limits))


def overfull(state: Any, limits: Limits) -> npt.NDArray[np.int64]:
    """Parts over a limit."""
    return np.flatnonzero((state.held > limits.bytes) | (state.count > limits.vertices))


def join(level: Level, state: Any, limits: Limits) -> None:
    """Join parts that fit in one, fewest neurons first."""
    from ._refine import merge

    merge(level.arrays, state, np.argsort(state.count, kind="stable"), limits.bytes, limits.vertices)


def repair(graph: Hypergraph | Level, limits: Limits, part: Int32, seed: int = 0) -> Int32:
    """Move neurons out of overfull parts, where it costs least, until every part fits; opens parts as needed."""
    level = as_level(graph)
    return compact(repaired(level, limits, part).part)


def repaired(level: Level, limits: Limits, part: Int32) -> Any:
    """The compiled state of the partition after repair."""
    parts = int(part.max()) + 1 if part.size else 1
    spare = 2
    while True:
        state = state_of(level, limits, part, parts + spare)
        rebalance(level, state, limits, True)
        if not overfull(state, limits).size:
            return state
        if spare > 2 * parts + 16:
            # Next fit in order of the parts always ends, or names the vertex that cannot fit.
            return state_of(
                level, limits, pack_in_order(level, limits, np.argsort(part, kind="stable").astype(np.int32))
            )
        spare *= 4


def state_of(level: Level, limits: Limits, part: Int32, parts: int | None = None) -> Any:
    """Tables of a partition for compiled moves.

    Raises
    ------
    MappingError
        If the tables would be too large.
    """
    from ._moves import State, fill

    if parts is None:
        parts = int(part.max()) + 1 if part.size else 1
    if table_bytes(level, parts) > TABLE_BYTES:
        raise MappingError(
            f"refinement: {level.graph.n_nets:,} nets and {parts:,} parts need a table of "
            f"{table_bytes(level, parts):,} bytes, limit {TABLE_BYTES:,}; partition with a method that fills in order",
            nets=level.graph.n_nets,
            parts=parts,
        )
    most = int(np.bincount(part, minlength=1).max(initial=0))
    dtype = np.int16 if max(most, 2 * limits.vertices + 2) < 32_000 else np.int32
    state = State(
        np.array(part, np.int32),
        np.zeros((level.graph.n_nets, parts), dtype),
        np.zeros((len(level.graph.group_bytes), parts), np.int32),
        np.zeros(parts, np.int64),
        np.zeros(parts, np.int64),
    )
    fill(level.arrays, state)
    return state


def visiting_order(level: Level, seed: int) -> Int32:
    """Ids in order for seed 0, else shuffled."""
    n = level.graph.n_vertices
    if seed == 0:
        return np.arange(n, dtype=np.int32)
    return np.random.default_rng(seed).permutation(n).astype(np.int32)


def compact(part: Int32) -> Int32:
    """Number the parts that are used from 0, in order of their numbers."""
    return np.unique(part, return_inverse=True)[1].reshape(part.shape).astype(np.int32)
