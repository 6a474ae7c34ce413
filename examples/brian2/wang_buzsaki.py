"""The fast-spiking interneuron of Wang and Buzsaki (1996).

Brian 2's example Wang_Buszaki_1996, in steps of 0.01 ms. It has no threshold: what is compared is v. Nothing is random.

python examples/brian2/wang_buzsaki.py
"""

from __future__ import annotations

from brian2 import Network, NeuronGroup, StateMonitor, ms, msiemens, mV, uA, uF
from side_by_side import main

duration = 100 * ms
EQUATIONS = """
dv/dt = (-g_na*m**3*h*(v - e_na) - g_k*n**4*(v - e_k) - g_l*(v - e_l) + current) / c : volt
m = alpha_m / (alpha_m + beta_m) : 1
alpha_m = 1 / exprel(-(v + 35*mV) / (10*mV)) / ms : Hz
beta_m = 4 * exp(-(v + 60*mV) / (18*mV)) / ms : Hz
dh/dt = 5 * (alpha_h*(1 - h) - beta_h*h) : 1
alpha_h = 0.07 * exp(-(v + 58*mV) / (20*mV)) / ms : Hz
beta_h = 1 / (exp(-(v + 28*mV) / (10*mV)) + 1) / ms : Hz
dn/dt = 5 * (alpha_n*(1 - n) - beta_n*n) : 1
alpha_n = 0.1 / exprel(-(v + 34*mV) / (10*mV)) / ms : Hz
beta_n = 0.125 * exp(-(v + 44*mV) / (80*mV)) / ms : Hz
"""
CONSTANTS = {
    "c": 1 * uF,
    "current": 2 * uA,
    "g_l": 0.1 * msiemens,
    "e_l": -65 * mV,
    "e_na": 55 * mV,
    "e_k": -90 * mV,
    "g_na": 35 * msiemens,
    "g_k": 9 * msiemens,
}


def network() -> Network:
    """One neuron (for an area of a square centimetre)."""
    cells = NeuronGroup(1, EQUATIONS, method="exponential_euler", namespace=CONSTANTS, dt=0.01 * ms, name="cells")
    cells.v = -70 * mV
    cells.h = 1
    return Network(cells, StateMonitor(cells, "v", record=True, dt=0.01 * ms, name="states"))


if __name__ == "__main__":
    main(network, duration)
