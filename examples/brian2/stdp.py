"""Synapses onto one neuron learn from the order of spikes, after Song, Miller and Abbott (2000).

Brian 2's example synapses/STDP, with a neuron more than once if asked for.

python examples/brian2/stdp.py
"""

from __future__ import annotations

from brian2 import Hz, Network, NeuronGroup, PoissonGroup, SpikeMonitor, Synapses, ms, mV, second
from side_by_side import main

duration = 10 * second
random = True  # while it runs
CONSTANTS = {
    "tau_m": 10 * ms,
    "tau_e": 5 * ms,
    "tau_stdp": 20 * ms,
    "e_e": 0 * mV,
    "e_l": -74 * mV,
    "v_t": -54 * mV,
    "v_r": -60 * mV,
    "w_max": 0.01,
    "up": 0.0001,
    "down": 0.000105,
}


def network(inputs: int = 1000, neurons: int = 1) -> Network:
    """Poisson inputs of 15 Hz onto every neuron."""
    source = PoissonGroup(inputs, rates=15 * Hz, name="source")
    cells = NeuronGroup(
        neurons,
        """dv/dt = (ge * (e_e - v) + e_l - v) / tau_m : volt
        dge/dt = -ge / tau_e : 1""",
        threshold="v > v_t",
        reset="v = v_r",
        method="euler",
        namespace=CONSTANTS,
        name="cells",
    )
    cells.v = CONSTANTS["v_r"]
    synapses = Synapses(
        source,
        cells,
        """w : 1
        dx/dt = -x / tau_stdp : 1 (event-driven)
        dy/dt = -y / tau_stdp : 1 (event-driven)""",
        on_pre="ge += w; x += up; w = clip(w + y, 0, w_max)",
        on_post="y -= down; w = clip(w + x, 0, w_max)",
        namespace=CONSTANTS,
        name="synapses",
    )
    synapses.connect()
    synapses.w = "rand() * w_max"
    return Network(source, cells, synapses, SpikeMonitor(cells, name="spikes"))


if __name__ == "__main__":
    main(network, duration, random=random)
