"""The compiled core of table minimisation: ORTC on a path-compressed binary trie."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = Any


@njit(cache=True, error_model="numpy")
def _common(a: Any, b: Any, limit: Any) -> Any:
    """Length of the common prefix of two 32-bit keys, at most ``limit``."""
    x = a ^ b
    length = 32
    while x:
        x >>= 1
        length -= 1
    return min(length, limit)


@njit(cache=True, error_model="numpy")
def ortc(keys: Array, lengths: Array, actions: Array) -> Any:
    """Fewest prefixes (longest match) that give every given prefix its action.

    Parameters
    ----------
    keys : uint32 (n,)
        Ascending; the prefixes ``keys[i]/lengths[i]`` do not overlap.
    lengths, actions : int32 (n,)

    Returns
    -------
    key : uint32, length : int32, action : int32
        Bits of a key below its length are not cleared.
    """
    n = len(keys)
    nodes = 2 * n - 1
    left, right = np.full(nodes, -1, np.int64), np.full(nodes, -1, np.int64)
    key, length = np.empty(nodes, np.uint32), np.empty(nodes, np.int32)
    start, stop = np.empty(nodes, np.int64), np.empty(nodes, np.int64)
    pool = np.empty(max(16, 4 * n), np.int32)
    used = 0
    for i in range(n):
        key[i], length[i] = keys[i], lengths[i]
        start[i], stop[i] = used, used + 1
        pool[used] = actions[i]
        used += 1
    # Leaves arrive in key order; the stack holds the right edge of the trie. Two neighbours join at their common
    # prefix as soon as the next leaf branches off above it.
    stack, depth = np.empty(n + 1, np.int64), 0
    made = n
    for i in range(n + 1):
        branch = -1
        if 0 < i < n:
            branch = _common(np.int64(keys[i - 1]), np.int64(keys[i]), 32)
        while depth >= 2:
            a, b = stack[depth - 2], stack[depth - 1]
            joint = _common(np.int64(key[a]), np.int64(key[b]), min(length[a], length[b]))
            if joint <= branch:
                break
            size_a, size_b = stop[a] - start[a], stop[b] - start[b]
            if used + size_a + size_b > len(pool):
                grown = np.empty(2 * (used + size_a + size_b), np.int32)
                for k in range(used):
                    grown[k] = pool[k]
                pool = grown
            x, y, at = start[a], start[b], used
            while x < stop[a] and y < stop[b]:
                if pool[x] == pool[y]:
                    pool[at] = pool[x]
                    at, x, y = at + 1, x + 1, y + 1
                elif pool[x] < pool[y]:
                    x += 1
                else:
                    y += 1
            if at == used:
                x, y = start[a], start[b]
                while x < stop[a] or y < stop[b]:
                    if y == stop[b] or (x < stop[a] and pool[x] < pool[y]):
                        pool[at] = pool[x]
                        x += 1
                    else:
                        pool[at] = pool[y]
                        y += 1
                    at += 1
            key[made], length[made] = key[a], joint
            left[made], right[made] = a, b
            start[made], stop[made] = used, at
            used = at
            depth -= 1
            stack[depth - 1] = made
            made += 1
        if i < n:
            stack[depth] = i
            depth += 1
    out_key, out_length, out_action = np.empty(nodes, np.uint32), np.empty(nodes, np.int32), np.empty(nodes, np.int32)
    count = 0
    inherited = np.full(nodes, -1, np.int32)
    stack = np.empty(nodes + 1, np.int64)
    stack[0], depth = made - 1, 1
    while depth > 0:
        depth -= 1
        node = stack[depth]
        have = inherited[node]
        allowed = False
        for k in range(start[node], stop[node]):
            if pool[k] == have:
                allowed = True
                break
        if not allowed:
            have = pool[start[node]]
            out_key[count], out_length[count], out_action[count] = key[node], length[node], have
            count += 1
        if left[node] >= 0:
            for child in (right[node], left[node]):
                inherited[child] = have
                stack[depth] = child
                depth += 1
    return out_key[:count], out_length[:count], out_action[:count]
