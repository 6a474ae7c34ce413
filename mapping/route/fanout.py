"""Who must reach whom: the destination parts of every neuron."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..hypergraph import Hypergraph


@dataclass(frozen=True)
class Fanout:
    """Destination parts of each neuron.

    Attributes
    ----------
    part : int32 (n,)
        Part in which each neuron lives.
    ptr : int64 (n + 1,), parts : int32
        Destination parts of neuron i are ``parts[ptr[i]:ptr[i + 1]]``, ascending, without repetition; the neuron's own
        part is among them if it has targets there.
    weight : float64 (n,)
        Events a second (or any common unit) of each neuron.
    n_parts : int
    """

    part: npt.NDArray[np.int32]
    ptr: npt.NDArray[np.int64]
    parts: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float64]
    n_parts: int

    @property
    def n(self) -> int:
        """Number of neurons."""
        return len(self.part)


def fanout(graph: Hypergraph, part: npt.NDArray[np.int32]) -> Fanout:
    """Destination parts of every vertex of a hypergraph under a partition.

    Nets with source -1 are never sent. A vertex with several nets sends one packet to all their parts; the largest
    weight of its nets is its rate.
    """
    from ._group_kernels import distinct_parts

    n = graph.n_vertices
    nets = np.argsort(graph.net_source, kind="stable")
    first = np.searchsorted(graph.net_source[nets], np.arange(n + 1)).astype(np.int64)
    n_parts = int(part.max()) + 1 if n else 0
    ptr, parts = distinct_parts(nets, first, graph.net_ptr, graph.net_pins, part.astype(np.int32), n_parts)
    weight = np.zeros(n)
    sent = graph.net_source >= 0
    np.maximum.at(weight, graph.net_source[sent], graph.net_weight[sent])
    return Fanout(part.astype(np.int32), ptr, parts, weight, n_parts)
