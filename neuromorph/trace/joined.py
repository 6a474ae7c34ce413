"""Several traces of one run that was stopped and resumed, as one."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np

from neuromorph.errors import TraceError

from .memory import find
from .store import Extras, MemoryEvents, MemoryStates, MemoryStore
from .trace import Trace


def joined(*traces: Trace) -> Trace:
    """One trace, in memory, of runs that follow on one another; :meth:`Trace.save` writes it to a file.

    Where a run was resumed from a checkpoint before the end of the trace that came before, the later trace counts; the
    run is the same. What runs keep beside events and states (costs) stays in their own traces.

    Parameters
    ----------
    *traces : Trace
        In any order.

    Raises
    ------
    TraceError
        None are given, they are not of one network, step length and recording, or steps between two are missing.
    """
    if not traces:
        raise TraceError("joined() needs at least one trace")
    parts = sorted(traces, key=lambda trace: (trace.meta.first_step, trace.meta.steps))
    first, last = parts[0], parts[-1]
    for before, after in pairwise(parts):
        _require_sequel(before, after)
    ends = [after.meta.first_step for after in parts[1:]] + [last.meta.first_step + last.meta.steps]
    meta = replace(first.meta, steps=ends[-1] - first.meta.first_step)
    events = {name: _events(parts, ends, name) for name in first.recorded_events}
    states = {key: _states(parts, ends, *key) for key in first.recorded_states}
    return Trace(MemoryStore(meta, last.complete, events, states, Extras({})))


def _require_sequel(before: Trace, after: Trace) -> None:
    a, b = before.meta, after.meta
    same = {
        "network": (before.provenance.get("hash", a.network), after.provenance.get("hash", b.network)),
        "step length": (a.dt, b.dt),
        "recorded events": (set(before.recorded_events), set(after.recorded_events)),
        "recorded states": (a.states, b.states),
    }
    for what, (found, other) in same.items():
        if found != other:
            raise TraceError(f"traces cannot be joined: their {what} differ ({found}, {other})", found=found, got=other)
    if b.first_step > a.first_step + a.steps:
        raise TraceError(
            f"traces cannot be joined: one ends before step {a.first_step + a.steps}, the next begins at step "
            f"{b.first_step}; the steps between are missing",
            ends=a.first_step + a.steps,
            begins=b.first_step,
        )


def _events(parts: list[Trace], ends: list[int], population: str) -> MemoryEvents:
    steps, ids, values = [], [], []
    for part, end in zip(parts, ends, strict=True):
        events = part.events(population)
        assert events.steps is not None  # of our own traces
        kept = int(np.searchsorted(events.steps, end))
        steps.append(events.steps[:kept])
        ids.append(events.ids[:kept].astype(np.uint32))
        values.append(None if events.values is None else events.values[:kept])
    graded = [v.dtype for v in values if v is not None]
    whole = (
        [np.ones(len(s), graded[0]) if v is None else v for s, v in zip(steps, values, strict=True)] if graded else []
    )
    joined_values = np.concatenate(whole) if whole else None
    return MemoryEvents(np.concatenate(steps), np.concatenate(ids), joined_values, parts[0].meta.dt_ms)


def _states(parts: list[Trace], ends: list[int], population: str, variable: str) -> MemoryStates:
    recording = find(parts[0].meta.states, (population, variable), "states")
    rows = []
    for part, end in zip(parts, ends, strict=True):
        states = part.state(population, variable)
        assert states.steps is not None  # of our own traces
        rows.append(states[: int(np.searchsorted(states.steps, end))])
    first = -(-parts[0].meta.first_step // recording.every) * recording.every
    ms = parts[0].meta.dt_ms
    every = recording.every
    ids = parts[0].meta.ids_of(population, variable)
    return MemoryStates(np.concatenate(rows), recording.unit, ids, first * ms, every * ms, first, every)
