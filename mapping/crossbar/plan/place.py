"""Arrays on the tiles of the chips, so that events and partial sums travel little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...constants import Constant, Constants
from ...machine import BOARD_LINK, NO_LINK, Machine
from ...place import METHODS, Traffic, placement_cost, refine
from ..machine.machine import CrossbarMachine
from .matrix import Matrix
from .plan import Blocks

Float64 = npt.NDArray[np.float64]
Int32 = npt.NDArray[np.int32]

STARTS = ("row_major", "hilbert", "metis_qap")
"""Placements that are annealed, the best of them."""


@dataclass(frozen=True, eq=False)
class Placed:
    """Where arrays stand.

    Attributes
    ----------
    tile_of_array : int32 (arrays,)
        See :attr:`~.plan.Plan.tile_of_array`.
    hops_before, hops : float
        Values times hops in a step, tiles filled row by row (in the corner of the chip that :func:`tile_mesh` takes),
        and as placed.
    """

    tile_of_array: Int32
    hops_before: float
    hops: float


def place_arrays(
    blocks: Blocks,
    matrices: Sequence[Matrix],
    rate: Sequence[Float64],
    activity: Float64,
    machine: CrossbarMachine,
    arrays: int,
    seed: int = 0,
) -> Placed:
    """Fill tiles with arrays in their order, then find places for the tiles.

    Events go from the tile of a population's neurons to every tile that holds a matrix of theirs, along one tree;
    partial sums go from there to the tile of the neurons that they are for. A population's neurons are on the tile that
    has most of the blocks that feed them. Events of populations that nothing feeds come in at tile 0 of chip 0.

    Parameters
    ----------
    blocks, matrices
        Of the plan, packed.
    rate : sequence of float64 (lines,)
        Events a step, by matrix.
    activity : float64 (blocks,)
        Reads a step.
    machine : CrossbarMachine
    arrays : int
    seed : int
    """
    group = (np.arange(arrays) // machine.arrays_per_tile).astype(np.int32)
    groups = int(group[-1]) + 1 if arrays else 0
    if groups < 2:
        return Placed(group, 0.0, 0.0)
    mesh = tile_mesh(machine, groups)
    traffic = tile_traffic(blocks, matrices, rate, activity, group, groups)
    inside = Traffic(groups, *_between(traffic, groups))
    starts = [np.append(METHODS[name](inside, mesh, seed), HOST).astype(np.int32) for name in STARTS]
    costs = [placement_cost(traffic, start, mesh).total for start in starts]
    best = starts[int(np.argmin(costs))]
    found = refine(traffic, mesh, best, seed, fixed=1)
    if placement_cost(traffic, found, mesh).total > min(costs):
        found = best
    chip, slot = np.divmod(found[:-1], mesh.pes_per_chip)
    x, y = mesh.tile_xy[slot // SLOTS].T
    tile = chip * machine.tiles + y * machine.mesh[0] + x
    return Placed(tile[group].astype(np.int32), costs[0], placement_cost(traffic, found, mesh).total)


SLOTS = 2
"""Places of a tile as the placers see it: one for its arrays, one that only the world outside takes, on tile 0."""
HOST = 1


def tile_traffic(
    blocks: Blocks,
    matrices: Sequence[Matrix],
    rate: Sequence[Float64],
    activity: Float64,
    group: Int32,
    groups: int,
) -> Traffic:
    """Values a step between tiles; the last part is the world outside.

    Parameters
    ----------
    group : int32 (arrays,)
        Tile of each array, numbered from 0.
    groups : int
    """
    where = group[blocks.array]
    homes = _homes(blocks, matrices, where)
    widths = blocks.widths * activity
    ptr = np.searchsorted(blocks.matrix, np.arange(len(matrices) + 1))
    source: list[int] = []
    parts: list[Int32] = []
    weight: list[float] = []
    for m, matrix in enumerate(matrices):
        tiles, inverse = np.unique(where[ptr[m] : ptr[m + 1]], return_inverse=True)
        if not len(tiles):
            continue
        for k, population in enumerate(matrix.sources):
            source.append(homes.get(population, groups))
            parts.append(tiles.astype(np.int32))
            weight.append(float(rate[m][matrix.source_first[k] : matrix.source_first[k + 1]].sum()))
        sums = np.bincount(inverse.ravel(), widths[ptr[m] : ptr[m + 1]])
        for tile, values in zip(tiles.tolist(), sums.tolist(), strict=True):
            source.append(tile)
            parts.append(np.array([homes[matrix.post]], np.int32))
            weight.append(values)
    sizes = [len(p) for p in parts]
    return Traffic(
        groups + 1,
        np.array(source, np.int32),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.concatenate([np.zeros(0, np.int32), *parts]),
        np.array(weight, np.float64),
    )


def _homes(blocks: Blocks, matrices: Sequence[Matrix], where: Int32) -> dict[int, int]:
    """Tile of the neurons of each population that matrices feed."""
    post = np.array([matrix.post for matrix in matrices], np.int64)[blocks.matrix]
    return {int(p): int(np.bincount(where[post == p]).argmax()) for p in np.unique(post)}


def _between(traffic: Traffic, groups: int) -> tuple[Int32, npt.NDArray[np.int64], Int32, Float64]:
    """The nets that come from tiles."""
    from ...route._group_kernels import take_rows

    chosen = np.flatnonzero(traffic.source < groups)
    ptr, parts = take_rows(traffic.ptr, traffic.parts, chosen)
    return traffic.source[chosen], ptr, parts, traffic.weight[chosen]


def tile_mesh(machine: CrossbarMachine, groups: int) -> Machine:
    """The networks on chip of as many chips as so many tiles need, as the placers take them.

    Of a single chip that is not filled, only the corner with tile 0 and some room around the tiles.
    """
    chips = -(-groups // machine.tiles)
    columns, rows = machine.mesh
    y, x = np.divmod(np.arange(machine.tiles), columns)
    if chips == 1:
        side = int(np.ceil(np.sqrt(groups))) + 1
        columns = min(columns, side)
        rows = min(rows, -(-groups // columns) + 1)
        while np.count_nonzero((x < columns) & (y < rows)) < groups:  # the last row of a mesh may lack tiles
            columns = min(columns + 1, machine.mesh[0])
        x, y = x[(x < columns) & (y < rows)], y[(x < columns) & (y < rows)]
    side = int(np.ceil(np.sqrt(chips)))
    xy = np.stack([np.arange(chips) % side, np.arange(chips) // side], axis=1).astype(np.int32)
    number = {(int(a), int(b)): k for k, (a, b) in enumerate(xy)}
    steps = ((1, 0), (0, 1), (-1, 0), (0, -1))
    neighbour = np.array([[number.get((int(a) + i, int(b) + j), -1) for i, j in steps] for a, b in xy], np.int32)
    why = "a value crosses half a chip to its corner and half the next one"
    given = {"chip.pes_per_tile": (SLOTS, "see place.SLOTS"), "link.hop_weight": (sum(machine.mesh), why)}
    constants = {n: Constant(n, v, "", "planner", "for placement only", "assumption", w) for n, (v, w) in given.items()}
    return Machine(
        name=machine.name,
        constants=Constants(machine.name, constants),
        boards=1,
        chip_xy=xy,
        neighbour=neighbour,
        link_kind=np.where(neighbour < 0, NO_LINK, BOARD_LINK).astype(np.int8),
        tile_xy=np.stack([x, y], axis=1).astype(np.int32),
        router_cells=np.zeros((1, 2), np.int32),
        mesh_shape=(columns, rows),
        usable=np.arange(len(x) * SLOTS) % SLOTS != HOST,
        multicast="mesh",
    )
