"""Delay lines find the direction of a sound from the times at which two ears hear it, after Jeffress.

Brian 2's example synapses/jeffress: a TimedArray read with a delay that changes, noise, a delay for each synapse.

python examples/brian2/jeffress.py
"""

from __future__ import annotations

import numpy as np
from brian2 import Network, NeuronGroup, SpikeMonitor, Synapses, TimedArray, ms, second
from side_by_side import main

duration = 1 * second
random = True  # while it runs
EARS = """
dx/dt = (sound(t - lag) - x) / tau + sigma * (2 / tau)**0.5 * xi : 1 (unless refractory)
lag = distance * sin(angle) : second
distance : second
dangle/dt = speed : radian
"""


def network(neurons: int = 30) -> Network:
    """`neurons` detectors of coincidence, each for a direction."""
    dt, max_delay = 0.02 * ms, 2 / 3 * ms
    sound = TimedArray(10 * np.random.default_rng(1).standard_normal(50000), dt=dt)
    constants = {"tau": 1 * ms, "sigma": 0.1, "speed": 2 * np.pi / second, "sound": sound, "max_delay": max_delay}
    options = {"method": "euler", "dt": dt, "namespace": constants}
    ears = NeuronGroup(2, EARS, threshold="x > 1", reset="x = 0", refractory=2.5 * ms, name="ears", **options)
    ears.distance = [-max_delay / 2, max_delay / 2]
    cells = NeuronGroup(
        neurons,
        "dv/dt = -v / tau + sigma * (2 / tau)**0.5 * xi : 1",
        threshold="v > 1",
        reset="v = 0",
        name="cells",
        **options,
    )
    lines = Synapses(ears, cells, on_pre="v += 0.5", namespace=constants, dt=dt, name="lines")
    lines.connect()
    lines.delay["i == 0"] = "1.1 * max_delay * j / (N_post - 1)"
    lines.delay["i == 1"] = "1.1 * max_delay * (N_post - 1 - j) / (N_post - 1)"
    return Network(ears, cells, lines, SpikeMonitor(cells, name="spikes"), SpikeMonitor(ears, name="heard"))


if __name__ == "__main__":
    main(network, duration, random=random)
