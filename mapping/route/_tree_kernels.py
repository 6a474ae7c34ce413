"""Compiled loops that build multicast trees and walk them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = Any


@njit(cache=True, error_model="numpy")
def _tree(
    source: int,
    targets: Array,
    count: int,
    neighbour: Array,
    distance: Array,
    load: Array,
    nodes: Array,
    parent: Array,
    via: Array,
    links: Array,
    place: Array,
) -> int:
    """Grow one chip-level tree; returns its number of nodes. ``place[c]`` is the node of chip c, -1 outside."""
    nodes[0], parent[0], via[0], links[0] = source, -1, -1, 0
    place[source] = 0
    size = 1
    # Nearest destinations first, those equally near by number, so the order in which parts are numbered does not matter
    # to the tree: groups of one source with the same chips share it. At most a few hundred, so insertion is quick.
    for k in range(1, count):
        t, j = targets[k], k - 1
        far = distance[source, t]
        while j >= 0 and (distance[source, targets[j]], targets[j]) > (far, t):
            targets[j + 1] = targets[j]
            j -= 1
        targets[j + 1] = t
    for k in range(count):
        goal = targets[k]
        if place[goal] >= 0:
            continue
        at = 0
        for j in range(1, size):
            if distance[nodes[j], goal] < distance[nodes[at], goal]:
                at = j
        while nodes[at] != goal:
            here, best = nodes[at], -1
            for d in range(neighbour.shape[1]):
                there = neighbour[here, d]
                closer = there >= 0 and distance[there, goal] == distance[here, goal] - 1
                if closer and (best < 0 or load[here, d] < load[here, best]):
                    best = d
            there = neighbour[here, best]
            links[at] |= np.uint8(1 << best)
            nodes[size], parent[size], via[size], links[size] = there, at, best, 0
            place[there] = size
            at = size
            size += 1
    return size


@njit(cache=True, error_model="numpy")
def build_trees(
    source: Array,
    ptr: Array,
    parts: Array,
    weight: Array,
    placement: Array,
    pes_per_chip: int,
    neighbour: Array,
    distance: Array,
    price: Array,
) -> Any:
    """Trees of all groups; see :class:`~neuromorph.mapping.route.trees.Routes` for what is returned."""
    groups, chips = len(source), len(neighbour)
    load, added = np.zeros(price.shape), np.zeros(price.shape)
    place = np.full(chips, -1, np.int32)
    targets = np.empty(chips, np.int32)
    seen = np.full(chips, -1, np.int64)
    nodes, parent = np.empty(chips, np.int32), np.empty(chips, np.int32)
    via, links = np.empty(chips, np.int8), np.empty(chips, np.uint8)
    out_ptr = np.zeros(groups + 1, np.int64)
    room = groups + 16
    out_chip, out_parent = np.empty(room, np.int32), np.empty(room, np.int32)
    out_via, out_links, out_pes = np.empty(room, np.int8), np.empty(room, np.uint8), np.zeros((room, 3), np.uint64)
    for g in range(groups):
        if g > 0 and source[g] != source[g - 1]:
            load += added
            added[:] = 0.0
        count = 0
        for k in range(ptr[g], ptr[g + 1]):
            c = placement[parts[k]] // pes_per_chip
            if seen[c] != g:
                seen[c] = g
                targets[count] = c
                count += 1
        start = placement[source[g]] // pes_per_chip
        size = _tree(start, targets, count, neighbour, distance, load, nodes, parent, via, links, place)
        at = out_ptr[g]
        if at + size > room:
            grown = max(at + size, room + room // 2)
            chip2, parent2, via2 = np.empty(grown, np.int32), np.empty(grown, np.int32), np.empty(grown, np.int8)
            links2, pes2 = np.empty(grown, np.uint8), np.zeros((grown, 3), np.uint64)
            for k in range(at):
                chip2[k], parent2[k], via2[k], links2[k] = out_chip[k], out_parent[k], out_via[k], out_links[k]
                for w in range(3):
                    pes2[k, w] = out_pes[k, w]
            out_chip, out_parent, out_via, out_links, out_pes, room = chip2, parent2, via2, links2, pes2, grown
        for j in range(size):
            out_chip[at + j] = nodes[j]
            out_parent[at + j] = at + parent[j] if j > 0 else -1
            out_via[at + j], out_links[at + j] = via[j], links[j]
            for d in range(neighbour.shape[1]):
                if links[j] >> d & 1:
                    added[nodes[j], d] += weight[g] * price[nodes[j], d]
        for k in range(ptr[g], ptr[g + 1]):
            pe = placement[parts[k]]
            row = at + place[pe // pes_per_chip]
            p = pe % pes_per_chip
            out_pes[row, p >> 6] |= np.uint64(1) << np.uint64(p & 63)
        for j in range(size):
            place[nodes[j]] = -1
        out_ptr[g + 1] = at + size
    end = out_ptr[groups]
    return (
        out_ptr,
        out_chip[:end].copy(),
        out_parent[:end].copy(),
        out_via[:end].copy(),
        out_links[:end].copy(),
        out_pes[:end].copy(),
    )


@njit(cache=True, error_model="numpy")
def _tile_mask(pes: Array, node: int, tile: int) -> int:
    """The four PE bits of a tile."""
    p = tile * 4
    return int((pes[node, p >> 6] >> np.uint64(p & 63)) & np.uint64(15))


@njit(cache=True, error_model="numpy")
def add_loads(
    ptr: Array,
    chip: Array,
    parent: Array,
    links: Array,
    pes: Array,
    source_tile: Array,
    packets: Array,
    up_ptr: Array,
    up: Array,
    down_ptr: Array,
    down: Array,
    across_ptr: Array,
    across: Array,
    links_per_chip: int,
    noc_links: int,
    mesh: bool,
    loads: Array,
) -> None:
    """Add the packets of every group to the links of its tree."""
    tiles = len(up_ptr) - 1
    stamp = np.full(noc_links, -1, np.int64)
    for g in range(len(ptr) - 1):
        amount = packets[g]
        if amount == 0.0:
            continue
        for node in range(ptr[g], ptr[g + 1]):
            offset = chip[node] * links_per_chip
            local = mesh and parent[node] < 0
            if parent[node] < 0 and (not mesh or links[node] != 0):
                for k in range(up_ptr[source_tile[g]], up_ptr[source_tile[g] + 1]):
                    stamp[up[k]] = node
                    loads[offset + up[k]] += amount
            if not local or links[node] != 0:
                loads[offset + links_per_chip - 1] += amount
            for d in range(6):
                if links[node] >> d & 1:
                    loads[offset + noc_links + d] += amount
            for tile in range(tiles):
                if _tile_mask(pes, node, tile) == 0:
                    continue
                if local:
                    row = source_tile[g] * tiles + tile
                    for k in range(across_ptr[row], across_ptr[row + 1]):
                        if stamp[across[k]] != node:
                            stamp[across[k]] = node
                            loads[offset + across[k]] += amount
                else:
                    for k in range(down_ptr[tile], down_ptr[tile + 1]):
                        if not mesh or stamp[down[k]] != node:
                            stamp[down[k]] = node
                            loads[offset + down[k]] += amount


@njit(cache=True, error_model="numpy")
def _write_steps(
    g: int,
    ptr: Array,
    chip: Array,
    parent: Array,
    via: Array,
    links: Array,
    pes: Array,
    source_tile: Array,
    up_ptr: Array,
    up: Array,
    down_ptr: Array,
    down: Array,
    across_ptr: Array,
    across: Array,
    links_per_chip: int,
    noc_links: int,
    mesh: bool,
    stamp: Array,
    spot: Array,
    router_at: Array,
    link: Array,
    before: Array,
    write: bool,
) -> int:
    """Write the hops of group g to ``link`` and ``before``, or only count them; returns their number."""
    tiles = len(up_ptr) - 1
    at = 0
    for node in range(ptr[g], ptr[g + 1]):
        offset = chip[node] * links_per_chip
        root = parent[node] < 0
        local = mesh and root
        last = -1
        if not root:
            d = via[node]
            if write:
                link[at] = chip[parent[node]] * links_per_chip + noc_links + d
                before[at] = router_at[parent[node] - ptr[g]]
            last = at
            at += 1
        elif not mesh or links[node] != 0:
            for k in range(up_ptr[source_tile[g]], up_ptr[source_tile[g] + 1]):
                if write:
                    link[at], before[at] = offset + up[k], last
                stamp[up[k]], spot[up[k]] = node, at
                last = at
                at += 1
        if not local or links[node] != 0:
            if write:
                link[at], before[at] = offset + links_per_chip - 1, last
            router_at[node - ptr[g]] = at
            last = at
            at += 1
        for tile in range(tiles):
            if _tile_mask(pes, node, tile) == 0:
                continue
            row, row_ptr, row_links, came = tile, down_ptr, down, last
            if local:
                row, row_ptr, row_links, came = source_tile[g] * tiles + tile, across_ptr, across, -1
            for k in range(row_ptr[row], row_ptr[row + 1]):
                one = row_links[k]
                if mesh and stamp[one] == node:
                    came = spot[one]
                    continue
                if write:
                    link[at], before[at] = offset + one, came
                stamp[one], spot[one] = node, at
                came = at
                at += 1
    return at


@njit(cache=True, error_model="numpy")
def list_steps(
    groups: Array,
    ptr: Array,
    chip: Array,
    parent: Array,
    via: Array,
    links: Array,
    pes: Array,
    source_tile: Array,
    up_ptr: Array,
    up: Array,
    down_ptr: Array,
    down: Array,
    across_ptr: Array,
    across: Array,
    links_per_chip: int,
    noc_links: int,
    mesh: bool,
) -> Any:
    """Hops of the trees of ``groups`` as CSR (ptr, link, parent)."""
    widest = 1
    for g in groups:
        widest = max(widest, ptr[g + 1] - ptr[g])
    router_at = np.zeros(widest, np.int32)
    stamp, spot = np.full(noc_links, -1, np.int64), np.zeros(noc_links, np.int32)
    out_ptr = np.zeros(len(groups) + 1, np.int64)
    link, before = np.empty(0, np.int32), np.empty(0, np.int32)
    for write in (False, True):
        stamp[:] = -1
        if write:
            link, before = np.empty(out_ptr[-1], np.int32), np.empty(out_ptr[-1], np.int32)
        for k in range(len(groups)):
            # Node numbers are unique to a group, but a group may be listed twice.
            if k > 0 and groups[k] <= groups[k - 1]:
                stamp[:] = -1
            count = _write_steps(
                groups[k],
                ptr,
                chip,
                parent,
                via,
                links,
                pes,
                source_tile,
                up_ptr,
                up,
                down_ptr,
                down,
                across_ptr,
                across,
                links_per_chip,
                noc_links,
                mesh,
                stamp,
                spot,
                router_at,
                link[out_ptr[k] :],
                before[out_ptr[k] :],
                write,
            )
            out_ptr[k + 1] = out_ptr[k] + count
    return out_ptr, link, before
