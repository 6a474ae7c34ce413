"""Who talks to whom, part by part: the nets that a placement is judged by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..route.fanout import Fanout
from ..route.keys import exact_groups


@dataclass(frozen=True)
class Traffic:
    """Directed nets between parts.

    Attributes
    ----------
    n_parts : int
    source : int32 (m,)
        Part that sends net e.
    ptr : int64 (m + 1,), parts : int32
        Parts that receive net e are ``parts[ptr[e]:ptr[e + 1]]``, without repetition (the sender may be among them).
    weight : float64 (m,)
        Packets a second on the net.
    """

    n_parts: int
    source: npt.NDArray[np.int32]
    ptr: npt.NDArray[np.int64]
    parts: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float64]

    @property
    def n_nets(self) -> int:
        """Number of nets."""
        return len(self.source)


def traffic(fanout: Fanout) -> Traffic:
    """One net for every part and set of destination parts: neurons that share both are one net."""
    groups = exact_groups(fanout, np.arange(fanout.n_parts, dtype=np.int32))
    return Traffic(fanout.n_parts, groups.source, groups.ptr, groups.parts, groups.weight)


def sample(traffic: Traffic, pins: int, seed: int) -> Traffic:
    """About ``pins`` destinations of the traffic: a random subset of its nets, scaled up to the same total.

    Traffic with fewer destinations is returned as it is.
    """
    if len(traffic.parts) <= pins:
        return traffic
    from ..route._group_kernels import take_rows

    count = max(1, int(traffic.n_nets * (pins / len(traffic.parts))))
    chosen = np.sort(np.random.default_rng(seed).choice(traffic.n_nets, count, replace=False))
    ptr, parts = take_rows(traffic.ptr, traffic.parts, chosen)
    weight = traffic.weight[chosen]
    total = float(weight.sum())
    return Traffic(
        traffic.n_parts,
        traffic.source[chosen],
        ptr,
        parts,
        weight * (float(traffic.weight.sum()) / total if total else 1.0),
    )


def pair_graph(traffic: Traffic) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float64]]:
    """Undirected graph of parts, weight = packets a second between two parts: CSR (ptr, neighbour, weight)."""
    from scipy.sparse import csr_matrix

    size = np.diff(traffic.ptr)
    source = np.repeat(traffic.source, size)
    off = source != traffic.parts
    shape = (traffic.n_parts, traffic.n_parts)
    one = csr_matrix((np.repeat(traffic.weight, size)[off], (source[off], traffic.parts[off])), shape=shape)
    both = (one + one.T).tocsr()
    return both.indptr.astype(np.int64), both.indices.astype(np.int32), np.asarray(both.data, np.float64)
