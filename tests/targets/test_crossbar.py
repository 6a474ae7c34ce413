"""Crossbars with everything that makes them inexact: one seed gives one result, however a run is cut or shared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuromorph import CPU, Dense, EventSource, Live, Network, Trace, ms
from neuromorph.errors import CheckpointError, MappingError, NeuromorphError, TargetError
from neuromorph.language import Event, Param, Port, State, neuron
from neuromorph.mapping.crossbar import Crossbar, Effects, load_machine
from neuromorph.mapping.crossbar.converters.calibrate import calibrate
from neuromorph.mapping.crossbar.machine.machine import Converter
from neuromorph.mapping.crossbar.reads.profile import look
from neuromorph.mapping.crossbar.reads.readback import block_weights
from neuromorph.models import Linear
from neuromorph.progress import Silent

STEPS = 40


@neuron
class Leaky:
    """Leaky sum that sends its value."""

    a = Port()
    theta = Param(1.0)
    x = State(0.0)
    x.next = 0.8 * x + a
    out = Event(when=x > theta, value=x)
    x.reset = x - theta


@neuron
class Sum:
    """Holds what arrived in this step."""

    a = Port(dtype=int)
    x = State(0, dtype=int)
    x.next = a
    out = Event(when=x > 1000)


def network(live: bool = False, seed: int = 3) -> Network:
    """Two layers and a loop."""
    rng = np.random.default_rng(seed)
    net = Network(name="layers")
    dense = rng.random((STEPS, 30)) < 0.2
    source = net.population(Live(30) if live else EventSource.from_dense(dense), name="in")
    hidden, out = net.population(Leaky, 24, name="hidden"), net.population(Leaky(theta=0.6), 6, name="out")
    net.project(source, hidden, Dense(rng.normal(0.1, 0.4, (30, 24))))
    net.project(hidden, out, Dense(rng.normal(0, 0.3, (24, 6))), delay=3)
    net.project(out, hidden, Dense(rng.normal(0, 0.2, (6, 24))), delay=2)
    net.record(out, "x")
    return net


MACHINE = load_machine(
    "neurram", rows=32, columns=32, arrays_per_core=2, cores_per_tile=1, tiles=4, mesh=(2, 2), adc=Converter(8, "sar")
)
EFFECTS = Effects(programming=True, read_noise=True, dac=True, adc=True, adc_offset=0.4)


def same(a: Trace, b: Trace) -> bool:
    """Whether two traces hold the same events, values and states."""
    alike = [np.array_equal(a.state("out", "x").data, b.state("out", "x").data)]
    for name in ("in", "hidden", "out"):
        x, y = a.events(name), b.events(name)
        alike += [np.array_equal(x.steps, y.steps), np.array_equal(x.ids, y.ids)]
        alike += [x.values is None or np.array_equal(x.values, y.values)]
    return all(alike)


def run(target: Crossbar, net: Network | None = None) -> Trace:
    return target.compile(net or network(), dt=1 * ms).run(STEPS, progress=False)


@pytest.fixture(scope="module")
def target() -> Crossbar:
    """Noisy arrays whose converters were calibrated with the network's own data."""
    plain = Crossbar(MACHINE, EFFECTS)
    ranges = calibrate(plain, network(), 1 * ms, lambda program: program.run(STEPS, progress=False))
    return replace(plain, ranges=ranges)


@pytest.fixture(scope="module")
def noisy(target: Crossbar) -> Trace:
    return run(target)


def test_noise_changes_results_and_the_seed_decides_how(target: Crossbar, noisy: Trace) -> None:
    assert not same(noisy, CPU().compile(network(), dt=1 * ms).run(STEPS, progress=False))
    assert same(noisy, run(target))
    assert not same(noisy, run(replace(target, seed=1)))
    assert len(noisy.events("out").ids) > 10


@pytest.mark.parametrize("change", [{"readout": "dense"}, {"readout": "row-gated"}, {"chips": 3}, {"threads": 2}])
def test_ways_of_reading_out_and_numbers_of_chips_do_not_change_results(
    target: Crossbar, noisy: Trace, change: dict[str, Any]
) -> None:
    assert same(noisy, run(replace(target, **change)))


def test_read_noise_differs_from_read_to_read_and_programming_does_not() -> None:
    net = Network(name="constant")
    every = np.repeat(np.arange(20), 4), np.tile(np.arange(4), 20)
    source = net.population(EventSource(4, steps=every[0], indices=every[1]), name="in")
    out = net.population(Leaky(theta=1e9), 5, name="out")
    net.project(source, out, Dense(np.full((4, 5), 0.5)))
    net.record(out, "x")

    def sums(**effects: Any) -> np.ndarray:
        x = np.asarray(run(Crossbar(MACHINE, Effects(**effects)), net).state("out", "x").data, np.float64)
        return (x[1:] - 0.8 * x[:-1])[1:20]

    for effects, changing in (({"programming": True}, False), ({"read_noise": True}, True)):
        each = sums(**effects)
        assert ((np.ptp(each, axis=0) > 1e-4) == changing).all()
        assert np.ptp(each, axis=1).min() > 1e-2
    assert np.abs(sums() - 2.0).max() < 1e-5


def test_a_run_in_pieces_and_live_steps_give_one_run(target: Crossbar, noisy: Trace) -> None:
    program = target.compile(network(), dt=1 * ms)
    parts = [program.run(n, progress=False) for n in (7, 1, 12, STEPS - 20)]
    assert np.array_equal(np.concatenate([part.state("out", "x").data for part in parts]), noisy.state("out", "x").data)
    source = noisy.events("in")
    stepped = target.compile(network(live=True), dt=1 * ms)
    loop = stepped.live(["out"])
    for step in range(STEPS):
        loop.step({"in": (source.ids[source.steps == step],)})
        assert np.array_equal(loop.state("out", "x"), noisy.state("out", "x").data[step])
    assert stepped.counts.steps == program.counts.steps == STEPS
    assert np.array_equal(stepped.counts.row_pulses, program.counts.row_pulses)
    loop.step(steps=6000)  # more than the series holds: the sums are still whole
    assert stepped.step == stepped.counts.steps == STEPS + 6000
    before = stepped.counts.rows.copy()
    stepped.run(9000, progress=False)  # and here nothing is lost
    assert stepped.counts.steps == STEPS + 15000
    assert np.array_equal(stepped.steps["rows"][-9000:].sum(axis=0), stepped.counts.rows - before)


def samples(count: int) -> Any:
    return np.random.default_rng(8).random((count, STEPS, 30)) < 0.2


def test_a_batch_gives_each_sample_noise_of_its_own(target: Crossbar, tmp_path: Path) -> None:
    given = np.repeat(samples(1), 6, axis=0)
    program = target.compile(network(), dt=1 * ms)
    got = program.run_batch({"in": given}, STEPS, progress=False).counts
    assert len({row.tobytes() for row in got["hidden"]}) > 3
    assert program.counts.samples == 6
    assert program.counts.steps == 6 * STEPS == len(program.steps)
    counts = program.counts.conversions
    for threads in (2, 3):
        shared = replace(target, threads=threads).compile(network(), dt=1 * ms)
        again = shared.run_batch({"in": given}, STEPS, progress=False).counts
        assert np.array_equal(again["hidden"], got["hidden"])
        assert np.array_equal(shared.counts.conversions, counts)
    recorded = program.run_batch({"in": given}, STEPS, progress=False, out=tmp_path / "batch.h5")
    assert np.array_equal(recorded.counts["hidden"], got["hidden"])
    alone = Network(name="layers")
    trace = run(target, alone_with(alone, given[0]))
    assert np.array_equal(np.bincount(trace.events("hidden").ids, minlength=24), got["hidden"][0])


def alone_with(net: Network, events: np.ndarray) -> Network:
    """The network with other events."""
    made = network()
    source = net.population(EventSource.from_dense(events), name="in")
    copies = {"in": source}
    for population in made.populations[1:]:
        copies[population.name] = net.population(population.neuron, population.size, name=population.name)
    for each in made.projections:
        net.project(copies[each.pre.name], copies[each.post.name].a, each.rule, delay=each.delay)
    net.record(copies["out"], "x")
    return net


@pytest.mark.parametrize("readout", ["tile-skip", "comparator"])
def test_a_run_resumes_from_a_checkpoint_with_the_charge_on_its_columns(
    target: Crossbar, readout: Any, tmp_path: Path
) -> None:
    target = replace(target, readout=readout)
    whole = run(target)
    program = target.compile(network(), dt=1 * ms)
    program.run(17, progress=False, checkpoint=tmp_path / "state.h5")
    other = target.compile(network(), dt=1 * ms)
    other.run(3, progress=False)
    other.restore(tmp_path / "state.h5")
    rest = other.run(STEPS - 17, progress=False)
    assert np.array_equal(rest.state("out", "x").data, whole.state("out", "x").data[17:])
    if readout == "comparator":
        assert any(residue.any() for residue in other.current.residues)
        other.reset()
        assert not any(residue.any() for residue in other.current.residues)
        assert same(other.run(STEPS, progress=False), whole)
        batch = other.run_batch({"in": samples(4)}, STEPS, progress=False)
        turned = other.run_batch({"in": samples(4)[::-1].copy()}, STEPS, progress=False)
        assert not np.array_equal(batch.counts["hidden"], turned.counts["hidden"][::-1])  # noise goes by number
        plain = replace(target, readout="tile-skip").compile(network(), dt=1 * ms)
        plain.run(5, progress=False, checkpoint=tmp_path / "other.h5")
        with pytest.raises(CheckpointError, match=r"comparators keep .* charges"):
            other.restore(tmp_path / "other.h5")


def test_comparators_lose_no_charge() -> None:
    machine = replace(MACHINE, effects=Effects(quantise=True, adc=True), subtract="analog", adc=Converter(6, "sar"))
    net = Network(name="ramp")
    steps = np.arange(STEPS)
    source = net.population(EventSource(1, steps=steps, indices=np.zeros(STEPS, int)), name="in")
    out = net.population(Leaky(theta=1e9), 3, name="out")
    net.project(source, out, Dense(np.array([[1.0, -0.3, 0.11]])))
    net.record(out, "x")
    program = Crossbar(machine, readout="comparator").compile(net, dt=1 * ms)
    x = np.asarray(program.run(STEPS + 1, progress=False).state("out", "x").data, np.float64)
    total = (x[1:] - 0.8 * x[:-1])[-STEPS:].sum(axis=0)
    setting = program.deployed.settings[0]
    assert setting.step is not None
    quantum = setting.step[0, 0] * setting.worth
    exact = Crossbar(replace(machine, effects=Effects(quantise=True))).compile(net, dt=1 * ms)
    y = np.asarray(exact.run(STEPS + 1, progress=False).state("out", "x").data, np.float64)
    expected = (y[1:] - 0.8 * y[:-1])[-STEPS:].sum(axis=0)
    assert np.abs(total - expected).max() < quantum * 1.01
    assert program.counts.saturated.sum() == 0


def test_a_chip_is_programmed_once_and_serves_other_programs(target: Crossbar, noisy: Trace) -> None:
    chip = target.compile(network(), dt=1 * ms).chip
    again = replace(target, effects=None, chip=chip)
    program = again.compile(network(), dt=1 * ms)
    assert program.chip is chip
    assert same(program.run(STEPS, progress=False), noisy)
    with pytest.raises(TargetError, match="chip"):
        again.compile(network(seed=4), dt=1 * ms)


def test_parameters_are_set_between_runs(target: Crossbar) -> None:
    program = target.compile(network(), dt=1 * ms)
    before = program.run(STEPS, progress=False)
    program.set("hidden", theta=5.0)
    quiet = program.run(STEPS, progress=False, reset=True)
    assert len(quiet.events("hidden").ids) < len(before.events("hidden").ids) / 2
    program.set("hidden", theta=np.full(24, 1.0))  # one value for each neuron: another kernel
    assert same(program.run(STEPS, progress=False, reset=True), before)


def test_a_trace_holds_the_counts_of_its_steps(target: Crossbar, tmp_path: Path) -> None:
    program = target.compile(network(), dt=1 * ms)
    trace = program.run(STEPS, progress=False, out=tmp_path / "run.h5")
    rows = np.asarray(trace.run["costs/steps"])
    assert rows.shape == (STEPS, len(program.plan.matrices), 15)
    assert rows[:, :, 0].sum() == program.counts.events.sum()
    assert str(program.report()).startswith("Crossbar") or program.network.name in str(program.report())
    assert "kernel" in program.source()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"machine": 3}, "machine is 3"),
        ({"machine": "isac"}, "no crossbar machine 'isac'"),
        ({"effects": "all"}, "effects is 'all'"),
        ({"readout": "fast"}, "readout is 'fast'"),
        ({"seed": -1}, "seed is -1"),
        ({"threads": 0}, "threads is 0"),
        ({"replicate": "many"}, "replicate is 'many'"),
        ({"time": -1.0}, "time is -1.0"),
        ({"rates": {"in": 1.0}, "profile": 5}, "rates or profile"),
        ({"convolution": "other"}, "convolution is 'other'"),
        ({"constants": {"energy__nothing": 1.0}}, "energy.nothing"),
    ],
)
def test_options_that_cannot_be_are_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(NeuromorphError, match=message):
        Crossbar(**options)


def test_events_that_are_given_later_are_not_known_from_a_silent_look() -> None:
    net = Network(name="later")
    source, sink = net.population(Live(4, graded=True), name="in"), net.population(Linear, 3, name="out")
    net.project(source, sink.a, Dense(np.ones((4, 3))))
    with pytest.raises(TargetError, match=r"how large the events of in get"):
        Crossbar("m1076", profile=20).compile(net, dt=1 * ms)


def test_what_a_network_lacks_is_said_before_it_is_mapped(target: Crossbar) -> None:
    with pytest.raises(TargetError, match=r"how large the events of hidden, out get.*profile=1000"):
        replace(target, ranges=None).compile(network(), dt=1 * ms)
    with pytest.raises(MappingError, match="layers"):
        replace(target, ranges=replace(target.ranges, network="others")).compile(network(), dt=1 * ms)
    with pytest.raises(MappingError, match="arrays"):
        Crossbar(replace(MACHINE, tiles=1, mesh=(1, 1)), EFFECTS, chips=1, profile=5).compile(network(), dt=1 * ms)
    with pytest.raises(TargetError, match="observe=True"):
        _ = target.compile(network(), dt=1 * ms).observed
    assert repr(target).startswith("Crossbar('neurram', effects=[programming")


def test_a_profile_notes_events_and_how_large_they_get() -> None:
    net = network()
    net.population(Leaky, 3, name="silent")
    target = Crossbar(MACHINE, EFFECTS)
    seen = look(target._lower(net, 1 * ms, False, Silent()), STEPS)
    trace = CPU().compile(net, dt=1 * ms).run(STEPS, progress=False)
    for k, name in enumerate(("in", "hidden", "out")):
        events = trace.events(name)
        steps, neurons = seen.events[name]
        assert np.array_equal(steps, events.steps)
        assert np.array_equal(neurons, events.ids)
        assert seen.largest[k] == (1.0 if events.values is None else np.abs(events.values).max())
    assert 3 not in seen.largest  # nobody knows how large its events would be


def test_a_chip_that_drifts_is_the_same_chip_later() -> None:
    effects = Effects(quantise=True, programming=True, drift=True, wires=True)
    machine = replace(MACHINE, r_row=2.0, r_column=2.0)
    fresh = Crossbar(machine, effects).compile(network(), dt=1 * ms)
    late = run(Crossbar(machine, effects, time=1e7))
    assert same(run(Crossbar(machine, chip=fresh.chip, time=1e7)), late)
    again = Crossbar(chip=fresh.chip, time=1e7)
    assert again.built is fresh.plan.machine
    assert again.on == effects.with_(time=1e7)
    assert same(run(again), late)
    assert same(run(Crossbar(machine, effects.with_(time=1e7))), late)
    assert not same(fresh.run(STEPS, progress=False), late)
    assert not fresh.counts.saturated.any()
    assert not any(setting.computing for setting in fresh.deployed.settings)  # all of it is linear


def test_cells_of_ints_that_are_off_round_once_in_each_step() -> None:
    rng = np.random.default_rng(1)
    net = Network(name="off")
    source = net.population(EventSource.from_dense(rng.random((STEPS, 12)) < 0.3), name="in")
    out = net.population(Sum, 4, name="out")
    weights = rng.integers(-30, 31, (12, 4)).astype(np.int32)
    net.project(source, out, Dense(weights))
    net.record(out, "x")
    program = Crossbar(MACHINE, Effects(quantise=True, programming=True)).compile(net, dt=1 * ms)
    trace = program.run(STEPS + 1, progress=False)
    held = np.zeros((12, 4))
    for block in program.plan.blocks:
        held[np.ix_(block.rows, block.columns)] = block_weights(program.chip, block)
    fired = np.zeros((STEPS, 12))
    fired[trace.events("in").steps, trace.events("in").ids] = 1.0
    expected = np.rint(fired @ held * program.chip.scale[0]).astype(int)
    assert np.array_equal(np.asarray(trace.state("out", "x").data)[1:], expected)
    assert not np.array_equal(expected, fired @ weights)
