"""Arrays on the tiles of the chips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .machine import CrossbarMachine

Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Placed:
    """Tile of each array (see :attr:`~.plan.Plan.tile_of_array`), and values times hops in a step, before and after."""

    tile_of_array: Int32
    hops_before: float
    hops: float


def place_arrays(arrays: int, machine: CrossbarMachine) -> Placed:
    """Fill tile after tile."""
    return Placed((np.arange(arrays) // machine.arrays_per_tile).astype(np.int32), 0.0, 0.0)
