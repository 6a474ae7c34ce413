"""A hypergraph with its transposes: what every algorithm of this package works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..hypergraph import Hypergraph


@dataclass(frozen=True, eq=False)
class Level:
    """A hypergraph, the nets into and out of each vertex, and how many neurons each vertex stands for.

    Attributes
    ----------
    graph : Hypergraph
    count : int64 (n,)
        Neurons in each vertex; 1 but on the coarse levels of the multilevel method.
    in_ptr : int64 (n + 1,), in_nets : int32 (pins,)
        Nets that have the vertex as a pin.
    out_ptr : int64 (n + 1,), out_nets : int32
        Nets whose source is the vertex.
    weight : float64 (m,)
        ``graph.net_weight``, 0 for nets without a source.
    """

    graph: Hypergraph
    count: npt.NDArray[np.int64]
    in_ptr: npt.NDArray[np.int64]
    in_nets: npt.NDArray[np.int32]
    out_ptr: npt.NDArray[np.int64]
    out_nets: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float64]

    @property
    def arrays(self) -> Any:
        """The ``Nets`` tuple that compiled code takes."""
        from ._moves import Nets

        g = self.graph
        return Nets(
            g.net_ptr,
            g.net_pins,
            g.net_source,
            self.weight,
            g.net_bytes,
            self.in_ptr,
            self.in_nets,
            self.out_ptr,
            self.out_nets,
            g.vertex_bytes,
            self.count,
            g.group_ptr,
            g.vertex_groups,
            g.group_bytes,
        )


def as_level(graph: Hypergraph | Level, count: npt.NDArray[np.int64] | None = None) -> Level:
    """Transpose a hypergraph (4 bytes a pin); a level passes through, so that algorithms can share one."""
    if isinstance(graph, Level):
        return graph
    from ._pack import transpose

    n = graph.n_vertices
    in_ptr, in_nets = transpose(graph.net_ptr, graph.net_pins, n)
    order = np.argsort(graph.net_source, kind="stable").astype(np.int32)
    silent = int(np.count_nonzero(graph.net_source < 0))
    out_ptr = np.zeros(n + 1, np.int64)
    np.cumsum(np.bincount(graph.net_source[graph.net_source >= 0], minlength=n), out=out_ptr[1:])
    return Level(
        graph=graph,
        count=np.ones(n, np.int64) if count is None else count,
        in_ptr=in_ptr,
        in_nets=in_nets,
        out_ptr=out_ptr,
        out_nets=order[silent:],
        weight=np.where(graph.net_source >= 0, graph.net_weight, 0.0),
    )
