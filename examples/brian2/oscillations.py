"""Fast oscillations of sparsely connected inhibitory neurons that fire slowly, after Brunel and Hakim (1999).

Brian 2's example Brunel_Hakim_1999: white noise in every neuron, one weight, one delay.

python examples/brian2/oscillations.py
"""

from __future__ import annotations

from brian2 import Network, NeuronGroup, SpikeMonitor, Synapses, ms, mV
from side_by_side import main

duration = 100 * ms
random = True  # while it runs
CONSTANTS = {"tau": 20 * ms, "mean": 25 * mV, "sigma": 1 * mV}


def network(neurons: int = 5000, inputs: int = 1000) -> Network:
    """`inputs` synapses a neuron of 0.1 mV, or fewer that are stronger."""
    cells = NeuronGroup(
        neurons,
        "dv/dt = (-v + mean + sigma * sqrt(tau) * xi) / tau : volt",
        threshold="v > 20*mV",
        reset="v = 10*mV",
        refractory=2 * ms,
        method="euler",
        namespace=CONSTANTS,
        name="cells",
    )
    cells.v = 10 * mV
    weight = 100 / inputs * mV
    inhibition = Synapses(cells, cells, on_pre="v -= w", delay=2 * ms, namespace={"w": weight}, name="inhibition")
    inhibition.connect(p=inputs / neurons)
    return Network(cells, inhibition, SpikeMonitor(cells, name="spikes"))


if __name__ == "__main__":
    main(network, duration, random=random)
