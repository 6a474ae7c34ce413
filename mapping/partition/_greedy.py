"""Compiled greedy growth of parts by overlap (imported late)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = Any


@njit(cache=True, error_model="numpy")
def grow(nets: Any, order: Array, max_bytes: int, max_count: int, relative: bool) -> Any:
    """Grow one part after another: always add the vertex whose nets overlap most with the nets already there.

    ``relative`` divides the overlap by the weight of all nets of the vertex. ``order`` breaks ties and gives the
    first vertex of every part. Every vertex must fit in an empty part. Returns (part int32 (n,), parts).
    """
    n = len(nets.vertex_bytes)
    part = np.full(n, -1, np.int32)
    has_net = np.full(len(nets.net_source), -1, np.int32)
    has_group = np.full(len(nets.group_bytes), -1, np.int32)
    scale = np.ones(n, np.float32)
    if relative:
        for v in range(n):
            total = 1e-30
            for j in range(nets.in_ptr[v], nets.in_ptr[v + 1]):
                total += nets.net_weight[nets.in_nets[j]]
            for j in range(nets.out_ptr[v], nets.out_ptr[v + 1]):
                total += nets.net_weight[nets.out_nets[j]]
            scale[v] = 1.0 / total
    score = np.zeros(n, np.float32)
    near = np.empty(n, np.int32)
    first = 0
    parts = 0
    placed = 0
    while placed < n:
        p = parts
        parts += 1
        held = 0
        count = 0
        reach = 0
        while placed < n:
            best = -1
            at = -1
            for i in range(reach):
                u = near[i]
                s = score[u] * scale[u]
                if best < 0 or s > score[best] * scale[best]:
                    best = u
                    at = i
            if best < 0:
                while part[order[first]] >= 0:
                    first += 1
                best = order[first]
            v = best
            need = nets.vertex_bytes[v]
            for j in range(nets.in_ptr[v], nets.in_ptr[v + 1]):
                if has_net[nets.in_nets[j]] != p:
                    need += nets.net_bytes[nets.in_nets[j]]
            for j in range(nets.group_ptr[v], nets.group_ptr[v + 1]):
                if has_group[nets.vertex_groups[j]] != p:
                    need += nets.group_bytes[nets.vertex_groups[j]]
            if count + nets.vertex_count[v] > max_count or held + need > max_bytes:
                break
            if at >= 0:
                reach -= 1
                near[at] = near[reach]
            part[v] = p
            placed += 1
            held += need
            count += nets.vertex_count[v]
            for j in range(nets.group_ptr[v], nets.group_ptr[v + 1]):
                has_group[nets.vertex_groups[j]] = p
            low = nets.in_ptr[v + 1] - nets.in_ptr[v]
            high = nets.out_ptr[v + 1] - nets.out_ptr[v]
            for k in range(low + high):
                incoming = k < low
                if incoming:
                    e = nets.in_nets[nets.in_ptr[v] + k]
                    if has_net[e] == p:
                        continue
                    has_net[e] = p
                else:
                    e = nets.out_nets[nets.out_ptr[v] + k - low]
                w = np.float32(nets.net_weight[e])
                if w == 0:
                    continue
                s = nets.net_source[e]
                if part[s] < 0:
                    if score[s] == 0:
                        near[reach] = s
                        reach += 1
                    score[s] += w
                for i in range(nets.net_ptr[e], nets.net_ptr[e + 1]):
                    u = nets.net_pins[i]
                    if part[u] < 0:
                        if score[u] == 0:
                            near[reach] = u
                            reach += 1
                        score[u] += w
        for i in range(reach):
            score[near[i]] = 0
    return part, parts
