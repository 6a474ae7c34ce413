"""Three schedules of one run on SpiNNaker2: the same PEs, events and packets, and so the same outputs.

==============  ========================================================================================================
layer by layer  One stage of the network works at a time, on one token; a barrier closes each stage.
step by step    All stages work on tokens of their own; a barrier of all PEs closes each step. So programs run.
pipelined       A PE begins a step as soon as it has the packets that it needs and its receivers have room; see
                :mod:`.handshake`.
==============  ========================================================================================================

A stage holds the populations that are equally many steps behind the input. A barrier costs what the target takes for
it, the longest way there and back, and no work on any PE; the handshake is work.

Times are no fixed pattern: a PE's work differs from step to step with its events. So they are found by a recurrence of
their own over PEs and steps, and not by a graph of stages whose items are all alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np

from neuromorph.errors import MappingError
from neuromorph.progress import Progress, progress_for

from ...spinnaker2.energy import Totals, account
from ...spinnaker2.ledger import LEVELS, PHASES
from ...spinnaker2.options import WORD
from .handshake import Handshake, aside, handshake
from .pipelined import Costs, ends, loops_of
from .result import CAUSES, NAMES, Floats, Ints, Schedule, Schedules, mean_interval
from .work import Work, count_work, require_count, run_of

if TYPE_CHECKING:
    from neuromorph.trace import Trace

    from ...spinnaker2.instance import Deployed
    from ...spinnaker2.program import SpiNNaker2Program


def schedules(
    program: SpiNNaker2Program,
    trace: Trace | None = None,
    *,
    depth: int | None = None,
    tolerance: float = 0.005,
    progress: bool | Progress = True,
) -> Schedules:
    """Schedule a run layer by layer, step by step and pipelined.

    Cycles and packets of every PE and step are exact counts of the run; times are the models of the target. All three
    do the same work on the same events: PEs do not see more or less of them by working earlier or later.

    Parameters
    ----------
    program : SpiNNaker2Program
        Compiled with a barrier.
    trace : Trace, optional
        Of the same network, on any target; default: the program's last run.
    depth : int, optional
        Steps whose packets a PE keeps in the pipelined schedule: 1 lets a PE begin a step once all its receivers are
        done with the one before. Default: the smallest that is about as fast as any.
    tolerance : float
        By what share of the interval slower counts as that.

    Raises
    ------
    TargetError
        If the program is of another target, nothing has run, events that were sent were not recorded, or what happens
        depends on time: see :func:`.work.require_schedulable`.
    MappingError
        If depth is no whole number of at least 1, tolerance below 0, or the routing tables have no room for the
        handshake.
    """
    trace = run_of(program, trace)
    deployed, name = program.deployed, program.network.name
    if depth is not None:
        require_count(depth, f"{name}: depth")
    if not (isinstance(tolerance, Real) and tolerance >= 0):
        raise MappingError(f"{name}: tolerance is {tolerance!r}; it must be a share of at least 0", tolerance=tolerance)
    with progress_for(progress) as shown:
        shown.stage("counting the work of each PE and step")
        work = count_work(deployed, trace)
        shown.stage("routing the handshake")
        lock, queued = handshake(deployed, 1), handshake(deployed, 2)
        _require_entries(deployed, name, (lock, queued))
        shown.stage("scheduling")
        filters = deployed.mapping.machine.constants.count("fifo.filters")
        intervals: dict[int, float] = {}
        for each in _depths(work.steps) if depth is None else (depth,):
            costs = _costs(deployed, work, lock, queued, each)
            intervals[each] = mean_interval(ends(work, costs.run())[1])
            if each // 2 > filters and intervals[each] == intervals.get(each // 2):
                break  # nobody waits for room any more
        best = min(intervals.values())
        chosen = next(each for each in intervals if intervals[each] <= best * (1 + tolerance))
        costs = _costs(deployed, work, lock, queued, chosen)
        return _collected(program, work, costs, costs.run(), chosen, intervals)


def _depths(steps: int) -> Iterator[int]:
    """1, 2, 4, ... and the number of steps, with which nobody ever waits for room."""
    depth = 1
    while depth < steps:
        yield depth
        depth *= 2
    yield steps


def _costs(deployed: Deployed, work: Work, lock: Handshake, queued: Handshake, depth: int) -> Costs:
    shake = lock if depth == 1 else replace(queued, put_aside=aside(deployed, depth))
    return Costs.of(deployed, work, shake, depth)


def _require_entries(deployed: Deployed, name: str, used: tuple[Handshake, ...]) -> None:
    limit = deployed.mapping.machine.router_entries
    for each in used:
        entries = deployed.mapping.routing.entries + each.entries
        if (entries > limit).any():
            chip = int(entries.argmax())
            raise MappingError(
                f"{name}: with the handshake, chip {chip} needs {int(entries[chip]):,} routing entries and has "
                f"{limit:,}; use fewer PEs or more chips",
                chip=chip,
                entries=int(entries[chip]),
                limit=limit,
            )


def _queue(deployed: Deployed, waiting: Ints, depth: int = 0) -> tuple[Ints, Ints]:
    """Bytes of the queue of each PE, counters included, and how many more than its event FIFO has."""
    layout = deployed.mapping.layout
    entry = layout.fixed["fifo"] // layout.options.fifo
    counters = WORD * (depth + 1) if depth else 0  # ends of each step, and room
    return waiting * entry + counters, np.maximum(waiting * entry - layout.fixed["fifo"], 0) + counters


def _lockstep(deployed: Deployed, work: Work) -> tuple[Schedule, Schedule]:
    by_layer, by_step = work.stage_time * 1e-9, work.time * 1e-9
    n, d, t = work.tokens, work.depth, work.totals
    turns = by_layer[np.arange(n)[:, None] + work.lag, np.arange(len(work.lag))].sum(1)
    late = by_layer[d:, -1] - work.stage_sent[d:] * 1e-9  # what is left to do when the answer is out
    until = np.concatenate([[0.0], np.cumsum(by_step)])
    answers = until[d:-1] + work.sent[d:] * 1e-9
    cycles = t.cycles.copy()
    level = LEVELS.index("low" if deployed.clock.level == "low" else "high")
    cycles[level, PHASES.index("update")] += work.wakes * work.steps
    woken = replace(t, seconds=float(by_layer.sum()), cycles=cycles)
    each = work.packets.sum(1, dtype=np.int64).max(0)
    return (
        _schedule(
            deployed, NAMES[0], woken, np.cumsum(turns) - late, turns - late, work.packets.max((0, 1)).astype(np.int64)
        ),
        _schedule(deployed, NAMES[1], t, answers, answers - until[:n], each),
    )


def _pipelined(deployed: Deployed, work: Work, costs: Costs, times: tuple[Floats, Floats, Floats]) -> Schedule:
    from ._kernels import most_waiting

    start, _, done = times
    shake, keys, steps, t = costs.shake, deployed.mapping.routing.keys, work.steps, work.totals
    level = LEVELS.index("low" if deployed.clock.level == "low" else "high")
    cycles = t.cycles.copy()
    cycles[level, PHASES.index("send")] += shake.send * steps
    cycles[level, PHASES.index("receive")] += shake.take * steps + shake.put_aside * t.received
    t = replace(t, seconds=float(done[-1].max()) * 1e-9, cycles=cycles)
    waiting = most_waiting(start, done, work.fired_ptr, work.fired, work.count, keys.source, keys.ptr, keys.parts)
    begins, answers = ends(work, times)
    made = _schedule(deployed, NAMES[2], t, answers, answers - begins, waiting, costs.depth)
    pace = max(made.interval * 1e9, float(work.time[work.depth :].mean()))
    begins, answers = ends(work, costs.run(work.member[0] * pace))
    joules = made.energy | {"noc": made.energy["noc"] + shake.joules * steps}
    return replace(made, energy=joules, messages=shake.packets, paced=answers - begins)


def _schedule(
    deployed: Deployed, name: str, totals: Totals, answers: Floats, latencies: Floats, waiting: Ints, depth: int = 0
) -> Schedule:
    c = deployed.mapping.machine.constants
    clock = c.si(f"level.{'low' if deployed.clock.level == 'low' else 'high'}.clock")
    queue, more = _queue(deployed, waiting, depth)
    busy = totals.cycles.sum((0, 1)) / clock / totals.seconds
    return Schedule(
        name=name,
        seconds=totals.seconds,
        answers=answers,
        latencies=latencies,
        paced=latencies,
        waiting=waiting,
        queue_bytes=queue,
        more_bytes=more,
        energy=account(deployed, totals).by_cause,
        messages=0,
        busy=busy,
    )


def _layers(deployed: Deployed) -> tuple[tuple[str, ...], Ints]:
    """The sets of populations that PEs hold, in the order of the network, and that of each PE."""
    mapped = deployed.mapping
    sets, layer_of = np.unique((mapped.held > 0).T, axis=0, return_inverse=True)
    order = np.lexsort((sets.sum(1), sets.argmax(1)))
    names = [p.name for p in mapped.lowered.populations]
    layers = tuple(" + ".join(n for n, here in zip(names, sets[k], strict=True) if here) for k in order)
    return layers, np.argsort(order)[layer_of.ravel()].astype(np.int64)


def _collected(
    program: SpiNNaker2Program,
    work: Work,
    costs: Costs,
    times: tuple[Floats, Floats, Floats],
    depth: int,
    intervals: Mapping[int, float],
) -> Schedules:
    from ._kernels import longest_path

    path: Any = longest_path
    deployed = program.deployed
    mapped = deployed.mapping
    layers, layer_of = _layers(deployed)
    spent = path(*costs.arguments(), *times)
    by_layer = {
        layer: dict(zip(CAUSES, (spent[layer_of == k].sum(0) * 1e-9).tolist(), strict=True))
        for k, layer in enumerate(layers)
    }
    pipelined = _pipelined(deployed, work, costs, times)
    many = mapped.machine.chips
    return Schedules(
        network=program.network.name,
        machine=f"{many} chip{'s' if many > 1 else ''}, {mapped.parts:,} PE{'s' if mapped.parts > 1 else ''}",
        work=work,
        layers=layers,
        layer_of=layer_of,
        rows=(*_lockstep(deployed, work), pipelined),
        depth=depth,
        depths=dict(intervals),
        loops=loops_of(work, costs, layers, layer_of, mapped.parts),
        spent=by_layer,
        start=times[0] * 1e-9,
        done=times[2] * 1e-9,
        free_bytes=np.asarray(mapped.layout.sram - mapped.bytes, np.int64),
        entries=int((mapped.routing.entries + costs.shake.entries).max()),
    )
