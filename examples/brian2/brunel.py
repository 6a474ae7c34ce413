"""Sparsely connected neurons that fire asynchronously and irregularly, after Brunel (2000).

Brian 2's example Brunel_2000, panel C, with fewer neurons than there if asked for. The drive is a PoissonInput.

python examples/brian2/brunel.py
"""

from __future__ import annotations

from brian2 import Network, NeuronGroup, PoissonInput, SpikeMonitor, Synapses, ms, mV, second
from side_by_side import main

duration = 0.2 * second
random = True  # while it runs


def network(excitatory: int = 10000, inputs: int = 1000, weight: float = 0.1) -> Network:
    """`inputs` excitatory synapses a neuron of `weight` in mV; inhibition is five times as strong."""
    constants = {"tau": 20 * ms, "w": weight * mV, "w_i": -5 * weight * mV}
    neurons = excitatory * 5 // 4
    cells = NeuronGroup(
        neurons,
        "dv/dt = -v / tau : volt (unless refractory)",
        threshold="v > 20*mV",
        reset="v = 10*mV",
        refractory=2 * ms,
        method="exact",
        namespace=constants,
        name="cells",
    )
    excitation = Synapses(
        cells[:excitatory], cells, on_pre="v += w", delay=1.5 * ms, namespace=constants, name="excitation"
    )
    inhibition = Synapses(
        cells[excitatory:], cells, on_pre="v += w_i", delay=1.5 * ms, namespace=constants, name="inhibition"
    )
    for synapses in (excitation, inhibition):
        synapses.connect(p=inputs / excitatory)
    rate = 2 * 20 * mV / (weight * mV * inputs * 20 * ms)  # twice what reaches the threshold without noise
    external = PoissonInput(cells, "v", N=inputs, rate=rate, weight=weight * mV)
    return Network(cells, excitation, inhibition, external, SpikeMonitor(cells, name="spikes"))


if __name__ == "__main__":
    main(network, duration, random=random)
