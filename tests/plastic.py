"""Hypothesis strategies: small random networks some of whose synapses change."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from strategies import STEPS, event_sources, rules

from neuromorph.language import (
    Event,
    Neuron,
    Param,
    Port,
    PostState,
    PostView,
    PreState,
    PreView,
    State,
    Synapse,
    Third,
    Weight,
    event_value,
    exp,
    maximum,
    minimum,
    neuron,
    synapse,
    where,
)
from neuromorph.language import step as step_number
from neuromorph.network import Dense, Network, Population, Sparse, Uniform
from neuromorph.units import ms, nA


@neuron
class Cell:
    """Leaky current into a leaky membrane, with a value for views and graded events."""

    a, b = Port(unit=nA), Port()
    tau, theta = Param(9 * ms), Param(1.0)
    i, v = State(0 * nA), State(0.3)

    i.jump = a
    i.dot = -i / (3 * ms)
    v.dot = (i / nA - v) / tau + b / ms
    near = 1 / (1 + (v - theta) * (v - theta))
    spike = Event(when=v > theta, value=0.5 + near)
    v.reset = 0.0


@neuron
class Plain:
    """The same with spikes and a refractory time."""

    a, b = Port(unit=nA), Port()
    tau = Param(9 * ms)
    v = State(0.0)

    v.jump = a / nA + b
    v.dot = -v / tau
    near = exp(-v * v)
    spike = Event(when=v > 1.0, refractory=2 * ms)
    v.reset = 0.0


@synapse
class Pairs:
    """Pairs of events; states of neurons alone besides the weight."""

    tau, up, down = Param(12 * ms), Param(0.11), Param(0.13)
    x = PreState(0.25)
    y = PostState(0.0)
    w = Weight()

    x.dot = -x / tau
    y.dot = -y / (2 * tau)
    x.on_pre = x + event_value
    y.on_post = y + 1
    w.on_pre = maximum(w - down * y, 0)
    w.on_post = minimum(w + up * x, 3)


@synapse
class Own:
    """Every synapse keeps everything itself, so that delays may differ."""

    tau, much = Param(7 * ms), Param(2, dtype=int)
    x, y, z = State(0.0), State(0.5), State(0.1)
    w = Weight()

    drift = w * (1 - w)
    x.dot = -x / tau
    y.next = 0.9 * y + 0.01 * PostView("v")
    z.dot = (x - z) / tau - z * z / tau
    w.dot = -0.02 * drift / ms
    x.on_pre = x + 0.5 * event_value + z
    y.on_post = y + 0.25 * much
    w.on_pre = w - 0.05 * y
    w.on_post = where(w < 2, w + 0.1 * x * PostView("near"), w)


@synapse
class Modulated:
    """Looks at all three ends."""

    x, u = PreState(0.0), PreState(1.0)
    y = PostState(0.0)
    c = State(0.0)
    w = Weight()

    x.next = 0.8 * x + 0.1 * PreView("near")
    u.on_pre = u * 0.7 + 0.3
    y.dot = -y / (5 * ms) + Third("v") / ms
    c.dot = -c / (20 * ms) + x * y / ms
    w.next = minimum(maximum(w + 0.01 * c * Third("near"), -2), 2)
    x.on_pre = x + 1
    y.on_post = y + PostView("near")
    c.on_pre = c - y * u * event_value
    c.on_post = c + x + 0.001 * step_number


@synapse
class Drift:
    """A weight in amperes, which no event changes."""

    w = Weight(unit=nA)
    w.dot = -w / (30 * ms)


@st.composite
def plastic_projections(draw: st.DrawFn, net: Network, pre: Population, post: Population) -> None:
    """Add a plastic projection from one population to another."""
    neurons = [p for p in net.populations if isinstance(p.neuron, Neuron)]
    third = [p for p in neurons if p.size in (1, post.size)]
    seen = isinstance(pre.neuron, Neuron)
    options: list[Synapse] = [Pairs, Own, Drift, *([Modulated] if third and seen else [])]
    model: Synapse = draw(st.sampled_from(options))
    model = model.with_method(draw(st.sampled_from(["auto", "euler", "exponential_euler"])))
    if model.name == "Pairs" and draw(st.booleans()):
        model = model(x=Uniform(0, 1), y=np.linspace(0, 1, post.size), up=0.2)
    port = "a" if model.name == "Drift" else draw(st.sampled_from(["a", "b"]))
    unit: Any = nA if port == "a" else 1.0
    least = draw(st.integers(1, 3))
    delays = [least, least * ms]
    if model.name in ("Own", "Drift"):
        delays += [least + np.arange(post.size) % 4, Uniform(least * ms, (least + 4) * ms)]
    kind = draw(st.sampled_from(["rule", "rule", "dense", "pairs"]))
    given: dict[str, Any] = {"delay": draw(st.sampled_from(delays))}
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    rule: Any
    if kind == "rule":
        rule = draw(rules(pre, post))
        given["weight"] = draw(st.sampled_from([0.7 * unit, Uniform(0.2 * unit, 1.5 * unit)]))
    elif kind == "dense":
        rule, given["weight"] = Dense(rng.uniform(0, 1, (pre.size, post.size))), 1.0 * unit
    else:
        n = draw(st.integers(0, 3 * pre.size))
        rule = Sparse((rng.integers(0, pre.size, n), rng.integers(0, post.size, n), rng.uniform(0, 2, n)))
        given["weight"] = 1.0 * unit
    net.project(
        pre,
        post.port(port),
        rule,
        **given,
        synapse=model,
        third=draw(st.sampled_from(third)) if model.name == "Modulated" else None,
    )


@st.composite
def plastic_networks(draw: st.DrawFn, max_size: int = 9) -> Network:
    """A source, up to three populations, and projections between them, of which at least one is plastic."""
    net = Network(seed=draw(st.integers(0, 2**64 - 1)), name="plastic")
    sizes = st.integers(1, max_size)
    net.population(draw(event_sources(draw(sizes), draw(st.booleans()))), name="source")
    for number in range(draw(st.integers(1, 3))):
        cells = net.population(draw(st.sampled_from([Cell, Plain])), draw(sizes), name=f"cells{number}")
        if draw(st.booleans()):
            net.record(cells, "v", every=draw(st.integers(1, 3)))
    targets = net.populations[1:]
    for target in targets:
        rule = draw(rules(net.populations[0], target))
        net.project(net.populations[0], target.b, rule, weight=0.9, delay=draw(st.integers(1, 4)))
    for _ in range(draw(st.integers(1, 3))):
        pre, post = draw(st.sampled_from(net.populations)), draw(st.sampled_from(targets))
        draw(plastic_projections(net, pre, post))
    for made in net.projections:
        if made.synapse is not None and draw(st.booleans()):
            names = [state.name for state in made.synapse.states]
            every, indices = draw(st.integers(1, 5)), draw(st.sampled_from([None, []]))
            net.record(made, draw(st.sampled_from(names)), every=every, indices=indices)
            net.record(made, names[-1], every=draw(st.integers(1, 5)))
    return net


def result(program: Any, *traces: Any) -> dict[str, Any]:
    """Events, recorded states, and every synapse with its states, as bytes."""
    found: dict[str, Any] = {}
    for name in traces[0].populations:
        events = [trace.events(name) for trace in traces]
        found[name, "steps"] = np.concatenate([np.asarray(e.steps) for e in events]).tobytes()
        found[name, "ids"] = np.concatenate([np.asarray(e.ids) for e in events]).astype(np.int64).tobytes()
        found[name, "values"] = [v for e in events if e.values is not None for v in np.asarray(e.values).tolist()]
    for owner, variable in traces[0].recorded_states:
        states = [trace.state(owner, variable) for trace in traces]
        found[owner, variable, "steps"] = np.concatenate([np.asarray(s.steps) for s in states]).tobytes()
        found[owner, variable, "rows"] = np.concatenate([s.data for s in states]).tobytes()
    for projection in program.network.projections:
        synapses = program.synapses(projection)
        columns = {"weights": synapses.weights, "delays": synapses.delays, "post": synapses.post, "pre": synapses.pre}
        plain = {name: np.asarray(getattr(v, "value", v)) for name, v in {**columns, **synapses.states}.items()}
        if projection.synapse is None:  # in whatever order the engine keeps them
            order = np.lexsort([plain[name] for name in columns])
            plain = {name: plain[name][order] for name in columns}
        found |= {(projection.name, name): values.tobytes() for name, values in plain.items()}
    return found


__all__ = ["STEPS", "Cell", "Drift", "Modulated", "Own", "Pairs", "Plain", "plastic_networks", "result"]
