"""What a placement costs, and whether it is one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ..machine import Machine
from ..route.trees import paths
from .traffic import Traffic

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class PlacementCost:
    """Packets a second times hops.

    Attributes
    ----------
    noc_hops : float
        Hops between NoC cells; a tile receives one packet of a net, whatever number of its PEs want it.
    chip_hops : float
        Chip links of the nets' multicast trees (shortest paths from the source chip).
    total : float
        ``noc_hops + link.hop_weight * chip_hops``.
    """

    noc_hops: float
    chip_hops: float
    total: float


@dataclass(frozen=True)
class Model:
    """A machine as the placers see it: slots in tiles, tiles on chips, and the price of every path.

    Attributes
    ----------
    slots_per_tile, tiles : int
        PEs of a tile, tiles of a chip.
    up, down : float64 (tiles,)
        Hops from a tile to the event router, and back.
    chip_parent : int16 (chips, chips)
        Chip before chip b on the path from chip a to chip b.
    hop_weight : float
        Price of a chip link in NoC hops.
    mesh : bool
        NoC trees instead of one packet for each tile; then ``path_ptr, path`` hold the mesh links from tile a to tile b
        (row ``a * tiles + b``), ``down_ptr, down_links`` those from the router to tile b.
    """

    slots_per_tile: int
    tiles: int
    up: npt.NDArray[np.float64]
    down: npt.NDArray[np.float64]
    chip_parent: npt.NDArray[np.int16]
    hop_weight: float
    mesh: bool
    path_ptr: Ints
    path: Ints
    down_ptr: Ints
    down_links: Ints
    links: int

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The fields in the order in which the compiled loops take them."""
        return (
            self.slots_per_tile,
            self.tiles,
            self.up,
            self.down,
            self.chip_parent,
            self.hop_weight,
            self.mesh,
            self.path_ptr,
            self.path,
            self.down_ptr,
            self.down_links,
            self.links,
        )


@lru_cache(maxsize=2)
def model(machine: Machine) -> Model:
    """The placers' view of a machine."""
    away = machine.router_distance.astype(np.float64)
    _, _, down_ptr, down, path_ptr, path = paths(machine)
    return Model(
        machine.pes_per_tile,
        machine.tiles,
        away,
        away,
        chip_parents(machine),
        machine.constants.si("link.hop_weight"),
        machine.multicast == "mesh",
        path_ptr,
        path,
        down_ptr,
        down,
        machine.noc_links_per_chip,
    )


def chip_model(machine: Machine) -> Model:
    """The same with one slot on each chip and free NoC: only chip hops count."""
    nothing, no_links = np.zeros(1), np.zeros(2, np.int32)
    empty = np.zeros(0, np.int32)
    return Model(1, 1, nothing, nothing, chip_parents(machine), 1.0, False, no_links, empty, no_links, empty, 1)


def chip_parents(machine: Machine) -> npt.NDArray[np.int16]:
    """Chip before chip b on a fixed shortest path from chip a: int16 (chips, chips); a itself for b = a.

    The paths from one chip form a tree, so the chip hops of a net are the chips that its paths pass.
    """
    distance = machine.chip_distance
    parent = np.tile(np.arange(machine.chips, dtype=np.int16)[:, None], (1, machine.chips))
    for d in range(machine.neighbour.shape[1]):
        there = machine.neighbour[:, d]
        closer = (there >= 0) & (distance[:, there] == distance - 1)
        parent = np.where(closer, there.astype(np.int16), parent)
    return parent


def placement_cost(traffic: Traffic, placement: Ints, machine: Machine) -> PlacementCost:
    """The exact cost of a placement under the machine's way of multicasting.

    Parameters
    ----------
    traffic : Traffic
    placement : int32 (parts,)
        Global PE index of each part.
    machine : Machine

    Returns
    -------
    PlacementCost
        Firing-weighted; hops into and out of tiles are not counted, as no placement changes them.
    """
    from ._anneal_kernels import net_costs

    prices = model(machine)
    noc, chip = net_costs(
        traffic.source, traffic.ptr, traffic.parts, placement.astype(np.int32), machine.pes, *prices.arguments
    )
    noc_hops, chip_hops = float((noc * traffic.weight).sum()), float((chip * traffic.weight).sum())
    return PlacementCost(noc_hops, chip_hops, noc_hops + prices.hop_weight * chip_hops)


def check_placement(n_parts: int, placement: Ints, machine: Machine) -> None:
    """Raise :class:`MappingError` unless every part has a PE of its own that applications may use."""
    if placement.shape != (n_parts,):
        raise MappingError(f"a placement of {n_parts} parts has shape ({n_parts},), not {placement.shape}")
    outside = (placement < 0) | (placement >= machine.pes)
    if outside.any():
        part = int(np.argmax(outside))
        raise MappingError(f"part {part} is on PE {int(placement[part])}; {machine.name} has {machine.pes}", part=part)
    banned = ~machine.usable[placement % machine.pes_per_chip]
    if banned.any():
        part = int(np.argmax(banned))
        raise MappingError(f"part {part} is on PE {int(placement[part])}, which the system keeps", part=part)
    pes, count = np.unique(placement, return_counts=True)
    if (count > 1).any():
        pe = int(pes[np.argmax(count > 1)])
        parts = np.flatnonzero(placement == pe).tolist()
        raise MappingError(f"parts {parts} are all on PE {pe}", pe=pe, parts=parts)
