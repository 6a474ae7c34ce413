"""SpiNNaker2: same events whatever the mapping, every packet accounted for, every joule shared out."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console
from strategies import DT, Delta, Graded, networks

from neuromorph import CPU, AllToAll, EventSource, FixedProbability, Network, OneToOne, Uniform, mV, us
from neuromorph.errors import TargetError
from neuromorph.mapping.machine import LONG_LINK, spinnaker2
from neuromorph.mapping.spinnaker2 import SpiNNaker2, SpiNNaker2Report
from neuromorph.mapping.spinnaker2.ledger import LAYERS, SERIES
from neuromorph.mapping.spinnaker2.tables import tables as report_tables
from neuromorph.trace import Trace, first_difference

QUICK = settings(max_examples=8, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
STEPS = 40


def same(a: Trace, b: Trace) -> bool:
    """Same events with the same values, and same states."""
    return first_difference(a, b) is None


def random_parts(n: int, most: int, seed: int) -> np.ndarray:
    """The part of every neuron: parts of at most ``most``, filled at random."""
    return np.random.default_rng(seed).permutation(np.arange(n) // most).astype(np.int32)


def assert_accounts(report: SpiNNaker2Report) -> None:
    """Packets, bytes and energy add up."""
    assert report.sent == report.delivered + report.dropped
    assert report.bytes.max() <= report.mapping.machine.pe_sram
    energy = report.energy
    assert energy is not None
    for shared in (energy.by_cause, energy.by_population):
        assert sum(shared.values()) == pytest.approx(energy.by_pe.sum(), rel=1e-9, abs=0)
    assert sum(energy.by_phase.values()) == pytest.approx(energy.by_cause["core"], rel=1e-9)
    assert sum(energy.by_projection.values()) <= energy.by_cause["core"] * (1 + 1e-9)
    assert (energy.by_pe >= 0).all()


@given(
    net=networks(),
    most=st.integers(1, 12),
    chips=st.sampled_from([None, 1, 2, 5, 48]),
    seed=st.integers(0, 1000),
    rows=st.sampled_from(["auto", "packed"]),
    weights=st.sampled_from([None, "int8", "spark"]),
)
@QUICK
def test_events_do_not_depend_on_partition_placement_or_chips(
    net: Network, most: int, chips: int | None, seed: int, rows: str, weights: str | None
) -> None:
    expected = CPU(weights=weights).compile(net, dt=DT).run(STEPS, progress=False)
    n = sum(p.size for p in net.populations)
    target = SpiNNaker2(
        chips=chips, partition=random_parts(n, most, seed), place="hilbert", seed=seed, rows=rows, weights=weights
    )
    program = target.compile(net, dt=DT)
    assert same(expected, program.run(STEPS, progress=False))
    assert_accounts(program.report())
    assert program.report().dropped == 0


@given(net=networks(), seed=st.integers(0, 1000), fifo=st.integers(1, 4), clock=st.sampled_from(["barrier", "tick"]))
@QUICK
def test_packets_are_delivered_or_dropped_and_counted(net: Network, seed: int, fifo: int, clock: str) -> None:
    n = sum(p.size for p in net.populations)
    target = SpiNNaker2(
        partition=random_parts(n, 9, seed), place="row_major", fifo=fifo, overflow="drop", clock=clock, tick=20 * us
    )
    program = target.compile(net, dt=DT)
    program.run(STEPS, progress=False)
    assert_accounts(program.report())


def crowd(targets: int = 1) -> Network:
    """100 sources that all fire in step 0, onto a few neurons that the sum of them all makes fire in step 1."""
    net = Network(name="crowd")
    source = net.population(EventSource(100, steps=np.zeros(100, int), indices=np.arange(100)), name="source")
    sink = net.population(Delta(theta=99.5 * mV), targets, name="sink")
    net.project(source, sink.v_in, AllToAll(), weight=1.2 * mV)
    net.record(sink, "v")
    return net


def test_a_full_fifo_really_drops() -> None:
    far = np.r_[np.zeros(100), 1].astype(np.int32)
    full = SpiNNaker2(partition=far, fifo=128, overflow="drop").compile(crowd(), dt=DT)
    assert len(full.run(3, progress=False).events("sink").ids) == 1
    small = SpiNNaker2(partition=far, fifo=8, overflow="drop").compile(crowd(), dt=DT)
    trace, report = small.run(3, progress=False), small.report()
    assert 0 < report.dropped < 100
    assert report.synaptic_events == 100 - report.dropped == report.delivered
    assert len(trace.events("sink").ids) == 0
    # What arrived decays for one step: v = 1.2 mV x packets x exp(-dt / tau)
    arrived = 1.2 * report.delivered * np.exp(-1 / 20)
    np.testing.assert_allclose(np.asarray(trace.state("sink", "v").data)[1, 0], arrived, rtol=1e-5)


def test_a_full_fifo_stalls_where_nothing_may_be_lost() -> None:
    far = np.r_[np.zeros(100), 1].astype(np.int32)
    program = SpiNNaker2(partition=far, fifo=8).compile(crowd(), dt=DT)
    assert len(program.run(3, progress=False).events("sink").ids) == 1
    report = program.report()
    assert report.dropped == 0
    assert program.series["crowded_parts"].tolist() == [1, 0, 0]


def busy(n: int = 60) -> Network:
    """Neurons driven by a source that fires all the time."""
    net = Network(seed=4, name="busy")
    steps, ids = np.divmod(np.arange(STEPS * n), n)
    source = net.population(EventSource(n, steps=steps, indices=ids), name="source")
    relay = net.population(Delta(theta=1 * mV), n, name="relay")
    last = net.population(Delta(theta=9 * mV), n, name="last")
    net.project(source, relay.v_in, OneToOne(), weight=20 * mV)
    net.project(relay, last.v_in, FixedProbability(0.5), weight=Uniform(0 * mV, 1 * mV), delay=2)
    return net


def test_a_tick_that_suffices_changes_nothing() -> None:
    expected = CPU().compile(busy(), dt=DT).run(STEPS, progress=False)
    program = SpiNNaker2(clock="tick", neurons_per_pe=30).compile(busy(), dt=DT)
    assert same(expected, program.run(STEPS, progress=False))
    report = program.report()
    assert report.totals is not None
    assert report.totals.late_steps.sum() == 0
    assert report.time == pytest.approx(STEPS * 1e-3)


def test_a_late_pe_is_reported_and_its_packets_arrive_late() -> None:
    part = np.r_[np.zeros(60), np.ones(60), 2 + np.arange(60) // 20].astype(np.int32)
    expected = CPU().compile(busy(), dt=DT).run(STEPS, progress=False)
    program = SpiNNaker2(clock="tick", tick=15 * us, partition=part, dvfs="high").compile(busy(), dt=DT)
    trace, report = program.run(STEPS, progress=False), program.report()
    assert report.totals is not None
    assert report.totals.late_steps[1] > 0, "the relay's PE has more work than 15 us"
    assert same_events(trace, expected, "source")
    assert not same_events(trace, expected, "last"), "packets of a late PE arrive later"
    assert report.sent == report.delivered + report.dropped
    assert program.series["late_parts"].max() >= 1


def test_the_time_of_a_run_ends_when_its_last_pe_is_done() -> None:
    """With a tick that is too short, cores cannot be busy for longer than the run takes."""
    options = {"clock": "tick", "tick": 5 * us, "dvfs": "high", "neurons_per_pe": 60}
    program = SpiNNaker2(**options).compile(busy(), dt=DT)
    program.run(STEPS // 2, progress=False)
    program.run(STEPS // 2, progress=False)
    report = program.report()
    totals = report.totals
    assert totals is not None
    busiest = totals.cycles[1].sum(0).max() / program.mapping.machine.constants.si("level.high.clock")
    assert totals.behind > 0
    assert report.time == pytest.approx(STEPS * 5e-6 + totals.behind)
    assert report.time >= busiest * (1 - 1e-9)
    assert "after the last tick" in str(report)
    program.reset()
    program.run(STEPS, progress=False)
    assert program.report().time == pytest.approx(report.time)
    batch = SpiNNaker2(**options).compile(busy(), dt=DT)
    batch.run_batch({"relay": {"theta": np.full((2, 60), 0.5) * mV}}, STEPS, progress=False)
    totals = batch.report().totals
    assert totals is not None
    assert totals.seconds >= totals.cycles[1].sum(0).max() / 300e6 * (1 - 1e-9)


def test_costs_that_rest_on_assumptions_say_so() -> None:
    program = SpiNNaker2(neurons_per_pe=30).compile(busy(), dt=DT)
    program.run(STEPS, progress=False)
    tables = {title: rows for title, _, rows in report_tables(program.report())}
    kinds = {row[0]: row[-1] for row in tables["Run"]}
    for quantity in ("time on the machine", "a step", "cycles", "energy"):
        assert kinds[quantity] == "model with assumed constants", quantity
    for quantity in ("steps", "packets", "synaptic events"):
        assert kinds[quantity] == "exact count", quantity
    constants = {row[0]: row[-1] for row in tables["Energy by cause"]}
    assert "assumption" in constants["core"], "cycles of a step, a neuron and a packet are assumed"
    assert constants["chip base"] == "published"


def test_counts_that_late_or_lost_packets_changed_are_no_exact_counts() -> None:
    program = SpiNNaker2(partition=random_parts(180, 30, 1), fifo=1, overflow="drop").compile(busy(), dt=DT)
    program.run(STEPS, progress=False)
    report = program.report()
    assert report.dropped > 0
    kinds = {row[0]: row[-1] for title, _, rows in report_tables(report) if title == "Run" for row in rows}
    assert kinds["packets"] == kinds["synaptic events"] == "count; losses and lateness modelled"


def same_events(a: Trace, b: Trace, population: str) -> bool:
    x, y = a.events(population), b.events(population)
    return np.array_equal(x.steps, y.steps) and np.array_equal(x.ids, y.ids)


def test_cycles_are_counts_times_constants() -> None:
    far = np.r_[np.zeros(100), 1].astype(np.int32)
    program = SpiNNaker2(partition=far).compile(crowd(), dt=DT)
    program.run(3, progress=False)
    totals = program.report().totals
    assert totals is not None
    update, send, receive, synapse, recurrent, *_ = totals.cycles[1]
    numbers = program.mapping.machine.constants
    assert totals.cycles[0].sum() == 0, "all at the high level"
    assert send.tolist() == [100 * numbers.count("cycles.packet_send"), 0]
    assert synapse.tolist() == [0, 100 * numbers.count("cycles.synaptic_event")]
    assert not recurrent.any()
    assert receive[1] >= 100 * numbers.count("cycles.packet_receive")
    assert (update >= 3 * numbers.count("cycles.step")).all()


def test_the_low_level_takes_longer_and_less_energy_for_the_same_work() -> None:
    reports = {}
    for level in ("low", "high", "auto"):
        program = SpiNNaker2(dvfs=level, clock="tick").compile(busy(), dt=DT)
        program.run(STEPS, progress=False)
        reports[level] = program.report()
    barrier = {level: report.deployed.costs.barrier for level, report in reports.items()}
    assert barrier["low"] > barrier["high"] == barrier["auto"], "software that closes a step runs at the PEs' clock"
    low, high, auto = (reports[k].energy for k in ("low", "high", "auto"))
    assert low is not None
    assert high is not None
    assert auto is not None
    assert low.by_cause["core"] < high.by_cause["core"]
    assert auto.by_cause["core"] == pytest.approx(low.by_cause["core"]), "a 1 ms tick never needs the high level"


def test_a_run_goes_on_and_a_reset_starts_again() -> None:
    program = SpiNNaker2(neurons_per_pe=20).compile(busy(), dt=DT)
    whole = program.run(STEPS, progress=False)
    sent = program.report().sent
    program.run(STEPS, progress=False, reset=True)
    assert program.report().sent == sent
    first, second = program.run(15, progress=False, reset=True), program.run(STEPS - 15, progress=False)
    events = [np.concatenate([t.events("last").steps for t in (first, second)]), whole.events("last").steps]
    assert np.array_equal(*events)
    assert program.report().sent == sent
    assert len(program.series["time"]) == STEPS


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("traced", [False, True])
def test_batches_cost_what_their_samples_cost(threads: int, traced: bool, tmp_path: Path) -> None:
    net = busy()
    program = SpiNNaker2(neurons_per_pe=20, threads=threads).compile(net, dt=DT)
    out = tmp_path / "batch.h5" if traced else None
    theta = np.linspace(4e-3, 15e-3, 5)[:, None] * np.ones(60)
    batch = program.run_batch({"last": {"theta": theta * 1e3 * mV}}, STEPS, progress=False, out=out)
    if batch.trace is not None:
        assert len(batch.trace.events("last").ids) == batch.counts["last"].sum()
        batch.trace.close()
    expected = CPU().compile(net, dt=DT).run_batch({"last": {"theta": theta * 1e3 * mV}}, STEPS, progress=False)
    assert np.array_equal(batch.counts["last"], expected.counts["last"])
    report = program.report()
    assert report.samples == 5
    assert report.packets == sum(int(count.sum()) for count in batch.counts.values()) - int(batch.counts["last"].sum())
    assert_accounts(report)
    assert len(program.series["time"]) == 5 * STEPS
    assert report.time == pytest.approx(program.series["time"].sum())
    assert len(report.per_sample_lines()) == 5


def test_graded_events_carry_a_payload() -> None:
    net = Network(name="graded")
    source = net.population(EventSource(3, steps=[0, 1], indices=[0, 2], values=[0.5, 1.5]), name="source")
    sink = net.population(Graded, 4, name="sink")
    net.project(source, sink.a, AllToAll(), weight=2.0)
    spikes = Network(name="spikes")
    plain = spikes.population(EventSource(3, steps=[0, 1], indices=[0, 2]), name="source")
    spikes.project(plain, spikes.population(Delta, 4, name="sink").v_in, AllToAll(), weight=2 * mV)
    costs = {}
    for each in (net, spikes):
        program = SpiNNaker2(partition=np.r_[0, 0, 0, 1, 1, 1, 1], place="row_major").compile(each, dt=DT)
        assert same(program.run(5, progress=False), CPU().compile(each, dt=DT).run(5, progress=False))
        costs[each.name] = program.deployed.costs.energy_noc[0], program.mapping.layout.fixed["fifo"]
    assert costs["graded"][0] == pytest.approx(costs["spikes"][0] * 72 / 40)
    assert costs["graded"][1] == 2 * costs["spikes"][1]


def test_long_runs_keep_bounded_detail() -> None:
    program = SpiNNaker2(neurons_per_pe=30).compile(busy(), dt=DT)
    program.run(5000, progress=False)
    ledger = program.report().ledgers[0]
    assert ledger["part_bins"].shape[0] == 64
    assert int(ledger["cells"][2]) == 128, "64 bins of 128 steps hold 5,000"
    assert ledger["part_bins"].sum() == ledger["cycles"].sum()
    assert len(program.series["time"]) == 5000
    assert program.series["packets"].sum() == program.report().packets


def test_the_trace_holds_costs_and_placement(tmp_path: Path) -> None:
    program = SpiNNaker2(neurons_per_pe=30).compile(busy(), dt=DT)
    trace = program.run(STEPS, progress=False, out=tmp_path / "trace.h5")
    steps = trace.run["costs/steps"]
    assert np.asarray(steps).shape == (STEPS, len(SERIES))
    assert np.asarray(trace.run["costs/energy_by_pe"]).shape == (program.mapping.parts, 6)
    trace.close()
    assert_costs_explain_themselves(tmp_path / "trace.h5", program.report())


def test_the_trace_of_a_batch_holds_them_too(tmp_path: Path) -> None:
    program = SpiNNaker2(neurons_per_pe=30).compile(busy(), dt=DT)
    program.run_batch(
        {"relay": {"theta": np.full((3, 60), 0.5) * mV}}, STEPS, progress=False, out=tmp_path / "batch.h5"
    )
    assert_costs_explain_themselves(tmp_path / "batch.h5", program.report())
    with h5py.File(tmp_path / "batch.h5") as file:
        assert file["run/costs/steps"].shape == (3 * STEPS, len(SERIES))
        assert file["run/costs/layers"].shape == (3 * STEPS, len(program.lowered.populations), len(LAYERS))
        assert file["run/provenance/mapping/placement"][...].tolist() == program.mapping.placement.tolist()
        assert "SpiNNaker2" in file["run/provenance"].attrs["target"]


def assert_costs_explain_themselves(path: Path, report: SpiNNaker2Report) -> None:
    """Every array of costs says its axes and unit, and names what its rows and columns are."""
    energy = report.energy
    assert energy is not None
    with h5py.File(path) as file:
        costs = file["run/costs"]
        for name, array in costs.items():
            assert "unit" in array.attrs, name
            assert len(array.attrs["axes"]) == array.ndim, name
        assert list(costs["energy_by_pe"].attrs["columns"]) == list(energy.by_cause)
        for what, shared in (
            ("population", energy.by_population), ("projection", energy.by_projection), ("phase", energy.by_phase),
        ):  # fmt: skip
            array = costs[f"energy_by_{what}"]
            assert dict(zip(array.attrs["columns"], array[...], strict=True)) == pytest.approx(shared)


def test_reports_print_with_and_without_a_run() -> None:
    program = SpiNNaker2(neurons_per_pe=30).compile(busy(), dt=DT)
    before = program.report()
    assert "router tables" in str(before)
    assert "Energy by cause" not in str(before)
    with pytest.raises(TargetError, match="has not run yet"):
        _ = before.time
    program.run(STEPS, progress=False)
    after = program.report()
    for text in (str(after), after._repr_html_()):
        for word in ("Energy by cause", "12 M/s", "Hot spots", "assumption", "relay", "source -&gt; relay"):
            assert word in text.replace("->", "-&gt;")
    console = Console(file=StringIO(), width=100)
    console.print(after)
    drawn = console.file.getvalue()
    assert "Energy by cause" in drawn
    assert max(map(len, drawn.splitlines())) <= 100
    busiest = after.comparisons[1]
    assert busiest.value == pytest.approx(after.totals.synapses.sum(0).max() / after.time / 1e6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "float64"}, "float32 only"),
        ({"clock": "sun"}, "clock is 'sun'"),
        ({"dvfs": "turbo"}, "dvfs is 'turbo'"),
        ({"overflow": "wait"}, "overflow is 'wait'"),
        ({"weights": "int5"}, "weights is 'int5'"),
        ({"fifo": 0}, "fifo is 0"),
        ({"rates": {"a": 1.0}, "profile": 10}, "not both"),
        ({"chips": 1.5}, "chips is 1.5; it must be a whole number of at least 1"),
        ({"chips": "2"}, "chips is '2'"),
        ({"chips": 0}, "chips is 0"),
        ({"profile": -1}, "profile is -1; it must be a whole number of at least 0"),
        ({"seed": "x"}, "seed is 'x'"),
        ({"fifo": 2.5}, "fifo is 2.5"),
        ({"threads": 0}, "threads is 0"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(TargetError, match=message):
        SpiNNaker2(**options)


def test_measured_rates_weight_the_traffic() -> None:
    net = busy()
    even = SpiNNaker2(neurons_per_pe=20).map(net, DT, progress=False)
    measured = SpiNNaker2(neurons_per_pe=20, profile=STEPS).map(net, DT, progress=False)
    assert even.fanout.weight.tolist() == [1.0] * 180
    assert measured.fanout.weight[:60] == pytest.approx(1.0, abs=0.01)
    assert measured.fanout.weight[120:].max() < 1.0


def test_a_population_may_have_rates_of_its_own_and_wrong_names_are_refused() -> None:
    from neuromorph.errors import MappingError

    with pytest.raises(MappingError, match="no such population; there are source, relay, last"):
        SpiNNaker2(rates={"relais": 2.0}).map(busy(), DT, progress=False)
    for wrong in (-1.0, float("nan"), "often"):
        with pytest.raises(MappingError, match="rates of relay: expected numbers of at least 0"):
            SpiNNaker2(rates={"relay": wrong}).map(busy(), DT, progress=False)


def test_the_packet_level_model_agrees_with_the_latencies_of_an_idle_network() -> None:
    net = Network(name="one")
    source = net.population(EventSource(4, steps=[0, 2], indices=[1, 3]), name="source")
    sink = net.population(Delta, 12, name="sink")
    net.project(source, sink.v_in, AllToAll(), weight=2 * mV)
    target = SpiNNaker2(
        chips=3, partition=np.r_[np.zeros(4), 1 + np.arange(12) // 3].astype(int), place=[0, 5, 100, 200, 400]
    )
    program = target.compile(net, dt=DT)
    program.run(4, progress=False)
    flow, costs = program.packet_flow(2), program.deployed.costs
    assert repr(flow).startswith("<Flow: packets 1, copies ")
    sent = (costs.before[3] + program.mapping.machine.constants.count("cycles.packet_send")) / 300e6
    group = program.mapping.routing.keys.group[3]
    reached = slice(*program.mapping.routing.keys.ptr[group : group + 2])
    assert flow.last[0] - sent == pytest.approx(costs.latency[reached].max() * 1e-9, rel=1e-9)
    assert flow.first[0] - sent == pytest.approx(costs.latency[reached].min() * 1e-9, rel=1e-9)
    assert flow.packets.sum() == len(costs.link_index[slice(*costs.links_ptr[group : group + 2])])
    assert len(program.packet_flow(1).last) == 0


def test_a_step_takes_no_less_than_its_busiest_link() -> None:
    program = SpiNNaker2(neurons_per_pe=10).compile(busy(), dt=DT)
    program.run(STEPS, progress=False)
    series = program.series
    assert (series["time"] >= series["network"]).all()
    assert (series["network"] > 0).any()


def test_three_boards_with_long_links_change_nothing_but_costs() -> None:
    machine = spinnaker2(144)
    place = np.random.default_rng(0).choice(machine.usable_pes, 18, replace=False)
    program = SpiNNaker2(chips=144, partition=np.arange(180) // 10, place=place).compile(busy(), dt=DT)
    assert same(program.run(STEPS, progress=False), CPU().compile(busy(), dt=DT).run(STEPS, progress=False))
    report = program.report()
    assert_accounts(report)
    assert report.energy is not None
    idle = machine.constants.si("power.long_link") * (machine.link_kind == LONG_LINK).sum() * report.time
    assert report.energy.by_cause["links"] > idle


@pytest.mark.parametrize(("samples", "steps"), [(3000, 7), (2, 9000)])
def test_the_series_of_a_batch_misses_no_step(samples: int, steps: int) -> None:
    net = Network()
    net.population(Delta(v=2 * mV), 1, name="alone")
    program = SpiNNaker2().compile(net, dt=DT)
    theta = np.full((samples, 1), 1.0) * mV
    program.run_batch({"alone": {"theta": theta}}, steps, progress=False)
    report = program.report()
    assert len(program.series["time"]) == samples * steps
    assert program.series["time"].sum() == pytest.approx(report.time, rel=1e-9)
