"""Eight firing patterns of the adaptive exponential integrate-and-fire neuron, after Naud et al. (2008).

Brian 2's example Naud_et_al_2008_adex_firing_patterns, all patterns in one group. Nothing is random, but the
irregular pattern is chaotic: another rounding of a last place moves its spikes after 466 ms, in Brian 2 itself, too.

python examples/brian2/adex_patterns.py
"""

from __future__ import annotations

import numpy as np
from brian2 import Network, NeuronGroup, SpikeMonitor, StateMonitor, ms, mV, nS, pA, pF, second
from side_by_side import main

duration = 0.6 * second
EQUATIONS = """
dvm/dt = (g_l*(e_l - vm) + g_l*d_t*exp((vm - v_t)/d_t) + stimulus - w) / c : volt
dw/dt = (a*(vm - e_l) - w) / tau_w : amp
c : farad (constant)
g_l : siemens (constant)
e_l : volt (constant)
a : siemens (constant)
tau_w : second (constant)
b : amp (constant)
v_r : volt (constant)
stimulus : amp (constant)
"""
COLUMNS = {"c": pF, "g_l": nS, "e_l": mV, "a": nS, "tau_w": ms, "b": pA, "v_r": mV, "stimulus": pA}
PATTERNS = {
    "tonic spiking": (200, 10, -70, 2, 30, 0, -58, 500),
    "adaptation": (200, 12, -70, 2, 300, 60, -58, 500),
    "initial burst": (130, 18, -58, 4, 150, 120, -50, 400),
    "regular bursting": (200, 10, -58, 2, 120, 100, -46, 210),
    "delayed accelerating": (200, 12, -70, -10, 300, 0, -58, 300),
    "delayed regular bursting": (100, 10, -65, -10, 90, 30, -47, 110),
    "transient spiking": (100, 10, -65, 10, 90, 100, -47, 180),
    "irregular spiking": (100, 12, -60, -11, 130, 30, -48, 160),
}


def network() -> Network:
    """A neuron for each pattern."""
    cells = NeuronGroup(
        len(PATTERNS),
        EQUATIONS,
        threshold="vm > 0*mV",
        reset="vm = v_r; w += b",
        method="euler",
        namespace={"v_t": -50 * mV, "d_t": 2 * mV},
        name="cells",
    )
    table = np.array(list(PATTERNS.values()), float)
    for (name, unit), column in zip(COLUMNS.items(), table.T, strict=True):
        setattr(cells, name, column * unit)
    cells.vm = "e_l"
    states = StateMonitor(cells, ["vm", "w"], record=True, name="states")
    return Network(cells, SpikeMonitor(cells, name="spikes"), states)


if __name__ == "__main__":
    main(network, duration)
