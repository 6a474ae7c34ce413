"""A Nengo model run by Nengo, as a network of ours and by our simulator, and what they made of it."""

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


def ours(network: Any, **options: Any) -> Any:
    """On the reference target unless told otherwise: nothing to compile."""
    from neuromorph.nengo import Simulator

    return Simulator(network, progress_bar=False, **{"target": Reference("float64"), **options})


def both(model: Any, steps: int = 120, **options: Any) -> tuple[Any, Any]:
    """Nengo's simulator and ours after so many steps."""
    import nengo

    theirs = nengo.Simulator(model, progress_bar=False, **{k: v for k, v in options.items() if k != "target"})
    mine = ours(model, **options)
    with theirs, mine:
        theirs.run_steps(steps)
        mine.run_steps(steps)
    return theirs, mine


def agree(theirs: Any, mine: Any, model: Any, *, within: float = 1e-9) -> None:
    """Spikes are equal, everything else up to rounding; and there was something to compare."""
    import nengo

    for probe in model.all_probes:
        a, b = theirs.data[probe], mine.data[probe]
        spikes = probe.attr == "output" and isinstance(probe.obj, nengo.ensemble.Neurons)
        assert a.shape == b.shape
        assert np.any(a)
        if spikes and probe.synapse is None and probe.obj.ensemble.neuron_type.spiking:
            assert np.array_equal(a, b), probe
        else:
            assert np.allclose(a, b, rtol=within, atol=within), (probe, np.abs(a - b).max())
