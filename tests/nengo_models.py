"""A Nengo model run by Nengo and as a network of ours, and what both made of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neuromorph import Reference, from_nengo, second

Array = npt.NDArray[np.float64]


def run(model: Any, seconds: float, *, target: Any = Reference, more: int = 0, **options: Any) -> tuple[Any, Any]:
    """The same model in Nengo and here, which may go on for some steps: its simulator and our trace."""
    import nengo

    steps = round(seconds / 0.001)
    network = from_nengo(model, duration=(steps + more) * 0.001, **options)
    trace = target(dtype="float64").compile(network, dt=0.001 * second).run(steps + more, progress=False)
    simulator = nengo.Simulator(model, progress_bar=False)
    simulator.run_steps(steps)
    return simulator, trace


def spikes_of(simulator: Any, probe: Any) -> set[tuple[int, int]]:
    """Steps and neurons in which a probe of Nengo's is not 0."""
    return set(zip(*(x.tolist() for x in np.nonzero(simulator.data[probe])), strict=True))


def spikes(trace: Any, population: str) -> set[tuple[int, int]]:
    """Steps and neurons of events."""
    events = trace.events(population)
    return set(zip(np.asarray(events.steps).tolist(), np.asarray(events.ids).tolist(), strict=True))


def sent(trace: Any, population: str, shape: tuple[int, ...]) -> Array:
    """Events as an array (steps, neurons): their values, 1 for spikes."""
    events = trace.events(population)
    found = np.zeros(shape)
    found[np.asarray(events.steps), np.asarray(events.ids)] = 1 if events.values is None else np.asarray(events.values)
    return found


def error(a: Any, b: Any) -> float:
    """The largest difference."""
    return float(np.abs(np.asarray(a) - np.asarray(b)).max())
