"""Compiled loops of placement: the exact cost of nets, and annealing on it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

Array = Any


@njit(cache=True, error_model="numpy", inline="always")
def _net_cost(
    e: int,
    source: Array,
    ptr: Array,
    parts: Array,
    tile_of: Array,
    chip_of: Array,
    tiles: int,
    up: Array,
    down: Array,
    chip_parent: Array,
    mesh: bool,
    path_ptr: Array,
    path: Array,
    down_ptr: Array,
    down_links: Array,
    links: int,
    mark: Any,
    tile_mark: Array,
    chip_mark: Array,
    link_mark: Array,
) -> Any:
    """NoC hops and chip hops of one net. The marks are scratch: an entry is set if it equals ``mark``."""
    start = tile_of[source[e]]
    home = chip_of[start]
    noc, chips = 0.0, 0
    chip_mark[home] = mark
    used_router = not mesh
    for k in range(ptr[e], ptr[e + 1]):
        tile = tile_of[parts[k]]
        if tile_mark[tile] == mark:
            continue
        tile_mark[tile] = mark
        chip = chip_of[tile]
        if not mesh:
            noc += down[tile]
        elif chip == home:
            row = (start - chip * tiles) * tiles + tile - chip * tiles
            # The tree's links are prefix closed: walk back until a link is already in it. The links out of and into
            # tiles at both ends of the path do not count.
            for j in range(path_ptr[row + 1] - 2, path_ptr[row], -1):
                at = chip * links + path[j]
                if link_mark[at] == mark:
                    break
                link_mark[at] = mark
                noc += 1.0
        else:
            used_router = True
            row = tile - chip * tiles
            for j in range(down_ptr[row + 1] - 2, down_ptr[row] - 1, -1):
                at = chip * links + down_links[j]
                if link_mark[at] == mark:
                    break
                link_mark[at] = mark
                noc += 1.0
        while chip_mark[chip] != mark:
            chip_mark[chip] = mark
            chips += 1
            chip = chip_parent[home, chip]
    if used_router:
        noc += up[start]
    return noc, chips


@njit(cache=True, error_model="numpy")
def net_costs(
    source: Array,
    ptr: Array,
    parts: Array,
    slot: Array,
    slots: int,
    slots_per_tile: int,
    tiles: int,
    up: Array,
    down: Array,
    chip_parent: Array,
    hop_weight: float,
    mesh: bool,
    path_ptr: Array,
    path: Array,
    down_ptr: Array,
    down_links: Array,
    links: int,
) -> Any:
    """NoC hops and chip hops of every net: float64 (m,), float64 (m,)."""
    nets, chips = len(source), len(chip_parent)
    noc, chip = np.empty(nets), np.empty(nets)
    tile_mark = np.full(slots // slots_per_tile, -1, np.int64)
    chip_mark = np.full(chips, -1, np.int64)
    tile_of = slot // slots_per_tile
    chip_of = np.arange(chips * tiles) // tiles
    up, down = up[np.arange(chips * tiles) % tiles], down[np.arange(chips * tiles) % tiles]
    link_mark = np.full(chips * links if mesh else 0, -1, np.int64)
    for e in range(nets):
        noc[e], chip[e] = _net_cost(
            e,
            source,
            ptr,
            parts,
            tile_of,
            chip_of,
            tiles,
            up,
            down,
            chip_parent,
            mesh,
            path_ptr,
            path,
            down_ptr,
            down_links,
            links,
            e,
            tile_mark,
            chip_mark,
            link_mark,
        )
    return noc, chip


@njit(cache=True, error_model="numpy")
def nets_of_parts(n_parts: int, source: Array, ptr: Array, parts: Array) -> Any:
    """Nets that each part sends or receives, without repetition: CSR (ptr, nets)."""
    count = np.zeros(n_parts + 1, np.int64)
    for e in range(len(source)):
        own = False
        for k in range(ptr[e], ptr[e + 1]):
            count[parts[k] + 1] += 1
            own |= parts[k] == source[e]
        if not own:
            count[source[e] + 1] += 1
    out_ptr = np.cumsum(count)
    at = out_ptr[:-1].copy()
    nets = np.empty(out_ptr[n_parts], np.int32)
    for e in range(len(source)):
        own = False
        for k in range(ptr[e], ptr[e + 1]):
            p = parts[k]
            nets[at[p]] = e
            at[p] += 1
            own |= p == source[e]
        if not own:
            nets[at[source[e]]] = e
            at[source[e]] += 1
    return out_ptr, nets


@njit(cache=True, error_model="numpy")
def _random(state: Array) -> Any:
    """Next 64 random bits (xorshift64*), the same on every platform."""
    x = state[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    state[0] = x
    return x * np.uint64(2685821657736338717)


@njit(cache=True, error_model="numpy")
def _below(state: Array, n: int) -> Any:
    """A random whole number from 0 to n - 1, for n well below 2**31."""
    return np.int64(((_random(state) >> np.uint64(33)) * np.uint64(n)) >> np.uint64(31))


@njit(cache=True, error_model="numpy")
def anneal(
    source: Array,
    ptr: Array,
    parts: Array,
    weight: Array,
    nets_ptr: Array,
    nets: Array,
    slot: Array,
    slots: int,
    usable: Array,
    slots_per_chip: int,
    neighbour: Array,
    proposals: int,
    hot: float,
    cold: float,
    seed: int,
    fixed: int,
    slots_per_tile: int,
    tiles: int,
    up: Array,
    down: Array,
    chip_parent: Array,
    hop_weight: float,
    mesh: bool,
    path_ptr: Array,
    path: Array,
    down_ptr: Array,
    down_links: Array,
    links: int,
) -> Any:
    """Simulated annealing by swapping the slots of two parts, or moving one to a free slot; changes ``slot``.

    The last ``fixed`` parts stay where they are.

    The temperature falls geometrically from ``hot`` to ``cold`` times the mean size of a change, measured first. Half
    of the proposals move a part next to another end of one of its nets; the others stay on its chip or go to a
    neighbouring one.

    Returns
    -------
    float
        Total change of the cost.
    """
    n_parts, n_nets, chips = len(slot), len(source), len(chip_parent)
    tile_mark = np.full(slots // slots_per_tile, -1, np.int64)
    chip_mark = np.full(chips, -1, np.int64)
    # Divisions are slow: the inner loop reads tiles and chips from tables.
    tile_of = slot // slots_per_tile
    chip_of = np.arange(chips * tiles) // tiles
    up, down = up[np.arange(chips * tiles) % tiles], down[np.arange(chips * tiles) % tiles]
    link_mark = np.full(chips * links if mesh else 0, -1, np.int64)
    net_mark = np.full(n_nets, -1, np.int64)
    cost = np.empty(n_nets)
    mark = np.int64(0)
    held = np.full(slots, -1, np.int64)
    for p in range(n_parts):
        held[slot[p]] = p
    touched, fresh = np.empty(n_nets, np.int64), np.empty(n_nets)
    state = np.empty(1, np.uint64)
    state[0] = np.uint64(seed) * np.uint64(2) + np.uint64(88172645463325253)
    for e in range(n_nets):
        noc, chip = _net_cost(
            e, source, ptr, parts, tile_of, chip_of, tiles, up, down, chip_parent, mesh, path_ptr, path, down_ptr,
            down_links, links, mark, tile_mark, chip_mark, link_mark,
        )  # fmt: skip
        cost[e] = weight[e] * (noc + hop_weight * chip)
        mark += 1
    warm = min(2000, proposals // 10 + 1)
    size, measured = 0.0, 0
    total = 0.0
    temperature, cooling = 0.0, 1.0
    for step in range(proposals + warm):
        if step == warm:
            mean = size / max(measured, 1)
            temperature = hot * mean
            cooling = (cold / hot) ** (1.0 / max(proposals, 1))
        temperature *= cooling
        a = _below(state, n_parts - fixed)
        kind = _below(state, 10)
        here = slot[a]
        chip = here // slots_per_chip
        if kind < 6 and nets_ptr[a + 1] > nets_ptr[a]:
            e = nets[nets_ptr[a] + _below(state, nets_ptr[a + 1] - nets_ptr[a])]
            k = _below(state, ptr[e + 1] - ptr[e] + 1)
            mate = source[e] if k == ptr[e + 1] - ptr[e] else parts[ptr[e] + k]
            if kind < 4:
                there = slot[mate] // slots_per_tile * slots_per_tile + _below(state, slots_per_tile)
            else:
                there = slot[mate] // slots_per_chip * slots_per_chip + _below(state, slots_per_chip)
        else:
            if kind == 9:
                d = _below(state, neighbour.shape[1])
                if neighbour[chip, d] >= 0:
                    chip = neighbour[chip, d]
            there = chip * slots_per_chip + _below(state, slots_per_chip)
        if there // slots_per_tile == tile_of[a] or not usable[there % slots_per_chip]:
            continue
        b = held[there]
        if b >= n_parts - fixed:
            continue
        slot[a], tile_of[a] = there, there // slots_per_tile
        if b >= 0:
            slot[b], tile_of[b] = here, here // slots_per_tile
        count, change = 0, 0.0
        for turn in range(2):
            p = a if turn == 0 else b
            if p < 0:
                break
            for k in range(nets_ptr[p], nets_ptr[p + 1]):
                e = nets[k]
                if net_mark[e] == step:
                    continue
                net_mark[e] = step
                noc, hops = _net_cost(
                    e, source, ptr, parts, tile_of, chip_of, tiles, up, down, chip_parent, mesh, path_ptr, path,
                    down_ptr, down_links, links, mark, tile_mark, chip_mark, link_mark,
                )  # fmt: skip
                mark += 1
                new = weight[e] * (noc + hop_weight * hops)
                if new != cost[e]:
                    touched[count], fresh[count] = e, new
                    count += 1
                    change += new - cost[e]
        if step < warm:
            size += abs(change)
            measured += 1
        accept = change <= 0.0
        if not accept and temperature > 0.0:
            accept = np.float64(_random(state) >> np.uint64(11)) * 2.0**-53 < np.exp(-change / temperature)
        if accept:
            for k in range(count):
                cost[touched[k]] = fresh[k]
            held[here], held[there] = b, a
            total += change
        else:
            slot[a], tile_of[a] = here, here // slots_per_tile
            if b >= 0:
                slot[b], tile_of[b] = there, there // slots_per_tile
    return total
