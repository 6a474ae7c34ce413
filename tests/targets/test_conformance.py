"""Every target against the reference in the same arithmetic, on random networks: events and states, bit for bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from strategies import DT, Delta, Graded, Whole, networks

from neuromorph import (
    AvgPool2D,
    Conv2D,
    EventSource,
    FixedProbability,
    Lookup,
    Network,
    Reference,
    SumPool2D,
    Trace,
    Uniform,
    ms,
    mV,
)
from neuromorph.engine import Target

Targets = Callable[..., dict[str, Target]]
QUICK = settings(  # every new kernel costs a compilation, so few examples, and no shrinking
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def assert_same(got: Trace, expected: Trace) -> int:
    """Same events, values and states, bit for bit; gives the number of events."""
    assert got.populations == expected.populations
    total = 0
    for population in expected.meta.recorded or ():
        a, b = got.events(population), expected.events(population)
        np.testing.assert_array_equal(a.steps, b.steps, population)
        np.testing.assert_array_equal(a.ids, b.ids, population)
        assert (a.values is None) == (b.values is None)
        if a.values is not None and b.values is not None:
            assert a.values.dtype == b.values.dtype
            assert a.values.tobytes() == b.values.tobytes(), population
        total += len(b.ids)
    assert got.meta.states == expected.meta.states
    for population, variable in expected.meta.states:
        x = np.asarray(got.state(population, variable).data)
        y = np.asarray(expected.state(population, variable).data)
        assert x.dtype == y.dtype
        assert x.tobytes() == y.tobytes(), (population, variable, x, y)
    return total


def run_alike(targets: Targets, net: Network, steps: int, dtype: str, weights: str | None = None) -> int:
    """Run on the reference and on every other target, and compare; gives the number of events."""
    expected = Reference(dtype, weights).compile(net, dt=DT).run(steps, progress=False)
    events = 0
    for name, target in targets(dtype, weights).items():
        try:
            events = assert_same(target.compile(net, dt=DT).run(steps, progress=False), expected)
        except Exception as error:
            error.add_note(f"on target {name}")
            raise
    return events


@given(net=networks(lookup=True))
@QUICK
def test_random_networks_run_as_in_the_reference(others: Targets, net: Network) -> None:
    run_alike(others, net, 40, "float32")


@given(net=networks(max_populations=2, lookup=True))
@settings(QUICK, max_examples=5)
def test_random_networks_in_double_precision_run_as_in_the_reference(others: Targets, net: Network) -> None:
    run_alike(others, net, 40, "float64")


@given(net=networks(ints=False), weights=st.sampled_from(["int4", "int8", "int16", "spark"]))
@settings(QUICK, max_examples=4)
def test_quantised_networks_run_as_in_the_reference(others: Targets, net: Network, weights: str) -> None:
    run_alike(others, net, 30, "float32", weights)


def test_convolutions_and_pools_run_as_in_the_reference(others: Targets) -> None:
    rng = np.random.default_rng(3)
    net = Network(seed=5)
    image = net.population(EventSource.from_dense(rng.random((20, 2 * 8 * 9)) < 0.2), (2, 8, 9), name="image")
    maps = net.population(Delta, (3, 6, 7), name="maps")
    pooled = net.population(Delta(theta=3 * mV), (3, 3, 3), name="pooled")
    counts = net.population(Whole(theta=60), (3, 3, 3), name="counts")
    net.project(image, maps.v_in, Conv2D(rng.normal(1, 3, (3, 2, 3, 3)) * mV))
    net.project(maps, pooled.v_in, AvgPool2D(2), weight=20 * mV, delay=3)
    net.project(maps, counts.a, SumPool2D(2), weight=25)
    net.project(
        counts, maps.v_in, FixedProbability(0.3), weight=Uniform(-2 * mV, 3 * mV), delay=Uniform(1 * ms, 5 * ms)
    )
    net.record(pooled, "v")
    net.record(counts, "v", "current", every=2)
    assert run_alike(others, net, 40, "float32") > 300


def test_a_network_without_events_or_synapses_runs(others: Targets) -> None:
    net = Network()
    net.population(EventSource(3), name="silent")
    net.population(Delta, 2, name="idle")
    net.project(net["silent"], net["idle"], FixedProbability(0.0), weight=1 * mV)
    net.record(net["idle"], "v")
    assert run_alike(others, net, 0, "float32") == 0
    assert run_alike(others, net, 5, "float32") == 0


def test_rows_that_are_looked_up_run_as_in_the_reference(others: Targets) -> None:
    rng = np.random.default_rng(4)
    table = np.where(rng.random((6, 70)) < 0.6, rng.normal(0, 1, (6, 70)), 0).astype(np.float32)
    net = Network(seed=1)
    words = net.population(Lookup(table, [3, 0, -1, 5, 5, 1]), name="words")
    cells = net.population(Graded(theta=0.5), 40, name="cells")
    net.project(words, cells.a, FixedProbability(0.5), weight=Uniform(-0.5, 1.0))
    net.project(words, cells.g, FixedProbability(0.3), weight=0.3, delay=Uniform(1 * ms, 4 * ms))
    assert run_alike(others, net, 12, "float32") > 20
    program = Reference("float32").compile(net, dt=DT)
    events = program.run(12, progress=False).events("words")
    for step, row in enumerate([3, 0, -1, 5, 5, 1]):
        emitted, values = events.ids[events.steps == step], table[row] if row >= 0 else np.zeros(70)
        np.testing.assert_array_equal(emitted, np.flatnonzero(values))
        np.testing.assert_array_equal(events.values[events.steps == step], values[values != 0])
