"""Compiled loops that fill parts one after another, with exact bytes (imported late)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = Any


@njit(cache=True, error_model="numpy")
def transpose(net_ptr: Array, net_pins: Array, n: int) -> Any:
    """Nets of each vertex: (ptr int64 (n + 1,), nets int32 (pins,)), ascending net within a vertex."""
    ptr = np.zeros(n + 1, np.int64)
    for i in range(len(net_pins)):
        ptr[net_pins[i] + 1] += 1
    for v in range(n):
        ptr[v + 1] += ptr[v]
    cursor = ptr[:-1].copy()
    nets = np.empty(len(net_pins), np.int32)
    for e in range(len(net_ptr) - 1):
        for i in range(net_ptr[e], net_ptr[e + 1]):
            v = net_pins[i]
            nets[cursor[v]] = e
            cursor[v] += 1
    return ptr, nets


@njit(cache=True, error_model="numpy")
def pack(
    order: Array,
    in_ptr: Array,
    in_nets: Array,
    vertex_bytes: Array,
    vertex_count: Array,
    net_bytes: Array,
    group_ptr: Array,
    vertex_groups: Array,
    group_bytes: Array,
    max_bytes: int,
    max_count: int,
    open_parts: int,
) -> Any:
    """Put the vertices, in this order, into the newest part that holds them (next fit).

    With ``open_parts`` > 1, the parts before the newest are tried first, oldest first: vertices of small layers then
    use what large ones leave. Returns (part int32 (n,), parts), or parts = -1 - v if vertex v fits in no empty part.
    """
    n = len(vertex_bytes)
    part = np.full(n, -1, np.int32)
    has_net = np.full((open_parts, len(net_bytes)), -1, np.int32)
    has_group = np.full((open_parts, len(group_bytes)), -1, np.int32)
    slot_part = np.full(open_parts, -1, np.int32)
    slot_bytes = np.zeros(open_parts, np.int64)
    slot_count = np.zeros(open_parts, np.int64)
    parts = 0
    newest = 0
    for i in range(len(order)):
        v = order[i]
        placed = False
        for back in range(open_parts):
            slot = (newest + 1 + back) % open_parts
            p = slot_part[slot]
            if p < 0 or slot_count[slot] + vertex_count[v] > max_count:
                continue
            need = slot_bytes[slot] + vertex_bytes[v]
            if need > max_bytes:
                continue
            for j in range(in_ptr[v], in_ptr[v + 1]):
                if has_net[slot, in_nets[j]] != p:
                    need += net_bytes[in_nets[j]]
            for j in range(group_ptr[v], group_ptr[v + 1]):
                if has_group[slot, vertex_groups[j]] != p:
                    need += group_bytes[vertex_groups[j]]
            if need > max_bytes:
                continue
            placed = True
            break
        if not placed:
            newest = (newest + 1) % open_parts
            slot = newest
            p = parts
            parts += 1
            slot_part[slot] = p
            slot_count[slot] = 0
            need = vertex_bytes[v]
            for j in range(in_ptr[v], in_ptr[v + 1]):
                need += net_bytes[in_nets[j]]
            for j in range(group_ptr[v], group_ptr[v + 1]):
                need += group_bytes[vertex_groups[j]]
            if need > max_bytes or vertex_count[v] > max_count:
                return part, -1 - v
        part[v] = p
        slot_bytes[slot] = need
        slot_count[slot] += vertex_count[v]
        for j in range(in_ptr[v], in_ptr[v + 1]):
            has_net[slot, in_nets[j]] = p
        for j in range(group_ptr[v], group_ptr[v + 1]):
            has_group[slot, vertex_groups[j]] = p
    return part, parts


@njit(cache=True, error_model="numpy")
def alone_bytes(
    in_ptr: Array,
    in_nets: Array,
    vertex_bytes: Array,
    net_bytes: Array,
    group_ptr: Array,
    vertex_groups: Array,
    group_bytes: Array,
) -> Any:
    """Bytes of each vertex in a part of its own."""
    need = vertex_bytes.copy()
    for v in range(len(need)):
        for j in range(in_ptr[v], in_ptr[v + 1]):
            need[v] += net_bytes[in_nets[j]]
        for j in range(group_ptr[v], group_ptr[v + 1]):
            need[v] += group_bytes[vertex_groups[j]]
    return need


@njit(cache=True, error_model="numpy")
def measure(
    part: Array,
    parts: int,
    net_ptr: Array,
    net_pins: Array,
    net_source: Array,
    net_weight: Array,
    net_bytes: Array,
    vertex_bytes: Array,
    group_ptr: Array,
    vertex_groups: Array,
    group_bytes: Array,
) -> Any:
    """Exact bytes of every part, and the weighted copies that all nets send to other parts."""
    held = np.zeros(parts, np.int64)
    for v in range(len(part)):
        held[part[v]] += vertex_bytes[v]
    seen = np.full(parts, -1, np.int64)
    copies = 0.0
    for e in range(len(net_ptr) - 1):
        home = part[net_source[e]] if net_source[e] >= 0 else -1
        reached = 0
        for i in range(net_ptr[e], net_ptr[e + 1]):
            p = part[net_pins[i]]
            if seen[p] != e:
                seen[p] = e
                held[p] += net_bytes[e]
                if p != home:
                    reached += 1
        if home >= 0:
            copies += reached * net_weight[e]
    has_group = np.zeros((parts, len(group_bytes)), np.bool_)
    for v in range(len(part)):
        for j in range(group_ptr[v], group_ptr[v + 1]):
            g = vertex_groups[j]
            if not has_group[part[v], g]:
                has_group[part[v], g] = True
                held[part[v]] += group_bytes[g]
    return held, copies
