"""Fill parts in a given order of the neurons: the fastest method, and the best one for all-to-all layers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ..hypergraph import Hypergraph, Limits
from .level import Level, as_level

Int32 = npt.NDArray[np.int32]

_SLOT_BYTES = 1 << 25  # memory for the nets seen by parts that are still open


def sequential(graph: Hypergraph | Level, limits: Limits, seed: int = 0) -> Int32:
    """Fill one part after another with consecutive ids (next fit); a part may hold several populations.

    Returns
    -------
    int32 (n,)
        Part of each vertex.
    """
    level = as_level(graph)
    return pack_in_order(level, limits, np.arange(level.graph.n_vertices, dtype=np.int32))


def sequential_decreasing(graph: Hypergraph | Level, limits: Limits, seed: int = 0) -> Int32:
    """Like ``sequential``, layers with large vertices first, and small vertices fill what they leave (first fit).

    Equal items then reach the bound: the parts are the sum of ceil(vertices / (vertices that fit a part)) for the
    large layers, and the small ones find room beside them.
    """
    level = as_level(graph)
    layers = int(level.graph.layer.max()) + 1 if level.graph.n_vertices else 0
    total = np.bincount(level.graph.layer, weights=vertex_need(level), minlength=layers)
    mean = total / np.maximum(np.bincount(level.graph.layer, minlength=layers), 1)
    order = np.argsort(-mean[level.graph.layer], kind="stable").astype(np.int32)
    open_parts = max(1, min(256, _SLOT_BYTES // (4 * max(level.graph.n_nets, 1))))
    return pack_in_order(level, limits, order, open_parts)


def by_population(graph: Hypergraph | Level, limits: Limits, seed: int = 0) -> Int32:
    """Fill each population's own parts with consecutive ids, as tools that split populations do."""
    level = as_level(graph)
    part = np.empty(level.graph.n_vertices, np.int32)
    parts = 0
    for layer in np.unique(level.graph.layer):
        inside = np.flatnonzero(level.graph.layer == layer).astype(np.int32)
        own = pack_in_order(level, limits, inside)
        part[inside] = own[inside] + parts
        parts += int(own[inside].max()) + 1
    return part


def pack_in_order(level: Level, limits: Limits, order: Int32, open_parts: int = 1) -> Int32:
    """Fill parts with the vertices of ``order``; vertices that are not in it get -1.

    Raises
    ------
    MappingError
        If a vertex does not fit in a part of its own.
    """
    from ._pack import pack

    g = level.graph
    part, parts = pack(
        order,
        level.in_ptr,
        level.in_nets,
        g.vertex_bytes,
        level.count,
        g.net_bytes,
        g.group_ptr,
        g.vertex_groups,
        g.group_bytes,
        limits.bytes,
        limits.vertices,
        open_parts,
    )
    if parts < 0:
        raise too_large(level, limits, -1 - parts)
    packed: Int32 = part
    return packed


def vertex_need(level: Level) -> npt.NDArray[np.int64]:
    """Bytes of each vertex in a part of its own, int64 (n,)."""
    from ._pack import alone_bytes

    g = level.graph
    need: npt.NDArray[np.int64] = alone_bytes(
        level.in_ptr, level.in_nets, g.vertex_bytes, g.net_bytes, g.group_ptr, g.vertex_groups, g.group_bytes
    )
    return need


def too_large(level: Level, limits: Limits, v: int) -> MappingError:
    """The error for a vertex that no part can hold, with its bytes by cause."""
    g = level.graph
    nets = level.in_nets[level.in_ptr[v] : level.in_ptr[v + 1]]
    groups = g.vertex_groups[g.group_ptr[v] : g.group_ptr[v + 1]]
    needs = g.vertex_bytes[v], g.net_bytes[nets].sum(), g.group_bytes[groups].sum()
    own, rows, shared, room = (-(-int(units) // limits.grain) for units in (*needs, limits.bytes))
    return MappingError(
        f"neuron {v} (population {int(g.layer[v])}): needs {own + rows + shared:,} bytes in a part of its own "
        f"(state, parameters and synapses {own:,}; row entries of {len(nets):,} sources {rows:,}; "
        f"shared blocks {shared:,}), a part holds {room:,} bytes and {limits.vertices:,} neurons; "
        "use narrower weights, fewer inputs to this neuron or less recording",
        vertex=int(v),
        population=int(g.layer[v]),
        bytes_own=own,
        bytes_rows=rows,
        bytes_groups=shared,
        limit_bytes=room,
        limit_vertices=limits.vertices,
    )
