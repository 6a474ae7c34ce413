"""Events of a plastic projection as each PE hears them, step by step, until they act."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph.engine.items import make_item
from neuromorph.engine.memory import Memory, address
from neuromorph.lowering.plastic import PlasticProjection
from neuromorph.native import Kernel, compile_kernel

from .spread import Spread

Array = npt.NDArray[Any]

RECEIVE = (
    "fired",  # uint32 (rows, stride): events of the source population
    "values",
    "counts",
    "stride",
    "event_mask",
    "sub_ptr",  # int64 (n_pre + 1,): (source, PE) pairs of each source
    "sub_part",  # int32 (pairs,): their part
    "source_part",  # int32 (n_pre,): part of each source
    "first",  # vertex of source 0
    "parts",
    "lag",
    "drops",
    "special",  # these three as for plain rows
    "max_shift",
    "in_fired",  # uint32 (rows, stride): pairs
    "in_values",
    "in_counts",  # int64 (rows,)
    "in_stride",
    "in_mask",
)
"""Fields of the item that lists a step's events in an inbox."""

TALLY = ("fired", "counts", "stride", "event_mask", "sent", "ptr", "part", "applied", "visits", "events")
"""Fields of the item that counts events, and the synapses ``[ptr[i], ptr[i + 1])`` that each visits, by part."""


@cache
def plastic_kernel(name: str) -> Kernel:
    """A function of :mod:`.plastic_kernels` as a kernel of (step, offset, item)."""
    lines = [
        f'"""Calls :func:`{name}`."""',
        "",
        f"from neuromorph.mapping.spinnaker2.plastic.kernels import {name}",
        "",
        "",
        "def kernel(step, offset, item):",
        f"    {name}(step, item)",
    ]
    return compile_kernel("\n".join(lines) + "\n", f"SpiNNaker2 {name}")


@dataclass(frozen=True)
class Inbox:
    """Lists of events by step, as :class:`~neuromorph.engine.memory.Memory` has them, of (source, PE) pairs.

    Attributes
    ----------
    fired : uint32 (rows, stride)
    values : float32 (rows, stride) or None
    counts : int64 (rows,)
    starts : int64 (1,)
        Where the one segment of a row begins.
    spread : Spread
    late : int
        Most steps by which an event may come later than its step.
    """

    fired: npt.NDArray[np.uint32]
    values: npt.NDArray[np.float32] | None
    counts: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    spread: Spread
    late: int

    @classmethod
    def of(cls, plastic: PlasticProjection, spread: Spread, graded: bool, late: int) -> Inbox:
        """An empty inbox that keeps events for as long as the projection needs them."""
        rows = 1 << (plastic.max_delay + late).bit_length()
        stride = max(1, spread.pairs * (1 + late))
        values = np.zeros((rows, stride), np.float32) if graded else None
        starts, counts = np.zeros(1, np.int64), np.zeros(rows, np.int64)
        return cls(np.zeros((rows, stride), np.uint32), values, counts, starts, spread, late)

    @property
    def changing(self) -> dict[str, Array]:
        """The arrays that a run changes, by name."""
        found: dict[str, Array] = {"fired": self.fired, "counts": self.counts}
        return found if self.values is None else {**found, "values": self.values}

    @property
    def lists(self) -> dict[str, int]:
        """Where the events are, in the fields of plastic kernels."""
        return {
            "fired": address(self.fired),
            "values": address(self.values),
            "counts": address(self.counts),
            "starts": address(self.starts),
            "segments": 1,
            "stride": self.fired.shape[1],
            "event_mask": len(self.fired) - 1,
            "origin": address(self.spread.origin),
        }

    def item(self, source: Memory, **place: int) -> npt.NDArray[np.int64]:
        """The item that fills it with what a source population sends.

        Parameters
        ----------
        place : int
            The fields of :data:`RECEIVE` from ``source_part`` to ``special``.
        """
        return make_item(
            RECEIVE,
            fired=address(source.fired),
            values=address(source.values),
            counts=address(source.counts),
            stride=source.stride,
            event_mask=source.event_mask,
            sub_ptr=address(self.spread.ptr),
            sub_part=address(self.spread.part),
            **place,
            max_shift=self.late,
            in_fired=address(self.fired),
            in_values=address(self.values),
            in_counts=address(self.counts),
            in_stride=self.fired.shape[1],
            in_mask=len(self.fired) - 1,
        )

    def fill(self, source: Memory, step: int, back: int) -> None:
        """List what the source population sent in the ``back`` steps before ``step``, nothing of which was late."""
        self.counts[:] = 0
        for t in range(max(0, step - back), step):
            row, place = t & (len(self.fired) - 1), t & source.event_mask
            sent = int(source.counts[0, place])
            ids = source.fired[place, :sent].astype(np.int64)
            pairs = np.diff(self.spread.ptr)[ids]
            begin = np.repeat(self.spread.ptr[ids] - np.cumsum(pairs) + pairs, pairs)
            count = int(pairs.sum())
            self.counts[row] = count
            self.fired[row, :count] = begin + np.arange(count)
            if self.values is not None and source.values is not None:
                self.values[row, :count] = np.repeat(source.values[place, :sent], pairs)


def tally_item(
    lists: Mapping[str, int], sent: int, ptr: Array | None, part: Array, **totals: int
) -> npt.NDArray[np.int64]:
    """The item that counts events of lists, which were sent so many steps ago, and the synapses of ``ptr``."""
    listed = {name: lists[name] for name in ("fired", "counts", "stride", "event_mask")}
    return make_item(TALLY, **listed, sent=sent, ptr=address(ptr), part=address(part), **totals)
