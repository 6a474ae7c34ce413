"""A volley of spikes travels along a chain of groups, after Diesmann et al. (1999).

Brian 2's example Diesmann_et_al_1999: noise in every neuron, and spikes that are given.

python examples/brian2/synfire.py
"""

from __future__ import annotations

import numpy as np
from brian2 import Network, NeuronGroup, SpikeGeneratorGroup, SpikeMonitor, Synapses, ms, mV
from side_by_side import main

duration = 100 * ms
random = True  # while it runs
EQUATIONS = """
dv/dt = (v_r - v + x) / tau_m : volt
dx/dt = (y - x) / tau_psp : volt
dy/dt = -y / tau_psp + 25.27*mV/ms + 39.24*mV/ms**0.5 * xi : volt
"""
CONSTANTS = {"v_r": -70 * mV, "v_t": -55 * mV, "tau_m": 10 * ms, "tau_psp": 0.325 * ms, "w": 4.86 * mV}


def network(groups: int = 10, size: int = 100, spikes: int = 85) -> Network:
    """`spikes` of one volley, 1 ms wide, start at 50 ms; each group excites the next, all to all."""
    cells = NeuronGroup(
        groups * size,
        EQUATIONS,
        threshold="v > v_t",
        reset="v = v_r",
        refractory=1 * ms,
        method="euler",
        namespace=CONSTANTS,
        name="cells",
    )
    cells.v = "v_r + rand() * (v_t - v_r)"
    times = np.random.default_rng(1).normal(50, 1, spikes)
    volley = SpikeGeneratorGroup(spikes, np.arange(spikes), times * ms, name="volley")
    chain = Synapses(cells, cells, on_pre="y += w", namespace={**CONSTANTS, "size": size}, name="chain")
    chain.connect(j="k for k in range((i // size + 1) * size, (i // size + 2) * size) if i < N_pre - size")
    entry = Synapses(volley, cells[:size], on_pre="y += w", namespace=CONSTANTS, name="entry")
    entry.connect()
    return Network(cells, volley, chain, entry, SpikeMonitor(cells, name="spikes"))


if __name__ == "__main__":
    main(network, duration, random=random)
