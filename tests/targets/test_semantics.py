"""The rules of one step, one by one, on every target: expected numbers are worked out by hand."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuromorph import (
    Dense,
    Event,
    EventSource,
    LanguageError,
    Network,
    NetworkError,
    OneToOne,
    Param,
    Port,
    Sparse,
    State,
    TargetError,
    Trace,
    TraceError,
    ms,
    neuron,
    normal,
    second,
)
from neuromorph.engine import Target
from neuromorph.language import step as step_number
from neuromorph.trace import MemorySink


@neuron
class Sum:
    """Adds up what arrives; fires above a threshold and empties."""

    a = Port()
    theta = Param(1e30)
    x = State(0.0)
    x.jump = a
    spike = Event(when=x > theta)
    x.reset = 0.0


@neuron
class Last:
    """Keeps what arrived in the step before, and counts steps; two ports."""

    a, b = Port(), Port()
    before, now, at = State(0.0), State(0.0), State(-1, dtype=int)
    before.next = now
    now.next = a - 2 * b
    at.next = step_number


@neuron
class Clock:
    """Fires whenever it may; ``rest`` steps of refractory time hold the count."""

    rest = Param(3 * ms)
    held, free = State(0, dtype=int), State(0, dtype=int)
    held.next = held + 1
    free.next = free + 1
    spike = Event(when=held > 0, refractory=rest, hold=held)


@neuron
class Swap:
    """Two states that are exchanged by the advance and again by the reset."""

    a = Port()
    theta = Param(2.5)
    x, y = State(1.0), State(2.0)
    x.jump = y * a
    y.jump = x * a
    x.next = y
    y.next = x
    sum_ = x + y
    spike = Event(when=x > theta, value=10 * x + y)
    x.reset = y
    y.reset = x


@neuron
class Wrap:
    """Integer that grows past 32 bits."""

    a = Port(dtype=int)
    x = State(2**31 - 3, dtype=int)
    half = State(0, dtype=int)
    x.next = x + a
    half.next = (x + a) >> 1
    spike = Event(when=x < 0)


@neuron
class Draw:
    """Noise."""

    z = State(0.0)
    z.next = normal()
    spike = Event(when=z > 0)


def fed(model: Any, size: int, steps: Any, indices: Any, values: Any = None, inputs: int | None = None) -> Network:
    """A network of a source and one population, not yet joined."""
    net = Network(seed=1)
    net.population(EventSource(inputs or size, steps=steps, indices=indices, values=values), name="in")
    net.population(model, size, name="out")
    return net


def states(trace: Trace, name: str, population: str = "out") -> list[Any]:
    data = np.asarray(trace.state(population, name).data)
    return data[:, 0].tolist() if data.shape[1] == 1 else data.tolist()


def spikes(trace: Trace, population: str = "out") -> list[tuple[int, int]]:
    events = trace.events(population)
    assert events.steps is not None
    return list(zip(events.steps.tolist(), events.ids.tolist(), strict=True))


def test_an_event_arrives_after_its_delay_and_is_counted_at_the_end_of_the_step(target: Target) -> None:
    net = fed(Sum, 1, [0, 3], [0, 0])
    net.project(net["in"], net["out"], OneToOne(), weight=1.5, delay=4)
    net.record(net["out"], "x")
    trace = target.compile(net, dt=1 * ms).run(9, progress=False)
    assert states(trace, "x") == [0, 0, 0, 0, 1.5, 1.5, 1.5, 3.0, 3.0]
    assert spikes(trace, "in") == [(0, 0), (3, 0)]


def test_only_strictly_above_the_threshold_fires_and_what_is_recorded_is_after_the_reset(target: Target) -> None:
    net = fed(Sum(theta=[1.0, 1.0, 0.5]), 3, [0, 0, 0], [0, 1, 2])
    net.project(net["in"], net["out"], OneToOne(), weight=np.array([1.0, 1.0 + 2**-20, 1.0]))
    net.record(net["out"], "x")
    trace = target.compile(net, dt=1 * ms).run(3, progress=False)
    assert spikes(trace) == [(1, 1), (1, 2)]
    assert states(trace, "x") == [[0, 0, 0], [1, 0, 0], [1, 0, 0]]


def test_advances_are_simultaneous_and_ports_hold_the_sums_of_their_step(target: Target) -> None:
    net = fed(Last, 1, [0, 1], [0, 1], values=[3.0, 5.0], inputs=2)
    net.project(net["in"], net["out"].a, Dense([[1.0], [10.0]]))
    net.project(net["in"], net["out"].b, Dense([[0.0], [1.0]]), delay=2)
    for name in ("before", "now", "at"):
        net.record(net["out"], name)
    trace = target.compile(net, dt=1 * ms).run(5, progress=False)
    assert states(trace, "now") == [0, 3, 50, -10, 0]
    assert states(trace, "before") == [0, 0, 3, 50, -10]
    assert states(trace, "at") == [0, 1, 2, 3, 4]


def test_a_neuron_is_refractory_for_exactly_so_many_steps_and_held_states_wait(target: Target) -> None:
    net = Network()
    net.population(Clock(rest=[0, 1, 3] * ms), 3, name="out")
    net.record(net["out"], "held", "free")
    trace = target.compile(net, dt=1 * ms).run(8, progress=False)
    when = {k: [t for t, i in spikes(trace) if i == k] for k in range(3)}
    assert when == {0: list(range(8)), 1: [0, 2, 4, 6], 2: [0, 4]}
    assert np.asarray(states(trace, "held"))[-1].tolist() == [8, 4, 2]
    assert np.asarray(states(trace, "free"))[-1].tolist() == [8, 8, 8]


def test_jumps_advances_and_resets_are_each_simultaneous_and_in_this_order(target: Target) -> None:
    net = fed(Swap, 1, [0], [0])
    net.project(net["in"], net["out"], OneToOne(), weight=1.0)
    net.record(net["out"], "x", "y", "sum_")
    trace = target.compile(net, dt=1 * ms).run(3, progress=False)
    # step 0: (1, 2) -> (2, 1). step 1: jumps of 1 each -> (3, 3) -> (3, 3), fires 33, reset swaps. step 2: again.
    assert states(trace, "x") == [2, 3, 3]
    assert states(trace, "y") == [1, 3, 3]
    assert states(trace, "sum_") == [3, 6, 6]
    assert spikes(trace) == [(1, 0), (2, 0)]
    assert np.asarray(trace.events("out").values).tolist() == [33, 33]


def test_the_value_is_taken_before_the_reset_and_multiplies_the_weight(target: Target) -> None:
    net = Network()
    net.population(Swap(x=1.0, y=3.0), 1, name="out")
    net.population(Sum, 1, name="sum")
    net.project(net["out"], net["sum"], OneToOne(), weight=0.5)
    net.record(net["sum"], "x")
    net.record(net["out"], "x")
    trace = target.compile(net, dt=1 * ms).run(2, progress=False)
    # step 0: advanced to (3, 1), value 31, reset to (1, 3); step 1 the same again
    assert np.asarray(trace.events("out").values).tolist() == [31, 31]
    assert states(trace, "x") == [1, 1]
    assert states(trace, "x", "sum") == [0, 15.5]


def test_integers_are_stored_in_32_bits_and_computed_in_64(target: Target) -> None:
    net = fed(Wrap, 1, [0, 1, 2], [0, 0, 0])
    net.project(net["in"], net["out"], OneToOne(), weight=2)
    net.record(net["out"], "x", "half")
    trace = target.compile(net, dt=1 * ms).run(4, progress=False)
    top = 2**31
    assert states(trace, "x") == [top - 3, top - 1, -top + 1, -top + 3]
    assert states(trace, "half") == [(top - 3) >> 1, (top - 1) >> 1, (top + 1) >> 1, (-top + 3) >> 1]
    assert spikes(trace) == [(3, 0)]  # in step 2 the condition sees top + 1, before it is stored


def test_sums_are_taken_by_step_of_sending_then_projection_then_source_then_place(
    make: Callable[..., Target],
) -> None:
    big, one = 1e8, 1.0  # in float32, (big + one) - big = 0 but (big - big) + one = 1
    target = make("float32")
    cases: dict[str, tuple[list[float], float]] = {}
    for weights in ([big, one, -big], [big, -big, one], [one, big, -big]):
        expected = np.float32(0)
        for weight in weights:
            expected += np.float32(weight)
        cases[f"{weights}"] = (weights, float(expected))
    for weights, expected_sum in cases.values():
        by_source = fed(Sum, 1, [0, 0, 0], [0, 1, 2], inputs=3)
        by_source.project(by_source["in"], by_source["out"], Dense(np.array(weights)[:, None]))
        in_row = fed(Sum, 1, [0], [0])
        in_row.project(in_row["in"], in_row["out"], Sparse(([0, 0, 0], [0, 0, 0], weights)))
        by_projection = fed(Sum, 1, [0], [0])
        for weight in weights:
            by_projection.project(by_projection["in"], by_projection["out"], OneToOne(), weight=weight)
        by_step = fed(
            Sum, 1, [0, 1, 2], [0, 1, 2], inputs=3
        )  # all arrive in step 3; the projection built last sends first
        for source in (2, 1, 0):
            sparse = Sparse(([source], [0], [weights[source]]))
            by_step.project(by_step["in"], by_step["out"], sparse, delay=3 - source)
        for net in (by_source, in_row, by_projection, by_step):
            net.record(net["out"], "x")
            trace = target.compile(net, dt=1 * ms).run(4, progress=False)
            assert states(trace, "x")[-1] == expected_sum, weights


def test_runs_continue_and_reset_starts_again(make: Callable[..., Target]) -> None:
    net = fed(Draw, 5, [0, 3, 12, 17], [0, 1, 2, 0])
    net.population(Sum(theta=1.1), 5, name="sum")
    net.project(net["in"], net["sum"], OneToOne(), weight=1.0, delay=7)
    net.project(net["out"], net["sum"], Dense(np.full((5, 5), 0.1)), delay=3)
    net.record(net["out"], "z", every=3)
    net.record(net["sum"], "x")
    program = make("float32").compile(net, dt=1 * ms)
    whole = program.run(20, progress=False)
    parts = [program.run(10, progress=False, reset=True), program.run(10 * ms, progress=False)]
    program.reset()
    again = program.run(0.02 * second, progress=False)
    for population in ("in", "out", "sum"):
        joined = [event for part in parts for event in spikes(part, population)]
        assert spikes(whole, population) == joined == spikes(again, population)
    for population, variable in (("out", "z"), ("sum", "x")):
        rows = [row for part in parts for row in states(part, variable, population)]
        assert states(whole, variable, population) == rows == states(again, variable, population)
    assert len(states(whole, "z")) == 7
    assert len(spikes(whole, "sum")) > 5
    assert parts[1].meta.first_step == 10


def test_a_trace_in_a_file_equals_the_trace_in_memory(target: Target, tmp_path: Path) -> None:
    net = fed(Sum(theta=0.5), 3, [0, 2, 2], [0, 1, 2])
    net.project(net["in"], net["out"], OneToOne(), weight=1.0)
    net.record(net["out"], "x", every=2)
    program = target.compile(net, dt=1 * ms)
    memory = program.run(6, progress=False)
    program.run(6, progress=False, reset=True, out=tmp_path / "trace.h5")
    with Trace(tmp_path / "trace.h5") as file:
        assert spikes(file) == spikes(memory) == [(1, 0), (3, 1), (3, 2)]
        assert states(file, "x") == states(memory, "x")
        assert len(states(file, "x")) == 3


def test_what_is_not_recorded_is_not_in_the_trace_but_still_sent(target: Target) -> None:
    net = Network()
    source = net.population(EventSource(1, steps=[0], indices=[0]), record=False, name="in")
    out = net.population(Sum, 1, name="out")
    net.project(source, out, OneToOne(), weight=2.0)
    net.record(out, "x")
    trace = target.compile(net, dt=1 * ms).run(2, progress=False)
    assert states(trace, "x") == [0, 2]
    assert trace.meta.recorded == ("out",)


def test_set_changes_parameters_from_the_next_step_and_initial_states_at_once(target: Target) -> None:
    net = fed(Sum, 2, [0, 1, 2], [0, 0, 1])
    net.project(net["in"], net["out"], OneToOne(), weight=1.0)
    net.record(net["out"], "x")
    program = target.compile(net, dt=1 * ms)
    program.run(2, progress=False)
    program.set("out", x=[5.0, 7.0])
    assert states(program.run(1, progress=False), "x") == [[6, 7]]
    program.set("out", theta=[5.5, 100.0])
    trace = program.run(1, progress=False)
    assert spikes(trace) == [(3, 0)]
    assert states(trace, "x") == [[0, 8]]
    trace = program.run(1, progress=False, reset=True)
    assert states(trace, "x") == [[5, 7]]  # the new initial states and thresholds stay
    assert spikes(trace) == []
    with pytest.raises(NetworkError, match="no population 'hidden'; it has in, out"):
        program.set("hidden", theta=1.0)
    with pytest.raises(NetworkError, match="in replays events"):
        program.set("in", theta=1.0)


def test_a_batch_equals_separate_runs(target: Target, tmp_path: Path) -> None:
    net = fed(Draw, 4, [0, 2, 5], [0, 1, 2])
    hidden = net.population(Sum(theta=0.5), 4, name="sum")
    net.project(net["in"], hidden, OneToOne(), weight=0.3, delay=2)
    net.project(net["out"], hidden, Dense(np.linspace(-0.2, 0.5, 16).reshape(4, 4)))
    program = target.compile(net, dt=1 * ms)
    rng = np.random.default_rng(0)
    inputs = {"sum": {"x": rng.random((6, 4)), "theta": rng.uniform(0.3, 0.9, (6, 4))}}
    counted = program.run_batch(inputs, 9, window=(2, 8), progress=False)
    recorded = program.run_batch(inputs, 9 * ms, window=(2, 8), progress=False, out=tmp_path / "batch.h5")
    assert counted.window == (2, 8)
    assert counted.trace is None
    assert recorded.trace is not None
    together = spikes(recorded.trace, "sum")
    for sample in range(6):
        program.set("sum", x=inputs["sum"]["x"][sample], theta=inputs["sum"]["theta"][sample])
        alone = spikes(program.run(9, progress=False, reset=True), "sum")
        expected = np.bincount([i for t, i in alone if 2 <= t < 8], minlength=4)
        np.testing.assert_array_equal(counted.counts["sum"][sample], expected)
        np.testing.assert_array_equal(recorded.counts["sum"][sample], expected)
        assert alone == [(t - 9 * sample, i) for t, i in together if 9 * sample <= t < 9 * (sample + 1)]
    assert counted.counts["sum"].sum() > 20
    assert counted.predictions("sum").shape == (6,)


def test_a_run_whose_recording_fails_goes_on_from_where_it_stands(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = fed(Sum, 1, list(range(60)), [0] * 60)
    net.project(net["in"], net["out"], OneToOne(), weight=1.0)
    net.record(net["out"], "x")
    program = target.compile(net, dt=1 * ms)

    def full(*_: object) -> None:
        raise TraceError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr(MemorySink, "events", full)
        with pytest.raises(TraceError, match="no space left"):
            program.run(40, progress=False)
    assert program.step > 0
    trace = program.run(5, progress=False)
    first = trace.meta.first_step
    assert states(trace, "x") == list(range(first, first + 5))  # one input in each step, those of step 0 arrive in 1
    assert spikes(trace, "in") == [(t, 0) for t in range(first, first + 5)]


def test_ctrl_c_keeps_the_trace(target: Target) -> None:
    net = fed(Sum, 1, [0, 1], [0, 0])
    program = target.compile(net, dt=1 * ms)
    program.run(1, progress=False)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt, match=r"stopped after \d+ of 1000000000 steps"):
        program.run(10**9, progress=False)
    assert program.last_trace.meta.steps == program.step - 1
    assert spikes(program.last_trace, "in") == [(1, 0)]


@neuron
class Resting:
    """Fires when something arrived, with a refractory time of its own."""

    a = Port()
    t_ref = Param(2 * ms)
    x = State(0.0)
    x.next = a
    spike = Event(when=x > 0, refractory=t_ref, hold=x)


def test_values_that_cannot_be_are_refused_whenever_they_come(target: Target) -> None:
    net = fed(Resting, 3, [0], [0])
    program = target.compile(net, dt=1 * ms)
    program.run(2, progress=False)
    for value, message in (
        (-1 * ms, "negative"),
        (0.1 * ms, "shorter than half a step"),
        (1e9 * second, r"the longest is 2\*\*31 steps"),
        ([1, 2] * ms, "2 values for 3 neurons"),
        (float("inf") * ms, "not finite"),
    ):
        with pytest.raises(LanguageError, match=message):
            program.set("out", t_ref=value)
    with pytest.raises(LanguageError, match="not finite"):
        program.set("out", x=[0.0, np.inf, 0.0])
    assert program.run(2, progress=False, reset=True).count("in") == 1  # a refused change leaves nothing behind


def test_batches_that_cannot_be_are_refused(target: Target) -> None:
    program = target.compile(fed(Sum, 3, [0], [0]), dt=1 * ms)
    for inputs, error, message in (
        ({}, TargetError, "no inputs were given"),
        ({"out": {"x": np.zeros((0, 3))}}, TargetError, "no samples"),
        ({"out": {"x": np.zeros(3)}}, TargetError, r"out.x: shape \(3,\); give \(samples, 3\)"),
        ({"out": {"x": np.zeros((2, 4))}}, TargetError, r"out.x: shape \(2, 4\); give \(samples, 3\)"),
        ({"out": {"x": np.zeros((2, 3)), "theta": np.ones((4, 3))}}, TargetError, "out.x has 2, out.theta has 4"),
        ({"out": {"x": np.full((2, 3), np.inf)}}, LanguageError, "not finite"),
        ({"out": {"y": np.zeros((2, 3))}}, NetworkError, "no parameter or state 'y'; it has theta, x"),
        ({"hidden": {"x": np.zeros((2, 3))}}, NetworkError, "no population 'hidden'"),
        ({"in": {"x": np.zeros((2, 3))}}, NetworkError, "replays events"),
    ):
        with pytest.raises(error, match=message):
            program.run_batch(inputs, 5, progress=False)
    batch = program.run_batch({"out": {"x": np.zeros((2, 3))}}, 5, progress=False)
    with pytest.raises(TargetError, match="'hidden' were not counted; counted populations: in, out"):
        batch.predictions("hidden")


def test_a_batch_leaves_the_programs_own_run_alone(target: Target) -> None:
    net = fed(Sum, 1, [0, 3], [0, 0])
    net.project(net["in"], net["out"], OneToOne(), weight=1.0)
    net.record(net["out"], "x")
    program = target.compile(net, dt=1 * ms)
    program.run(2, progress=False)
    program.run_batch({"out": {"x": np.ones((3, 1))}}, 4, progress=False)
    assert states(program.run(3, progress=False), "x") == [1, 1, 2]


def test_what_a_batch_cannot_do_is_said(target: Target) -> None:
    net = fed(Sum, 2, [0], [0])
    program = target.compile(net, dt=1 * ms)
    with pytest.raises((NetworkError, TypeError), match="zeta"):
        program.run_batch({"out": {"zeta": np.ones((3, 2))}}, 4, progress=False)
    with pytest.raises(TargetError, match="one number of samples"):
        program.run_batch({"out": {"x": np.ones((3, 2)), "theta": np.ones((4, 2))}}, 4, progress=False)
    with pytest.raises(TargetError, match="window"):
        program.run_batch({"out": {"x": np.ones((3, 2))}}, 4, window=(2, 5), progress=False)
    with pytest.raises(TargetError, match="must not be negative"):
        program.run(-1, progress=False)


def test_report_and_source_describe_the_network(target: Target) -> None:
    net = fed(Sum, 2, [0], [0])
    net.project(net["in"], net["out"], OneToOne(), weight=1.0)
    program = target.compile(net, dt=1 * ms)
    program.run(2, progress=False)
    for text in (str(program.report()), program.report()._repr_html_()):
        assert "out" in text
    assert len(program.source()) > 20
