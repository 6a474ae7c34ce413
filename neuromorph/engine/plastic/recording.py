"""Items that copy states of plastic synapses to a buffer, each thread those that it changes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neuromorph.engine.items import make_item
from neuromorph.engine.memory import address
from neuromorph.lowering.plastic import StateRecord

from .items import RECORD_PICKED
from .memory import Array, PlasticMemory


def record_items(
    memory: PlasticMemory,
    record: StateRecord,
    rows: Array,
    first_row: npt.NDArray[np.int64],
    bounds: npt.NDArray[np.int64],
) -> list[tuple[npt.NDArray[np.int64], list[Array]]]:
    """For each thread, the item that records what it owns, and arrays that have to be kept with it.

    Parameters
    ----------
    rows : (buffer's rows, indices of the record)
    first_row : int64 (1,)
        Number of the buffer's first row.
    bounds : int64 (threads + 1,)
        Targets of each thread. States of source neurons, of which each thread has a copy, are recorded by the first.
    """
    found: list[tuple[npt.NDArray[np.int64], list[Array]]] = []
    owners = _owners(memory, record, bounds)
    values = memory.state(record.state)
    for thread in range(len(bounds) - 1):
        columns = np.flatnonzero(owners == thread)
        picks = record.indices[columns]
        item = make_item(
            RECORD_PICKED,
            values=address(values),
            picks=address(picks),
            columns=address(columns),
            count=len(columns),
            every=record.every,
            out=address(rows),
            first_row=address(first_row),
            size=rows.shape[1],
            wide=rows.itemsize // 4,
        )
        found.append((item, [values, picks, columns]))
    return found


def _owners(memory: PlasticMemory, record: StateRecord, bounds: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The thread that changes each of the values."""
    lowered = memory.lowered
    place = lowered.program.places[record.state]
    if place == "pre":
        return np.zeros(len(record.indices), np.int64)
    targets = record.indices if place == "post" else lowered.targets[record.indices].astype(np.int64)
    return np.asarray(np.searchsorted(bounds, targets, side="right") - 1, np.int64)
