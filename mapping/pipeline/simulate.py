"""An exact run of a pipeline: when every token is written and read, for stages and FIFOs of given depths.

The result does not depend on the order in which stages are evaluated: a stage reads and writes in an order that is
known beforehand, so each time follows from earlier times alone. :mod:`.stepwise` says the same cycle by cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neuromorph.errors import MappingError
from neuromorph.progress import Progress, progress_for

from . import _kernel as kernel
from .deadlock import Wait, deadlock
from .graph import Fifo, Loop, Run, Stage, StageGraph
from .timing import RULES, Rules, Timing

SLICE = 4_000_000
"""Iterations between two looks at the keyboard."""


def simulate(
    graph: StageGraph,
    items: int = 3,
    rules: Rules = RULES,
    *,
    record: Collection[str] = (),
    progress: bool | Progress = False,
) -> Timing:
    """Run items through a pipeline, one behind the other, as fast as they are taken in.

    Parameters
    ----------
    graph : StageGraph
    items : int
        At least 1; 2 give an interval, 3 or more show whether it is settled.
    rules : Rules
        How stages and FIFOs behave.
    record : collection of str
        FIFOs of which every write and read is kept, 16 bytes a token.
    progress : bool or Progress
        True: a bar on a terminal.

    Returns
    -------
    Timing

    Raises
    ------
    MappingError
        Fewer items than 1, a FIFO to be recorded that is not there, or a FIFO whose tokens an item are no multiple of
        those handed over together.
    DeadlockError
        Stages wait for each other for ever; it names them, the FIFOs between them and what those hold.
    """
    if items < 1:
        raise MappingError(f"pipeline {graph.name!r}: {items} items; at least 1", items=items)
    for name in record:
        if name not in graph.fifo:
            raise MappingError(f"pipeline {graph.name!r}: there is no FIFO {name!r} to record", name=name)
    return _run(replace(_lay(closed(graph), rules), record=frozenset(record)), graph, items, rules, progress)


def closed(graph: StageGraph) -> StageGraph:
    """The graph with a source of one token a cycle at every input, and a sink at every output."""
    sources = [
        Stage(f"source of {name}", "source", (Loop((Run(graph.tokens(name), (), (0,)),)),), (), (name,))
        for name in graph.inputs
    ]
    sinks = [
        Stage(f"sink of {name}", "sink", (Loop((Run(graph.tokens(name), (0,)),)),), (name,)) for name in graph.outputs
    ]
    open_ends = set(graph.outputs)
    fifos = tuple(
        replace(fifo, depth=max(2, fifo.depth), grain=1) if fifo.name in open_ends else fifo for fifo in graph.fifos
    )
    return replace(graph, stages=(*graph.stages, *sources, *sinks), fifos=fifos)


def rooms(graph: StageGraph, rules: Rules) -> dict[str, int]:
    """Tokens that each FIFO of a closed graph holds with its register places."""
    found = {}
    for fifo in graph.fifos:
        writer, reader = graph.writer[fifo.name], graph.reader[fifo.name]
        outside = writer.operator == "source" or reader.operator == "sink"
        apart = writer.block != reader.block
        slots = 0 if outside or fifo.grain > 1 else rules.block_slots if apart else rules.slots
        found[fifo.name] = fifo.depth + slots
    return found


def draining(graph: StageGraph, rules: Rules) -> set[str]:
    """Stages whose pipelines run empty at the end of an item.

    All of them, unless pipelines are continuous. Then a stage of one loop begins the next item at once and holds what
    it has in flight until that comes. It cannot where the stage that writes to it has not begun the next item itself:
    as that one's work after its last write to it is more than all that the reader does (the head of a vision
    transformer, which only takes the first token), or as it runs empty too. Nor can the two stages at a buffer that is
    handed over whole, which is when the writer ends.
    """
    if rules.pipelines != "continuous":
        return set(graph.stage)
    late = [
        reader.name
        for name, reader in graph.reader.items()
        if _after(graph.writer[name], graph.writer[name].outputs.index(name)) > reader.trips
    ]
    late += [end.name for f in graph.fifos if f.grain > 1 for end in (graph.writer[f.name], graph.reader[f.name])]
    found: set[str] = set()
    while late:
        name = late.pop()
        if name not in found:
            found.add(name)
            late += [graph.reader[output].name for output in graph.stage[name].outputs]
    return found | {stage.name for stage in graph.stages if len(stage.loops) > 1}


def _after(stage: Stage, position: int) -> int:
    """Cycles that a stage works on an item after its last write to an output."""
    cycles = 0
    for loop in reversed(stage.loops):
        if not any(position in run.writes for run in loop.runs):
            cycles += loop.trips * loop.interval
            continue
        for run in reversed(loop.runs):
            if position in run.writes:
                return cycles
            cycles += run.count * loop.interval
    return cycles


def restarts(graph: StageGraph, rules: Rules) -> dict[str, int]:
    """Cycles between two items of each stage of a closed graph; sources and sinks lose none."""
    return {stage.name: 0 if stage.operator in ("source", "sink") else rules.restart for stage in graph.stages}


@dataclass(frozen=True, eq=False)
class _Laid:
    """A closed graph as the kernel takes it; rows as they are before a run."""

    graph: StageGraph
    stages: NDArray[np.int64]
    fifos: NDArray[np.int64]
    loops: NDArray[np.int64]
    runs: NDArray[np.int64]
    uses: NDArray[np.int64]
    flight: int
    """Places for iterations in flight, over all stages."""
    record: frozenset[str] = frozenset()
    """FIFOs of which every write and read is kept."""


def _lay(graph: StageGraph, rules: Rules) -> _Laid:
    number = {fifo.name: k for k, fifo in enumerate(graph.fifos)}
    at = {stage.name: k for k, stage in enumerate(graph.stages)}
    restart, drains = restarts(graph, rules), draining(graph, rules)
    stages = np.zeros((len(graph.stages), kernel.STAGE_COLUMNS), np.int64)
    fifos = np.zeros((len(graph.fifos), kernel.FIFO_COLUMNS), np.int64)
    loops: list[tuple[int, ...]] = []
    runs: list[tuple[int, ...]] = []
    uses: list[int] = []
    flight = 0
    for row, stage in zip(stages, graph.stages, strict=True):
        places = _power_of_two(max(loop.depth for loop in stage.loops) + 1)
        row[kernel.FIRST_LOOP] = row[kernel.LOOP] = len(loops)
        row[kernel.END_LOOP] = len(loops) + len(stage.loops)
        row[kernel.FLIGHT], row[kernel.FLIGHT_MASK] = flight, places - 1
        row[kernel.RESTART] = restart[stage.name]
        row[kernel.DRAINS] = stage.name in drains
        row[kernel.RUN] = len(runs)
        row[kernel.LAST_EXIT] = -1
        flight += places
        for loop in stage.loops:
            writes = any(run.writes for run in loop.runs)
            loops.append(
                (len(runs), len(runs) + len(loop.runs), loop.repeats, loop.depth - 1, loop.interval, int(writes))
            )
            for run in loop.runs:
                reading = [number[stage.inputs[p]] for p in run.reads]
                writing = [number[stage.outputs[p]] for p in run.writes]
                first = len(uses)
                uses += reading + writing
                runs.append((run.count, first, first + len(reading), len(uses)))
    for line, fifo in zip(fifos, graph.fifos, strict=True):
        _check_grain(graph, fifo)
        line[kernel.GRAIN] = fifo.grain
        line[kernel.WRITTEN] = line[kernel.PEAK] = fifo.initial
        line[kernel.WRITER], line[kernel.READER] = at[graph.writer[fifo.name].name], at[graph.reader[fifo.name].name]
    return _Laid(
        graph,
        stages,
        fifos,
        np.array(loops, np.int64),
        np.array(runs, np.int64),
        np.array(uses or [0], np.int64),
        flight,
    )


def _check_grain(graph: StageGraph, fifo: Fifo) -> None:
    if graph.tokens(fifo.name) % fifo.grain or fifo.initial % fifo.grain:
        raise MappingError(
            f"FIFO {fifo.name!r}: {graph.tokens(fifo.name)} tokens an item and {fifo.initial} initial ones are handed "
            f"over {fifo.grain} together; both must be multiples of that",
            name=fifo.name,
        )


def _run(laid: _Laid, graph: StageGraph, items: int, rules: Rules, progress: bool | Progress) -> Timing:
    """Evaluate a laid out graph with the depths of `graph`."""
    stages, fifos = laid.stages.copy(), laid.fifos.copy()
    room = rooms(laid.graph, rules)
    for line, fifo in zip(fifos, laid.graph.fifos, strict=True):
        line[kernel.ROOM] = room[fifo.name]
    useful = np.array([fifo.initial + items * laid.graph.tokens(fifo.name) for fifo in laid.graph.fifos], np.int64)
    sizes = [_power_of_two(2 * min(int(a), int(b))) for a, b in zip(fifos[:, kernel.ROOM], useful, strict=True)]
    sizes = [
        max(size, _power_of_two(int(whole))) if fifo.name in laid.record else size
        for size, whole, fifo in zip(sizes, useful, laid.graph.fifos, strict=True)
    ]
    fifos[:, kernel.MASK] = np.array(sizes, np.int64) - 1
    fifos[:, kernel.OFFSET] = np.cumsum([0, *sizes[:-1]])
    written, read = np.empty(sum(sizes), np.int64), np.empty(sum(sizes), np.int64)
    for line in fifos:
        written[line[kernel.OFFSET] : line[kernel.OFFSET] + line[kernel.WRITTEN]] = -1
    records = np.zeros((len(stages), items, 4), np.int64)
    records[:, :, kernel.START] = -1
    flight = np.zeros((laid.flight, kernel.FLIGHT_COLUMNS), np.int64)
    ahead = np.zeros((laid.flight, 2), np.int64)
    queue, queued = np.arange(len(stages)), np.ones(len(stages), np.bool_)
    state = np.array([0, len(stages)], np.int64)
    ideal = rules.pipelines == "ideal"
    iterations = ended = 0
    with progress_for(progress) as shown:
        shown.stage(f"{graph.name}: stages and items timed", len(stages) * items)
        while state[kernel.QUEUE_LENGTH]:
            iterations += kernel.evaluate(
                stages, records, fifos, written, read, laid.loops, laid.runs, laid.uses, flight, ahead,
                items, ideal, queue, queued, state, SLICE,
            )  # fmt: skip
            now = int(stages[:, kernel.ITEM].sum())
            shown.advance(now - ended)
            ended = now
    outcome = _Outcome(laid.graph, stages, fifos, records, room)
    if ended < len(stages) * items or (stages[:, kernel.HEAD] < stages[:, kernel.TAIL]).any():
        outcome.stuck(items)
    recorded = {
        fifo.name: (_times(written, line, fifo.initial, kernel.WRITTEN), _times(read, line, 0, kernel.READ))
        for fifo, line in zip(laid.graph.fifos, fifos, strict=True)
        if fifo.name in laid.record
    }
    again = partial(_again, laid, progress)
    return outcome.timing(graph, rules, iterations, recorded, again)


def _times(times: NDArray[np.int64], line: NDArray[np.int64], first: int, count: int) -> NDArray[np.int64]:
    """The times of a recorded FIFO, those of its initial tokens left out."""
    return times[line[kernel.OFFSET] + first : line[kernel.OFFSET] + line[count]].copy()


def _again(laid: _Laid, progress: bool | Progress, timing: Timing, depths: Mapping[str, int]) -> Timing:
    changed = timing.graph.with_depths(depths)
    whole = closed(changed)
    if _never_full(timing, rooms(closed(timing.graph), timing.rules), rooms(whole, timing.rules)):
        return replace(timing, graph=changed)
    return _run(replace(laid, graph=whole), changed, timing.items, timing.rules, progress)


def _never_full(timing: Timing, before: Mapping[str, int], after: Mapping[str, int]) -> bool:
    """Whether room has nothing to do with any time: nobody waited for it, and a cycle that reads and writes has it."""
    return all(
        after[fifo.name] == before[fifo.name] or (fifo.grain == 1 and not blocked and after[fifo.name] > peak)
        for fifo, blocked, peak in zip(timing.graph.fifos, timing.writer_blocked, timing.peak, strict=True)
    )


@dataclass(frozen=True, eq=False)
class _Outcome:
    """The kernel's rows after a run."""

    graph: StageGraph
    stages: NDArray[np.int64]
    fifos: NDArray[np.int64]
    records: NDArray[np.int64]
    room: Mapping[str, int]

    def timing(
        self,
        graph: StageGraph,
        rules: Rules,
        iterations: int,
        recorded: Mapping[str, tuple[NDArray[np.int64], NDArray[np.int64]]],
        again: Callable[[Timing, Mapping[str, int]], Timing],
    ) -> Timing:
        inner = slice(0, len(graph.stages))
        sources = [k for k, stage in enumerate(self.graph.stages) if k >= inner.stop and stage.operator == "source"]
        sinks = [k for k, stage in enumerate(self.graph.stages) if k >= inner.stop and stage.operator == "sink"]
        start, end = self.records[:, :, kernel.START], self.records[:, :, kernel.END]
        nothing = np.zeros(self.records.shape[1], np.int64)
        return Timing(
            graph,
            rules,
            start[sources].min(0) if sources else nothing,
            end[sources].max(0) if sources else nothing,
            start[sinks].min(0) - 1 if sinks else nothing,
            end[sinks].max(0) - 1 if sinks else nothing,
            start[inner],
            end[inner],
            self.records[inner, :, kernel.WAITING],
            self.records[inner, :, kernel.HELD],
            np.array([stage.trips for stage in graph.stages], np.int64),
            self.fifos[:, kernel.PEAK],
            self.fifos[:, kernel.WRITER_BLOCKED],
            self.fifos[:, kernel.READER_WAITED],
            iterations,
            recorded,
            again,
        )

    def stuck(self, items: int) -> None:
        """Raise the error that says who waits for whom."""
        waits: dict[str, list[Wait]] = {}
        for fifo, row in zip(self.graph.fifos, self.fifos, strict=True):
            writer, reader = self.graph.stages[row[kernel.WRITER]], self.graph.stages[row[kernel.READER]]
            fill = int(row[kernel.WRITTEN] - row[kernel.READ])
            sides: tuple[tuple[int, Stage, Stage, Literal["token", "room"]], ...] = (
                (row[kernel.WRITER_WAITS], writer, reader, "room"),
                (row[kernel.READER_WAITS], reader, writer, "token"),
            )
            for waiting, stage, other, wants in sides:
                if waiting:
                    item = int(self.stages[self.graph.stages.index(stage), kernel.ITEM])
                    waits.setdefault(stage.name, []).append(
                        Wait(stage.name, item, wants, fifo.name, other.name, fill, fifo.depth, self.room[fifo.name])
                    )
        sinks = [k for k, stage in enumerate(self.graph.stages) if stage.operator == "sink"]
        done = int(self.stages[sinks, kernel.ITEM].min()) if sinks else 0
        raise deadlock(self.graph.name, waits, done, items)


def _power_of_two(at_least: int) -> int:
    return 1 << max(3, (at_least - 1).bit_length())
