"""Neurons under constant current and a little noise of their own drift apart.

Brian 2's example non_reliability.

python examples/brian2/non_reliability.py
"""

from __future__ import annotations

from brian2 import Network, NeuronGroup, SpikeMonitor, ms
from side_by_side import main

duration = 500 * ms
random = True  # while it runs


def network(neurons: int = 25) -> Network:
    """`neurons` copies of one neuron."""
    cells = NeuronGroup(
        neurons,
        "dx/dt = (1.1 - x) / tau + sigma * (2 / tau)**0.5 * xi : 1 (unless refractory)",
        threshold="x > 1",
        reset="x = 0",
        refractory=5 * ms,
        method="euler",
        namespace={"tau": 20 * ms, "sigma": 0.015},
        name="cells",
    )
    return Network(cells, SpikeMonitor(cells, name="spikes"))


if __name__ == "__main__":
    main(network, duration, random=random)
