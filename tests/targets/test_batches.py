"""Batches: every sample is the run that it would be alone, however samples share the work."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import DT, STEPS, networks

from neuromorph import (
    CPU,
    Conv2D,
    Dense,
    EventSource,
    Lookup,
    Network,
    NetworkError,
    OneToOne,
    Reference,
    TargetError,
    ms,
)
from neuromorph.engine import Batch, Target
from neuromorph.engine.batch import choice
from neuromorph.language import Event, Param, Port, State, neuron
from neuromorph.language.expr import Type


@neuron
class Sum:
    """Adds up what arrives; fires above a threshold and empties."""

    a = Port()
    theta = Param(1.0)
    x = State(0.0)
    x.jump = a
    spike = Event(when=x > theta, value=x)
    x.reset = 0.0


def counts(batch: Batch) -> dict[str, list[Any]]:
    return {name: array.tolist() for name, array in batch.counts.items()}


def values(draw: st.DrawFn, net: Network, samples: int) -> dict[str, dict[str, Any]]:
    """Values of a parameter or state of some populations for each sample."""
    inputs: dict[str, dict[str, Any]] = {}
    rng = np.random.default_rng(draw(st.integers(0, 100)))
    for population in net.populations[1:]:
        model = population.neuron
        spec = draw(st.sampled_from((*model.params, *model.states)))
        if spec.name == "t_ref":
            continue
        shape = (samples, draw(st.sampled_from([1, population.size])))
        if spec.type is Type.INT:
            array: Any = rng.integers(1, 60, shape)
        else:
            array = rng.uniform(0.5, 2.0, shape) * (getattr(spec, "default", None) or 0.1) / (spec.unit.scale or 1)
        inputs.setdefault(population.name, {})[spec.name] = array * spec.unit if spec.unit.name else array
    return inputs


@st.composite
def batches(draw: st.DrawFn) -> tuple[Network, dict[str, Any]]:
    """A network and inputs of up to 19 samples."""
    net, samples = draw(networks(lookup=True)), draw(st.integers(1, 19))
    inputs: dict[str, Any] = dict(values(draw, net, samples))
    source = net.populations[0]
    if not inputs or draw(st.booleans()):
        rng = np.random.default_rng(samples)
        if isinstance(source.neuron, Lookup):
            return net, inputs | {source.name: rng.integers(-1, source.neuron.rows, (samples, STEPS))}
        dense = rng.random((samples, STEPS, source.size)) < 0.2
        graded = source.neuron.values is not None
        inputs[source.name] = dense * np.round(rng.uniform(0.2, 1.5, dense.shape), 2) if graded else dense
    return net, inputs


@given(batches(), st.sampled_from(["float32", "float64"]), st.sampled_from([8, 16]), st.sampled_from([1, 3]))
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
def test_lanes_give_what_the_reference_gives(
    case: tuple[Network, dict[str, Any]], dtype: Any, lanes: Any, threads: int
) -> None:
    net, inputs = case
    expected = Reference(dtype).compile(net, dt=DT).run_batch(inputs, STEPS, window=(2, STEPS), progress=False)
    program = CPU(dtype, threads, lanes=lanes).compile(net, dt=DT)
    got = program.run_batch(inputs, STEPS, window=(2, STEPS), progress=False)
    assert counts(got) == counts(expected)


def streams(samples: int, steps: int, size: int, graded: bool = False) -> Any:
    rng = np.random.default_rng(3)
    fired = rng.random((samples, steps, size)) < 0.3
    return fired * np.round(rng.uniform(0.1, 1.0, fired.shape), 2) if graded else fired


def convolution() -> Network:
    """A graded convolution and a matrix behind it."""
    rng = np.random.default_rng(1)
    net = Network(seed=2)
    source = net.population(EventSource(36, steps=[0], indices=[0], values=[0.5]), (1, 6, 6), name="in")
    middle = net.population(Sum(theta=0.4), (3, 4, 4), name="middle")
    out = net.population(Sum(theta=0.7), 5, name="out")
    net.project(source, middle, Conv2D(rng.normal(0.2, 0.3, (3, 1, 3, 3))))
    net.project(middle, out, Dense(rng.normal(0.2, 0.3, (48, 5))), delay=2)
    net.project(out, out, OneToOne(), weight=-0.5)
    return net


@pytest.mark.parametrize("weights", [None, "int8"])
@pytest.mark.parametrize("lanes", [1, 8, 16])
def test_samples_may_have_events_of_their_own(lanes: Any, weights: Any) -> None:
    net, dense = convolution(), streams(11, 15, 36, graded=True)
    expected = Reference("float32", weights).compile(net, dt=1 * ms).run_batch({"in": dense}, 20, progress=False)
    program = CPU(threads=2, lanes=lanes, weights=weights).compile(net, dt=1 * ms)
    got = program.run_batch({"in": dense}, 20, progress=False)
    assert counts(got) == counts(expected)
    assert len({row.tobytes() for row in got.counts["out"]}) > 5
    lists = [EventSource.from_dense(sample) for sample in dense]
    assert counts(program.run_batch({"in": lists}, 20, progress=False)) == counts(expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("lanes", [1, 8])
def test_samples_may_look_up_rows_of_their_own(lanes: Any, dtype: Any) -> None:
    rng = np.random.default_rng(5)
    table = np.round(rng.normal(0.3, 0.5, (7, 36)), 3) * (rng.random((7, 36)) < 0.7)
    net, ids = Network(seed=2), rng.integers(-1, 7, (11, 15))
    source = net.population(Lookup(table, ids[0]), name="in")
    out = net.population(Sum(theta=0.7), 5, name="out")
    net.project(source, out, Dense(rng.normal(0.2, 0.3, (36, 5))), delay=2)
    expected = Reference(dtype).compile(net, dt=1 * ms).run_batch({"in": ids}, 18, progress=False)
    program = CPU(dtype, threads=2, lanes=lanes).compile(net, dt=1 * ms)
    assert counts(program.run_batch({"in": ids}, 18, progress=False)) == counts(expected)
    assert len({row.tobytes() for row in expected.counts["out"]}) > 5
    lists = [Lookup(table, row[: 15 - k]) for k, row in enumerate(ids)]
    shorter = Reference(dtype).compile(net, dt=1 * ms).run_batch({"in": lists}, 18, progress=False)
    assert counts(program.run_batch({"in": lists}, 18, progress=False)) == counts(shorter)
    values = {"out": {"x": np.linspace(0, 1, 4)[:, None]}}  # every sample looks up the network's own ids
    same = Reference(dtype).compile(net, dt=1 * ms).run_batch(values, 18, progress=False)
    assert counts(program.run_batch(values, 18, progress=False)) == counts(same)
    for wrong, message in (
        ([EventSource(36)], "give its ids as an array, or a Lookup"),
        ([Lookup(2 * table, [1])], "looks its rows up in another table"),
        (np.zeros((2, 3, 36)), r"give ids as an array \(samples, steps\)"),
    ):
        with pytest.raises(TargetError, match=message):
            program.run_batch({"in": wrong}, 5, progress=False)
    with pytest.raises(NetworkError, match="7; rows are 0 to 6"):
        program.run_batch({"in": np.array([[7]])}, 5, progress=False)


def test_a_stream_is_what_a_network_with_these_events_gives(target: Target) -> None:
    dense = streams(3, 8, 4)
    net = Network()
    source = net.population(EventSource(4), name="in")
    net.project(source, net.population(Sum, 4, name="out"), OneToOne(), weight=0.6)
    batch = target.compile(net, dt=1 * ms).run_batch({"in": dense}, 12, progress=False)
    for sample, events in enumerate(dense):
        alone = Network()
        source = alone.population(EventSource.from_dense(events), name="in")
        alone.project(source, alone.population(Sum, 4, name="out"), OneToOne(), weight=0.6)
        trace = target.compile(alone, dt=1 * ms).run(12, progress=False)
        np.testing.assert_array_equal(batch.counts["out"][sample], np.bincount(trace.events("out").ids, minlength=4))


def test_one_value_for_all_neurons_of_a_sample(target: Target) -> None:
    net = Network()
    source = net.population(EventSource(3, steps=np.arange(12) % 4, indices=np.arange(12) % 3), name="in")
    out = net.population(Sum, 3, name="out")
    net.project(source, out, OneToOne(), weight=0.5)
    program, theta = target.compile(net, dt=1 * ms), np.array([0.2, 0.6, 1.2, 9.0])
    wide = counts(program.run_batch({"out": {"theta": np.tile(theta[:, None], 3)}}, 8, progress=False))
    assert counts(program.run_batch({"out": {"theta": theta}}, 8, progress=False)) == wide
    assert counts(program.run_batch({"out": {"theta": theta[:, None]}}, 8, progress=False)) == wide
    assert len({tuple(row) for row in wide["out"]}) > 2


def test_inputs_that_do_not_fit_are_refused(target: Target) -> None:
    net = Network()
    net.population(EventSource(4), name="in")
    net.population(Sum(theta=[1.0, 2.0]), 2, name="out")
    program = target.compile(net, dt=1 * ms)
    for inputs, message in (
        ({"in": np.zeros((2, 3))}, r"shape \(2, 3\); give events as an array \(samples, steps, 4\)"),
        ({"in": np.zeros((2, 3, 5))}, r"shape \(2, 3, 5\)"),
        ({"in": [EventSource(3)]}, "sample 0 is EventSource.3, 0 events.; give an EventSource of 4 neurons"),
        ({"in": np.full((2, 3, 4), 0.5)}, "in was compiled for spikes; build the network with a graded source"),
        ({"out": np.zeros((2, 3, 2))}, "out: give values by parameter or state"),
        ({"out": {"theta": np.ones(3)}}, r"shape \(3,\); give \(samples, 2\), .*or \(samples, 1\)"),
        ({"in": np.zeros((2, 3, 4)), "out": {"x": np.zeros((3, 2))}}, "in has 2, out.x has 3"),
    ):
        with pytest.raises(TargetError, match=message):
            program.run_batch(inputs, 5, progress=False)


def test_the_way_is_measured_and_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "PATIENCE", 0.0)
    net, dense = convolution(), streams(300, 15, 36, graded=True)
    program = CPU(threads=1).compile(net, dt=1 * ms)
    got = counts(program.run_batch({"in": dense}, 20, progress=False))
    assert got == counts(CPU(threads=1, lanes=1).compile(net, dt=1 * ms).run_batch({"in": dense}, 20, progress=False))
    assert "in 32 lanes" in str(program.report())
    assert "one by one" in str(program.report())
    with pytest.raises(TargetError, match="lanes is 12"):
        CPU(lanes=12)  # type: ignore[arg-type]
