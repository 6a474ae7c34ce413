"""A network written for Brian 2, run by Brian 2, on the CPU and on simulated SpiNNaker2: the same spikes.

python examples/from_brian2.py [--neurons 4000] [--duration 100]

The network is the current-based one of Vogels and Abbott (2005) in the version of Brette et al. (2007).
"""

from __future__ import annotations

import argparse

import brian2 as b2
import numpy as np

from neuromorph import CPU, first_difference, from_brian2, ms
from neuromorph.mapping.spinnaker2 import SpiNNaker2

EQUATIONS = """
dv/dt = (ge + gi - (v - v_rest)) / tau_m : volt (unless refractory)
dge/dt = -ge / tau_e : volt
dgi/dt = -gi / tau_i : volt
"""


def cuba(neurons: int) -> b2.Network:
    """The network, in Brian 2's own words."""
    constants = {"v_rest": -49 * b2.mV, "tau_m": 20 * b2.ms, "tau_e": 5 * b2.ms, "tau_i": 10 * b2.ms}
    cells = b2.NeuronGroup(
        neurons,
        EQUATIONS,
        threshold="v > -50*mV",
        reset="v = -60*mV",
        refractory=5 * b2.ms,
        method="exact",
        namespace=constants,
        name="cells",
    )
    cells.v = "-60*mV + rand() * 10*mV"
    excitation = b2.Synapses(cells, cells, on_pre="ge += 1.62*mV", name="excitation")
    inhibition = b2.Synapses(cells, cells, on_pre="gi -= 9*mV", name="inhibition")
    excitation.connect("i < 0.8 * N_pre", p=80 / neurons)
    inhibition.connect("i >= 0.8 * N_pre", p=80 / neurons)
    return b2.Network(cells, excitation, inhibition, b2.SpikeMonitor(cells, name="spikes"))


def main() -> None:
    """Take the network in, run it three times and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--neurons", type=int, default=4000)
    parser.add_argument("--duration", type=float, default=100.0, help="in ms")
    options = parser.parse_args()
    b2.prefs.codegen.target = "numpy"
    b2.seed(1)

    theirs = cuba(options.neurons)
    network = from_brian2(theirs)
    dt, duration = b2.defaultclock.dt, options.duration * ms
    print(network["cells"].neuron.text())

    in_double = CPU(dtype="float64").compile(network, dt).run(duration, progress=False)
    theirs.run(options.duration * b2.ms)
    steps = np.rint(theirs["spikes"].t / dt).astype(int)
    expected = sorted(zip(steps.tolist(), theirs["spikes"].i[:].tolist(), strict=True))
    events = in_double.events("cells")
    found = sorted(zip(events.steps.tolist(), events.ids.tolist(), strict=True))
    print(f"Brian 2: {len(expected)} spikes; not the same here: {len(set(expected) ^ set(found))}")

    on_cpu = CPU().compile(network, dt).run(duration, progress=False)
    program = SpiNNaker2().compile(network, dt)
    on_chips = program.run(duration, progress=False)
    print(program.report())
    print("first difference between the CPU and the chips:", first_difference(on_cpu, on_chips) or "none")


if __name__ == "__main__":
    main()
