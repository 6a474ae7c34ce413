"""Compiled annealing by moves and swaps, with exact copies and bytes (imported late)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ._coarsen import mix
from ._moves import bytes_into, fill, has_pin, move

Array = Any


@njit(cache=True, error_model="numpy")
def spread(nets: Any, table: Array, e: Any, p: Any, w: Any) -> None:
    """Add w to column p of all pins of net e but its source."""
    s = nets.net_source[e]
    for i in range(nets.net_ptr[e], nets.net_ptr[e + 1]):
        u = nets.net_pins[i]
        if u != s:
            table[u, p] += w


@njit(cache=True, error_model="numpy")
def fill_table(nets: Any, state: Any, table: Array) -> None:
    """``table[v, p]``: weight of v's nets that p takes part in already.

    For nets into v that is by any pin or the source, for v's own nets by any pin.
    """
    part, pins = state.part, state.pins
    parts = pins.shape[1]
    table[:] = 0
    for e in range(len(nets.net_source)):
        w = np.float32(nets.net_weight[e])
        if w == 0:
            continue
        s = nets.net_source[e]
        h = part[s]
        for p in range(parts):
            if pins[e, p] > 0:
                table[s, p] += w
            if pins[e, p] > 0 or p == h:
                spread(nets, table, e, p, w)


@njit(cache=True, error_model="numpy")
def alone(nets: Any, state: Any, v: Any) -> Any:
    """Weight in ``table[v, part[v]]`` that v itself brings there, and that leaves with it."""
    part, pins = state.part, state.pins
    a = part[v]
    total = np.float32(0)
    for j in range(nets.in_ptr[v], nets.in_ptr[v + 1]):
        e = nets.in_nets[j]
        s = nets.net_source[e]
        if pins[e, a] == 1 and s != v and nets.net_weight[e] > 0 and part[s] != a:
            total += np.float32(nets.net_weight[e])
    for j in range(nets.out_ptr[v], nets.out_ptr[v + 1]):
        e = nets.out_nets[j]
        if pins[e, a] == 1 and nets.net_weight[e] > 0 and has_pin(nets, e, v):
            total += np.float32(nets.net_weight[e])
    return total


@njit(cache=True, error_model="numpy")
def move_with_table(nets: Any, state: Any, table: Array, v: Any, b: Any) -> float:
    """``move`` that also keeps the table."""
    part, pins = state.part, state.pins
    a = part[v]
    for j in range(nets.out_ptr[v], nets.out_ptr[v + 1]):
        e = nets.out_nets[j]
        w = np.float32(nets.net_weight[e])
        if w == 0:
            continue
        if pins[e, a] == 0:
            spread(nets, table, e, a, -w)
        if pins[e, b] == 0:
            spread(nets, table, e, b, w)
    change = move(nets, state, v, b)
    for j in range(nets.in_ptr[v], nets.in_ptr[v + 1]):
        e = nets.in_nets[j]
        w = np.float32(nets.net_weight[e])
        if w == 0:
            continue
        s = nets.net_source[e]
        h = part[s]
        if pins[e, a] == 0:
            table[s, a] -= w
            if h != a:
                spread(nets, table, e, a, -w)
        if pins[e, b] == 1:
            table[s, b] += w
            if h != b:
                spread(nets, table, e, b, w)
    return change


@njit(cache=True, error_model="numpy")
def join(inside: Array, where: Array, size: Array, v: Any, p: Any) -> None:
    """Enter v in the list of part p."""
    inside[p, size[p]] = v
    where[v] = size[p]
    size[p] += 1


@njit(cache=True, error_model="numpy")
def leave(inside: Array, where: Array, size: Array, v: Any, p: Any) -> None:
    """Strike v off the list of part p."""
    size[p] -= 1
    last = inside[p, size[p]]
    inside[p, where[v]] = last
    where[last] = where[v]


@njit(cache=True, error_model="numpy")
def neighbour_part(nets: Any, part: Array, v: Any, r1: Any, r2: Any) -> Any:
    """Part of a random end of a random net of v, or v's own if it has none."""
    low = nets.in_ptr[v + 1] - nets.in_ptr[v]
    high = nets.out_ptr[v + 1] - nets.out_ptr[v]
    if low + high == 0:
        return part[v]
    i = np.int64(r1 % np.uint64(low + high))
    if i < low:
        e = nets.in_nets[nets.in_ptr[v] + i]
        if nets.net_source[e] >= 0 and r2 & np.uint64(1):
            return part[nets.net_source[e]]
    else:
        e = nets.out_nets[nets.out_ptr[v] + i - low]
    first = nets.net_ptr[e]
    pins = nets.net_ptr[e + 1] - first
    if pins == 0:
        return part[v]
    return part[nets.net_pins[first + np.int64((r2 >> np.uint64(1)) % np.uint64(pins))]]


@njit(cache=True, error_model="numpy")
def anneal(
    nets: Any,
    state: Any,
    table: Array,
    max_bytes: int,
    max_count: int,
    steps: int,
    hot: float,
    cold: float,
    partners: int,
    room: int,
    seed: int,
) -> Any:
    """Metropolis moves to neighbouring parts, or swaps where the other part is full; temperatures fall geometrically.

    The state must be feasible and stays so; no part gets more than ``room`` vertices. Returns (change of the copies,
    accepted); the state is the best one seen.
    """
    part = state.part
    n = len(part)
    parts = state.pins.shape[1]
    inside = np.empty((parts, room), np.int32)
    where = np.empty(n, np.int64)
    size = np.zeros(parts, np.int64)
    for i in range(n):
        join(inside, where, size, i, np.int64(part[i]))
    best_part = part.copy()
    best = 0.0
    now = 0.0
    accepted = 0
    fall = (cold / hot) ** (1.0 / max(steps, 1))
    heat = hot
    counter = np.uint64(seed) << np.uint64(32)
    for step in range(steps):
        heat *= fall
        counter += np.uint64(4)
        r0, r1, r2 = mix(counter), mix(counter + np.uint64(1)), mix(counter + np.uint64(2))
        v = np.int64(r0 % np.uint64(n))
        a = np.int64(part[v])
        b = np.int64(neighbour_part(nets, part, v, r1, r2))
        if a == b:
            continue
        chance = (mix(counter + np.uint64(3)) >> np.uint64(11)) * (1.0 / 9007199254740992.0)
        bound = -heat * np.log(chance + 1e-300)  # largest rise that is accepted now
        rise = table[v, a] - table[v, b] - alone(nets, state, v)
        fits = (
            state.count[b] + nets.vertex_count[v] <= max_count
            and state.held[b] + nets.vertex_bytes[v] <= max_bytes
            and size[b] + 1 < room
        )
        moves = 1
        u = np.int64(-1)
        if not (fits and rise <= bound and state.held[b] + bytes_into(nets, state, v, b) <= max_bytes):
            moves = 2
            other = np.float32(0)
            for k in range(partners):
                x = np.int64(inside[b, np.int64(mix(r2 + np.uint64(k)) % np.uint64(size[b]))])
                d = nets.vertex_count[v] - nets.vertex_count[x]
                if state.count[b] + d > max_count or state.count[a] - d > max_count:
                    continue
                cost = table[x, b] - table[x, a]
                if u < 0 or cost < other:
                    u = x
                    other = cost
            if u < 0 or rise + other - alone(nets, state, u) > bound or size[b] + 1 >= room:
                continue
        # v to b, u to a; and back, u to b, v to a, if together they cost too much after all.
        change = 0.0
        done = 0
        while done < moves:
            x = v if done == 0 or done == 3 else u
            change += move_with_table(nets, state, table, x, b if done % 2 == 0 else a)
            done += 1
            if done == 2 and (change > bound or state.held[a] > max_bytes or state.held[b] > max_bytes):
                moves = 4
        if moves == 4:
            continue
        now += change
        accepted += 1
        leave(inside, where, size, v, a)
        join(inside, where, size, v, b)
        if moves == 2:
            leave(inside, where, size, u, b)
            join(inside, where, size, u, a)
        if now < best - 1e-9 and step > steps // 2:
            best = now
            for i in range(n):
                best_part[i] = part[i]
    if now > best:
        for i in range(n):
            part[i] = best_part[i]
        fill(nets, state)
    return best, accepted
