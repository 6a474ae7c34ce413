"""Annealing of a partition with exact copies and exact bytes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..hypergraph import Hypergraph, Limits
from .level import Level, as_level
from .refine import compact, repaired

Int32 = npt.NDArray[np.int32]

TABLE_BYTES = 1 << 30  # largest table of gains by vertex and part
STEPS = 12  # proposals for each neuron
HOT, COLD = 2.0, 0.1  # first and last temperature, in mean weights of a net
PARTNERS = 16  # vertices of a full part looked at for a swap
WORK = 6e7  # proposals times mean degree up to which annealing is worth its time


def anneal(graph: Hypergraph | Level, limits: Limits, part: Int32, seed: int = 0, *, steps: int | None = None) -> Int32:
    """Random moves and swaps between parts that share nets, by the Metropolis rule; a feasible start never gets worse.

    Parameters
    ----------
    graph : Hypergraph or Level
    limits : Limits
    part : int32 (n,)
        Repaired first if it is not feasible.
    seed : int
    steps : int, optional
        Proposals; by default ``STEPS`` for each neuron.

    Returns
    -------
    int32 (n,)
    """
    from ._anneal import anneal as run
    from ._anneal import fill_table

    level = as_level(graph)
    sent = level.weight[level.weight > 0]
    state = repaired(level, limits, part)
    if sent.size == 0:
        return compact(state.part)
    unit = float(sent.mean())
    if steps is None:
        steps = STEPS * int(level.count.sum())
    table = np.zeros((level.graph.n_vertices, state.pins.shape[1]), np.float32)
    fill_table(level.arrays, state, table)
    run(
        level.arrays,
        state,
        table,
        limits.bytes,
        limits.vertices,
        steps,
        HOT * unit,
        COLD * unit,
        PARTNERS,
        4 * int(np.bincount(state.part).max()) + 16,
        seed & 0xFFFFFFFF,
    )
    return compact(state.part)


def worth_annealing(level: Level, parts: int) -> bool:
    """Whether the table of gains and the time that ``anneal`` takes by default stay within bounds."""
    degree = len(level.graph.net_pins) / max(level.graph.n_vertices, 1)
    return 4 * level.graph.n_vertices * parts <= TABLE_BYTES and STEPS * level.count.sum() * degree <= WORK
