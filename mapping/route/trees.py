"""Multicast trees: from chip to chip on the hexagonal grid, and on each chip to the tiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ..machine import EAST, EJECT, INJECT, LINKS_PER_CELL, LONG_LINK, NORTH, SOUTH, WEST, Machine
from .keys import Groups, Keys

Ints = npt.NDArray[np.int32]
WORDS = 3
"""64-bit words of a chip's PE mask."""


@dataclass(frozen=True)
class Routes:
    """One multicast tree for each group of keys, chip by chip.

    A *node* is one group on one chip. The nodes of group g are ``ptr[g]:ptr[g + 1]``, the source chip first and every
    parent before its children.

    Attributes
    ----------
    ptr : int64 (g + 1,)
    chip : int32 (nodes,)
    parent : int32 (nodes,)
        Node from which the packet comes, -1 at the source chip.
    via : int8 (nodes,)
        Chip link of the parent over which it comes, -1 at the source chip.
    links : uint8 (nodes,)
        Bit d is set if the packet leaves by chip link d.
    pes : uint64 (nodes, 3)
        Bit ``p & 63`` of word ``p >> 6`` is set if PE p of the chip receives the packet.
    source_tile : int32 (g,)
        Tile of the sending PE.
    """

    ptr: npt.NDArray[np.int64]
    chip: npt.NDArray[np.int32]
    parent: npt.NDArray[np.int32]
    via: npt.NDArray[np.int8]
    links: npt.NDArray[np.uint8]
    pes: npt.NDArray[np.uint64]
    source_tile: npt.NDArray[np.int32]

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return len(self.ptr) - 1


def route(groups: Keys | Groups, placement: npt.NDArray[np.int32], machine: Machine) -> Routes:
    """Build the multicast tree of every group.

    Destination chips join the tree nearest first, each by a shortest path from the tree's nearest chip; among shortest
    paths, the links that carry the least so far are taken (links of one part's groups count only for later parts, so
    groups of a part with the same destination chips get the same tree and their table entries merge).

    Parameters
    ----------
    groups : Keys or Groups
    placement : int32 (parts,)
        Global PE index of each part.
    machine : Machine

    Raises
    ------
    MappingError
        If a chip cannot be reached.
    """
    from ._tree_kernels import build_trees

    if machine.pes_per_chip > 64 * WORDS:
        raise MappingError(
            f"{machine.name} has {machine.pes_per_chip} PEs a chip; routes hold {64 * WORDS}",
            pes_per_chip=machine.pes_per_chip,
        )
    distance = machine.chip_distance
    if (distance < 0).any():
        raise MappingError(f"{machine.name}: not every chip can reach every other", chips=machine.chips)
    number = machine.constants
    price = np.ones(machine.neighbour.shape)
    price[machine.link_kind == LONG_LINK] = number.si("link.board_packets") / number.si("link.long_packets")
    ptr, chip, parent, via, links, pes = build_trees(
        groups.source,
        groups.ptr,
        groups.parts,
        groups.weight,
        placement.astype(np.int32),
        machine.pes_per_chip,
        machine.neighbour,
        distance,
        price,
    )
    tile = (placement[groups.source] % machine.pes_per_chip) // machine.pes_per_tile
    return Routes(ptr, chip, parent, via, links, pes, tile.astype(np.int32))


def presence(routes: Routes, chips: int) -> npt.NDArray[np.bool_]:
    """Whether group g needs an entry on chip c: bool (g, chips)."""
    out = np.zeros((routes.n_groups, chips), bool)
    out[np.repeat(np.arange(routes.n_groups), np.diff(routes.ptr)), routes.chip] = True
    return out


def link_loads(routes: Routes, machine: Machine, packets: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Packets over every link id (:class:`~neuromorph.mapping.machine.Machine`) if group g sends ``packets[g]``.

    Parameters
    ----------
    routes : Routes
    machine : Machine
    packets : float64 (g,)
        Packets, or packets a second, that each group's neurons send together.

    Returns
    -------
    float64 (links,)
        NoC links count NoC packets, chip links and event routers count multicast packets.
    """
    from ._tree_kernels import add_loads

    loads = np.zeros(machine.links)
    add_loads(
        routes.ptr,
        routes.chip,
        routes.parent,
        routes.links,
        routes.pes,
        routes.source_tile,
        np.asarray(packets, np.float64),
        *paths(machine),
        machine.links_per_chip,
        machine.noc_links_per_chip,
        machine.multicast == "mesh",
        loads,
    )
    return loads


def link_steps(
    routes: Routes, machine: Machine, groups: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Every hop of the trees of some groups, one after another.

    Returns
    -------
    ptr : int64 (len(groups) + 1,)
    link : int32
        Link ids; a link that carries two copies to two tiles occurs twice.
    parent : int32
        Position, within the tree, of the hop before; -1 for the first. Parents come before their children.
    """
    from ._tree_kernels import list_steps

    ptr, link, parent = list_steps(
        np.asarray(groups, np.int64),
        routes.ptr,
        routes.chip,
        routes.parent,
        routes.via,
        routes.links,
        routes.pes,
        routes.source_tile,
        *paths(machine),
        machine.links_per_chip,
        machine.noc_links_per_chip,
        machine.multicast == "mesh",
    )
    return ptr, link, parent


def paths(machine: Machine) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints]:
    """NoC paths of one chip as link numbers, in travel order.

    Returns
    -------
    up_ptr, up : int32
        From each tile to the event router, the link out of the tile first.
    down_ptr, down : int32
        From the event router to each tile, the link into the tile last.
    across_ptr, across : int32
        From tile a to tile b (row ``a * tiles + b``), x first, both tile links included.

    Notes
    -----
    Packets to the router enter it in their own row, or in its nearest row, x first. Packets from it leave in that row
    too and so turn once at most.
    """
    columns = machine.mesh_shape[0]
    routers = {(int(x), int(y)) for x, y in machine.router_cells}

    def walk(x: int, y: int, to_x: int, to_y: int, stop: set[tuple[int, int]]) -> list[int]:
        steps = []
        while (x, y) != (to_x, to_y) and (x, y) not in stop:
            if x != to_x:
                direction, dx, dy = (EAST, 1, 0) if to_x > x else (WEST, -1, 0)
            else:
                direction, dx, dy = (NORTH, 0, 1) if to_y > y else (SOUTH, 0, -1)
            steps.append((x + columns * y) * LINKS_PER_CELL + direction)
            x, y = x + dx, y + dy
        return steps

    def gate(x: int, y: int) -> tuple[int, int]:
        return min(routers, key=lambda cell: (abs(cell[0] - x) + abs(cell[1] - y), cell))

    up, down, across = [], [], []
    for tile, (x, y) in enumerate(machine.tile_xy.tolist()):
        cell = int(machine.tile_cell[tile]) * LINKS_PER_CELL
        up.append([cell + INJECT, *walk(x, y, *gate(x, y), routers)])
        down.append([*walk(*gate(x, y), x, y, set()), cell + EJECT])
        for other, (to_x, to_y) in enumerate(machine.tile_xy.tolist()):
            end = int(machine.tile_cell[other]) * LINKS_PER_CELL + EJECT
            across.append([cell + INJECT, *walk(x, y, to_x, to_y, set()), end])
    return (*_csr(up), *_csr(down), *_csr(across))


def _csr(rows: list[list[int]]) -> tuple[Ints, Ints]:
    ptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int32)
    return ptr, np.array([link for row in rows for link in row], np.int32)
