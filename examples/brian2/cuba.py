"""Current-based integrate-and-fire neurons, excitatory and inhibitory: benchmark 2 of Brette et al. (2007).

Brian 2's example CUBA. After the random voltages and connections, nothing is random.

python examples/brian2/cuba.py
"""

from __future__ import annotations

from brian2 import Network, NeuronGroup, SpikeMonitor, Synapses, ms, mV, second
from side_by_side import main

duration = 1 * second
EQUATIONS = """
dv/dt = (ge + gi - (v - v_rest)) / tau_m : volt (unless refractory)
dge/dt = -ge / tau_e : volt
dgi/dt = -gi / tau_i : volt
"""
CONSTANTS = {
    "v_rest": -49 * mV,
    "v_threshold": -50 * mV,
    "v_reset": -60 * mV,
    "tau_m": 20 * ms,
    "tau_e": 5 * ms,
    "tau_i": 10 * ms,
    "w_e": 1.62 * mV,
    "w_i": 9 * mV,
}


def network(neurons: int = 4000, inputs: int = 80) -> Network:
    """Four of five neurons excite; each neuron hears `inputs` others on average."""
    cells = NeuronGroup(
        neurons,
        EQUATIONS,
        threshold="v > v_threshold",
        reset="v = v_reset",
        refractory=5 * ms,
        method="exact",
        namespace=CONSTANTS,
        name="cells",
    )
    cells.v = "v_reset + rand() * (v_threshold - v_reset)"
    excitation = Synapses(cells, cells, on_pre="ge += w_e", namespace=CONSTANTS, name="excitation")
    excitation.connect("i < 0.8 * N_pre", p=inputs / neurons)
    inhibition = Synapses(cells, cells, on_pre="gi -= w_i", namespace=CONSTANTS, name="inhibition")
    inhibition.connect("i >= 0.8 * N_pre", p=inputs / neurons)
    return Network(cells, excitation, inhibition, SpikeMonitor(cells, name="spikes"))


if __name__ == "__main__":
    main(network, duration)
