"""Oscillations of the barnacle muscle fibre of Morris and Lecar (1981).

Brian 2's example Morris_Lecar_1981, in steps of 0.01 ms. It has no threshold: what is compared is v. Nothing is random.

python examples/brian2/morris_lecar.py
"""

from __future__ import annotations

from brian2 import Network, NeuronGroup, StateMonitor, mS, ms, mV, uF
from side_by_side import main

duration = 220 * ms
EQUATIONS = """
dv/dt = (-g_l*(v - v_l) - g_ca*m_inf*(v - v_ca) - g_k*n*(v - v_k) + current) / c : volt
dn/dt = rate_n * (n_inf - n) : 1
m_inf = 0.5 * (1 + tanh((v - v_1) / v_2)) : 1
n_inf = 0.5 * (1 + tanh((v - v_3) / v_4)) : 1
rate_n = cosh((v - v_3) / (2 * v_4)) / (15*ms) : Hz
current : amp
"""
CONSTANTS = {
    "c": 20 * uF,
    "g_l": 2 * mS,
    "g_ca": 4 * mS,
    "g_k": 8 * mS,
    "v_l": -50 * mV,
    "v_ca": 100 * mV,
    "v_k": -70 * mV,
    "v_1": 10 * mV,
    "v_2": 15 * mV,
    "v_3": -1 * mV,
    "v_4": 14.5 * mV,
}


def network(fibres: int = 17) -> Network:
    """Currents from 100 uA on, 25 uA apart."""
    cells = NeuronGroup(fibres, EQUATIONS, method="exponential_euler", namespace=CONSTANTS, dt=0.01 * ms, name="cells")
    cells.current = "(100 + 25 * i) * uA"
    cells.v = CONSTANTS["v_l"]
    cells.n = "n_inf"
    return Network(cells, StateMonitor(cells, "v", record=True, dt=0.1 * ms, name="states"))


if __name__ == "__main__":
    main(network, duration)
