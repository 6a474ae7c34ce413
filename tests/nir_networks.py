"""Neurons and networks for tests of NIR graphs, and what comes out of them.

Import as ``from nir_networks import driven`` (pytest has this folder on its path).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neuromorph import (
    Event,
    EventSource,
    Network,
    Neuron,
    Param,
    Port,
    Reference,
    State,
    ms,
    mV,
    nA,
    neuron,
    second,
    step,
    where,
)
from neuromorph.language import normal
from neuromorph.models.integrate_and_fire import VogelsAbbottCUBA
from neuromorph.network import (
    Dense,
)

STEP = 0.5 * ms


def body(net: Network) -> list[str]:
    """Everything a network is made of, but its name."""
    return net.text().split("\n")[1:]


@neuron(method="euler")
class Jumping:
    """A current that events move at once, and a membrane."""

    a, b = Port(unit=nA), Port(unit=nA)
    tau_s, tau_m, theta = Param(3 * ms), Param(9 * ms), Param(-50 * mV)
    x, u = State(0 * nA), State(-60 * mV)

    x.jump = 2 * a - b
    x.dot = -x / tau_s
    u.dot = (-60 * mV - u + 30 * mV / nA * x) / tau_m
    spike = Event(when=theta < u)
    u.reset = -65 * mV


@neuron
class Counting:
    """Perfect integrator of what jumps and what flows, by subtraction."""

    a = Port()
    drive = Param(20 / second)
    v = State(0.25)

    v.jump = 0.5 * a
    v.dot = drive
    spike = Event(when=v > 1)
    v.reset = v - 1.0


@neuron
class Plain:
    """Adds up what arrives; one of its ports is of no use."""

    a, unused = Port(), Port()
    v = State(0.0)

    v.jump = 0.5 * a + 0.0 * unused
    spike = Event(when=v > 1)
    v.reset = 0.0


@neuron
class Stepped:
    """A leaky neuron as a recurrence, in networks that were trained so."""

    a = Port()
    beta, start = Param(0.9), Param(0, dtype=int)
    v = State(0.0)

    v.next = where(step >= start, beta * v + a, v)
    spike = Event(when=(step >= start) & (v > 1))
    v.reset = v - 1


@neuron
class SteppedCurrent:
    """The same with a synaptic current, seen in the step in which it changes."""

    a = Port()
    alpha, beta = Param(0.8), Param(0.9)
    i, v = State(0.0), State(0.0)

    now = alpha * i + a
    i.next = now
    v.next = beta * v + now - 0.01
    spike = Event(when=v > 1)
    v.reset = 0.0


@neuron
class Noisy:
    """A leaky neuron with chance."""

    a = Port()
    v = State(0.0)
    v.next = 0.9 * v + a + 0.1 * normal()
    spike = Event(when=v > 1)
    v.reset = 0.0


@neuron
class Gate:
    """Fires if enough arrives at once, and keeps nothing."""

    a, b = Port(), Port()
    spike = Event(when=a - 0.5 * b > 0.6)


def driven(ours: Neuron, n: int = 4, **values: Any) -> tuple[Network, EventSource]:
    """A population that random events reach at every port."""
    rng = np.random.default_rng(1)
    unit = ours.ports[0].unit
    events = EventSource.from_dense(rng.random((120, 5)) < 0.3)
    net = Network(name="driven")
    source, cells = net.population(events, name="source"), net.population(ours(**values), n, name="cells")
    for port in ours.ports:
        weight = rng.uniform(0, 0.7, (5, n)) * unit
        net.project(source, cells.port(port.name), Dense(weight), delay=1 + len(net.projections))
    return net, events


def spikes(net: Network, steps: int = 130) -> Any:
    return Reference("float64").compile(net, dt=STEP).run(steps, progress=False)


def sent(trace: Any, name: str) -> np.ndarray:
    """Events (step, neuron, value) but for those of value 0, which a linear unit sends and a node does not."""
    events = trace.events(name)
    values = np.ones(len(events.steps)) if events.values is None else np.asarray(events.values)
    return np.column_stack((events.steps, events.ids, values))[values != 0]


@neuron
class Flowing:
    """Inputs that flow into a current, and others that reach the membrane."""

    a, b = Port(), Port()
    x, v = State(0.0), State(0.0)

    x.dot = (20 * a - x) / (3 * ms)
    v.jump = 0.2 * b
    v.dot = (x - v) / (9 * ms)
    spike = Event(when=v > 1)
    v.reset = 0.0


@neuron
class Rising:
    """A current that rises and decays, and one that integrates without a leak."""

    a, b = Port(), Port()
    fast, slow, v = State(0.0), State(0.0), State(0.0)

    fast.jump = a
    slow.jump = a + 0.5 * b
    fast.dot = -fast / (2 * ms)
    slow.dot = -slow / (6 * ms)
    v.dot = (slow - fast) / (1 * ms)
    spike = Event(when=v > 1)
    v.reset = 0.0


@neuron
class SteppedCurrents:
    """Two currents and a direct input as recurrences."""

    a, b, c = Port(), Port(), Port()
    x, y, v = State(0.0), State(0.0), State(0.0)

    now = 0.7 * x + a
    also = 0.9 * y + 0.3 * b
    x.next = now
    y.next = also
    v.next = 0.9 * v + now - also + 0.5 * c
    spike = Event(when=v > 1)
    v.reset = 0.0


CUBA = VogelsAbbottCUBA(t_ref=0 * ms, theta=-58 * mV, e_l=-60 * mV)

#: Neurons with several currents; their graphs act within a step.
CURRENTS: dict[str, Neuron] = {
    "two currents": CUBA,
    "two currents, euler": CUBA.with_method("euler"),
    "two currents, exponential": CUBA.with_method("exponential_euler"),
    "one as slow as the membrane": CUBA(tau_i=20 * ms),
    "flowing": Flowing.with_method("euler"),
    "flowing, exponential": Flowing.with_method("exponential_euler"),
    "rising": Rising,
    "rising, euler": Rising.with_method("euler"),
    "recurrences": SteppedCurrents,
}
