"""What every PE does in every step of a run, counted from its events: cycles, packets, links; and its stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neuromorph.errors import MappingError, TargetError
from neuromorph.lowering.program import EventTable, LoweredNetwork, LoweredPopulation

from ...readable import many
from ...spinnaker2.costs import neuron_cycles, synapse_cycles
from ...spinnaker2.energy import Totals
from ...spinnaker2.layout import offsets
from ...spinnaker2.ledger import LEVELS, PHASES
from ...spinnaker2.pipeline import lags, recurrent

if TYPE_CHECKING:
    from neuromorph.trace import Trace

    from ...spinnaker2.instance import Deployed
    from ...spinnaker2.program import SpiNNaker2Program

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Work:
    """Exact counts of a run, and the time of its steps when a barrier closes each.

    Attributes
    ----------
    steps : int
    stages : tuple of tuple of str
        Populations by how many steps they are behind the input.
    lag : int64 (stages,)
        Those steps.
    member : bool (stages, parts)
        Whether a part holds neurons of a stage.
    own : int64 (steps, parts)
        Cycles of updating neurons and sending.
    taking : int64 (steps, stages, parts)
        Cycles of receiving packets and applying synapses, by the stage that sent them.
    packets : int32 (steps, stages, parts)
        Likewise those that a part receives, its own among them.
    network : float64 (steps, parts)
        Nanoseconds that the busiest link needs of those which a part's packets pass.
    time : float64 (steps,)
        Nanoseconds of each step with a barrier, as :attr:`.SpiNNaker2Program.series` has them.
    stage_time : float64 (steps, stages)
        Nanoseconds of each stage of a step if no other works meanwhile, closed by a barrier of its own.
    sent, stage_sent : float64 (steps,)
        Nanoseconds from the beginning of a step, or of its last stage, until the PEs of the last stage have sent.
    wakes : int64 (parts,)
        Cycles that a part needs more in every step if it begins once for each of its stages.
    fired_ptr : int64 (steps + 1,), fired, count : int32
        Groups of keys that send in each step, and how many packets.
    totals : Totals
        Of the whole run; ``seconds`` with a barrier.
    """

    steps: int
    stages: tuple[tuple[str, ...], ...]
    lag: Ints
    member: npt.NDArray[np.bool_]
    own: Ints
    taking: Ints
    packets: npt.NDArray[np.int32]
    network: Floats
    time: Floats
    stage_time: Floats
    sent: Floats
    stage_sent: Floats
    wakes: Ints
    fired_ptr: Ints
    fired: npt.NDArray[np.int32]
    count: npt.NDArray[np.int32]
    totals: Totals

    @property
    def depth(self) -> int:
        """Steps from a token to the answer of the last stage."""
        return int(self.lag[-1])

    @property
    def tokens(self) -> int:
        """Tokens that are answered within the run."""
        return self.steps - self.depth


def stages_of(lowered: LoweredNetwork) -> tuple[Ints, Ints]:
    """By how many steps each stage is behind the input, and the stage of each population."""
    lag, stage_of = np.unique(lags(lowered), return_inverse=True)
    return lag, stage_of.ravel().astype(np.int64)


def require_schedulable(deployed: Deployed) -> None:
    """Only what is the same whenever it happens can be scheduled again.

    Raises
    ------
    TargetError
        With a tick, with packets that are dropped, with levels chosen step by step, with synapses that change, or with
        a decoder.
    """
    mapped, clock = deployed.mapping, deployed.clock
    name = mapped.lowered.name
    if clock.ticked or clock.dropping:
        raise TargetError(
            f"{name}: which packets are late or dropped depends on the time of each PE, so another schedule would have "
            'other events; give SpiNNaker2(clock="barrier", overflow="stall")'
        )
    if clock.level == "auto":
        raise TargetError(f'{name}: levels are chosen by the time left in a tick; give dvfs="low" or dvfs="high"')
    if mapped.lowered.plastic:
        changing = ", ".join(p.name for p in mapped.lowered.plastic)
        raise TargetError(
            f"{name}: what synapses that change ({changing}) cost in a step cannot be told from events; schedules are "
            "for networks without them"
        )
    if mapped.decoder is not None:
        raise TargetError(f"{name}: schedules are for the network itself; compile it without a decoder")


def run_of(program: SpiNNaker2Program, trace: Trace | None) -> Trace:
    """The run that is to be scheduled: a trace that was given, or the program's last.

    Raises
    ------
    TargetError
        A program of another target, one that has not run, or see :func:`require_schedulable`.
    """
    from ...spinnaker2.program import SpiNNaker2Program

    if not isinstance(program, SpiNNaker2Program):
        raise TargetError(
            f"schedules across chips are of a program of SpiNNaker2, not of {program!r:.80}; compile the network with "
            "SpiNNaker2()"
        )
    require_schedulable(program.deployed)
    trace = program.last_trace if trace is None else trace
    if trace is None:
        raise TargetError(
            f"{program.network.name} has not run yet: there are no events to schedule; run it, or give a trace"
        )
    return trace


def require_count(value: object, what: str) -> None:
    """Refuse what is no whole number of at least 1.

    Raises
    ------
    MappingError
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise MappingError(f"{what} is {value!r}; it must be a whole number of at least 1")


def count_work(deployed: Deployed, trace: Trace) -> Work:
    """Count the work of a run.

    Parameters
    ----------
    deployed : Deployed
    trace : Trace
        Of the same network, on any target.

    Raises
    ------
    TargetError
        See :func:`require_schedulable`; or if events that are sent were not recorded, or the run has no answer yet.
    """
    require_schedulable(deployed)
    from ._kernels import apply_rows, carry_rows

    mapped, costs = deployed.mapping, deployed.costs
    lowered, keys, c = mapped.lowered, mapped.routing.keys, mapped.machine.constants
    steps, parts = trace.meta.steps, mapped.parts
    lag, stage_of = stages_of(lowered)
    if steps <= lag[-1]:
        raise TargetError(
            f"{lowered.name}: the last stage answers after {many(int(lag[-1]), 'step')} and the trace has {steps}; run "
            "longer"
        )
    stages = len(lag)
    events = [_events(deployed, trace, p) for p in lowered.populations]
    first, held = offsets(lowered), mapped.held
    shape = (len(lowered.projections), parts)
    by_stage = np.zeros((steps * stages, parts), np.int64)
    seen = np.zeros(shape, np.int64)
    prices = np.array([synapse_cycles(s, mapped.layout, c) for s in lowered.projections], np.int64)
    for s, rows in zip(lowered.projections, deployed.image.rows, strict=True):
        step, ids = events[s.pre]
        where = step * stages + stage_of[s.pre]
        if rows.dense:
            each = np.bincount(step, minlength=steps)
            added = each[:, None] * held[s.post] * prices[s.index]
            by_stage[stage_of[s.pre] :: stages] += added
            seen[s.index] = len(ids) * held[s.post]
        else:
            apply_rows(where, ids, rows.sub_ptr, rows.part, rows.count, prices[s.index], by_stage, seen[s.index])
    taking = by_stage.reshape(steps, stages, parts).sum(1)

    level = "low" if deployed.clock.level == "low" else "high"
    clock = c.si(f"level.{level}.clock")
    each_neuron = np.array([neuron_cycles(p, c) for p in lowered.populations], np.int64)
    updates = np.zeros((stages, parts), np.int64)
    np.add.at(updates, stage_of, held * each_neuron[:, None])
    member = np.zeros((stages, parts), bool)
    np.logical_or.at(member, stage_of, held > 0)
    woken = member * c.count("cycles.step")
    begun = member & (np.cumsum(member, 0) == 1)
    rest = costs.update - updates.sum(0) - c.count("cycles.step")
    ways = (
        keys.ptr, keys.parts, costs.receive, costs.latency, keys.source, costs.links_ptr, costs.link_index,
        costs.link_service * 1e9, costs.service, 1e9 / clock, c.si("cycles.step") / clock * 1e9, costs.barrier,
    )  # fmt: skip
    send = c.count("cycles.packet_send")

    row, group = _packets(events, keys.group, first, np.zeros(len(events), np.int64), 1)
    own, packets, network, time, receive, fired_ptr, fired, count = carry_rows(
        _pointers(row, steps), group, costs.update[None, :].astype(np.int64), send, taking, *ways
    )
    row, group = _packets(events, keys.group, first, stage_of, stages)
    base = updates + woken + begun * rest
    by_row = carry_rows(_pointers(row, steps * stages), group, base, send, by_stage, *ways)
    stage_own, stage_packets, _, stage_time = by_row[:4]

    spikes = np.zeros((len(lowered.populations), parts), np.int64)
    for k, (_, ids) in enumerate(events):
        leaving = first[k] + ids[keys.group[first[k] + ids] >= 0]
        spikes[k] = np.bincount(mapped.part[leaving], minlength=parts)
    worked = seen * prices[:, None] if len(prices) else seen
    looped = recurrent(lowered) if len(prices) else np.zeros(0, bool)
    cycles = np.zeros((len(LEVELS), len(PHASES), parts), np.int64)
    cycles[LEVELS.index(level)] = _by_phase(
        update=(costs.update - costs.record - costs.dma) * steps,
        send=spikes.sum(0) * send,
        receive=receive,
        input=worked[~looped].sum(0),
        recurrent=worked[looped].sum(0),
        record=costs.record * steps,
        dma=costs.dma * steps,
        plasticity=np.zeros(parts, np.int64),
    )
    totals = Totals(
        steps=steps,
        seconds=float(time.sum()) * 1e-9,
        behind=0.0,
        cycles=cycles,
        spikes=spikes,
        received=packets.sum(0, dtype=np.int64),
        dropped=np.zeros(parts, np.int64),
        groups=np.bincount(fired, weights=count, minlength=max(keys.n_groups, 1)).astype(np.int64),
        synapses=seen,
        late_steps=np.zeros(parts, np.int64),
        crowded=(packets > mapped.layout.options.fifo).sum(0),
        active_steps=np.array([len(np.unique(step)) for step, _ in events], np.int64),
    )
    names = tuple(
        tuple(p.name for p, at in zip(lowered.populations, stage_of, strict=True) if at == s) for s in range(stages)
    )
    return Work(
        steps=steps, stages=names, lag=lag, member=member, own=own, taking=by_stage.reshape(steps, stages, parts),
        packets=stage_packets.reshape(steps, stages, parts), network=network,
        time=time, stage_time=stage_time.reshape(steps, stages), sent=own[:, member[-1]].max(1) * (1e9 / clock),
        stage_sent=stage_own[stages - 1 :: stages, member[-1]].max(1) * (1e9 / clock),
        wakes=woken.sum(0) - c.count("cycles.step"),
        fired_ptr=fired_ptr, fired=fired, count=count, totals=totals,
    )  # fmt: skip


def _by_phase(**cycles: Ints) -> Ints:
    return np.stack([cycles[name] for name in PHASES])


def _pointers(row: Ints, rows: int) -> Ints:
    return np.searchsorted(row, np.arange(rows + 1)).astype(np.int64)


def _packets(
    events: list[tuple[Ints, Ints]], group: npt.NDArray[np.int32], first: Ints, stage: Ints, stages: int
) -> tuple[Ints, Ints]:
    """Row and group of every packet, in this order: rows are the stages of steps."""
    rows = [step * stages + at for (step, _), at in zip(events, stage, strict=True)]
    groups = [group[first[k] + ids].astype(np.int64) for k, (_, ids) in enumerate(events)]
    row, sent = np.concatenate([np.zeros(0, np.int64), *rows]), np.concatenate([np.zeros(0, np.int64), *groups])
    row, sent = row[sent >= 0], sent[sent >= 0]
    order = np.lexsort((sent, row))
    return row[order], sent[order]


def _events(deployed: Deployed, trace: Trace, population: LoweredPopulation) -> tuple[Ints, Ints]:
    """Steps, counted from the first of the trace, and neurons of a population's events; none if nobody hears them.

    Raises
    ------
    TargetError
        If they are neither recorded nor replayed.
    """
    lowered = deployed.mapping.lowered
    first = offsets(lowered)[population.index]
    heard = (deployed.mapping.routing.keys.group[first : first + population.size] >= 0).any()
    begin, steps = trace.meta.first_step, trace.meta.steps
    step: Any
    if population.record_events:
        events = trace.events(population.name)
        if events.steps is None:
            raise TargetError(f"{population.name}: the trace does not say in which step events are; give its dt")
        step, ids = np.asarray(events.steps, np.int64) - begin, np.asarray(events.ids, np.int64)
    elif population.replay is not None:
        step, ids = _replayed(population, begin, steps)
    elif heard:
        raise TargetError(
            f"population {population.name} sends packets but its events are not recorded: what a step costs cannot be "
            "told from the trace; record them",
            population=population.name,
        )
    else:
        step, ids = np.zeros(0, np.int64), np.zeros(0, np.int64)
    if len(ids) and (ids.max() >= population.size or step.min() < 0 or step.max() >= steps):
        raise TargetError(
            f"{population.name}: the trace has events beyond its {population.size:,} neurons or {steps:,} steps; give "
            "a trace of this network"
        )
    return step, ids


def _replayed(population: LoweredPopulation, begin: int, steps: int) -> tuple[Ints, Ints]:
    replay = population.replay
    if isinstance(replay, EventTable):
        rows = np.asarray(replay.ids[begin : begin + steps], np.int64)
        step, ids = np.nonzero(np.where(rows[:, None] >= 0, replay.table[rows] != 0, False))
        return step.astype(np.int64), ids.astype(np.int64)
    assert replay is not None
    end = min(begin + steps, len(replay.step_ptr) - 1)
    low, high = int(replay.step_ptr[min(begin, end)]), int(replay.step_ptr[end])
    step = np.searchsorted(replay.step_ptr, np.arange(low, high), "right") - 1 - begin
    return step.astype(np.int64), replay.indices[low:high].astype(np.int64)
