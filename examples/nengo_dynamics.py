"""Four models written for Nengo, run by Nengo, on the CPU and on simulated SpiNNaker2: the same spikes.

python examples/nengo_dynamics.py [--models channel lorenz] [--neurons 200] [--duration 1.0]

A communication channel, an integrator, an oscillator and the Lorenz attractor, as the Neural Engineering Framework
builds them (C. Eliasmith and C. H. Anderson, Neural Engineering, MIT Press 2003): what an ensemble's dynamics should be
is put into its recurrent connection, whose synapse is the integrator.
"""

from __future__ import annotations

import argparse
from typing import Any

import nengo
import numpy as np

from neuromorph import CPU, first_difference, from_nengo, second
from neuromorph.mapping.spinnaker2 import SpiNNaker2

DT = 0.001


def channel(neurons: int) -> nengo.Network:
    """One ensemble says to another what it hears."""
    with nengo.Network(seed=1, label="channel") as model:
        drive = nengo.Node(lambda t: np.sin(2 * np.pi * t), label="drive")
        a, b = (nengo.Ensemble(neurons, 1, label=label) for label in "ab")
        nengo.Connection(drive, a)
        nengo.Connection(a, b)
        nengo.Probe(b, synapse=0.01, label="value")
    return model


def integrator(neurons: int) -> nengo.Network:
    """x' = u: what comes back is what is there, and a synapse's time constant times the input."""
    tau = 0.1
    with nengo.Network(seed=2, label="integrator") as model:
        drive = nengo.Node(nengo.processes.Piecewise({0: 0, 0.2: 1, 0.6: -2, 0.8: 0}), label="drive")
        a = nengo.Ensemble(neurons, 1, label="a")
        nengo.Connection(drive, a, transform=tau, synapse=tau)
        nengo.Connection(a, a, synapse=tau)
        nengo.Probe(a, synapse=0.01, label="value")
    return model


def oscillator(neurons: int) -> nengo.Network:
    """x' = y, y' = -x at ten radians a second, after a kick."""
    tau, speed = 0.1, 10.0
    with nengo.Network(seed=3, label="oscillator") as model:
        kick = nengo.Node(nengo.processes.Piecewise({0: [1, 0], 0.1: [0, 0]}), label="kick")
        a = nengo.Ensemble(2 * neurons, 2, label="a")
        nengo.Connection(kick, a)
        nengo.Connection(a, a, transform=[[1, -speed * tau], [speed * tau, 1]], synapse=tau)
        nengo.Probe(a, synapse=0.01, label="value")
    return model


def lorenz(neurons: int) -> nengo.Network:
    """The Lorenz attractor, its third variable shifted so that all of them lie around 0."""
    tau, sigma, beta, rho = 0.1, 10.0, 8 / 3, 28.0

    def feedback(x: Any) -> list[Any]:
        moved = sigma * (x[1] - x[0]), -x[0] * x[2] - x[1], x[0] * x[1] - beta * (x[2] + rho) - rho
        return [tau * d + y for d, y in zip(moved, x, strict=True)]

    with nengo.Network(seed=4, label="lorenz") as model:
        a = nengo.Ensemble(5 * neurons, 3, radius=60, label="a")
        nengo.Connection(a, a, function=feedback, synapse=tau)
        nengo.Probe(a, synapse=0.01, label="value")
    return model


MODELS = {"channel": channel, "integrator": integrator, "oscillator": oscillator, "lorenz": lorenz}


def compare(model: nengo.Network, duration: float) -> str:
    """Run a model three times; what came out, and what differed."""
    network = from_nengo(model, DT, duration=duration)
    with model:
        fired = {cells.label: nengo.Probe(cells.neurons) for cells in model.all_ensembles}
    with nengo.Simulator(model, DT, progress_bar=False) as theirs:
        theirs.run(duration)
    steps = len(theirs.trange())
    in_double = CPU(dtype="float64").compile(network, DT * second, progress=False).run(steps, progress=False)
    spikes = different = 0
    for name, probe in fired.items():
        expected = set(zip(*(x.tolist() for x in np.nonzero(theirs.data[probe])), strict=True))
        events = in_double.events(name)
        spikes += len(expected)
        different += len(expected ^ set(zip(events.steps.tolist(), events.ids.tolist(), strict=True)))
    on_cpu = CPU().compile(network, DT * second, progress=False).run(steps, progress=False)
    program = SpiNNaker2().compile(network, DT * second, progress=False)
    on_chips = program.run(steps, progress=False)
    report = program.report()
    value = np.asarray(in_double.state("value", "value").data)[-1].round(2)
    return (
        f"{model.label:<11} Nengo: {spikes} spikes; not the same here: {different}; at the end: {value}\n"
        f"{'':<11} {report.pes} PEs, {report.time:.3f} s and {1e3 * report.power * report.time:.1f} mJ by the model; "
        f"first difference between CPU and chips: {first_difference(on_cpu, on_chips) or 'none'}"
    )


def main() -> None:
    """Take the models in and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--neurons", type=int, default=200, help="for each dimension, or so")
    parser.add_argument("--duration", type=float, default=1.0, help="in seconds")
    options = parser.parse_args()
    for name in options.models:
        print(compare(MODELS[name](options.neurons), options.duration))


if __name__ == "__main__":
    main()
