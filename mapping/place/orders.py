"""Placements that follow an order: parts one after another along a walk over the machine's PEs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from ..machine import Machine
from .traffic import Traffic, pair_graph

Ints = npt.NDArray[np.int32]


def room(n_parts: int, machine: Machine) -> None:
    """Raise :class:`MappingError` if the machine has fewer PEs than there are parts."""
    if n_parts > len(machine.usable_pes):
        raise MappingError(
            f"{n_parts} parts do not fit the {len(machine.usable_pes)} PEs of {machine.chips} chip(s): use at least "
            f"{-(-n_parts // int(machine.usable.sum()))} chips",
            parts=n_parts,
            pes=len(machine.usable_pes),
        )


def row_major(traffic: Traffic, machine: Machine, seed: int = 0) -> Ints:
    """Part p on the p-th usable PE: chip by chip, row by row."""
    room(traffic.n_parts, machine)
    return machine.usable_pes[: traffic.n_parts].copy()


def hilbert(traffic: Traffic, machine: Machine, seed: int = 0) -> Ints:
    """Parts in their order along a Hilbert curve over the chips, and over the tiles of each chip."""
    room(traffic.n_parts, machine)
    return hilbert_walk(machine)[: traffic.n_parts]


def cuthill_mckee(traffic: Traffic, machine: Machine, seed: int = 0) -> Ints:
    """Parts in reverse Cuthill-McKee order of their graph along the Hilbert curve."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import reverse_cuthill_mckee

    room(traffic.n_parts, machine)
    ptr, other, weight = pair_graph(traffic)
    graph = csr_matrix((weight, other, ptr), shape=(traffic.n_parts, traffic.n_parts))
    placement = np.empty(traffic.n_parts, np.int32)
    placement[reverse_cuthill_mckee(graph, symmetric_mode=True)] = hilbert_walk(machine)[: traffic.n_parts]
    return placement


def hilbert_walk(machine: Machine) -> Ints:
    """All usable PEs along the Hilbert curve, int32."""
    chips = np.argsort(hilbert_index(machine.chip_xy), kind="stable")
    tiles = np.argsort(hilbert_index(machine.tile_xy), kind="stable")
    per = machine.pes_per_tile
    pes = (tiles[:, None] * per + np.arange(per)).ravel()
    pes = pes[machine.usable[pes]]
    return (chips[:, None] * machine.pes_per_chip + pes).ravel().astype(np.int32)


def hilbert_index(xy: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """Position of each point on the Hilbert curve over the smallest power-of-two square: int64 (n,)."""
    x, y = (column.astype(np.int64) for column in (xy - xy.min(0)).T)
    side = 1 << max(1, int(max(x.max(), y.max())).bit_length())
    out = np.zeros(len(xy), np.int64)
    s = side // 2
    while s:
        right, top = (x & s) > 0, (y & s) > 0
        out += s * s * ((3 * right) ^ top)
        flip = ~top & right
        x, y = np.where(flip, side - 1 - x, x), np.where(flip, side - 1 - y, y)
        x, y = np.where(top, x, y), np.where(top, y, x)
        s //= 2
    return out
