"""Synapses whose weights decay until they are used, each with a delay of its own.

Brian 2's example synapses/synapses: an event-driven variable. After delays and connections nothing is random.

python examples/brian2/decaying_synapses.py
"""

from __future__ import annotations

from brian2 import Network, NeuronGroup, SpikeMonitor, StateMonitor, Synapses, ms
from side_by_side import main

duration = 20 * ms


def network(pairs: int = 10) -> Network:
    """Pairs of neurons; the first one of each spikes once."""
    options = {"threshold": "v > 1", "reset": "v = 0", "method": "exact"}
    first = NeuronGroup(pairs, "dv/dt = -v / (10*ms) : 1", name="first", **options)
    second = NeuronGroup(pairs, "dv/dt = -v / (10*ms) : 1", name="second", **options)
    first.v = 1.2
    synapses = Synapses(first, second, "dw/dt = -w / (50*ms) : 1 (event-driven)", on_pre="v += w", name="synapses")
    synapses.connect("i == j", p=0.75)
    synapses.delay = "1*ms + i*ms + 0.25*ms * randn()"
    synapses.w = 1
    return Network(
        first,
        second,
        synapses,
        SpikeMonitor(first, name="spikes"),
        StateMonitor(second, "v", record=True, name="states"),
    )


if __name__ == "__main__":
    main(network, duration)
