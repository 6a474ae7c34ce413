"""What a run of a pipeline took: times of items and stages, and what FIFOs held and whom they kept waiting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neuromorph.errors import MappingError

from .graph import StageGraph

Int64 = NDArray[np.int64]
Pipelines = Literal["rigid", "continuous", "ideal"]


@dataclass(frozen=True, slots=True)
class Rules:
    """How stages and FIFOs behave.

    Attributes
    ----------
    slots : int
        Register places that every FIFO between two stages has beside its depth. Buffers that are handed over (a grain
        above 1) have none.
    block_slots : int
        The same for FIFOs between stages of different blocks.
    restart : int
        Cycles that a stage loses between two items.
    pipelines : {"rigid", "continuous", "ideal"}
        "rigid": a loop that waits for a token holds what it has in flight, and drains at its end. "continuous": a stage
        of one loop goes on with the next item instead, as pipelines of high-level synthesis do that are told to start
        before the item is there (see :func:`.simulate.draining`), and drains after the last; where an item waits for
        what the one before gives last, that is a deadlock. "ideal": what has entered moves on by itself, and enters
        only if it will find room.
    """

    slots: int = 2
    block_slots: int = 8
    restart: int = 0
    pipelines: Pipelines = "rigid"


@dataclass(frozen=True, eq=False)
class Timing:
    """Cycles of a run; stages and FIFOs are in the order of the graph.

    Attributes
    ----------
    graph : StageGraph
    rules : Rules
    first_in, last_in, first_out, last_out : NDArray[np.int64]
        (items,) cycles in which an item's first and last tokens were put into the graph's inputs, and written to its
        outputs.
    start, end : NDArray[np.int64]
        (stages, items) cycle in which the first iteration that reads or writes entered, and in which the last token was
        read or written.
    waiting, held : NDArray[np.int64]
        (stages, items) cycles in which the next iteration could not enter: for want of a token; for want of room behind
        an output. Between the last iterations of two items a stage is busy for :attr:`busy` cycles, and the rest is
        these two and the restart.
    busy : NDArray[np.int64]
        (stages,) cycles of work an item.
    peak : NDArray[np.int64]
        (FIFOs,) most tokens that were in it at the end of a cycle, its register places included.
    writer_blocked, reader_waited : NDArray[np.int64]
        (FIFOs,) cycles in which the writer had a token and there was no room; in which the reader wanted one and there
        was none.
    iterations : int
        Iterations that entered or left, over all stages and items.
    recorded : mapping of str to (NDArray[np.int64], NDArray[np.int64])
        Of FIFOs that were recorded: the cycle of every write and of every read, in order.
    """

    graph: StageGraph
    rules: Rules
    first_in: Int64
    last_in: Int64
    first_out: Int64
    last_out: Int64
    start: Int64
    end: Int64
    waiting: Int64
    held: Int64
    busy: Int64
    peak: Int64
    writer_blocked: Int64
    reader_waited: Int64
    iterations: int
    recorded: Mapping[str, tuple[Int64, Int64]]
    _again: Callable[[Mapping[str, int]], Timing] = field(repr=False)

    @property
    def items(self) -> int:
        """Items of the run."""
        return len(self.last_out)

    @property
    def interval(self) -> int:
        """Cycles between the ends of the last two items.

        Raises
        ------
        MappingError
            The run had one item.
        """
        if self.items < 2:
            raise MappingError(f"pipeline {self.graph.name!r}: an interval needs at least 2 items, and the run had 1")
        return int(self.last_out[-1] - self.last_out[-2])

    @property
    def latency(self) -> Int64:
        """(items,) cycles from an item's first token in to its last token out."""
        return self.last_out - self.first_in

    @property
    def peaks(self) -> dict[str, int]:
        """:attr:`peak` by the FIFO's name."""
        return {fifo.name: int(peak) for fifo, peak in zip(self.graph.fifos, self.peak, strict=True)}

    def retime(self, depths: Mapping[str, int]) -> Timing:
        """The same run with other depths of the FIFOs that are named.

        Nothing is laid out again, so it costs the evaluation only.

        Raises
        ------
        MappingError
            A FIFO that the graph does not have, or a depth that can never work.
        DeadlockError
            Stages wait for each other for ever.
        """
        return self._again(depths)
