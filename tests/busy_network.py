"""A network with noise, delays and records that several tests run, and what a trace holds, as bytes to compare."""

from __future__ import annotations

import numpy as np
from strategies import Delta, Noisy

from neuromorph import FixedInDegree, FixedProbability, Network, Trace, Uniform, ms, mV


def busy(size: int = 1000) -> Network:
    """A noisy population that drives a leaky one, with delays drawn for each synapse."""
    net = Network(seed=4, name="busy")
    noisy = net.population(Noisy(chance=0.2), size, name="noisy")
    delta = net.population(Delta(theta=Uniform(1 * mV, 3 * mV)), size, name="delta")
    net.project(noisy, delta, FixedInDegree(20), weight=Uniform(0.1 * mV, 0.5 * mV), delay=Uniform(1 * ms, 9 * ms))
    net.project(delta, noisy, FixedProbability(0.01), weight=-0.1)
    net.record(delta, "v", every=3)
    net.record(noisy, "x", "p")
    return net


def content(trace: Trace) -> dict[str, bytes]:
    """Everything recorded, as bytes."""
    result = {}
    for population in trace.meta.recorded or ():
        events = trace.events(population)
        result[f"{population} steps"] = np.asarray(events.steps).tobytes()
        result[f"{population} ids"] = np.asarray(events.ids).tobytes()
        result[f"{population} values"] = b"" if events.values is None else np.asarray(events.values).tobytes()
    for population, variable in trace.meta.states:
        result[f"{population} {variable}"] = np.asarray(trace.state(population, variable).data).tobytes()
    return result
