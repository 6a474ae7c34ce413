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
def wake(nets: Any, v: int, active: Array) -> None:
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
def sweep(nets: Any, state: Any, order: Array, active: Array, max_bytes: int, max_count: int) -> Any:
    """Visit the active vertices once and move each to its best part if that saves copies; (change, moves)."""
    near = np.zeros(state.pins.shape[1], np.float32)
    moved = np.zeros(len(order), np.bool_)
    total = 0.0
    moves = 0
    for i in range(len(order)):
        v = order[i]
        if not active[v] or moved[v]:
            continue
        active[v] = False
        affinity(nets, state, v, near)
        here = near[state.part[v]]
        b = best_target(nets, state, v, near, max_bytes, max_count, 3, False)
        # Sums are in single precision: ask for more than their rounding.
        if b < 0 or near[b] <= here + abs(here) * 1e-5:
            continue
        total += move(nets, state, v, b)
        moves += 1
        moved[v] = True
        wake(nets, v, active)
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
    nets: Any, state: Any, order: Array, max_bytes: int, max_count: int, rounds: int, patience: int, slack: float
) -> float:
    """Alternate sweeps under loosened limits with draining; keep the best partition that respects the true limits.

    The state must be feasible on entry. Returns the change of the copies (never positive).
    """
    n = len(state.part)
    best_part = state.part.copy()
    best = 0.0
    now = 0.0
    active = np.ones(n, np.bool_)
    bad = 0
    left = 0
    loose_bytes = int(max_bytes * (1.0 + slack))
    loose_count = max_count if slack == 0.0 else int(max_count * (1.0 + slack)) + 1
    for _ in range(rounds):
        change, moves = sweep(nets, state, order, active, loose_bytes, loose_count)
        now += change
        if slack > 0.0:
            change, left = rebalance(nets, state, max_bytes, max_count, False)
            now += change
        if left == 0 and now < best - 1e-9:
            bad = 0 if now < best * 1.002 - 1e-9 else bad + 1
            best = now
            best_part[:] = state.part
        else:
            bad += 1
        if bad >= patience or moves == 0:
            break
    if now > best or left > 0:
        state.part[:] = best_part
        fill(nets, state)
    return best


@njit(cache=True, error_model="numpy")
def merge(nets: Any, state: Any, max_bytes: int, max_count: int) -> Any:
    """Join parts that fit in one, fewest neurons first, always with the part that saves most; (change, joined).

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
    total = 0.0
    joined = 0
    for p in np.argsort(count, kind="mergesort"):
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
        best = -1
        for q in range(parts):
            if not may[q] or held[q] + held[p] - shared[q] > max_bytes:
                continue
            if best < 0 or saved[q] > saved[best]:
                best = q
        if best >= 0:
            for v in np.flatnonzero(part == p):
                total += move(nets, state, v, best)
            own[best] += own[p]
            joined += 1
    return total, joined
