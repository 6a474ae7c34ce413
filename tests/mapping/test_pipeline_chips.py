"""Schedules across PEs and chips: counts against the target's own, order, queues, and what is said."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neuromorph import CPU, Event, EventSource, Lookup, Network, Port, State, first_difference, ms, mV, neuron
from neuromorph.errors import MappingError, TargetError
from neuromorph.mapping.pipeline.chips import Schedules, handshake, layer_partition, schedules
from neuromorph.mapping.spinnaker2 import Decoder, SpiNNaker2
from neuromorph.mapping.spinnaker2.program import SpiNNaker2Program
from neuromorph.models import EGRUEvNN, LIFDelta
from neuromorph.models.plasticity import PairSTDP
from neuromorph.network import AllToAll, Dense, FixedProbability

STEPS = 24


# ------------------------------------------------------------------------------------------------------ a whole run
def stack(recurrent: bool = True, record: bool = True) -> Network:
    """A table of words, two EGRU layers and a readout: three steps from a word to its answer."""
    rng = np.random.default_rng(0)
    net = Network(name="stack")
    ids = rng.integers(0, 20, STEPS)
    table = rng.normal(0, 1, (20, 12)).astype(np.float32) * (rng.random((20, 12)) < 0.7)
    pre = net.population(Lookup(table, ids), name="words", record=record)
    for k in (1, 2):
        layer = net.population(EGRUEvNN(theta=np.full(16, 0.1)), 16, name=f"egru{k}")
        for port in ("a_u", "a_r", "a_x"):
            net.project(pre, getattr(layer, port), Dense(rng.normal(0, 0.5, (pre.size, 16)).astype(np.float32)))
        if recurrent:
            net.project(layer, layer.a_y, Dense(rng.normal(0, 0.3, (16, 16)).astype(np.float32)))
        pre = layer
    out = net.population(LIFDelta, 5, name="out")
    net.project(pre, out, FixedProbability(0.5), weight=30 * mV)
    return net


PARTS = np.repeat([0, 1, 2, 3, 4, 5], [12, 8, 8, 8, 8, 5]).astype(np.int32)
"""The words, halves of both layers, the readout."""


@pytest.fixture(scope="module")
def program() -> SpiNNaker2Program:
    """The stack, each layer on PEs of its own, after a run."""
    made = SpiNNaker2(partition=PARTS).compile(stack(), dt=1 * ms, progress=False)
    made.run(STEPS, progress=False)
    return made


@pytest.fixture(scope="module")
def found(program: SpiNNaker2Program) -> Schedules:
    return schedules(program, progress=False)


def test_counts_are_those_of_the_run(program: SpiNNaker2Program, found: Schedules) -> None:
    report, work = program.report(), found.work
    assert np.array_equal(work.time * 1e-9, report.series["time"])
    assert report.totals is not None
    for name in ("cycles", "spikes", "received", "groups", "synapses", "crowded", "active_steps"):
        assert np.array_equal(getattr(work.totals, name), getattr(report.totals, name)), name
    steps = found["step by step"]
    assert report.energy is not None
    assert report.tokens is not None
    assert steps.energy == pytest.approx(report.energy.by_cause, rel=1e-12)
    assert steps.seconds == pytest.approx(report.time, rel=1e-12)
    assert len(steps.answers) == len(report.tokens)
    assert (steps.latencies < report.tokens.latency).all()
    assert work.stages == (("words",), ("egru1",), ("egru2",), ("out",))


def test_outputs_are_those_of_the_cpu_and_any_trace_of_the_network_will_do(
    program: SpiNNaker2Program, found: Schedules
) -> None:
    trace = CPU().compile(stack(), dt=1 * ms, progress=False).run(STEPS, progress=False)
    assert program.last_trace is not None
    assert first_difference(trace, program.last_trace) is None
    assert schedules(program, trace, progress=False).to_dict() == found.to_dict()
    # the words are replayed: what they send need not be recorded
    unrecorded = SpiNNaker2(partition=PARTS).compile(stack(record=False), dt=1 * ms, progress=False)
    unrecorded.run(STEPS, progress=False)
    work = schedules(unrecorded, progress=False).work
    for name in ("taking", "packets", "network", "fired_ptr", "fired", "count"):
        assert np.array_equal(getattr(work, name), getattr(found.work, name)), name


def test_a_run_that_goes_on_is_scheduled_from_where_it_began(program: SpiNNaker2Program) -> None:
    later = SpiNNaker2(partition=PARTS).compile(stack(record=False), dt=1 * ms, progress=False)
    later.run(9, progress=False)
    later.run(STEPS - 9, progress=False)
    work = schedules(later, progress=False).work
    assert work.steps == STEPS - 9
    assert np.array_equal(work.time * 1e-9, later.series["time"][9:])
    drive = Network(name="drive")
    steps = np.arange(0, 20, 3)
    source = drive.population(EventSource(2, steps=steps, indices=steps % 2), name="source", record=False)
    drive.project(source, drive.population(LIFDelta, 4, name="cells"), AllToAll(), weight=1 * mV)
    replayed = SpiNNaker2().compile(drive, dt=1 * ms, progress=False)
    for length in (5, 7, 12):  # the list of events ends within the last
        replayed.run(length, progress=False)
        work = schedules(replayed, progress=False).work
        assert np.array_equal(work.time * 1e-9, replayed.series["time"][-length:])


def test_no_pe_begins_before_what_it_needs_has_come(program: SpiNNaker2Program, found: Schedules) -> None:
    """Every PE has the packets of all steps before when it begins one, and its receivers have room for its own."""
    keys, latency = program.mapping.routing.keys, program.deployed.costs.latency * 1e-9
    shake = handshake(program.deployed, found.depth)
    for g in range(keys.n_groups):
        for k in range(keys.ptr[g], keys.ptr[g + 1]):
            q, p = keys.source[g], keys.parts[k]
            # a packet leaves after the update of its sender has begun, and acts in the next step
            assert (found.start[1:, p] >= found.start[:-1, q] + latency[k]).all()
    for p in range(program.mapping.parts):
        own, d = slice(shake.room.ptr[p], shake.room.ptr[p + 1]), found.depth
        for r, way in zip(shake.room.other[own], shake.room.latency[own], strict=True):
            assert (found.start[d:, p] >= found.done[:-d, r] + way * 1e-9 - 1e-15).all()
    assert (np.diff(found.start, axis=0) > 0).all()


@neuron
class Leaky:
    """Whole sums and halves: a plain model gets the same bits."""

    a = Port()
    v = State(0.0)
    v.next = v * 0.5 + a
    out = Event(when=v > 2.5)
    v.reset = v - 2.5


def test_pes_that_act_in_the_order_of_the_schedule_send_the_same_events() -> None:
    rng = np.random.default_rng(3)
    drive = rng.random((STEPS, 6)) < 0.4
    sizes, net = {"drive": 6, "first": 8, "second": 8}, Network(name="leaky")
    net.population(EventSource.from_dense(drive), name="drive")
    for name in ("first", "second"):
        net.population(Leaky, 8, name=name)
    weights = {}
    for pre, post in (("drive", "first"), ("first", "first"), ("first", "second"), ("second", "second")):
        weights[pre, post] = rng.integers(-1, 3, (sizes[pre], sizes[post])).astype(np.float32)
        net.project(net[pre], net[post], Dense(weights[pre, post]))
    part = np.repeat([0, 1, 2, 3, 4], [6, 4, 4, 4, 4]).astype(np.int32)
    program = SpiNNaker2(partition=part).compile(net, dt=1 * ms, progress=False)
    trace = program.run(STEPS, progress=False)
    found = schedules(program, depth=2, progress=False)
    held = {0: ("drive", slice(0, 6))} | {
        1 + k: (("first", "second")[k // 2], slice(k % 2 * 4, k % 2 * 4 + 4)) for k in range(4)
    }
    v = {name: np.zeros(size, np.float32) for name, size in sizes.items()}
    sent: dict[tuple[int, int], npt.NDArray[np.bool_]] = {}  # by part and step
    ahead = 0
    for flat in np.argsort(found.start, axis=None, kind="stable"):
        k, p = (int(i) for i in np.unravel_index(flat, found.start.shape))
        name, own = held[p]
        if name == "drive":
            sent[p, k] = drive[k]
            continue
        total = np.zeros(4, np.float32)
        for q, (source, theirs) in held.items():
            if (source, name) in weights and k:
                total += weights[source, name][theirs, own].T @ sent[q, k - 1].astype(np.float32)
                ahead += (q, k) in sent and (q, k + 1) in sent
        v[name][own] = v[name][own] * np.float32(0.5) + total
        sent[p, k] = v[name][own] > 2.5
        v[name][own] -= np.float32(2.5) * sent[p, k]
    assert ahead  # some PEs were a step ahead of those that they send to
    for p, (name, own) in held.items():
        spikes = np.zeros((STEPS, sizes[name]), bool)
        events = trace.events(name)
        spikes[events.steps, events.ids] = True
        assert np.array_equal(np.array([sent[p, k] for k in range(STEPS)]), spikes[:, own]), p
    assert all(trace.count(name) for name in sizes)


def test_latency_is_no_less_than_the_work_along_a_path(program: SpiNNaker2Program, found: Schedules) -> None:
    clock = program.mapping.machine.constants.si("level.high.clock")
    own, stages = found.work.own / clock, found.work.member
    least = [
        sum(own[t + lag, stages[s]].min() for s, lag in enumerate(found.work.lag)) for t in range(found.work.tokens)
    ]
    for row in found.rows:
        assert (row.latencies >= least).all(), row.name
        assert (row.paced <= row.latencies + 1e-12).all()
        assert len(row.answers) == found.work.tokens
        assert (np.diff(row.answers) > 0).all()


def test_layers_that_overlap_are_faster_and_the_bottleneck_bounds_them(found: Schedules) -> None:
    layers, steps, flow = found.rows
    assert flow.interval < layers.interval
    assert steps.interval < layers.interval
    # the first layer's two PEs wait for each other and nobody makes them faster
    assert found.bottleneck.layer in ("egru1", "egru2")
    assert len(found.bottleneck.parts) == 2
    assert flow.seconds >= found.bottleneck.interval * (found.work.steps - 1)
    assert sum(sum(each.values()) for each in found.spent.values()) == pytest.approx(flow.seconds)
    assert flow.messages == 5 + 5  # ends of all but the readout; room of all but the words
    assert all(0 < share <= 1 for row in found.rows for share in row.busy)
    core = [row.energy["core"] for row in found.rows]
    assert core[1] == min(core)  # wake-ups by layer, and the handshake, are work, too


def test_queues_hold_what_is_under_way(program: SpiNNaker2Program, found: Schedules) -> None:
    keys, work = program.mapping.routing.keys, found.work
    deeper = schedules(program, depth=4, progress=False)
    for each in (found, deeper):
        most = np.zeros(program.mapping.parts, np.int64)
        for p in range(len(most)):
            for now in each.done[:, p]:
                waiting = 0
                for k in range(work.steps):
                    for i in range(work.fired_ptr[k], work.fired_ptr[k + 1]):
                        g = work.fired[i]
                        heard = p in keys.parts[keys.ptr[g] : keys.ptr[g + 1]]
                        if heard and each.start[k, keys.source[g]] <= now <= each.done[k, p]:
                            waiting += work.count[i]
                most[p] = max(most[p], waiting)
        assert np.array_equal(each["pipelined"].waiting, most)
        entry = 8  # key and value
        assert np.array_equal(each["pipelined"].queue_bytes, entry * most + 4 * (each.depth + 1))
        assert each.fits()
    assert (deeper["pipelined"].waiting >= work.packets.sum(1).max(0)).all()
    assert deeper.depth == 4
    small = replace(found, free_bytes=np.zeros_like(found.free_bytes))
    assert not small.fits()


def test_a_feed_forward_network_is_as_fast_as_its_slowest_pe() -> None:
    net = stack(recurrent=False)
    program = SpiNNaker2(partition=PARTS).compile(net, dt=1 * ms, progress=False)
    program.run(STEPS, progress=False)
    found = schedules(program, progress=False, tolerance=0.0)
    assert all(len(loop.parts) == 1 for loop in found.loops)
    assert min(found.depths.values()) >= found.bottleneck.interval * (1 - 1e-9) * (STEPS - 4) / (STEPS - 1)
    assert found.depths[found.depth] == min(found.depths.values())


def test_layers_get_pes_of_their_own_by_their_work(program: SpiNNaker2Program, found: Schedules) -> None:
    mapped = program.mapping
    first = np.cumsum([0, *(p.size for p in mapped.lowered.populations)])
    for pes in (4, 9, 14):
        part = layer_partition(program, pes)
        owners = [set(part[a:b].tolist()) for a, b in pairwise(first)]
        assert sum(len(each) for each in owners) == pes == len(set().union(*owners))
        assert all((np.diff(part[a:b]) >= 0).all() for a, b in pairwise(first))
    assert len(owners[1]) > len(owners[3])  # layers have more to do than the readout
    more = SpiNNaker2(partition=layer_partition(program, 14)).compile(stack(), dt=1 * ms, progress=False)
    more.run(STEPS, progress=False)
    assert schedules(more, progress=False)["pipelined"].interval < found["pipelined"].interval
    assert layer_partition(program, 1000).max() == first[-1] - 1  # a neuron each, and no PE without any
    with pytest.raises(
        MappingError, match=r"3 PEs do not hold .* at least 4 are needed \(words 1, egru1 1, egru2 1, out 1\)"
    ):
        layer_partition(program, 3)
    room = int(mapped.layout.sram * 0.6)
    assert len(set(layer_partition(program, 60, room=room).tolist())) <= 60
    with pytest.raises(MappingError, match="at least"):
        layer_partition(program, 4, room=mapped.layout.limits.bytes - 1500)


def test_chips_apart_are_counted_with_their_links() -> None:
    place = np.array([0, 4, 8, 152, 156, 160], np.int32)
    one, two = (
        SpiNNaker2(chips=chips, partition=PARTS, place=where).compile(stack(), dt=1 * ms, progress=False)
        for chips, where in ((1, np.array([0, 4, 8, 12, 16, 20], np.int32)), (2, place))
    )
    trace = one.run(STEPS, progress=False)
    near, far = (schedules(each, trace, depth=2, progress=False) for each in (one, two))
    assert near.machine == "1 chip, 6 PEs"
    assert far.machine == "2 chips, 6 PEs"
    link = two.mapping.machine.constants.si("link.board_latency")
    assert far["pipelined"].latency > near["pipelined"].latency
    assert (far["pipelined"].answers >= near["pipelined"].answers).all()
    assert far["layer by layer"].latency > near["layer by layer"].latency + link
    assert far["pipelined"].energy["links"] > 0 == near["pipelined"].energy["links"]


def test_more_handshake_costs_more(program: SpiNNaker2Program) -> None:
    dear = SpiNNaker2(partition=PARTS, constants={"handshake__take": 400}).compile(stack(), dt=1 * ms, progress=False)
    assert program.last_trace is not None
    slow = schedules(dear, program.last_trace, depth=2, progress=False)
    fast = schedules(program, depth=2, progress=False)
    assert slow["pipelined"].interval > fast["pipelined"].interval
    assert slow["step by step"].interval == fast["step by step"].interval


def test_reports_show_all_schedules(found: Schedules, tmp_path: Path) -> None:
    text = str(found)
    for row in found.rows:
        assert row.name in text
        assert f"{row.throughput:,.4g}" in text
    assert "Bottleneck of the pipeline: 2 PEs of egru" in text
    assert f"{found.depth} (taken)" in text
    again = json.loads(json.dumps(found.to_dict()))
    assert again["schedules"]["pipelined"]["throughput"] == found["pipelined"].throughput
    assert again["depths"] == {str(depth): each for depth, each in found.depths.items()}
    slices = [event for event in found.trace_events()["traceEvents"] if event["ph"] == "X"]
    assert len(slices) == STEPS * 6
    assert max(e["ts"] + e["dur"] for e in slices) == pytest.approx(found["pipelined"].seconds * 1e6)
    assert "<table>" in found._repr_html_()
    with pytest.raises(MappingError, match="no schedule 'fast'; there are layer by layer, step by step, pipelined"):
        found["fast"]


def test_what_cannot_be_scheduled_is_said(program: SpiNNaker2Program) -> None:
    def compiled(net: Network, **options: Any) -> SpiNNaker2Program:
        return SpiNNaker2(**options).compile(net, dt=1 * ms, progress=False)

    with pytest.raises(TargetError, match="has not run yet"):
        schedules(compiled(stack()), progress=False)
    for depth in (0, 1.5, True, "2"):
        with pytest.raises(MappingError, match=f"depth is {depth!r}; it must be a whole number of at least 1"):
            schedules(program, depth=depth, progress=False)  # type: ignore[arg-type]
    for tolerance in (-1, float("nan"), "x"):
        with pytest.raises(MappingError, match=f"tolerance is {tolerance!r}; it must be a share of at least 0"):
            schedules(program, tolerance=tolerance, progress=False)  # type: ignore[arg-type]
    other: Any = CPU().compile(stack(), dt=1 * ms, progress=False)
    for use in (schedules, lambda cpu: layer_partition(cpu, 6)):
        with pytest.raises(TargetError, match=r"are of a program of SpiNNaker2, not of <CPUProgram"):
            use(other)
    with pytest.raises(MappingError, match=r"pes is 2\.5; it must be a whole number"):
        layer_partition(program, 2.5)  # type: ignore[arg-type]
    for room in (-1, 10**9):
        with pytest.raises(MappingError, match=f"room for queues is {room} bytes; .* share on a PE"):
            layer_partition(program, 6, room=room)
    with pytest.raises(TargetError, match='clock="barrier"'):
        schedules(compiled(stack(), clock="tick"), progress=False)
    with pytest.raises(TargetError, match='dvfs="low" or dvfs="high"'):
        schedules(compiled(stack(), dvfs="auto"), progress=False)
    short = compiled(stack())
    short.run(3, progress=False)
    with pytest.raises(TargetError, match="answers after 3 steps and the trace has 3"):
        schedules(short, progress=False)
    decoder = Decoder("egru2", np.ones((4, 16), np.float32))
    with pytest.raises(TargetError, match="without a decoder"):
        schedules(compiled(stack(), decoder=decoder), progress=False)
    net = Network()
    drive = net.population(EventSource(4, steps=[1, 2], indices=[0, 1]), name="drive")
    cells = net.population(LIFDelta, 4, name="cells", record=False)
    net.project(drive, cells, AllToAll(), weight=1 * mV, synapse=PairSTDP(w_max=2.0), name="learning")
    with pytest.raises(TargetError, match=r"change \(learning\)"):
        schedules(compiled(net), progress=False)
    quiet = Network()
    drive = quiet.population(EventSource(4, steps=[1, 2], indices=[0, 1]), name="drive")
    cells = quiet.population(LIFDelta, 4, name="cells", record=False)
    quiet.project(drive, cells, AllToAll(), weight=1 * mV)
    quiet.project(cells, cells, AllToAll(), weight=1 * mV)
    unheard = compiled(quiet)
    unheard.run(8, progress=False)
    with pytest.raises(TargetError, match="population cells sends packets but its events are not recorded"):
        schedules(unheard, progress=False)
