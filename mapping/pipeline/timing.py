"""What a run of a pipeline took: times of items and stages, and what FIFOs held and whom they kept waiting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, get_args

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

    Raises
    ------
    MappingError
        A number below 0, or pipelines of another kind.
    """

    slots: int = 2
    block_slots: int = 8
    restart: int = 0
    pipelines: Pipelines = "rigid"

    def __post_init__(self) -> None:
        if min(self.slots, self.block_slots, self.restart) < 0 or self.pipelines not in get_args(Pipelines):
            raise MappingError(
                f"{self!r}: the numbers are at least 0, and pipelines one of {', '.join(get_args(Pipelines))}"
            )

    def __str__(self) -> str:
        """For reports."""
        places = f"{self.slots} register places in a FIFO, {self.block_slots} between blocks"
        return f"{self.pipelines} pipelines; {places}; cycles lost between items: {self.restart}"

    def emptied(self) -> Rules:
        """The same, but pipelines that would be continuous run empty at the end of an item."""
        return replace(self, pipelines="rigid") if self.pipelines == "continuous" else self


RULES = Rules()
"""How stages and FIFOs behave if nothing else is said."""


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
    _again: Callable[[Timing, Mapping[str, int]], Timing] = field(repr=False)

    @property
    def items(self) -> int:
        """Items of the run."""
        return len(self.last_out)

    @property
    def interval(self) -> float:
        """Cycles from item to item in the steady state, a whole number where it is one.

        Items may come in bursts: it is the mean over the period in which their distances repeat, or, where they do not
        (:attr:`settled`), over the last half of them. If the graph has several outputs, or parts without any, it is
        that of the slowest. Of continuous pipelines the last of 4 items or more is left out: it waits for no other.

        Raises
        ------
        MappingError
            The run had one item.
        """
        return max(pace(row)[0] for row in self._ends)

    @property
    def settled(self) -> bool:
        """Whether the distances of items repeated over the last half of the run; 3 items or more can tell.

        A run that did not settle needs more items. One that did may change later, where a FIFO that still fills or
        empties comes to an end.
        """
        return all(pace(row)[1] for row in self._ends)

    @cached_property
    def _ends(self) -> Int64:
        """(rows, items) cycles in which the last stages ended: those that no other stage reads from, or all."""
        if self.items < 2:
            raise MappingError(f"pipeline {self.graph.name!r}: an interval needs at least 2 items, and the run had 1")
        reader = self.graph.reader
        last = [k for k, s in enumerate(self.graph.stages) if all(reader.get(name, s) is s for name in s.outputs)]
        ends = self.end[last] if last else self.end
        return ends[:, :-1] if self.rules.pipelines == "continuous" and self.items > 3 else ends

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

        Nothing is laid out again, so it costs the evaluation only; and not even that if those FIFOs never made anybody
        wait for room and still have a place more than they held at most, as then no time changes.

        Raises
        ------
        MappingError
            A FIFO that the graph does not have, or a depth that can never work.
        DeadlockError
            Stages wait for each other for ever.
        """
        return self._again(self, depths)


def pace(ends: Int64) -> tuple[float, bool]:
    """Mean distance of at least two times in the steady state, and whether the distances repeat.

    They do if each of the last half of them, and of a whole period, is as the one a period before it.
    """
    apart = np.diff(ends)
    count = len(apart)
    half = max(1, count // 2)
    for period in range(1, count // 2 + 1):
        some = max(period, half)
        if some + period <= count and np.array_equal(apart[-some:], apart[-some - period : -period]):
            return _mean(ends, period), True
    return _mean(ends, count - count // 2), False


def _mean(ends: Int64, over: int) -> float:
    span = int(ends[-1] - ends[-1 - over])
    return span / over if span % over else span // over
