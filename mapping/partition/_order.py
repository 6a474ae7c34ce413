"""Compiled breadth-first ordering of a hypergraph (imported late)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = Any


@njit(cache=True, error_model="numpy")
def breadth_first(nets: Any, starts: Array, degree: Array) -> Array:
    """Cuthill-McKee: from each start in turn, level by level, the neighbours of a vertex in order of degree.

    Returns every vertex once, int32 (n,). Each net is walked once, by the first of its vertices that is reached.
    """
    n = len(nets.vertex_bytes)
    order = np.empty(n, np.int32)
    seen = np.zeros(n, np.bool_)
    walked = np.zeros(len(nets.net_source), np.bool_)
    filled = 0
    for i in range(len(starts)):
        if seen[starts[i]]:
            continue
        head = filled
        order[filled] = starts[i]
        filled += 1
        seen[starts[i]] = True
        while head < filled:
            v = order[head]
            head += 1
            first = filled
            low = nets.in_ptr[v + 1] - nets.in_ptr[v]
            high = nets.out_ptr[v + 1] - nets.out_ptr[v]
            for k in range(low + high):
                e = nets.in_nets[nets.in_ptr[v] + k] if k < low else nets.out_nets[nets.out_ptr[v] + k - low]
                if walked[e]:
                    continue
                walked[e] = True
                s = nets.net_source[e]
                if s >= 0 and not seen[s]:
                    seen[s] = True
                    order[filled] = s
                    filled += 1
                for j in range(nets.net_ptr[e], nets.net_ptr[e + 1]):
                    u = nets.net_pins[j]
                    if not seen[u]:
                        seen[u] = True
                        order[filled] = u
                        filled += 1
            if filled > first + 1:
                found = order[first:filled].copy()
                rank = np.argsort(degree[found], kind="mergesort")
                for k in range(len(found)):
                    order[first + k] = found[rank[k]]
    return order
