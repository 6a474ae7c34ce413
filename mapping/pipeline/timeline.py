"""When each stage, operator or block works on which item, and how full FIFOs are: as slices, for trace viewers, as CSV.

The JSON is the trace event format that Perfetto (https://ui.perfetto.dev) and chrome://tracing open: a process for each
block, a track for each stage or operator of it, a slice for each item, a counter for each FIFO. Times there are
microseconds; without a clock one stands for a cycle.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError

from .graph import StageGraph
from .names import alike
from .timing import Timing

Level = Literal["stage", "operator", "block"]
Cycles = npt.NDArray[np.int64]
COLUMNS = ("block", "track", "item", "start", "end", "busy", "waiting_for_input", "waiting_for_room")
"""Of :func:`write_csv`; times in cycles."""


@dataclass(frozen=True, eq=False)
class Tracks:
    """What works when; rows are stages, operators or blocks in the order of the graph, columns are items.

    Attributes
    ----------
    names, blocks : tuple of str
        Of each row.
    start, end : array of int, (rows, items)
        First and last cycle of an item. What a stage still has in flight when the next item enters is not counted: its
        items never overlap.
    busy, waiting, held : array of int, (rows, items)
        Cycles in between in which the busiest stage of the row went on, and in which that stage waited for an input and
        for room behind an output.
    """

    names: tuple[str, ...]
    blocks: tuple[str, ...]
    start: Cycles
    end: Cycles
    busy: Cycles
    waiting: Cycles
    held: Cycles

    def lanes(self) -> npt.NDArray[np.int64]:
        """For each slice the first lane, from 0, in which it overlaps no other of its row; (rows, items).

        Stages need one. The stages at the front of a block begin with an item while those at its end still work on the
        one before.
        """
        found = np.zeros_like(self.start)
        for row, (starts, ends) in enumerate(zip(self.start.tolist(), self.end.tolist(), strict=True)):
            free: list[int] = []
            for item, (start, end) in enumerate(zip(starts, ends, strict=True)):
                lane = next((k for k, until in enumerate(free) if until < start), len(free))
                free[lane : lane + 1] = [end]
                found[row, item] = lane
        return found


def tracks(timing: Timing, level: Level = "operator") -> Tracks:
    """Slices of a simulated run.

    Parameters
    ----------
    timing : Timing
    level : {"stage", "operator", "block"}
        What a row is. Stages that name no operator or block are one of their own.

    Raises
    ------
    MappingError
        Another ``level``.
    """
    stages = timing.graph.stages
    if level == "stage":
        names = [stage.name for stage in stages]
    elif level == "operator":
        names = [stage.part_of or stage.name for stage in stages]
    elif level == "block":
        names = [stage.block or stage.part_of or stage.name for stage in stages]
    else:
        raise MappingError(f"level {level!r}: expected stage, operator or block", level=level)
    rows = {name: k for k, name in enumerate(dict.fromkeys(names))}
    blocks = dict(zip(names, (stage.block for stage in stages), strict=True))
    row = np.array([rows[name] for name in names])
    shape = (len(rows), timing.items)
    start, end = np.full(shape, np.iinfo(np.int64).max), np.zeros(shape, np.int64)
    np.minimum.at(start, row, timing.start)
    np.maximum.at(end, row, timing.end)
    if level == "stage":
        end[:, :-1] = np.minimum(end[:, :-1], start[:, 1:] - 1)
    busiest = np.zeros(len(rows), np.int64)
    order = np.argsort(timing.busy, kind="stable")
    busiest[row[order]] = order  # the last one of each row stays: the one with most to do
    busy = np.broadcast_to(timing.busy[busiest][:, None], shape)
    return Tracks(
        tuple(rows),
        tuple(blocks[name] for name in rows),
        start,
        end,
        busy,
        timing.waiting[busiest],
        timing.held[busiest],
    )


@dataclass(frozen=True, eq=False)
class Occupancy:
    """How full FIFOs are over time.

    Attributes
    ----------
    names : tuple of str
    depths : array of int, (FIFOs,)
    cycles : array of int, (points,)
        Where the intervals of time begin.
    end : int
        Where the last one ends: after the last cycle of the run.
    tokens : array of int, (FIFOs, points)
        The most that was in a FIFO during an interval.
    """

    names: tuple[str, ...]
    depths: Cycles
    cycles: Cycles
    end: int
    tokens: Cycles


def largest(graph: StageGraph, count: int = 24) -> tuple[str, ...]:
    """FIFOs that are worth recording: the first and the last of each kind, the kinds with most bits first.

    Parameters
    ----------
    graph : StageGraph
    count : int
        At most so many, in the order of the graph. FIFOs whose names differ in numbers only are of one kind.
    """
    kinds = alike((f for f in graph.fifos if f.name in graph.writer and f.name in graph.reader), lambda fifo: fifo.name)
    kinds.sort(key=lambda kind: -sum(fifo.depth * fifo.bits for fifo in kind[1]))
    wanted = list(dict.fromkeys(those[k].name for _, those in kinds for k in (0, -1)))[:count]
    return tuple(fifo.name for fifo in graph.fifos if fifo.name in wanted)


def occupancy(timing: Timing, fifos: Sequence[str] | None = None, points: int = 1000) -> Occupancy:
    """Tokens in FIFOs over time.

    Parameters
    ----------
    timing : Timing
        Of a run that recorded these FIFOs.
    fifos : sequence of str, optional
        All that were recorded.
    points : int
        Equal intervals that the run is cut into, at least 1; never more than there are cycles.

    Raises
    ------
    MappingError
        A FIFO that was not recorded, or no points.
    """
    names = tuple(timing.recorded) if fifos is None else tuple(fifos)
    for name in names:
        if name not in timing.recorded:
            raise MappingError(f"FIFO {name!r} was not recorded: simulate(..., record=[{name!r}])", name=name)
    if points < 1:
        raise MappingError(f"{points} points; at least 1")
    last = int(timing.end.max()) + 1
    cycles = np.unique(np.linspace(0, last, points, endpoint=False).astype(np.int64))
    rows = [_filled(*timing.recorded[name], timing.graph.fifo[name].initial, cycles) for name in names]
    depths = np.array([timing.graph.fifo[name].depth for name in names], np.int64)
    return Occupancy(names, depths, cycles, last, np.array(rows, np.int64).reshape(len(names), len(cycles)))


def _filled(writes: Cycles, reads: Cycles, initial: int, cycles: Cycles) -> Cycles:
    """The most tokens in each interval; a token is there from the cycle of its write to that before its read."""
    held = initial + np.arange(1, len(writes) + 1) - np.searchsorted(reads, writes, "right")
    at_start = initial + np.searchsorted(writes, cycles, "right") - np.searchsorted(reads, cycles, "right")
    most = at_start.astype(np.int64)
    np.maximum.at(most, np.searchsorted(cycles, writes, "right") - 1, held)
    return most


# ----------------------------------------------------------------------------------------------------------- export
def trace_events(
    timing: Timing,
    level: Level = "operator",
    *,
    clock: float | None = None,
    filled: Occupancy | None = None,
) -> dict[str, Any]:
    """A run in the trace event format.

    Parameters
    ----------
    timing : Timing
    level : {"stage", "operator", "block"}
        What a track is. One whose items overlap gets a track more.
    clock : float, optional
        Hz; without it a cycle is told as a microsecond.
    filled : Occupancy, optional
        FIFOs that get a counter.

    Returns
    -------
    dict
        ``traceEvents`` and what they mean, as JSON takes it.
    """
    scale = 1.0 if clock is None else 1e6 / clock
    found = tracks(timing, level)
    lanes = found.lanes()
    blocks = {name: k + 1 for k, name in enumerate(dict.fromkeys(found.blocks))}
    events: list[dict[str, Any]] = [
        _meta("process_name", pid, 0, name or timing.graph.name) for name, pid in blocks.items()
    ]
    events += [_meta("process_sort_index", pid, 0, pid, "sort_index") for pid in blocks.values()]
    thread = 1  # viewers keep process 0 and thread 0 for themselves
    for row, name in enumerate(found.names):
        pid = blocks[found.blocks[row]]
        for lane in range(int(lanes[row].max()) + 1):
            events.append(_meta("thread_name", pid, thread + lane, name if not lane else f"{name} ({lane + 1})"))
            events.append(_meta("thread_sort_index", pid, thread + lane, thread + lane, "sort_index"))
        events += [
            {
                "name": f"item {item}",
                "cat": level,
                "ph": "X",
                "pid": pid,
                "tid": thread + int(lanes[row, item]),
                "ts": int(found.start[row, item]) * scale,
                "dur": int(found.end[row, item] - found.start[row, item] + 1) * scale,
                "args": _counts(found, row, item),
            }
            for item in range(timing.items)
        ]
        thread += int(lanes[row].max()) + 1
    if filled is not None:
        pid = len(blocks) + 1
        events.append(_meta("process_name", pid, 0, "FIFOs"))
        events += _counters(filled, scale, pid)
    return {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {
            "pipeline": timing.graph.name,
            "items": timing.items,
            "interval": timing.interval,
            "unit": "cycle" if clock is None else "us",
        },
    }


def _meta(what: str, pid: int, tid: int, value: str | int, key: str = "name") -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": pid, "tid": tid, "args": {key: value}}


def _counts(found: Tracks, row: int, item: int) -> dict[str, int]:
    return {
        "busy": int(found.busy[row, item]),
        "waiting for input": int(found.waiting[row, item]),
        "waiting for room": int(found.held[row, item]),
    }


def _counters(filled: Occupancy, scale: float, pid: int) -> list[dict[str, Any]]:
    """An event wherever a FIFO's tokens change."""
    events = []
    for name, row in zip(filled.names, filled.tokens, strict=True):
        changed = np.flatnonzero(np.diff(row, prepend=-1))
        events += [
            {"name": name, "ph": "C", "pid": pid, "ts": at * scale, "args": {"tokens": tokens}}
            for at, tokens in zip(filled.cycles[changed].tolist(), row[changed].tolist(), strict=True)
        ]
    return events


def write_trace(content: Mapping[str, Any], path: str | Path) -> Path:
    """Write :func:`trace_events` to a file that trace viewers open; it appears whole or not at all.

    Raises
    ------
    MappingError
        It cannot be written: no right to, disk full.
    """
    return _write(path, json.dumps(content, separators=(",", ":")) + "\n")


def write_csv(timing: Timing, path: str | Path, level: Level = "operator") -> Path:
    """Write a line for each item of each stage, operator or block: :data:`COLUMNS`; all of them or no file.

    Raises
    ------
    MappingError
        It cannot be written: no right to, disk full.
    """
    found, text = tracks(timing, level), StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row, name in enumerate(found.names):
        for item in range(timing.items):
            times = (found.start, found.end, found.busy, found.waiting, found.held)
            writer.writerow([found.blocks[row], name, item, *(int(each[row, item]) for each in times)])
    return _write(path, text.getvalue())


def _write(path: str | Path, text: str) -> Path:
    """A file beside the one that is wanted, which then takes its place."""
    path = Path(path)
    temporary = path.with_name(f"{path.name}.new-{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8", newline="")
        os.replace(temporary, path)
    except OSError as error:
        raise MappingError(
            f"{path}: cannot be written ({error.strerror}); what was there before is as it was", path=str(path)
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    return path
