"""Plastic inhibition balances excitation, after Vogels et al. (2011).

Brian 2's example Vogels_et_al_2011, learning from the start. After the connections nothing is random.

python examples/brian2/inhibitory_plasticity.py
"""

from __future__ import annotations

from brian2 import Hz, Network, NeuronGroup, SpikeMonitor, Synapses, ms, mV, nS, pA, pF, second
from side_by_side import main

duration = 1 * second
EQUATIONS = """
dv/dt = (-g_l*(v - e_l) - g_ampa*v - g_gaba*(v - e_i) + background) / c : volt (unless refractory)
dg_ampa/dt = -g_ampa / tau_ampa : siemens
dg_gaba/dt = -g_gaba / tau_gaba : siemens
"""
PLASTICITY = """
w : 1
dx/dt = -x / tau_stdp : 1 (event-driven)
dy/dt = -y / tau_stdp : 1 (event-driven)
"""
CONSTANTS = {
    "c": 200 * pF,
    "g_l": 10 * nS,
    "e_l": -60 * mV,
    "e_i": -80 * mV,
    "background": 200 * pA,
    "tau_ampa": 5 * ms,
    "tau_gaba": 10 * ms,
    "tau_stdp": 20 * ms,
    "target": float(3 * Hz * 20 * ms * 2),
    "eta": 0.01,
    "w_max": 100,
}


def network(neurons: int = 10000, density: float = 0.02) -> Network:
    """Four of five neurons excite; inhibition onto them learns."""
    cells = NeuronGroup(
        neurons,
        EQUATIONS,
        threshold="v > -50*mV",
        reset="v = e_l",
        refractory=5 * ms,
        method="euler",
        namespace=CONSTANTS,
        name="cells",
    )
    border = neurons * 4 // 5
    exc, inh = cells[:border], cells[border:]
    excitation = Synapses(exc, cells, on_pre="g_ampa += 0.3*nS", name="excitation")
    inhibition = Synapses(inh, inh, on_pre="g_gaba += 3*nS", name="inhibition")
    learning = Synapses(
        inh,
        exc,
        PLASTICITY,
        on_pre="x += 1; w = clip(w + (y - target) * eta, 0, w_max); g_gaba += w * nS",
        on_post="y += 1; w = clip(w + x * eta, 0, w_max)",
        namespace=CONSTANTS,
        name="learning",
    )
    for synapses in (excitation, inhibition, learning):
        synapses.connect(p=density)
    learning.w = 1e-10
    return Network(cells, excitation, inhibition, learning, SpikeMonitor(cells, name="spikes"))


if __name__ == "__main__":
    main(network, duration)
