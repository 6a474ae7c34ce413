"""Hodgkin-Huxley neurons with conductance synapses: benchmark 3 of Brette et al. (2007).

Brian 2's example COBAHH. After the random initial values and connections, nothing is random.

python examples/brian2/cobahh.py
"""

from __future__ import annotations

from brian2 import Network, NeuronGroup, SpikeMonitor, Synapses, cm, ms, msiemens, mV, nS, second, siemens, uF, umetre
from side_by_side import main

duration = 1 * second
AREA = 20000 * umetre**2
EQUATIONS = """
dv/dt = (g_l*(e_l - v) + ge*(e_e - v) + gi*(e_i - v) - g_na*m**3*h*(v - e_na) - g_kd*n**4*(v - e_k)) / c : volt
dm/dt = alpha_m*(1 - m) - beta_m*m : 1
dn/dt = alpha_n*(1 - n) - beta_n*n : 1
dh/dt = alpha_h*(1 - h) - beta_h*h : 1
dge/dt = -ge / tau_e : siemens
dgi/dt = -gi / tau_i : siemens
alpha_m = 1.28 / exprel((13*mV - v + v_t) / (4*mV)) / ms : Hz
beta_m = 1.4 / exprel((v - v_t - 40*mV) / (5*mV)) / ms : Hz
alpha_h = 0.128 * exp((17*mV - v + v_t) / (18*mV)) / ms : Hz
beta_h = 4 / (1 + exp((40*mV - v + v_t) / (5*mV))) / ms : Hz
alpha_n = 0.16 / exprel((15*mV - v + v_t) / (5*mV)) / ms : Hz
beta_n = 0.5 * exp((10*mV - v + v_t) / (40*mV)) / ms : Hz
"""
CONSTANTS = {
    "c": AREA * uF / cm**2,
    "g_l": AREA * 5e-5 * siemens / cm**2,
    "g_na": AREA * 100 * msiemens / cm**2,
    "g_kd": AREA * 30 * msiemens / cm**2,
    "e_l": -60 * mV,
    "e_k": -90 * mV,
    "e_na": 50 * mV,
    "e_e": 0 * mV,
    "e_i": -80 * mV,
    "v_t": -63 * mV,
    "tau_e": 5 * ms,
    "tau_i": 10 * ms,
    "w_e": 6 * nS,
    "w_i": 67 * nS,
}


def network(neurons: int = 4000, inputs: int = 80) -> Network:
    """Four of five neurons excite; each neuron hears `inputs` others on average."""
    cells = NeuronGroup(
        neurons,
        EQUATIONS,
        threshold="v > -20*mV",
        refractory=3 * ms,
        method="exponential_euler",
        namespace=CONSTANTS,
        name="cells",
    )
    cells.v = "e_l + (randn() * 5 - 5) * mV"
    cells.ge = "(randn() * 1.5 + 4) * 10 * nS"
    cells.gi = "(randn() * 12 + 20) * 10 * nS"
    border = neurons * 4 // 5
    excitation = Synapses(cells[:border], cells, on_pre="ge += w_e", namespace=CONSTANTS, name="excitation")
    inhibition = Synapses(cells[border:], cells, on_pre="gi += w_i", namespace=CONSTANTS, name="inhibition")
    for synapses in (excitation, inhibition):
        synapses.connect(p=inputs / neurons)
    return Network(cells, excitation, inhibition, SpikeMonitor(cells, name="spikes"))


if __name__ == "__main__":
    main(network, duration)
