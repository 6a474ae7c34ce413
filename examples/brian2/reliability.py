"""Neurons under one common noise and a little noise of their own spike together.

Brian 2's example reliability: a linked variable, from one neuron to all.

python examples/brian2/reliability.py
"""

from __future__ import annotations

from brian2 import Network, NeuronGroup, SpikeMonitor, linked_var, ms
from side_by_side import main

duration = 500 * ms
random = True  # while it runs


def network(neurons: int = 25) -> Network:
    """`neurons` copies of one neuron."""
    common = NeuronGroup(
        1, "dx/dt = -x / tau + (2 / tau)**0.5 * xi : 1", method="euler", namespace={"tau": 5 * ms}, name="common"
    )
    cells = NeuronGroup(
        neurons,
        """dx/dt = (0.9 + 0.5 * y - x) / tau + sigma * (2 / tau)**0.5 * xi : 1
        y : 1 (linked)""",
        threshold="x > 1",
        reset="x = 0",
        refractory=5 * ms,
        method="euler",
        namespace={"tau": 10 * ms, "sigma": 0.015},
        name="cells",
    )
    cells.x = "rand()"
    cells.y = linked_var(common, "x")
    return Network(common, cells, SpikeMonitor(cells, name="spikes"))


if __name__ == "__main__":
    main(network, duration, random=random)
