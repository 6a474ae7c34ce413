"""Space-filling order for populations with positions: neighbours in space share a part."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..hypergraph import Hypergraph, Limits
from .level import Level, as_level
from .metrics import copies_per_spike
from .sequential import pack_in_order

Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

_BITS = 10  # cells along an axis = 2**bits


def hilbert(graph: Hypergraph | Level, limits: Limits, seed: int = 0) -> Int32:
    """Fill parts layer by layer along a Hilbert curve through the positions.

    Neurons at one position (feature maps) stay together. Where a layer only pools the one before it, each source
    reaching at most one neuron, it is also tried to merge the two. Layers without positions are filled by id.

    Returns
    -------
    int32 (n,)
        Part of each vertex.
    """
    level = as_level(graph)
    layers = np.arange(int(level.graph.layer.max(initial=-1)) + 1, dtype=np.int64)
    plain = pack_in_order(level, limits, hilbert_order(level, layers))
    stages = _merged_layers(level)
    if np.array_equal(stages, layers):
        return plain
    merged = pack_in_order(level, limits, hilbert_order(level, stages))
    return min(plain, merged, key=lambda part: copies_per_spike(level.graph, part))


def hilbert_order(level: Level, stage: Int64) -> Int32:
    """Order of the vertices along the curve, int32 (n,); ``stage`` ranks the layers, equal ranks are merged."""
    from ._hilbert import hilbert_index

    g = level.graph
    along = np.zeros(g.n_vertices, np.uint64)
    units: dict[int, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], Int64]] = {}
    if g.position is not None:
        for layer in np.unique(g.layer):
            inside = np.flatnonzero(g.layer == layer)
            if (placed := _unit_cube(g.position[inside])) is not None:
                units[int(layer)] = (inside, *placed)
    for layer, (inside, unit, steps) in units.items():
        # Merged layers share the cells of the coarsest of them, so that a pool and what it pools stay together.
        sharing = [s for other, (_, _, s) in units.items() if stage[other] == stage[layer] and len(s) == len(steps)]
        cells = np.min(sharing, axis=0)
        corner = np.floor(unit * cells) / cells if len(sharing) > 1 else unit
        along[inside] = hilbert_index(np.floor(corner * 2**_BITS).astype(np.int64), _BITS)
    order: Int32 = np.lexsort((np.arange(g.n_vertices), g.layer, along, stage[g.layer])).astype(np.int32)
    return order


def _unit_cube(at: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], Int64] | None:
    """Positions in [0, 1), and the number of distinct coordinates, along each axis that varies; None if none does."""
    if np.isnan(at).any():
        return None
    extent = np.ptp(at, axis=0)
    used = np.flatnonzero(extent > 0)
    if not used.size:
        return None
    steps = np.array([len(np.unique(at[:, d])) for d in used])
    # Positions are cell centres: half a cell of margin keeps layers of different resolution aligned.
    margin = 0.5 / steps
    return margin + (at[:, used] - at.min(axis=0)[used]) / extent[used] * (1 - 2 * margin), steps


def _merged_layers(level: Level) -> npt.NDArray[np.int64]:
    """Rank of each layer; one whose sources, in the layer before it, have a single target each shares their rank."""
    g = level.graph
    layers = int(g.layer.max(initial=-1)) + 1
    rank = np.arange(layers, dtype=np.int64)
    known = g.net_source >= 0
    sizes = np.diff(g.net_ptr)
    largest = np.zeros(layers, np.int64)
    np.maximum.at(largest, g.layer[g.net_source[known]], sizes[known])
    single = known & (sizes == 1)
    single &= largest[g.layer[g.net_source]] == 1
    source_layer = g.layer[g.net_source[single]].astype(np.int64)
    target_layer = g.layer[g.net_pins[g.net_ptr[:-1][single]]].astype(np.int64)
    for pair in np.unique(source_layer * layers + target_layer):
        source, target = divmod(int(pair), layers)
        if target == source + 1:
            rank[target] = rank[source]
    return rank
