"""Compiled loops over destination sets: collecting, hashing, comparing and merging them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = Any


@njit(cache=True, error_model="numpy")
def distinct_parts(nets: Array, first: Array, net_ptr: Array, net_pins: Array, part: Array, n_parts: int) -> Any:
    """Parts reached by the nets ``nets[first[v]:first[v + 1]]`` of every vertex v, ascending: CSR (ptr, parts)."""
    n = len(first) - 1
    seen = np.full(n_parts, -1, np.int64)
    ptr = np.zeros(n + 1, np.int64)
    for v in range(n):
        count = 0
        for k in range(first[v], first[v + 1]):
            for j in range(net_ptr[nets[k]], net_ptr[nets[k] + 1]):
                q = part[net_pins[j]]
                if seen[q] != v:
                    seen[q] = v
                    count += 1
        ptr[v + 1] = ptr[v] + count
    parts = np.empty(ptr[n], np.int32)
    seen[:] = -1
    for v in range(n):
        at = ptr[v]
        for k in range(first[v], first[v + 1]):
            for j in range(net_ptr[nets[k]], net_ptr[nets[k] + 1]):
                q = part[net_pins[j]]
                if seen[q] != v:
                    seen[q] = v
                    parts[at] = q
                    at += 1
        parts[ptr[v] : ptr[v + 1]].sort()
    return ptr, parts


@njit(cache=True, error_model="numpy")
def hash_rows(ptr: Array, parts: Array, salt: Array) -> Array:
    """A 64-bit hash of every row of a CSR (order of the entries does not matter)."""
    out = np.zeros(len(ptr) - 1, np.uint64)
    for v in range(len(out)):
        total = np.uint64(0)
        for k in range(ptr[v], ptr[v + 1]):
            total += salt[parts[k]]
        out[v] = total
    return out


@njit(cache=True, error_model="numpy")
def number_groups(order: Array, part: Array, hashes: Array, ptr: Array, parts: Array) -> Array:
    """Group number of every neuron (-1: no destination): neighbours in ``order`` with the same part and row share."""
    n = len(part)
    group = np.full(n, -1, np.int32)
    number = -1
    last = -1
    for k in range(n):
        v = order[k]
        size = ptr[v + 1] - ptr[v]
        if size == 0:
            continue
        same = last >= 0 and part[v] == part[last] and hashes[v] == hashes[last] and ptr[last + 1] - ptr[last] == size
        if same:
            for j in range(size):
                if parts[ptr[v] + j] != parts[ptr[last] + j]:
                    same = False
                    break
        if not same:
            number += 1
        group[v] = number
        last = v
    return group


@njit(cache=True, error_model="numpy")
def take_rows(ptr: Array, parts: Array, rows: Array) -> Any:
    """Some rows of a CSR, in the given order: CSR (ptr, parts)."""
    out_ptr = np.zeros(len(rows) + 1, np.int64)
    for k in range(len(rows)):
        out_ptr[k + 1] = out_ptr[k] + ptr[rows[k] + 1] - ptr[rows[k]]
    out = np.empty(out_ptr[-1], np.int32)
    for k in range(len(rows)):
        at = out_ptr[k]
        for j in range(ptr[rows[k]], ptr[rows[k] + 1]):
            out[at] = parts[j]
            at += 1
    return out_ptr, out


@njit(cache=True, error_model="numpy")
def set_bits(ptr: Array, parts: Array, rank: Array, words: int) -> Array:
    """Bit matrix uint64 (rows, words) of a CSR; bit 63 of word 0 is the part of rank 0, so that rows sort by rank."""
    bits = np.zeros((len(ptr) - 1, words), np.uint64)
    for row in range(len(ptr) - 1):
        for k in range(ptr[row], ptr[row + 1]):
            c = rank[parts[k]]
            bits[row, c >> 6] |= np.uint64(1) << np.uint64(63 - (c & 63))
    return bits


@njit(cache=True, error_model="numpy")
def popcount(x: Any) -> Any:
    """Number of ones of a uint64."""
    x = x - ((x >> np.uint64(1)) & np.uint64(0x5555555555555555))
    x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
    x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((x * np.uint64(0x0101010101010101)) >> np.uint64(56))


@njit(cache=True, error_model="numpy")
def _merge_cost(bits: Array, weight: Array, a: int, b: int) -> Any:
    only_a, only_b = 0, 0
    for w in range(bits.shape[1]):
        x, y = bits[a, w], bits[b, w]
        if x != y:
            only_a += popcount(x & ~y)
            only_b += popcount(y & ~x)
    return weight[a] * only_b + weight[b] * only_a


@njit(cache=True, error_model="numpy")
def _nearest(bits: Array, weight: Array, alive: Array, a: int, start: int, stop: int) -> Any:
    best, mate = np.inf, -1
    for b in range(start, stop):
        if b != a and alive[b]:
            cost = _merge_cost(bits, weight, a, b)
            if cost < best:
                best, mate = cost, b
    return best, mate


@njit(cache=True, error_model="numpy")
def merge_sequence(bits: Array, weight: Array, first: Array, window: int) -> Any:
    """Agglomerate the groups of every part to one, cheapest pair of the part first.

    Parameters
    ----------
    bits : uint64 (g, words)
        Destination sets; overwritten.
    weight : float64 (g,)
        Events a second; overwritten.
    first : int64 (parts + 1,)
        Groups of part p are ``first[p]:first[p + 1]``.
    window : int
        A group is compared with at most this many others, its neighbours in the given order.

    Returns
    -------
    keep, gone : int64 (merges,)
        Group ``gone`` joins group ``keep``; merges of one part are in order.
    cost : float64 (merges,)
        Extra copies a second that the merge causes, never falling inside a part.
    """
    total = 0
    for p in range(len(first) - 1):
        total += max(0, first[p + 1] - first[p] - 1)
    keep, gone, price = np.empty(total, np.int64), np.empty(total, np.int64), np.empty(total)
    alive = np.ones(len(weight), np.bool_)
    best, mate = np.empty(len(weight)), np.empty(len(weight), np.int64)
    at = 0
    for p in range(len(first) - 1):
        lo, hi = first[p], first[p + 1]
        for a in range(lo, hi):
            best[a], mate[a] = _nearest(bits, weight, alive, a, max(lo, a - window), min(hi, a + window + 1))
        floor = 0.0
        for _ in range(hi - lo - 1):
            a = -1
            for k in range(lo, hi):
                if alive[k] and mate[k] >= 0 and (a < 0 or best[k] < best[a]):
                    a = k
            if a < 0:
                # The window holds no live mate any more: join the first two that are left.
                for k in range(lo, hi):
                    if alive[k]:
                        if a < 0:
                            a = k
                        else:
                            best[a], mate[a] = _merge_cost(bits, weight, a, k), k
                            break
            b = mate[a]
            floor = max(floor, best[a])
            keep[at], gone[at], price[at] = a, b, floor
            at += 1
            alive[b] = False
            weight[a] += weight[b]
            for w in range(bits.shape[1]):
                bits[a, w] |= bits[b, w]
            best[a], mate[a] = _nearest(bits, weight, alive, a, max(lo, a - window), min(hi, a + window + 1))
            for k in range(max(lo, a - window, 0), min(hi, a + window + 1)):
                if alive[k] and k != a and mate[k] != b and mate[k] != a:
                    cost = _merge_cost(bits, weight, k, a)
                    if cost < best[k]:
                        best[k], mate[k] = cost, a
            for k in range(max(lo, min(a, b) - window), min(hi, max(a, b) + window + 1)):
                if alive[k] and k != a and (mate[k] == b or mate[k] == a):
                    best[k], mate[k] = _nearest(bits, weight, alive, k, max(lo, k - window), min(hi, k + window + 1))
    return keep, gone, price


@njit(cache=True, error_model="numpy")
def apply_merges(order: Array, keep: Array, gone: Array, presence: Array, entries: Array, target: Array) -> Array:
    """Carry out merges, cheapest first, that help a chip with more entries than its target.

    ``presence`` bool (g, chips) says on which chips a group needs an entry, ``entries`` int64 (chips,) counts them;
    both are updated. Returns the group that each group ends in.
    """
    parent = np.arange(len(presence))
    over = 0
    for c in range(len(entries)):
        if entries[c] > target[c]:
            over += 1
    for k in order:
        if over == 0:
            break
        a, b = keep[k], gone[k]
        if parent[a] != a or parent[b] != b:
            continue
        helps = False
        for c in range(len(entries)):
            if entries[c] > target[c] and presence[a, c] and presence[b, c]:
                helps = True
                break
        if not helps:
            continue
        parent[b] = a
        for c in range(len(entries)):
            if presence[a, c] and presence[b, c]:
                entries[c] -= 1
                if entries[c] == target[c]:
                    over -= 1
            presence[a, c] |= presence[b, c]
    for g in range(len(parent)):
        root = g
        while parent[root] != root:
            root = parent[root]
        parent[g] = root
    return parent
