"""Greedy growth of parts by overlap: finds structure in any order of ids, and suits dense random networks best."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..hypergraph import Hypergraph, Limits
from .level import Level, as_level
from .refine import visiting_order
from .sequential import too_large, vertex_need

Int32 = npt.NDArray[np.int32]


def greedy(graph: Hypergraph | Level, limits: Limits, seed: int = 0) -> Int32:
    """Grow one part after another by the vertex that shares the largest fraction of its traffic with the part.

    The part ends when that vertex does not fit. The first vertex of a part is the largest one left (in bytes).

    Returns
    -------
    int32 (n,)
        Part of each vertex.
    """
    from ._greedy import grow

    level = as_level(graph)
    need = vertex_need(level)
    wrong = np.flatnonzero((need > limits.bytes) | (level.count > limits.vertices))
    if wrong.size:
        raise too_large(level, limits, int(wrong[0]))
    visit = visiting_order(level, seed)
    order = visit[np.argsort(-level.graph.vertex_bytes[visit], kind="stable")]
    part, _ = grow(level.arrays, order, limits.bytes, limits.vertices, True)
    grown: Int32 = part
    return grown
