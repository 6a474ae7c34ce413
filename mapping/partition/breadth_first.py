"""Breadth-first order: the cheapest way to bring neighbours together where ids are in no useful order."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..hypergraph import Hypergraph, Limits
from .level import Level, as_level
from .refine import visiting_order
from .sequential import pack_in_order

Int32 = npt.NDArray[np.int32]


def breadth_first(graph: Hypergraph | Level, limits: Limits, seed: int = 0) -> Int32:
    """Fill parts in Cuthill-McKee order, started at a vertex far from the others.

    Reads every pin a few times, whatever the number of parts.

    Returns
    -------
    int32 (n,)
        Part of each vertex.
    """
    from ._order import breadth_first as walk

    level = as_level(graph)
    if level.graph.n_vertices == 0:
        return np.zeros(0, np.int32)
    degree = np.diff(level.in_ptr)
    starts = visiting_order(level, seed)
    # The last vertex of one walk is at the rim: a second walk from there has narrower levels.
    rim = walk(level.arrays, starts, degree)[::-1].copy()
    return pack_in_order(level, limits, walk(level.arrays, rim, degree))
