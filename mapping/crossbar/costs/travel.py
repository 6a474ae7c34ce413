"""How far values travel between the digital neurons and the arrays: mean hops of each matrix's inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..plan.plan import Plan

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Travel:
    """Mean ways of the values of each matrix.

    Attributes
    ----------
    input_hops, output_hops : float64 (matrices,)
        Hops on the networks on chip of a value to an array, and of a result to the neurons.
    input_links, output_links : float64 (matrices,)
        Share of those values that leave their chip.
    longest : float64 (matrices,)
        Hops of the longest way to an array and from it.
    """

    input_hops: Float64
    output_hops: Float64
    input_links: Float64
    output_links: Float64
    longest: Float64


def travel(plan: Plan) -> Travel:
    """Ways of the values of every matrix.

    A population's neurons are taken to be on the tile that has most of the blocks that feed it; populations that
    nothing feeds are outside, and their events come in at tile 0. Each block is sent its inputs on their own, along the
    mesh; between chips they cross one link, and each chip from its corner.
    """
    count, blocks = len(plan.matrices), plan.blocks
    tile = plan.tile_of_array[blocks.array].astype(np.int64)
    homes = _homes(plan, tile)
    hops, links = np.zeros((2, count)), np.zeros((2, count))
    longest = np.zeros(count)
    for m, matrix in enumerate(plan.matrices):
        there = tile[plan.block_ptr[m] : plan.block_ptr[m + 1]]
        if not len(there):
            continue
        sizes = np.diff(matrix.source_first)
        ways = [_way(plan, homes.get(source, 0), there) for source in matrix.sources]
        weight = sizes / max(int(sizes.sum()), 1)
        hops[0, m] = sum(w * float(way.mean()) for w, (way, _) in zip(weight, ways, strict=True))
        links[0, m] = sum(w * float(crossed.mean()) for w, (_, crossed) in zip(weight, ways, strict=True))
        back, crossed = _way(plan, homes.get(matrix.post, 0), there)
        hops[1, m], links[1, m] = back.mean(), crossed.mean()
        longest[m] = max((int(way.max()) for way, _ in ways), default=0) + int(back.max())
    return Travel(hops[0], hops[1], links[0], links[1], longest)


def _homes(plan: Plan, tile: Int64) -> dict[int, int]:
    """Tile of every population that matrices feed."""
    post = np.array([matrix.post for matrix in plan.matrices], np.int64)[plan.blocks.matrix]
    found: dict[int, int] = {}
    for population in np.unique(post):
        tiles, times = np.unique(tile[post == population], return_counts=True)
        found[int(population)] = int(tiles[times.argmax()])
    return found


def _way(plan: Plan, home: int, tiles: Int64) -> tuple[Int64, npt.NDArray[np.bool_]]:
    """Hops from one tile to others, and which of them are on another chip."""
    columns, per_chip = plan.machine.mesh[0], plan.machine.tiles
    (chip, local), (chips, locals_) = divmod(home, per_chip), np.divmod(tiles, per_chip)
    (y, x), (ys, xs) = divmod(local, columns), np.divmod(locals_, columns)
    crossed = chips != chip
    return np.where(crossed, x + y + xs + ys, np.abs(xs - x) + np.abs(ys - y)), crossed
