"""Integrate-and-fire neurons that share current through gap junctions.

Brian 2's example gapjunctions: a summed variable, computed in every step from both ends. Nothing is random.

python examples/brian2/gap_junctions.py
"""

from __future__ import annotations

from brian2 import Network, NeuronGroup, SpikeMonitor, StateMonitor, Synapses, ms
from side_by_side import main

duration = 500 * ms


def network(neurons: int = 10) -> Network:
    """Every neuron with every other."""
    cells = NeuronGroup(
        neurons,
        """dv/dt = (drive - v + gap) / tau : 1
        gap : 1""",
        threshold="v > 1",
        reset="v = 0",
        method="exact",
        namespace={"drive": 1.05, "tau": 10 * ms},
        name="cells",
    )
    cells.v = "i * 1.0 / (N - 1)"
    junctions = Synapses(
        cells,
        cells,
        """w : 1
        gap_post = w * (v_pre - v_post) : 1 (summed)""",
        name="junctions",
    )
    junctions.connect()
    junctions.w = 0.2 / neurons
    return Network(
        cells, junctions, SpikeMonitor(cells, name="spikes"), StateMonitor(cells, "v", record=[0, 5], name="states")
    )


if __name__ == "__main__":
    main(network, duration)
