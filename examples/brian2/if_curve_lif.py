"""Rate against input of leaky integrate-and-fire neurons that are not connected.

Brian 2's example IF_curve_LIF. Nothing is random.

python examples/brian2/if_curve_lif.py
"""

from __future__ import annotations

from brian2 import Network, NeuronGroup, SpikeMonitor, ms, second
from side_by_side import main

duration = 1 * second


def network(neurons: int = 1000) -> Network:
    """Inputs from 0 to 20 mV."""
    cells = NeuronGroup(
        neurons,
        """dv/dt = (drive - v) / tau : volt (unless refractory)
        drive : volt""",
        threshold="v > 10*mV",
        reset="v = 0*mV",
        refractory=5 * ms,
        method="exact",
        namespace={"tau": 10 * ms},
        name="cells",
    )
    cells.drive = "20*mV * i / (N - 1)"
    return Network(cells, SpikeMonitor(cells, name="spikes"))


if __name__ == "__main__":
    main(network, duration)
