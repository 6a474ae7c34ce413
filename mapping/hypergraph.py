"""The plain data that partitioners work on: a directed hypergraph with exact byte costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Hypergraph:
    """Neurons as vertices, one net for each source neuron (further nets of weight 0 may carry memory only).

    The bytes of a part are ``sum(vertex_bytes[v] for its v) + sum(net_bytes[e] for every net e with a pin in it)
    + sum(group_bytes[g] for every group g of its vertices)``; the layout of the target is exactly additive in these.

    Attributes
    ----------
    vertex_bytes : int64 (n,)
        State, parameters, recording and all incoming synapses of a neuron.
    net_ptr : int64 (m + 1,), net_pins : int32 (pins,)
        Targets of net e are ``net_pins[net_ptr[e]:net_ptr[e + 1]]``, without repetition.
    net_source : int32 (m,)
        The vertex that fires the net; -1 for a net that is never sent.
    net_weight : float64 (m,)
        Events a second (or any common unit) that travel on it.
    net_bytes : int64 (m,)
        Bytes that the net costs once in every part that holds one of its pins (row-table entry).
    group_ptr : int64 (n + 1,), vertex_groups : int32
        Groups of each vertex: blocks that a part stores once if it holds any member (code, shared kernels).
    group_bytes : int64 (groups,)
    layer : int32 (n,)
        Population index of each neuron.
    position : float64 (n, 3) or None
        Coordinates inside the layer, where the network has them (grids, convolutions), for space-filling orders.
    """

    vertex_bytes: npt.NDArray[np.int64]
    net_ptr: npt.NDArray[np.int64]
    net_pins: npt.NDArray[np.int32]
    net_source: npt.NDArray[np.int32]
    net_weight: npt.NDArray[np.float64]
    net_bytes: npt.NDArray[np.int64]
    group_ptr: npt.NDArray[np.int64]
    vertex_groups: npt.NDArray[np.int32]
    group_bytes: npt.NDArray[np.int64]
    layer: npt.NDArray[np.int32]
    position: npt.NDArray[np.float64] | None = None

    @property
    def n_vertices(self) -> int:
        """Number of neurons."""
        return len(self.vertex_bytes)

    @property
    def n_nets(self) -> int:
        """Number of nets."""
        return len(self.net_source)


@dataclass(frozen=True)
class Limits:
    """What one part may hold.

    Attributes
    ----------
    bytes : int
        Of memory, in units of which there are ``grain`` in a byte, as in the graph.
    vertices : int
        Neurons.
    grain : int
    """

    bytes: int
    vertices: int
    grain: int = 1
