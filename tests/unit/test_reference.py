"""The reference engine against plain loops, and one test for each rule of a step.

That all targets agree with the reference is tested in tests/targets.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.engine.reference import deliver
from neuromorph.engine.reference_program import Reference
from neuromorph.errors import NetworkError, TargetError
from neuromorph.language import Event, Param, Port, State, neuron
from neuromorph.network import Dense, EventSource, Network, OneToOne
from neuromorph.network.synapses import Synapses
from neuromorph.simulate import simulate
from neuromorph.units import ms, mV


# --- delivery ---------------------------------------------------------------------------------------------------------
@st.composite
def deliveries(draw):
    """Synapses in every storage, with the events of one step and the sums before it."""
    n_pre, n_post = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    lengths = np.full(n_pre, n_post) if draw(st.booleans()) else rng.integers(0, 6, n_pre)
    dense = bool(np.all(lengths == n_post)) and draw(st.booleans())
    count = int(lengths.sum())
    dtype = draw(st.sampled_from(["float32", "float64", "int64"]))
    kind = draw(st.sampled_from(["one", "own", "kernel", "quantised"]))
    weights, index, scale = rng.normal(size=count) * 10.0 ** rng.integers(-6, 6, count), None, None
    if kind == "one":
        weights = np.array(rng.normal())
    elif kind == "kernel" and not dense:
        weights, index = rng.normal(size=3), rng.integers(0, 3, count).astype(np.uint16)
    if dtype == "int64":
        weights = np.rint(weights * 10).astype(np.int32)
    elif kind == "quantised":
        weights, scale = np.rint(weights).clip(-127, 127).astype(np.int8), 0.037
    else:
        weights = weights.astype(dtype)
    longest = draw(st.integers(1, 4))
    delays = rng.integers(1, longest + 1, () if draw(st.booleans()) else count).astype(np.uint8)
    synapses = Synapses(
        name="p",
        index=0,
        pre=0,
        post=1,
        port=0,
        n_pre=n_pre,
        n_post=n_post,
        row_ptr=None if dense else np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        targets=None if dense else np.sort(rng.integers(0, n_post, count)).astype(np.uint16),
        weights=weights,
        weight_index=index,
        delays=delays,
        weight_scale=scale,
    )
    sums = (rng.normal(size=(longest, n_post)) * 100).astype(dtype)
    fired = np.flatnonzero(rng.random(n_pre) < 0.7)
    values = rng.normal(size=len(fired)).astype(dtype if dtype != "int64" else "float64") * 3
    return synapses, sums, draw(st.integers(0, 100)), fired, values if draw(st.booleans()) else None


@settings(max_examples=200, deadline=None)
@given(deliveries())
def test_delivery_is_the_plain_loop(case):
    synapses, sums, step, fired, values = case
    expected = sums.copy()
    number = sums.dtype.type
    for event, source in enumerate(fired):
        dense = synapses.row_ptr is None
        row = range(synapses.n_post) if dense else range(synapses.row_ptr[source], synapses.row_ptr[source + 1])
        for place in row:
            k = source * synapses.n_post + place if dense else place
            target = place if dense else synapses.targets[k]
            at = k if synapses.weight_index is None else synapses.weight_index[k]
            weight = number(synapses.weights if synapses.weights.ndim == 0 else synapses.weights[at])
            factor = None if values is None else number(values[event])
            if synapses.weight_scale is not None:
                factor = number(synapses.weight_scale) if factor is None else number(synapses.weight_scale) * factor
            if factor is not None:
                weight = weight * factor
            delay = int(synapses.delays if synapses.delays.ndim == 0 else synapses.delays[k])
            expected[(step + delay) % len(sums), target] += weight
    deliver(synapses, sums, step, fired, values)
    assert sums.tobytes() == expected.tobytes()


# --- one test for each rule of a step ---------------------------------------------------------------------------------
def run(model, steps, **inputs):
    return simulate(model, steps, dt=1 * ms, inputs={name: np.array(x) for name, x in inputs.items()})


def test_jump_comes_before_the_advance():
    @neuron
    class Halving:
        u = Port()
        x = State(0.0)
        x.jump = u
        x.next = x / 2

    assert list(run(Halving, 3, u=[8.0, 0, 2]).states["x"]) == [4, 2, 2]


def test_jumps_see_old_values():
    @neuron
    class Swap:
        u = Port()
        x, y = State(1.0), State(10.0)
        x.jump = u * y
        y.jump = u * x

    states = run(Swap, 2, u=[1.0, 1]).states
    assert list(states["x"]) == [11, 22]
    assert list(states["y"]) == [11, 22]


def test_advances_see_values_after_all_jumps():
    @neuron
    class Follow:
        u = Port()
        x, y = State(0.0), State(0.0)
        x.jump = u
        x.next = y
        y.next = x

    states = run(Follow, 3, u=[5.0, 0, 0]).states
    assert list(states["x"]) == [0, 5, 0]
    assert list(states["y"]) == [5, 0, 5]


def test_ports_in_equations_are_this_steps_sums_and_do_not_linger():
    @neuron
    class Direct:
        u = Port()
        x = State(0.0)
        x.next = 3 * u
        over = Event(when=u > 1.5)

    got = run(Direct, 3, u=[1.0, 2, 0])
    assert list(got.states["x"]) == [3, 6, 0]
    assert list(got.events.steps) == [1]


def test_condition_and_resets_see_the_new_states():
    @neuron
    class Ramp:
        x, y = State(0.0), State(100.0)
        x.next = x + 2
        above = Event(when=x > 3, value=x)
        x.reset = x - y
        y.reset = x

    got = run(Ramp, 2)
    assert list(got.events.steps) == [1]
    assert list(got.events.values) == [4]  # before the reset
    assert list(got.states["x"]) == [2, -96]
    assert list(got.states["y"]) == [100, 4]


def test_equal_to_the_threshold_does_not_fire():
    @neuron
    class Edge:
        x = State(0.0)
        x.next = x + 1
        over = Event(when=x > 2)

    assert list(run(Edge, 4).events.steps) == [2, 3]


@neuron
class Resting:
    """Counts what it receives while a held twin does not."""

    u = Port()
    t_ref = Param(3 * ms)
    held, free, clock = State(0.0), State(0.0), State(0.0)
    held.jump = u
    free.jump = u
    held.next = held + 1
    free.next = free + 1
    clock.next = clock + 1
    over = Event(when=clock > 1.5, refractory=t_ref, hold=held)
    held.reset = 0.0


def test_refractory_for_exactly_n_steps():
    assert list(run(Resting, 14).events.steps) == [1, 5, 9, 13]
    assert list(run(Resting(t_ref=0 * ms), 5).events.steps) == [1, 2, 3, 4]
    assert list(run(Resting(t_ref=1.4 * ms), 6).events.steps) == [1, 3, 5]
    assert list(run(Resting(t_ref=1.6 * ms), 8).events.steps) == [1, 4, 7]


def test_held_states_neither_jump_nor_advance():
    states = run(Resting, 6, u=[10.0] * 6).states
    assert list(states["held"]) == [11, 0, 0, 0, 0, 0]
    assert list(states["free"]) == [11, 22, 33, 44, 55, 66]
    assert run(Resting(t_ref=2 * ms), 6, u=[10.0] * 6).states["held"][3:5] == pytest.approx([0, 0])


def test_refractory_time_may_depend_on_the_neuron():
    got = simulate(Resting(t_ref=np.array([1.0, 4.0]) * ms), 12, dt=1 * ms, n=2)
    assert list(got.events.steps[got.events.ids == 0]) == [1, 3, 5, 7, 9, 11]
    assert list(got.events.steps[got.events.ids == 1]) == [1, 6, 11]


# --- the program -----------------------------------------------------------------------------------------------------
@neuron
class Relay:
    """Fires one step after what arrives."""

    u = Port(unit=mV)
    theta = Param(0.5 * mV)
    v = State(0 * mV)
    v.jump = u
    fire = Event(when=v > theta)
    v.reset = 0 * mV


def relay_network(**options):
    net = Network(seed=1)
    source = net.population(EventSource(2, steps=[0, 3, 3], indices=[0, 0, 1]), name="source")
    relay = net.population(Relay(**options), 2, name="relay")
    net.project(source, relay, OneToOne(), weight=1 * mV, delay=2)
    net.project(relay, relay, Dense(np.array([[0, 1.0], [1, 0]]) * mV), delay=np.array([[1, 3], [1, 1]]), name="loop")
    net.record(relay, "v")
    return net


def test_events_travel_with_their_delays():
    trace = Reference().compile(relay_network(), 1 * ms).run(12)
    events = list(zip(*(x.tolist() for x in (trace.events("relay").steps, trace.events("relay").ids)), strict=True))
    # source 0 at 0 -> relay 0 at 2; 0 -> 1 takes 3 steps, 1 -> 0 takes 1; both sources at 3 -> both relays at 5
    assert events == [(2, 0), (5, 0), (5, 1), (6, 0), (8, 1), (9, 0), (9, 1), (10, 0)]
    assert trace.events("source").steps.tolist() == [0, 3, 3]


def test_dense_zero_weights_are_synapses_too():
    program = Reference().compile(relay_network(), 1 * ms)
    assert program.lowered.projections[1].count == 4
    assert program.lowered.max_delay == 3


def test_unknown_population_and_sources_cannot_be_set():
    program = Reference().compile(relay_network(), 1 * ms)
    with pytest.raises(NetworkError, match="it has source, relay"):
        program.set("rely", theta=1 * mV)
    with pytest.raises(NetworkError, match="replays events"):
        program.set("source", theta=1 * mV)


def test_target_refuses_unknown_widths():
    with pytest.raises(TargetError, match="float16"):
        Reference(dtype="float16")


def test_batches_need_one_number_of_samples():
    program = Reference().compile(relay_network(), 1 * ms)
    with pytest.raises(TargetError, match=r"relay.theta has 2, relay.v has 3"):
        program.run_batch({"relay": {"theta": np.ones((2, 2)) * mV, "v": np.ones((3, 2)) * mV}}, 3)
