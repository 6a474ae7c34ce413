"""Integrate-and-fire neurons lock to a periodic input where it is strong.

Brian 2's example phase_locking: the equations name the time. After the initial values nothing is random.

python examples/brian2/phase_locking.py
"""

from __future__ import annotations

from brian2 import Hz, Network, NeuronGroup, SpikeMonitor, ms, second
from side_by_side import main

duration = 1 * second


def network(neurons: int = 100) -> Network:
    """The input's modulation grows from neuron to neuron."""
    cells = NeuronGroup(
        neurons,
        """dv/dt = (-v + depth * sin(2 * pi * frequency * t) + drive) / tau : 1
        depth : 1""",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        namespace={"tau": 20 * ms, "drive": 1.2, "frequency": 10 * Hz},
        name="cells",
    )
    cells.v = "rand()"
    cells.depth = "0.05 + 0.7 * i / N"
    return Network(cells, SpikeMonitor(cells, name="spikes"))


if __name__ == "__main__":
    main(network, duration)
