"""Compiled refinement: moves with exact gain under exact limits, and the way back to feasibility (imported late)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ._moves import affinity, bytes_into, bytes_out, move

Array = Any

TRIES = 4


@njit(cache=True, error_model="numpy")
def best_target(nets: Any, state: Any, v: Any, near: Array, max_bytes: int, max_count: int, empty: bool) -> Any:
    """Part other than v's with the largest ``near`` that v fits in, or -1; changes ``near``.

    ``empty`` allows parts that hold nothing. Only the first few parts that are full by exact bytes are passed over.
    """
    a = state.part[v]
    c = nets.vertex_count[v]
    low = nets.vertex_bytes[v]
    for _ in range(TRIES):
        best: Any = np.int64(-1)
        for p in range(len(near)):
            if p == a or state.count[p] + c > max_count or state.held[p] + low > max_bytes:
                continue
            if state.count[p] == 0 and not empty:
                continue
            if best < 0 or near[p] > near[best]:
                best = p
        if best < 0:
            return best
        if state.held[best] + bytes_into(nets, state, v, best) <= max_bytes:
            return best
        near[best] = -np.inf
    return np.int64(-1)


@njit(cache=True, error_model="numpy")
def wake(nets: Any, v: Any, active: Array) -> None:
    """Mark v and the vertices that share a net with it."""
    active[v] = True
    for j in range(nets.in_ptr[v], nets.in_ptr[v + 1]):
        e = nets.in_nets[j]
        if nets.net_weight[e] == 0:
            continue
        active[nets.net_source[e]] = True
        active[nets.net_pins[nets.net_ptr[e] : nets.net_ptr[e + 1]]] = True
    for j in range(nets.out_ptr[v], nets.out_ptr[v + 1]):
        e = nets.out_nets[j]
        active[nets.net_pins[nets.net_ptr[e] : nets.net_ptr[e + 1]]] = True


@njit(cache=True, error_model="numpy")
def sweep(nets: Any, state: Any, order: Array, active: Array, max_bytes: int, max_count: int, empty: bool) -> Any:
    """Visit the active vertices once and move each to its best part if that saves copies; (change, moves)."""
    near = np.zeros(state.pins.shape[1], np.float32)
    moved = np.zeros(len(order), np.bool_)
    total = 0.0
    moves = 0
    for i in range(len(order)):
        v = np.int64(order[i])
        if not active[v] or moved[v]:
            continue
        active[v] = False
        affinity(nets, state, v, near)
        here = near[state.part[v]]
        b = best_target(nets, state, v, near, max_bytes, max_count, empty)
        # Sums are in single precision: ask for more than their rounding.
        if b < 0 or near[b] <= here + abs(here) * 1e-5:
            continue
        total += move(nets, state, v, b)
        moves += 1
        moved[v] = True
        wake(nets, v, active)
    return total, moves


@njit(cache=True, error_model="numpy")
def drain(nets: Any, state: Any, p: Any, max_bytes: int, max_count: int, empty: bool) -> Any:
    """Move vertices out of part p, cheapest first, until it is within the limits; the change of the copies.

    ``empty`` allows moves into parts that hold nothing.
    """
    part = state.part
    near = np.zeros(state.pins.shape[1], np.float32)
    total = 0.0
    score = np.full(len(part), np.inf)
    for v in range(len(part)):
        if part[v] != p:
            continue
        affinity(nets, state, v, near)
        other = np.float32(-np.inf)
        for q in range(len(near)):
            if q != p and near[q] > other:
                other = near[q]
        loss = near[p] - other
        share = max(bytes_out(nets, state, v) / max_bytes, nets.vertex_count[v] / max_count)
        score[v] = loss / share if loss > 0 else loss * share
    while state.held[p] > max_bytes or state.count[p] > max_count:
        u = score.argmin()
        if score[u] == np.inf:
            break
        score[u] = np.inf
        affinity(nets, state, u, near)
        b = best_target(nets, state, u, near, max_bytes, max_count, empty)
        if b >= 0:
            total += move(nets, state, u, b)
    return total


@njit(cache=True, error_model="numpy")
def merge(nets: Any, state: Any, order: Array, max_bytes: int, max_count: int) -> Any:
    """Join parts that fit in one, in the given order, always with the part that saves most; the number joined.

    Joining never adds a copy: a net that reached both parts reaches one.
    """
    part, pins, members, held, count = state
    parts = pins.shape[1]
    shared = np.zeros(parts, np.int64)
    saved = np.zeros(parts, np.float64)
    own = np.zeros(parts, np.int64)
    for v in range(len(part)):
        own[part[v]] += nets.vertex_bytes[v]
    may = np.zeros(parts, np.bool_)
    joined = 0
    for i in range(len(order)):
        p = order[i]
        if count[p] == 0:
            continue
        candidates = 0
        for q in range(parts):
            # Bytes of the union are at least those of either part and the vertices of the other.
            may[q] = (
                q != p
                and count[q] > 0
                and count[q] + count[p] <= max_count
                and held[q] + own[p] <= max_bytes
                and held[p] + own[q] <= max_bytes
            )
            candidates += may[q]
        if candidates == 0:
            continue
        shared[:] = 0
        saved[:] = 0.0
        for e in range(len(nets.net_source)):
            s = nets.net_source[e]
            home = part[s] if s >= 0 else -1
            if pins[e, p] == 0 and home != p:
                continue
            for q in range(parts):
                if pins[e, q] > 0:
                    if pins[e, p] > 0:
                        shared[q] += nets.net_bytes[e]
                    saved[q] += nets.net_weight[e]
            if home >= 0 and home != p and pins[e, home] == 0:
                saved[home] += nets.net_weight[e]
        for g in range(len(nets.group_bytes)):
            if members[g, p] > 0:
                for q in range(parts):
                    if members[g, q] > 0:
                        shared[q] += nets.group_bytes[g]
        best: Any = np.int64(-1)
        for q in range(parts):
            if not may[q] or held[q] + held[p] - shared[q] > max_bytes:
                continue
            if best < 0 or saved[q] > saved[best]:
                best = q
        if best >= 0:
            for v in range(len(part)):
                if part[v] == p:
                    move(nets, state, v, best)
            own[best] += own[p]
            joined += 1
    return joined
