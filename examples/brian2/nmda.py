"""Synapses that rise, fall and saturate, as of NMDA receptors.

Brian 2's example synapses/nonlinear: two variables of each synapse with nonlinear equations of their own, summed at the
neuron. What is compared is the conductance. Nothing is random.

python examples/brian2/nmda.py
"""

from __future__ import annotations

from brian2 import Network, NeuronGroup, SpikeMonitor, StateMonitor, Synapses, second
from side_by_side import main

duration = 1 * second


def network() -> Network:
    """Two regular sources, one synapse strong enough to saturate."""
    source = NeuronGroup(2, "dv/dt = 1 / (10*ms) : 1", threshold="v > 1", reset="v = 0", method="euler", name="source")
    source.v = [0, 0.5]
    cells = NeuronGroup(
        1,
        """dv/dt = (g - v) / (10*ms) : 1
        g : 1""",
        method="exact",
        name="cells",
    )
    synapses = Synapses(
        source,
        cells,
        """dopen/dt = (x * (1 - open) - open) / (10*ms) : 1 (clock-driven)
        dx/dt = -x / (10*ms) : 1 (clock-driven)
        g_post = open : 1 (summed)
        w : 1""",
        on_pre="x += w",
        method="euler",
        name="synapses",
    )
    synapses.connect()
    synapses.w = [1, 10]
    states = StateMonitor(cells, ["g", "v"], record=True, name="states")
    return Network(source, cells, synapses, SpikeMonitor(source, name="spikes"), states)


if __name__ == "__main__":
    main(network, duration)
