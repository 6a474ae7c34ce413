"""METIS on a graph expansion of the hypergraph, then exact repair."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..hypergraph import Hypergraph, Limits
from .coarsen import contract, identical_inputs
from .level import Level, as_level
from .metrics import part_bytes
from .refine import compact, refine
from .sequential import sequential

Int32 = npt.NDArray[np.int32]

WEIGHT = 10_000  # integer vertex weight of a vertex that fills a part
EDGE_LEVELS = 1_000  # integer edge weights go up to this
PAIRS = 2_000_000  # pins squared, summed over nets, up to which pairs of pins become edges
IMBALANCE = 30  # thousandths by which METIS may overfill a part; repair follows
CLUSTER_SHARE = 1 / 8  # largest cluster of neurons with identical inputs, as a share of a part


def metis(graph: Hypergraph | Level, limits: Limits, seed: int = 0) -> Int32:
    """Contract neurons with identical inputs, partition the rest by METIS, repair and refine on both levels.

    Returns
    -------
    int32 (n,)
        Part of each vertex.
    """
    level = as_level(graph)
    cluster, clusters = identical_inputs(level, limits, CLUSTER_SHARE)
    if clusters > 0.8 * level.graph.n_vertices:
        return refine(level, limits, metis_raw(level, limits, seed))
    coarse = contract(level, cluster, clusters)
    part = refine(coarse, limits, metis_raw(coarse, limits, seed))
    return refine(level, limits, part[cluster])


def metis_raw(
    level: Level, limits: Limits, seed: int = 0, spare: float = 1.02, reference: Int32 | None = None
) -> Int32:
    """METIS alone: parts are balanced by an estimate, so bytes may exceed the limit.

    A vertex weighs the larger of its share of the neurons and of the bytes that a part has left after the row table
    and groups, whose mean is taken from ``reference`` (by default a sequential filling). ``spare`` is the number of
    parts over the bound.
    """
    import pymetis

    n = level.graph.n_vertices
    weight = np.ceil(part_share(level, limits, reference) * WEIGHT).astype(np.int64)
    parts = int(np.ceil(weight.sum() * spare / WEIGHT))
    if parts <= 1 or n <= parts:
        return np.arange(n, dtype=np.int32) if parts > 1 else np.zeros(n, np.int32)
    edges = expansion(level)
    if edges.nnz == 0:
        return np.zeros(n, np.int32)
    scaled = np.maximum(1, np.round(edges.data * (EDGE_LEVELS / edges.data.max()))).astype(np.int64)
    options = pymetis.Options()
    options.seed = seed
    options.ufactor = IMBALANCE
    _, found = pymetis.part_graph(
        parts,
        adjacency=pymetis.CSRAdjacency(edges.indptr, edges.indices),
        vweights=weight,
        eweights=scaled,
        options=options,
        recursive=False,
    )
    return compact(np.asarray(found, dtype=np.int32))


def part_share(level: Level, limits: Limits, reference: Int32 | None = None) -> npt.NDArray[np.float64]:
    """Estimated share of a part that each vertex takes, float64 (n,)."""
    g = level.graph
    held = part_bytes(g, sequential(level, limits) if reference is None else reference)
    shared = float(held.mean()) - float(g.vertex_bytes.sum()) / max(len(held), 1) if held.size else 0.0
    room = max(limits.bytes - max(shared, 0.0), 1.0)
    share: npt.NDArray[np.float64] = np.maximum(level.count / limits.vertices, g.vertex_bytes / room)
    return share


def expansion(level: Level) -> Any:
    """Symmetric weighted graph of a hypergraph, as ``scipy.sparse.csr_matrix``.

    Every pair of vertices of a net (its source among them) shares weight / (vertices - 1); where that makes too many
    pairs, only the source is joined to each pin, with weight / pins.
    """
    from scipy.sparse import csr_matrix, diags

    g = level.graph
    n, m = g.n_vertices, g.n_nets
    sizes = np.diff(g.net_ptr)
    if float((sizes.astype(float) ** 2).sum()) > PAIRS:
        each = np.repeat(level.weight / np.maximum(sizes, 1), sizes)
        source = np.repeat(g.net_source, sizes)
        known = source >= 0
        star = csr_matrix((each[known], (source[known], g.net_pins[known])), shape=(n, n))
        edges: Any = star + star.T
    else:
        sent = np.flatnonzero(level.weight > 0)
        pins = csr_matrix((np.ones(len(g.net_pins)), g.net_pins, g.net_ptr), shape=(m, n))[sent]
        sources = csr_matrix((np.ones(len(sent)), (np.arange(len(sent)), g.net_source[sent])), shape=(len(sent), n))
        member: Any = pins + sources
        member.data[:] = 1.0
        each = level.weight[sent] / np.maximum(np.diff(member.indptr) - 1, 1)
        edges = member.T @ diags(each) @ member
    edges = edges.tocsr()
    edges.setdiag(0)
    edges.eliminate_zeros()
    return edges
