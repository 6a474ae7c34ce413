"""A threshold that rises with every spike, under Poisson input.

Brian 2's example adaptive_threshold, with as many neurons as are asked for.

python examples/brian2/adaptive_threshold.py
"""

from __future__ import annotations

from brian2 import Hz, Network, NeuronGroup, PoissonGroup, SpikeMonitor, Synapses, mV, second
from side_by_side import main

duration = 2 * second
random = True  # while it runs


def network(neurons: int = 100) -> Network:
    """Each neuron has a Poisson source of its own."""
    cells = NeuronGroup(
        neurons,
        """dv/dt = -v / (10*ms) : volt
        dlevel/dt = (10*mV - level) / (15*ms) : volt""",
        threshold="v > level",
        reset="v = 0*mV; level += 3*mV",
        method="exact",
        name="cells",
    )
    cells.level = 10 * mV
    source = PoissonGroup(neurons, 500 * Hz, name="source")
    kicks = Synapses(source, cells, on_pre="v += 3*mV", name="kicks")
    kicks.connect(j="i")
    return Network(cells, source, kicks, SpikeMonitor(cells, name="spikes"), SpikeMonitor(source, name="inputs"))


if __name__ == "__main__":
    main(network, duration, random=random)
