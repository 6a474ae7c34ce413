"""A communication channel that learns, written for Nengo: in Nengo, and with plastic synapses on the CPU and on chips.

python examples/nengo_learning.py [--neurons 100] [--duration 2.0]

The prescribed error sensitivity rule (T. Bekolay, C. Kolbeck and C. Eliasmith, CogSci 2013) moves decoders against the
difference between what the channel says and what it should say, for the first half of the time; then the error is
silenced, and what was learned stays. ``from_nengo`` makes plastic synapses of it, so that the whole model runs on every
target that has them: in double precision with Nengo's spikes, in single precision with the same on the CPU and on
simulated SpiNNaker2. ``neuromorph.nengo.Simulator`` runs the neurons on chips and keeps the rule, which may be any, on
the host.
"""

from __future__ import annotations

import argparse
from typing import Any

import nengo
import numpy as np

from neuromorph import CPU, first_difference, from_nengo, second
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.nengo import Simulator

DT = 0.001


def learner(neurons: int, duration: float) -> tuple[nengo.Network, Any, Any]:
    """A channel that starts with nothing, and its probes: of spikes and of what it says."""
    with nengo.Network(seed=7, label="learner") as model:
        drive = nengo.Node(lambda t: np.sin(2 * np.pi * t), label="drive")
        quiet = nengo.Node(lambda t: float(t > duration / 2), label="quiet")
        a, b, wrong = (nengo.Ensemble(neurons, 1, label=label) for label in ("a", "b", "wrong"))
        nengo.Connection(drive, a)
        learned = nengo.Connection(a, b, function=lambda x: 0.0, learning_rule_type=nengo.PES(3e-4))
        nengo.Connection(b, wrong)
        nengo.Connection(drive, wrong, transform=-1)
        nengo.Connection(wrong, learned.learning_rule)
        nengo.Connection(quiet, wrong.neurons, transform=-20 * np.ones((neurons, 1)), synapse=None)
        fired, said = nengo.Probe(b.neurons), nengo.Probe(b, synapse=0.03, label="said")
    return model, fired, said


def error(said: Any) -> float:
    """How far what was said in the second half is from what should have been, root mean square."""
    t = DT * np.arange(1, len(said) + 1)
    late = t > t[-1] / 2
    return float(np.sqrt(np.mean((np.ravel(said)[late] - np.sin(2 * np.pi * t[late] - 0.3)) ** 2)))


def main() -> None:
    """Learn three times and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neurons", type=int, default=100)
    parser.add_argument("--duration", type=float, default=2.0, help="in seconds")
    options = parser.parse_args()
    model, fired, said = learner(options.neurons, options.duration)
    with nengo.Simulator(model, DT, progress_bar=False) as theirs:
        theirs.run(options.duration)
    expected = set(zip(*(x.tolist() for x in np.nonzero(theirs.data[fired])), strict=True))
    print(f"Nengo: {len(expected)} spikes of b; error with the rule silenced: {error(theirs.data[said]):.2f}")

    network = from_nengo(model, DT, duration=options.duration)
    learned = next(p for p in network.projections if p.synapse is not None)
    print(learned.synapse.text())
    steps = len(theirs.trange())
    trace = CPU(dtype="float64").compile(network, DT * second).run(steps, progress=False)
    events = trace.events("b")
    found = set(zip(events.steps.tolist(), events.ids.tolist(), strict=True))
    print(f"plastic synapses: spikes that are not the same: {len(expected ^ found)}")
    on_cpu, on_chips = (t.compile(network, DT * second).run(steps, progress=False) for t in (CPU(), SpiNNaker2()))
    print(f"first difference between CPU and chips: {first_difference(on_cpu, on_chips) or 'none'}")

    with Simulator(model, DT, progress_bar=False, target=SpiNNaker2()) as ours:
        ours.run(options.duration)
    spikes = np.count_nonzero(ours.data[fired])
    print(f"neurons on chips, the rule on the host: {spikes} spikes; error: {error(ours.data[said]):.2f}")


if __name__ == "__main__":
    main()
