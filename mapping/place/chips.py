"""Two-level placement: parts to chips by METIS, chips on the grid by annealing, parts of a chip to tiles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..machine import Machine
from .cost import chip_model
from .orders import hilbert_walk, room
from .traffic import Traffic, pair_graph, sample

Ints = npt.NDArray[np.int32]

_GRAPH_PINS = 4_000_000
_QAP_WORK = 1.0e8


def metis_qap(traffic: Traffic, machine: Machine, seed: int = 0) -> Ints:
    """Cut the parts' graph into chips (METIS), find the chips' places on the grid, fill each chip tile by tile.

    Uses as few chips as hold the parts.
    """
    room(traffic.n_parts, machine)
    cap = int(machine.usable.sum())
    return _two_level(traffic, machine, -(-traffic.n_parts // cap), cap, seed)


def spread(traffic: Traffic, machine: Machine, seed: int = 0) -> Ints:
    """As :func:`metis_qap`, on every chip of the machine alike.

    Costs traffic between chips and eases what a chip has one of: its event router and the router's table, which then
    holds fewer keys.
    """
    room(traffic.n_parts, machine)
    used = max(1, min(machine.chips, traffic.n_parts))
    return _two_level(traffic, machine, used, -(-traffic.n_parts // used), seed)


def _two_level(traffic: Traffic, machine: Machine, used: int, cap: int, seed: int) -> Ints:
    """Parts to so many chips with at most ``cap`` each, then chips to places and parts to tiles."""
    light = sample(traffic, _GRAPH_PINS, seed)
    cluster = cut(light, used, cap, seed)
    chip = chips_on_grid(light, cluster, used, machine, seed)[cluster]
    return fill_tiles(light, chip.astype(np.int32), machine)


def cut(traffic: Traffic, clusters: int, cap: int, seed: int) -> Ints:
    """Cluster of each part, at most ``cap`` parts in each, with little traffic between clusters."""
    if clusters == 1:
        return np.zeros(traffic.n_parts, np.int32)
    import pymetis

    ptr, other, weight = pair_graph(traffic)
    scale = 1000.0 / float(weight.max()) if len(weight) and weight.max() > 0 else 1.0
    whole = np.maximum(1, np.rint(weight * scale)).astype(np.int64)
    options = pymetis.Options(seed=seed, ufactor=1 if clusters > 8 else 5)
    if len(whole):
        _, label = pymetis.part_graph(
            clusters, adjacency=pymetis.CSRAdjacency(ptr, other), eweights=whole, options=options, recursive=False
        )
        cluster = np.array(label, np.int32)
    else:
        cluster = (np.arange(traffic.n_parts) // cap).astype(np.int32)
    return _within_cap(cluster, clusters, cap, ptr, other, weight)


def _within_cap(
    cluster: Ints,
    clusters: int,
    cap: int,
    ptr: npt.NDArray[np.int64],
    other: Ints,
    weight: npt.NDArray[np.float64],
) -> Ints:
    """Move the parts that lose least out of clusters that hold too many."""
    size = np.bincount(cluster, minlength=clusters)
    while (size > cap).any():
        full = int(size.argmax())
        members = np.flatnonzero(cluster == full)
        pull = np.zeros((len(members), clusters))
        for row, p in enumerate(members):
            near = slice(ptr[p], ptr[p + 1])
            pull[row] = np.bincount(cluster[other[near]], weight[near], clusters)
        gain = pull - pull[:, [full]]
        gain[:, size >= cap] = -np.inf
        best = gain.argmax(1)
        order = np.argsort(-gain[np.arange(len(members)), best], kind="stable")
        for row in order[: int(size[full]) - cap]:
            goal = int(best[row])
            if size[goal] >= cap:
                continue
            cluster[members[row]] = goal
            size[goal] += 1
            size[full] -= 1
    return cluster


def chips_on_grid(traffic: Traffic, cluster: Ints, clusters: int, machine: Machine, seed: int) -> Ints:
    """Chip of each cluster, int32 (clusters,): few chip hops for the nets between clusters."""
    from ._anneal_kernels import anneal, nets_of_parts

    near = np.argsort(machine.chip_distance[_middle(machine)], kind="stable")
    slot = near[:clusters].astype(np.int32)
    if clusters == 1:
        return slot
    nets = _between(traffic, cluster, clusters)
    if nets.n_nets == 0:
        return slot
    nets_ptr, nets_list = nets_of_parts(clusters, nets.source, nets.ptr, nets.parts)
    work = 2.0 * len(nets_list) / clusters * max(1.0, len(nets.parts) / nets.n_nets)
    proposals = int(min(200_000, max(2_000, _QAP_WORK / work)))
    prices = chip_model(machine)
    # A random jump to any chip helps here; the annealer's own moves prefer chips that already talk to each other.
    everywhere = np.tile(np.arange(machine.chips, dtype=np.int32), (machine.chips, 1))
    anneal(
        nets.source, nets.ptr, nets.parts, nets.weight, nets_ptr, nets_list, slot, machine.chips, np.ones(1, bool), 1,
        everywhere, proposals, 1.0, 1e-3, seed, 0, *prices.arguments,
    )  # fmt: skip
    return slot


def _middle(machine: Machine) -> int:
    return int(machine.chip_distance.astype(np.int64).sum(1).argmin())


def _between(traffic: Traffic, cluster: Ints, clusters: int) -> Traffic:
    """Nets between clusters; nets of the same clusters are added up."""
    from ..route._group_kernels import hash_rows

    size = np.diff(traffic.ptr)
    net = np.repeat(np.arange(traffic.n_nets), size)
    pins = np.unique(net * clusters + cluster[traffic.parts])
    net, goal = pins // clusters, (pins % clusters).astype(np.int32)
    home = cluster[traffic.source]
    away = goal != home[net]
    net, goal = net[away], goal[away]
    ptr = np.searchsorted(net, np.arange(traffic.n_nets + 1)).astype(np.int64)
    salt = np.random.default_rng(5).integers(1, 2**63, 2 * clusters, dtype=np.uint64)
    label = hash_rows(ptr, goal, salt[:clusters]) ^ salt[clusters:][home]
    keep = np.flatnonzero(np.diff(ptr) > 0)
    _, first, inverse = np.unique(label[keep], return_index=True, return_inverse=True)
    chosen = keep[first]
    weight = np.bincount(inverse.ravel(), traffic.weight[keep], len(chosen)).astype(np.float64)
    size = np.diff(ptr)[chosen]
    out = np.concatenate([[0], np.cumsum(size)]).astype(np.int64)
    rows = np.repeat(ptr[chosen] - out[:-1], size) + np.arange(out[-1])
    return Traffic(clusters, home[chosen].astype(np.int32), out, goal[rows], weight)


def fill_tiles(traffic: Traffic, chip: Ints, machine: Machine) -> Ints:
    """PE of each part, given its chip: parts that talk to each other side by side, busy ones near the event router."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    ptr, other, weight = pair_graph(traffic)
    graph = csr_matrix((weight, other, ptr), shape=(traffic.n_parts, traffic.n_parts))
    size = np.diff(traffic.ptr)
    busy = np.bincount(traffic.parts, np.repeat(traffic.weight, size), traffic.n_parts)
    busy += np.bincount(traffic.source, traffic.weight, traffic.n_parts)
    walk = hilbert_walk(machine)
    walk = walk[walk < machine.pes_per_chip]
    per = machine.pes_per_tile
    if machine.multicast == "router":
        tiles = np.argsort(machine.router_distance, kind="stable")
        pes = (tiles[:, None] * per + np.arange(per)).ravel()
        walk = pes[machine.usable[pes]].astype(np.int32)
    placement = np.empty(traffic.n_parts, np.int32)
    for c in np.unique(chip).tolist():
        members = np.flatnonzero(chip == c)
        order = members[reverse_cuthill_mckee(graph[members][:, members].tocsr(), symmetric_mode=True)]
        if machine.multicast == "router":
            fours = np.arange(len(order)) // per
            load = np.bincount(fours, busy[order])[fours]
            order = order[np.argsort(-load, kind="stable")]
        placement[order] = c * machine.pes_per_chip + walk[: len(order)]
    return placement
