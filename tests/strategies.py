"""Hypothesis strategies: small random networks that every target must run alike.

Import as ``from strategies import networks`` (pytest has this folder on its path). Networks are meant for steps of
``DT``; every network has a source of events, and weights are sized so that neurons fire.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from neuromorph.language import (
    Event,
    Neuron,
    Param,
    Port,
    State,
    neuron,
    normal,
    sigmoid,
    sqrt,
    tanh,
    trunc_shift,
    uniform,
    where,
    white_noise,
)
from neuromorph.language.expr import Type
from neuromorph.network import (
    AllToAll,
    Dense,
    DistanceDelay,
    DistanceDependent,
    EventSource,
    FixedInDegree,
    FixedOutDegree,
    FixedProbability,
    FixedTotal,
    Gaussian,
    Integers,
    Lookup,
    Network,
    Normal,
    OneToOne,
    Population,
    Projection,
    Sparse,
    Uniform,
)
from neuromorph.units import Mohm, ms, mV, nA

DT = 1 * ms
STEPS = 30  # sources fire within so many steps


@neuron
class Delta:
    """Membrane that jumps with its input; refractory."""

    v_in = Port(unit=mV)
    tau, theta, t_ref = Param(20 * ms), Param(10 * mV), Param(2 * ms)
    v = State(0 * mV)

    v.jump = v_in
    v.dot = -v / tau
    spike = Event(when=v > theta, refractory=t_ref, hold=v)
    v.reset = 0 * mV


@neuron
class Current:
    """Exponential current into a leaky membrane; coupled linear dynamics, reset by subtraction."""

    i_in = Port(unit=nA)
    tau_m, tau_s = Param(20 * ms), Param(5 * ms)
    r, theta, drive = Param(10 * Mohm), Param(5 * mV), Param(0 * nA)
    i, v = State(0 * nA), State(0 * mV)

    i.jump = i_in
    i.dot = -i / tau_s
    v.dot = (r * (i + drive) - v) / tau_m
    spike = Event(when=v > theta)
    v.reset = v - theta


@neuron
class Graded:
    """Gated unit with two ports that emits its state as a graded event."""

    a, g = Port(), Port()
    bias, theta = Param(0.1), Param(0.25)
    c = State(0.0)

    gate = sigmoid(g + bias)
    c.next = gate * c + (1 - gate) * tanh(a + bias)
    y = Event(when=c > theta, value=c)
    c.reset = c - theta


@neuron
class Noisy:
    """Leaky integrator of noise and input, which also fires at random."""

    x_in = Port()
    tau, chance = Param(10 * ms), Param(0.05)
    x, z, p = State(0.0), State(0.0), State(1.0)

    x.jump = x_in
    x.dot = -x / tau + 0.5 * white_noise() / sqrt(tau)
    z.next = normal()
    p.next = uniform()
    spike = Event(when=(x + 0.1 * z > 0.8) | (p < chance), refractory=1 * ms)
    x.reset = where(x > 0, 0.0, x)


@neuron
class Whole:
    """Integer current and membrane with truncating decays."""

    a = Port(dtype=int)
    decay_u, decay_v, theta = Param(1024, dtype=int), Param(512, dtype=int), Param(300, dtype=int)
    u, v = State(0, dtype=int), State(0, dtype=int)

    current = trunc_shift(u * (4096 - decay_u), 12) + a
    u.next = current
    v.next = trunc_shift(v * (4096 - decay_v), 12) + current
    spike = Event(when=v > theta)
    v.reset = 0


@neuron
class Shifting:
    """Integer membrane that leaks by shifts, with refractory time."""

    a, b = Port(dtype=int), Port(dtype=int)
    theta, leak = Param(40, dtype=int), Param(3, dtype=int)
    v = State(0, dtype=int)

    v.next = v - (v >> leak) + a - b
    spike = Event(when=v > theta, refractory=2 * ms)
    v.reset = v - theta


FLOATS = (Delta, Current, Graded, Noisy)
INTS = (Whole, Shifting)

# For each port unit, weights that make a neuron fire after one to a few events.
_STRENGTH = {"mV": (3 * mV, 20 * mV), "nA": (1 * nA, 12 * nA), "": (0.3, 2.5)}


@st.composite
def lookups(draw: st.DrawFn, size: int) -> Lookup:
    """A source that looks up rows, some of whose entries are 0, in most of ``STEPS`` steps."""
    rows = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 100)))
    table = np.round(rng.uniform(-0.5, 1.5, (rows, size)), 3) * (rng.random((rows, size)) < 0.7)
    ids = draw(st.lists(st.integers(-1, rows - 1), min_size=STEPS // 2, max_size=STEPS))
    return Lookup(table.astype(draw(st.sampled_from([np.float32, np.float64]))), ids)


@st.composite
def event_sources(draw: st.DrawFn, size: int, values: bool = False) -> EventSource:
    """A source of up to 60 events within ``STEPS`` steps; spikes, or graded events if ``values``."""
    when = draw(
        st.lists(st.tuples(st.integers(0, STEPS - 1), st.integers(0, size - 1)), min_size=12, max_size=60, unique=True)
    )
    steps, indices = np.array(when, np.int64).T
    graded = np.round(np.random.default_rng(len(when)).uniform(0.1, 1.5, len(when)), 3) if values else None
    if draw(st.booleans()):
        return EventSource(size, times=steps * ms, indices=indices, values=graded)
    return EventSource(size, steps=steps, indices=indices, values=graded)


@st.composite
def neurons(draw: st.DrawFn, size: int, ints: bool = True, floats: bool = True) -> Neuron:
    """A neuron, perhaps with a parameter or an initial state that differs from neuron to neuron."""
    model = draw(st.sampled_from((FLOATS if floats else ()) + (INTS if ints else ())))
    values: dict[str, Any] = {}
    for spec in draw(st.lists(st.sampled_from(model.params), max_size=2, unique_by=lambda s: s.name)):
        if spec.type is Type.INT:
            values[spec.name] = draw(
                st.sampled_from([np.maximum(1, spec.default - np.arange(size) % 3), Integers(1, spec.default)])
            )
        elif spec.default:
            low, high = 0.8 * spec.default / spec.unit.scale, 1.2 * spec.default / spec.unit.scale
            array = np.linspace(low, high, size) * spec.unit
            values[spec.name] = draw(st.sampled_from([array, Uniform(low * spec.unit, high * spec.unit)]))
    if model in FLOATS and model is not Noisy and draw(st.booleans()):
        state = model.states[-1]
        values[state.name] = Uniform(0 * state.unit, 0.2 * state.unit) if state.unit.name else Uniform(0.0, 0.2)
    return model(**values)


@st.composite
def rules(draw: st.DrawFn, pre: Population, post: Population) -> tuple[Any, bool]:
    """A rule that can join these two, and whether it takes ``weight`` (else a strength to build its own from)."""
    most = min(8, pre.size - 1)
    options: list[Callable[[], Any]] = [
        lambda: FixedProbability(draw(st.sampled_from([0.0, 0.2, 0.5, 1.0])), allow_self=draw(st.booleans())),
        lambda: FixedInDegree(draw(st.integers(0, max(most, 0))), multapses=False, allow_self=most > 0),
        lambda: FixedOutDegree(draw(st.integers(0, 5)), multapses=True),
        lambda: FixedTotal(draw(st.integers(0, 4 * post.size))),
        lambda: AllToAll(allow_self=draw(st.booleans())),
        lambda: DistanceDependent(Gaussian(0.9, 2.0), cutoff=4.0),
    ]
    if pre.size == post.size:
        options.append(OneToOne)
    if len(pre.shape) != len(post.shape):
        options.pop(5)
    return draw(st.sampled_from(options))()


@st.composite
def _weight(draw: st.DrawFn, pre: Population, post: Population, port: Any) -> Any:
    """A weight for a port: one for all, one for each target, or drawn; mostly positive."""
    if port.type is Type.INT:
        sign = draw(st.sampled_from([1, 1, 1, -1]))
        return draw(
            st.sampled_from(
                [
                    sign * 40,
                    sign * (10 + np.arange(post.size, dtype=np.int32) % 90),
                    Integers(-20, 120),
                    np.int16(sign * 100),
                ]
            )
        )
    low, high = _STRENGTH[port.unit.name]
    sign = draw(st.sampled_from([1.0, 1.0, 1.0, -1.0]))
    ramp = np.linspace(0.3, 1.0, pre.size)[:, None]
    return draw(st.sampled_from([sign * low, sign * high, sign * (ramp * high), Uniform(low, high), Normal(high, low)]))


@st.composite
def _delay(draw: st.DrawFn, pre: Population, post: Population, least: int) -> Any:
    """Delays of ``least`` steps and more; the default where that is 1."""
    start = least * ms
    options = [None if least == 1 else least, least, least + 2, start + 1 * ms, start + 6.4 * ms]
    options += [least + np.arange(post.size) % 6, Uniform(start, start + 5 * ms), Integers(least, least + 3)]
    if least == 1:
        options.append(Normal(3 * ms, 1 * ms))
    if len(pre.shape) == len(post.shape):
        options.append(DistanceDelay(1.5 / ms, offset=start))
    return draw(st.sampled_from(options))


def _explicit(draw: st.DrawFn, pre: Population, post: Population, port: Any, least: int) -> Any:
    """A dense matrix or a list of synapses, with weights of their own."""
    from scipy import sparse

    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    if port.type is Type.INT:
        matrix: Any = rng.integers(-20, 100, (pre.size, post.size)).astype(draw(st.sampled_from([np.int8, np.int32])))
        scale: Any = 1
    else:
        matrix = rng.normal(0.5, 0.5, (pre.size, post.size)).astype(np.float32)
        scale = _STRENGTH[port.unit.name][1]
    kind = draw(st.sampled_from(["dense", "coo", "pairs"]))
    if kind == "dense":
        return Dense(matrix), scale
    chosen = rng.random(matrix.shape) < 0.3
    if kind == "coo":
        return Sparse(sparse.coo_array(np.where(chosen, matrix, 0))), scale
    i, j = np.nonzero(chosen)
    order = rng.permutation(2 * len(i))
    i, j = np.concatenate([i, i])[order], np.concatenate([j, j])[order]  # every pair twice
    return Sparse((i, j, matrix[i, j], rng.integers(least, least + 8, len(i)))), scale


def _add_projection(draw: st.DrawFn, net: Network, pre: Population, post: Population, least: int) -> Projection:
    port = draw(st.sampled_from(post.neuron.ports))
    end = post.port(port.name)
    if draw(st.integers(0, 3)) == 0:
        rule, weight = _explicit(draw, pre, post, port, least)
        own_delays = getattr(rule, "delays", None) is not None
        return net.project(pre, end, rule, weight=weight, delay=None if own_delays else draw(_delay(pre, post, least)))
    rule = draw(rules(pre, post))
    return net.project(pre, end, rule, weight=draw(_weight(pre, post, port)), delay=draw(_delay(pre, post, least)))


def _emits_ints(population: Population) -> bool:
    """Whether every event is a spike, which an int port needs."""
    neuron = population.neuron
    if isinstance(neuron, Lookup):
        return False
    return neuron.values is None if isinstance(neuron, EventSource) else neuron.event.value is None


@st.composite
def networks(
    draw: st.DrawFn,
    max_neurons: int = 40,
    ints: bool = True,
    floats: bool = True,
    max_populations: int = 4,
    max_projections: int = 6,
    min_delay: int = 1,
    lookup: bool = False,
) -> Network:
    """A small network: a source, up to ``max_populations`` populations and projections of every kind between them.

    Int ports meet int weights and spikes only. Events and some states are recorded. At most ``max_neurons`` neurons,
    which must be 4 or more. No delay is shorter than ``min_delay`` steps. With ``lookup`` the source may look rows up.
    """
    net = Network(seed=draw(st.integers(0, 2**64 - 1)), name="random")
    count = draw(st.integers(1, max_populations))
    share = max(1, max_neurons // (count + 1))
    sizes = st.integers(1, share)
    graded = draw(st.booleans()) if floats else False
    looks_up = graded and lookup and draw(st.booleans())
    net.population(draw(lookups(draw(sizes)) if looks_up else event_sources(draw(sizes), graded)))
    for _ in range(count):
        size = draw(sizes)
        shape: Any = (2, size // 2) if size % 2 == 0 and draw(st.booleans()) else size
        model = draw(neurons(size, ints, floats))
        p = net.population(model, shape, record=draw(st.sampled_from([True, True, True, False])))
        if draw(st.booleans()):
            net.record(p, draw(st.sampled_from(p.neuron.states)).name, every=draw(st.integers(1, 3)))
    targets = net.populations[1:]
    first = targets[0].neuron.ports[0]
    strong = 120 if first.type is Type.INT else _STRENGTH[first.unit.name][1]
    drive = draw(st.sampled_from([AllToAll(), FixedProbability(0.7), FixedOutDegree(3, multapses=True)]))
    if first.type is not Type.INT or _emits_ints(net.populations[0]):
        net.project(
            net.populations[0],
            targets[0].port(first.name),
            drive,
            weight=strong,
            delay=draw(st.integers(min_delay, min_delay + 2)),
        )
    for number in range(draw(st.integers(0, max_projections - 1))):
        post = targets[number % len(targets)] if number < len(targets) else draw(st.sampled_from(targets))
        whole = post.neuron.ports[0].type is Type.INT
        pre = [p for p in net.populations if not whole or _emits_ints(p)]
        if pre:
            _add_projection(draw, net, draw(st.sampled_from(pre)), post, min_delay)
    return net


__all__ = ["DT", "FLOATS", "INTS", "STEPS", "event_sources", "networks", "neurons", "rules"]
