"""Contraction: a smaller hypergraph whose partitions cost exactly what they cost on the one it came from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..hypergraph import Hypergraph, Limits
from .level import Level, as_level

Int32 = npt.NDArray[np.int32]


def contract(level: Level, cluster: Int32, clusters: int) -> Level:
    """Replace every cluster by one vertex.

    Bytes and copies of a partition of the result equal those of the same partition of the vertices: bytes add, nets
    with the same source cluster and pins become one, groups of the members are joined.
    """
    from ._coarsen import contract_nets, merge_nets
    from ._pack import transpose

    g = level.graph
    ptr, pins, source, code = contract_nets(g.net_ptr, g.net_pins, g.net_source, cluster, clusters)
    # Transposed twice, the pins of every net ascend.
    of_cluster, nets = transpose(ptr, pins, clusters)
    ptr, pins = transpose(of_cluster, nets, len(source))
    by_code = np.argsort(code, kind="stable")
    net_ptr, net_pins, net_source, weight, size = merge_nets(
        ptr, pins, source, level.weight, g.net_bytes, code, by_code
    )
    group_ptr, vertex_groups = _join_groups(g, cluster, clusters)
    layer = np.zeros(clusters, np.int32)
    layer[cluster] = g.layer
    position = None
    if g.position is not None:
        total = np.bincount(cluster, minlength=clusters)
        position = np.stack(
            [np.bincount(cluster, weights=g.position[:, d], minlength=clusters) / total for d in range(3)], axis=1
        )
    coarse = Hypergraph(
        vertex_bytes=_sum(g.vertex_bytes, cluster, clusters),
        net_ptr=net_ptr,
        net_pins=net_pins,
        net_source=net_source,
        net_weight=weight,
        net_bytes=size,
        group_ptr=group_ptr,
        vertex_groups=vertex_groups,
        group_bytes=g.group_bytes,
        layer=layer,
        position=position,
    )
    return as_level(coarse, _sum(level.count, cluster, clusters))


def identical_inputs(level: Level, limits: Limits, share: float, rounds: int = 3) -> tuple[Int32, int]:
    """Cluster neurons of a layer that listen to the same sources (feature maps of a convolution at one position).

    In the second round, sources of one cluster count as the same, and so on, which joins pooling layers. No cluster
    holds more than ``share`` of a part.

    Returns
    -------
    (cluster int32 (n,), number of clusters)
    """
    from ._coarsen import chunk, signatures

    g = level.graph
    label = np.arange(g.n_vertices, dtype=np.int64)
    max_count = max(1, int(limits.vertices * share))
    found = np.zeros(0, np.uint64)
    kinds = -1
    for _ in range(rounds):
        found = signatures(level.arrays, g.layer, label)
        label = np.unique(found, return_inverse=True)[1].astype(np.int64)
        if (now := int(label.max(initial=-1)) + 1) == kinds:
            break
        kinds = now
    order = np.argsort(found, kind="stable")
    cluster, clusters = chunk(
        order, found, g.vertex_bytes.astype(np.float64), level.count, limits.bytes * share, max_count
    )
    return cluster, int(clusters)


def _sum(values: npt.NDArray[np.int64], cluster: Int32, clusters: int) -> npt.NDArray[np.int64]:
    total = np.zeros(clusters, np.int64)
    np.add.at(total, cluster, values)
    return total


def _join_groups(graph: Hypergraph, cluster: Int32, clusters: int) -> tuple[npt.NDArray[np.int64], Int32]:
    groups = max(len(graph.group_bytes), 1)
    owner = np.repeat(cluster.astype(np.int64), np.diff(graph.group_ptr))
    pairs = np.unique(owner * groups + graph.vertex_groups)
    ptr = np.zeros(clusters + 1, np.int64)
    np.cumsum(np.bincount(pairs // groups, minlength=clusters), out=ptr[1:])
    return ptr, (pairs % groups).astype(np.int32)
