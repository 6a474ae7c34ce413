"""A thousand simple neurons under noise, after Izhikevich (2003).

Brian 2's example Izhikevich_2003: noise drawn by run_regularly, and pulses of current made of two pathways.

python examples/brian2/izhikevich.py
"""

from __future__ import annotations

import numpy as np
from brian2 import Network, NeuronGroup, SpikeMonitor, Synapses, ms, second
from side_by_side import main

duration = 1 * second
random = True  # while it runs
EQUATIONS = """
dv/dt = (0.04*v**2 + 5*v + 140 - u + current + noise) / ms : 1
du/dt = a * (b*v - u) / ms : 1
current : 1
noise : 1
a : 1
b : 1
c : 1
d : 1
"""


def network(neurons: int = 1000) -> Network:
    """Four of five neurons excite; all to all."""
    border = neurons * 4 // 5
    exc, inh = np.split(np.random.default_rng(1).random(neurons), [border])
    cells = NeuronGroup(
        neurons, EQUATIONS, threshold="v >= 30", reset="v = c; u += d", method="euler", dt=1 * ms, name="cells"
    )
    cells.v = -65
    cells.a = np.r_[np.full(border, 0.02), 0.02 + 0.08 * inh]
    cells.b = np.r_[np.full(border, 0.2), 0.25 - 0.05 * inh]
    cells.c = np.r_[-65 + 15 * exc**2, np.full(neurons - border, -65)]
    cells.d = np.r_[8 - 6 * exc**2, np.full(neurons - border, 2)]
    cells.u = "b * v"
    cells[:border].run_regularly("noise = 5 * randn()", dt=1 * ms, name="noise_of_excitation")
    cells[border:].run_regularly("noise = 2 * randn()", dt=1 * ms, name="noise_of_inhibition")
    synapses = Synapses(
        cells,
        cells,
        "w : 1",
        on_pre={"up": "current += w", "down": "current -= w"},
        delay={"up": 0 * ms, "down": 1 * ms},
        dt=1 * ms,
        name="synapses",
    )
    synapses.connect()
    synapses.w = "rand() * 1000 / N_pre"
    synapses.w[:border, :] *= 0.5
    synapses.w[border:, :] *= -1
    return Network(cells, synapses, SpikeMonitor(cells, name="spikes"))


if __name__ == "__main__":
    main(network, duration, random=random)
