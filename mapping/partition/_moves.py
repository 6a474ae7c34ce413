"""Compiled state of a partition under moves: exact copies and exact bytes, kept up to date (imported late)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

Array = Any


class Nets(NamedTuple):
    """Arrays of a level (see ``level.Level``) in the form that compiled code takes."""

    net_ptr: Array
    net_pins: Array
    net_source: Array
    net_weight: Array
    net_bytes: Array
    in_ptr: Array
    in_nets: Array
    out_ptr: Array
    out_nets: Array
    vertex_bytes: Array
    vertex_count: Array
    group_ptr: Array
    vertex_groups: Array
    group_bytes: Array


class State(NamedTuple):
    """A partition and what it implies; ``pins[e, p]`` is the number of pins of net e in part p."""

    part: Array
    pins: Array
    members: Array
    held: Array
    count: Array


@njit(cache=True, error_model="numpy")
def fill(nets: Any, state: Any) -> None:
    """Compute everything in ``state`` from ``state.part``."""
    part, pins, members, held, count = state
    pins[:] = 0
    members[:] = 0
    held[:] = 0
    count[:] = 0
    for v in range(len(part)):
        p = part[v]
        held[p] += nets.vertex_bytes[v]
        count[p] += nets.vertex_count[v]
        for j in range(nets.group_ptr[v], nets.group_ptr[v + 1]):
            g = nets.vertex_groups[j]
            if members[g, p] == 0:
                held[p] += nets.group_bytes[g]
            members[g, p] += 1
    for e in range(len(nets.net_ptr) - 1):
        for i in range(nets.net_ptr[e], nets.net_ptr[e + 1]):
            p = part[nets.net_pins[i]]
            if pins[e, p] == 0:
                held[p] += nets.net_bytes[e]
            pins[e, p] += 1


@njit(cache=True, error_model="numpy")
def copies(nets: Any, state: Any) -> float:
    """Weighted number of parts, other than the source's, that all nets reach."""
    part, pins = state.part, state.pins
    total = 0.0
    for e in range(len(nets.net_ptr) - 1):
        w = nets.net_weight[e]
        s = nets.net_source[e]
        if w == 0.0 or s < 0:
            continue
        reached = 0
        for p in range(pins.shape[1]):
            if pins[e, p] > 0:
                reached += 1
        if pins[e, part[s]] > 0:
            reached -= 1
        total += w * reached
    return total


@njit(cache=True, error_model="numpy")
def affinity(nets: Any, state: Any, v: Any, near: Array) -> None:
    """``near[p]``: weight of the copies that v's nets save if v lies in part p; gain of a move is the difference.

    Nets into v count where another pin or the source lies in p; v's own nets count where a pin other than v does.
    """
    part, pins = state.part, state.pins
    a = part[v]
    parts = pins.shape[1]
    near[:] = 0
    for j in range(nets.in_ptr[v], nets.in_ptr[v + 1]):
        e = nets.in_nets[j]
        w = np.float32(nets.net_weight[e])
        s = nets.net_source[e]
        if w == 0 or s == v:
            continue
        row = pins[e]
        for p in range(parts):
            near[p] += w if row[p] > 0 else np.float32(0)
        h = part[s]
        if row[a] == 1 and h != a:
            near[a] -= w
        if row[h] == 0:
            near[h] += w
    for j in range(nets.out_ptr[v], nets.out_ptr[v + 1]):
        e = nets.out_nets[j]
        w = np.float32(nets.net_weight[e])
        if w == 0:
            continue
        row = pins[e]
        for p in range(parts):
            near[p] += w if row[p] > 0 else np.float32(0)
        if row[a] == 1 and has_pin(nets, e, v):
            near[a] -= w


@njit(cache=True, error_model="numpy")
def has_pin(nets: Any, e: Any, v: Any) -> Any:
    """Whether v is among the ascending pins of net e."""
    low = nets.net_ptr[e]
    end = nets.net_ptr[e + 1]
    high = end
    while low < high:
        middle = (low + high) // 2
        if nets.net_pins[middle] < v:
            low = middle + 1
        else:
            high = middle
    return low < end and nets.net_pins[low] == v


@njit(cache=True, error_model="numpy")
def bytes_into(nets: Any, state: Any, v: Any, b: Any) -> Any:
    """Bytes that part b grows by when v, which lies elsewhere, joins it."""
    total = nets.vertex_bytes[v]
    for j in range(nets.in_ptr[v], nets.in_ptr[v + 1]):
        e = nets.in_nets[j]
        if state.pins[e, b] == 0:
            total += nets.net_bytes[e]
    for j in range(nets.group_ptr[v], nets.group_ptr[v + 1]):
        g = nets.vertex_groups[j]
        if state.members[g, b] == 0:
            total += nets.group_bytes[g]
    return total


@njit(cache=True, error_model="numpy")
def bytes_out(nets: Any, state: Any, v: Any) -> Any:
    """Bytes that v's part shrinks by when v leaves it."""
    a = state.part[v]
    total = nets.vertex_bytes[v]
    for j in range(nets.in_ptr[v], nets.in_ptr[v + 1]):
        e = nets.in_nets[j]
        if state.pins[e, a] == 1:
            total += nets.net_bytes[e]
    for j in range(nets.group_ptr[v], nets.group_ptr[v + 1]):
        g = nets.vertex_groups[j]
        if state.members[g, a] == 1:
            total += nets.group_bytes[g]
    return total


@njit(cache=True, error_model="numpy")
def move(nets: Any, state: Any, v: Any, b: Any) -> float:
    """Move v to part b; returns the change of the weighted copies (negative is better)."""
    part, pins, members, held, count = state
    a = part[v]
    change = 0.0
    for j in range(nets.out_ptr[v], nets.out_ptr[v + 1]):
        e = nets.out_nets[j]
        if pins[e, a] > 0:
            change += nets.net_weight[e]
    held[a] -= nets.vertex_bytes[v]
    held[b] += nets.vertex_bytes[v]
    count[a] -= nets.vertex_count[v]
    count[b] += nets.vertex_count[v]
    for j in range(nets.in_ptr[v], nets.in_ptr[v + 1]):
        e = nets.in_nets[j]
        s = nets.net_source[e]
        if pins[e, a] == 1:
            held[a] -= nets.net_bytes[e]
            if (s >= 0 and part[s] != a) or s == v:
                change -= nets.net_weight[e]
        pins[e, a] -= 1
        if pins[e, b] == 0:
            held[b] += nets.net_bytes[e]
            if s >= 0 and part[s] != b:
                change += nets.net_weight[e]
        pins[e, b] += 1
    for j in range(nets.out_ptr[v], nets.out_ptr[v + 1]):
        e = nets.out_nets[j]
        if pins[e, b] > 0:
            change -= nets.net_weight[e]
    for j in range(nets.group_ptr[v], nets.group_ptr[v + 1]):
        g = nets.vertex_groups[j]
        if members[g, a] == 1:
            held[a] -= nets.group_bytes[g]
        members[g, a] -= 1
        if members[g, b] == 0:
            held[b] += nets.group_bytes[g]
        members[g, b] += 1
    part[v] = b
    return change
