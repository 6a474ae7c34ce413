"""Compiled refinement: moves with exact gain under exact limits, and the way back to feasibility (imported late)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ._moves import affinity, bytes_into, bytes_out, fill, move

Array = Any


@njit(cache=True, error_model="numpy")
def best_target(
    nets: Any, state: Any, v: int, near: Array, max_bytes: int, max_count: int, tries: int, empty: bool
) -> int:
    """Part other than v's with the largest ``near`` that v fits in, or -1; changes ``near``."""
    a = state.part[v]
    c = nets.vertex_count[v]
    low = nets.vertex_bytes[v]
    for _ in range(tries):
        best = -1
        for p in range(len(near)):
            if p == a or state.count[p] + c > max_count or state.held[p] + low > max_bytes:
                continue
            if state.count[p] == 0 and not empty:
                continue
            if best < 0 or near[p] > near[best]:
                best = p
        if best < 0:
            return -1
        if state.held[best] + bytes_into(nets, state, v, best) <= max_bytes:
            return best
        near[best] = -np.inf
    return -1


@njit(cache=True, error_model="numpy")
def wake(nets: Any, v: int, active: Array, limit: int) -> None:
    """Mark v and the vertices that share a net of at most ``limit`` pins with it."""
    active[v] = True
    for j in range(nets.in_ptr[v], nets.in_ptr[v + 1]):
        e = nets.in_nets[j]
        if nets.net_weight[e] == 0:
            continue
        active[nets.net_source[e]] = True
        if nets.net_ptr[e + 1] - nets.net_ptr[e] <= limit:
            for i in range(nets.net_ptr[e], nets.net_ptr[e + 1]):
                active[nets.net_pins[i]] = True
    for j in range(nets.out_ptr[v], nets.out_ptr[v + 1]):
        e = nets.out_nets[j]
        for i in range(nets.net_ptr[e], nets.net_ptr[e + 1]):
            active[nets.net_pins[i]] = True


@njit(cache=True, error_model="numpy")
def sweep(
    nets: Any,
    state: Any,
    order: Array,
    active: Array,
    locked: Array,
    max_bytes: int,
    max_count: int,
    temperature: float,
    net_limit: int,
) -> Any:
    """Visit the active vertices once and move each to its best part if that gains enough.

    ``temperature`` > 0 also takes moves that lose up to that share of what ties a vertex to its part.
    Returns (change of the copies, moves).
    """
    near = np.zeros(state.pins.shape[1], np.float32)
    total = 0.0
    moves = 0
    for i in range(len(order)):
        v = order[i]
        if not active[v]:
            continue
        if locked[v]:
            continue
        active[v] = False
        affinity(nets, state, v, near)
        a = state.part[v]
        here = near[a]
        floor = here * (1.0 - temperature)
        # Single precision sums: ask for more than their rounding.
        floor += abs(here) * 1e-5 if temperature == 0.0 else 0.0
        b = best_target(nets, state, v, near, max_bytes, max_count, 3, False)
        if b < 0 or near[b] <= floor:
            continue
        total += move(nets, state, v, b)
        moves += 1
        locked[v] = True
        wake(nets, v, active, net_limit)
    return total, moves


@njit(cache=True, error_model="numpy")
def drain(
    nets: Any, state: Any, p: int, max_bytes: int, max_count: int, goal_bytes: int, goal_count: int, empty: bool
) -> Any:
    """Move vertices out of part p, cheapest first, until it holds at most the goal; (change, reached)."""
    parts = state.pins.shape[1]
    near = np.zeros(parts, np.float32)
    total = 0.0
    inside = np.flatnonzero(state.part == p)
    score = np.empty(len(inside), np.float64)
    for i in range(len(inside)):
        v = inside[i]
        affinity(nets, state, v, near)
        here = near[p]
        near[p] = -np.inf
        loss = here - near.max()
        freed = bytes_out(nets, state, v) / goal_bytes if goal_bytes > 0 else 1.0
        share = max(freed, nets.vertex_count[v] / max(goal_count, 1))
        score[i] = loss / share if loss > 0 else loss * share
    order = np.argsort(score)
    for i in order:
        if state.held[p] <= goal_bytes and state.count[p] <= goal_count:
            break
        v = inside[i]
        affinity(nets, state, v, near)
        b = best_target(nets, state, v, near, max_bytes, max_count, 8, empty)
        if b >= 0:
            total += move(nets, state, v, b)
    return total, state.held[p] <= goal_bytes and state.count[p] <= goal_count


@njit(cache=True, error_model="numpy")
def rebalance(nets: Any, state: Any, max_bytes: int, max_count: int, empty: bool) -> Any:
    """Empty overfull parts down to the limits; (change of the copies, parts still overfull)."""
    total = 0.0
    left = 0
    for p in range(len(state.held)):
        if state.held[p] > max_bytes or state.count[p] > max_count:
            change, reached = drain(nets, state, p, max_bytes, max_count, max_bytes, max_count, empty)
            total += change
            if not reached:
                left += 1
    return total, left


@njit(cache=True, error_model="numpy")
def improve(
    nets: Any,
    state: Any,
    order: Array,
    max_bytes: int,
    max_count: int,
    rounds: int,
    patience: int,
    heat: float,
    slack: float,
    net_limit: int,
) -> float:
    """Alternate sweeps under loosened limits with draining; keep the best partition that respects the true limits.

    The state must be feasible on entry. Returns the change of the copies (never positive).
    """
    n = len(state.part)
    best_part = state.part.copy()
    best = 0.0
    now = 0.0
    active = np.ones(n, np.bool_)
    locked = np.zeros(n, np.bool_)
    bad = 0
    left = 0
    for turn in range(rounds):
        temperature = heat if turn % 2 == 1 else 0.0
        loose_bytes = max_bytes if slack == 0.0 else int(max_bytes * (1.0 + slack))
        loose_count = max_count if slack == 0.0 else int(max_count * (1.0 + slack)) + 1
        locked[:] = False
        if temperature > 0.0:
            active[:] = True
        change, moves = sweep(nets, state, order, active, locked, loose_bytes, loose_count, temperature, net_limit)
        now += change
        change, left = rebalance(nets, state, max_bytes, max_count, False)
        now += change
        if left == 0 and now < best - 1e-9:
            if now < best * 1.002 - 1e-9:
                bad = 0
            else:
                bad += 1
            best = now
            best_part[:] = state.part
        else:
            bad += 1
        if bad >= patience:
            break
    if now > best or left > 0:
        state.part[:] = best_part
        fill(nets, state)
    return best
