"""A depressing and a facilitating synapse of Tsodyks, Pawelzik and Markram (1998).

Brian 2's example Tsodyks_Pawelzik_Markram_1998: synapses with states of their own that change in every step, summed at
the neuron. What is compared is v. Nothing is random.

python examples/brian2/short_term_plasticity.py
"""

from __future__ import annotations

import numpy as np
from brian2 import Mohm, Network, NeuronGroup, SpikeGeneratorGroup, SpikeMonitor, StateMonitor, Synapses, ms, pA
from side_by_side import main

duration = 1200 * ms
EQUATIONS = """
dx/dt = (1 - x - y) / tau_rec : 1 (clock-driven)
dy/dt = -y / tau_inact : 1 (clock-driven)
du/dt = -u / tau_facil : 1 (clock-driven)
current_post = strength * y : amp (summed)
strength : amp
u_se : 1
tau_inact : second
tau_rec : second
tau_facil : second
"""


def network(rate: float = 20.0) -> Network:
    """The same regular spikes, at `rate` in Hz, go to both synapses, each with a neuron of its own."""
    cells = NeuronGroup(
        2,
        """dv/dt = (resistance * current - v) / tau_m : volt
        current : amp
        resistance : ohm (constant)
        tau_m : second (constant)""",
        method="exact",
        name="cells",
    )
    cells.tau_m = [40, 60] * ms
    cells.resistance = [100, 1000] * Mohm
    times = np.arange(100, 1100, 1000 / rate) * ms
    stimulus = SpikeGeneratorGroup(1, np.zeros(len(times), int), times, name="stimulus")
    synapses = Synapses(
        stimulus,
        cells,
        EQUATIONS,
        on_pre="u += u_se * (1 - u); y += u * x; x -= u * x",
        method="exponential_euler",
        name="synapses",
    )
    synapses.connect()
    synapses.x = 1
    synapses.strength = [250, 1540] * pA
    synapses.u_se = [0.6, 0.03]
    synapses.tau_inact = [3, 1.5] * ms
    synapses.tau_rec = [800, 130] * ms
    synapses.tau_facil = [1, 530] * ms  # the first has forgotten before the next spike: it only depresses
    states = StateMonitor(cells, "v", record=True, name="states")
    return Network(cells, stimulus, synapses, states, SpikeMonitor(stimulus, name="spikes"))


if __name__ == "__main__":
    main(network, duration)
