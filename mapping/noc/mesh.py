"""A plain square mesh, to compare the packet model with other simulators."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..machine import EAST, EJECT, INJECT, LINKS_PER_CELL, NORTH, SOUTH, WEST

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


def mesh_paths(side: int, router_cycles: int = 4) -> tuple[npt.NDArray[np.int64], Ints, Ints, Floats, Floats]:
    """Paths between all pairs of nodes of a ``side x side`` mesh, x first, for one-flit packets.

    Parameters
    ----------
    side : int
    router_cycles : int
        Cycles from router to router; a packet over h links passes h + 1 routers and takes
        ``router_cycles * (h + 1) + 2`` cycles in an empty network.

    Returns
    -------
    ptr, link, parent
        Path from node a to node b as tree ``a * side**2 + b``.
    service, latency : float64 (links,)
        In cycles.
    """
    ptr: list[int] = [0]
    link: list[int] = []
    parent: list[int] = []
    nodes = [(k % side, k // side) for k in range(side * side)]
    for x0, y0 in nodes:
        for x1, y1 in nodes:
            x, y = x0, y0
            row = [(x + side * y) * LINKS_PER_CELL + INJECT]
            while x != x1:
                row.append((x + side * y) * LINKS_PER_CELL + (EAST if x1 > x else WEST))
                x += 1 if x1 > x else -1
            while y != y1:
                row.append((x + side * y) * LINKS_PER_CELL + (NORTH if y1 > y else SOUTH))
                y += 1 if y1 > y else -1
            row.append((x + side * y) * LINKS_PER_CELL + EJECT)
            link += row
            parent += range(-1, len(row) - 1)
            ptr.append(len(link))
    latency = np.full((side * side, LINKS_PER_CELL), float(router_cycles))
    latency[:, INJECT], latency[:, EJECT] = router_cycles + 1, 1
    service = np.ones(side * side * LINKS_PER_CELL)
    return np.array(ptr, np.int64), np.array(link, np.int32), np.array(parent, np.int32), service, latency.ravel()
