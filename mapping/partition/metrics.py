"""What a partition costs: bytes and neurons of each part, copies for each spike."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..hypergraph import Hypergraph

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]


def _measure(graph: Hypergraph, part: Int32, parts: int | None = None) -> Any:
    from ._pack import measure

    part = np.ascontiguousarray(part, np.int32)
    if parts is None:
        parts = int(part.max()) + 1 if part.size else 0
    return measure(
        part,
        parts,
        graph.net_ptr,
        graph.net_pins,
        graph.net_source,
        graph.net_weight,
        graph.net_bytes,
        graph.vertex_bytes,
        graph.group_ptr,
        graph.vertex_groups,
        graph.group_bytes,
    )


def part_bytes(graph: Hypergraph, part: Int32, parts: int | None = None) -> Int64:
    """Exact bytes of each part: its vertices, one entry for each net with a pin in it, its groups.

    Parameters
    ----------
    graph : Hypergraph
    part : int32 (n,)
        Part of each vertex.
    parts : int, optional
        Number of parts; by default the largest in ``part`` plus one.

    Returns
    -------
    int64 (parts,)
    """
    held: Int64 = _measure(graph, part, parts)[0]
    return held


def part_counts(part: Int32, parts: int | None = None) -> Int64:
    """Vertices in each part, int64 (parts,)."""
    counts: Int64 = np.bincount(part, minlength=parts or 0).astype(np.int64)
    return counts


def copies_per_spike(graph: Hypergraph, part: Int32) -> float:
    """Mean number of *other* parts that an event reaches, events weighted by ``net_weight``.

    This is the connectivity metric (lambda - 1, the source counting as a pin) divided by the total weight of all nets
    that have a source, whether they have targets or not; 0 if nothing is ever sent.
    """
    total = float(graph.net_weight[graph.net_source >= 0].sum())
    copies = float(_measure(graph, part)[1])
    return copies / total if total > 0 else 0.0
