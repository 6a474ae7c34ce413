"""Rate against current of Hodgkin-Huxley neurons that are not connected.

Brian 2's example IF_curve_Hodgkin_Huxley: refractory for as long as the voltage is high, so each spike counts once.
Nothing is random.

python examples/brian2/if_curve_hodgkin_huxley.py
"""

from __future__ import annotations

from brian2 import Network, NeuronGroup, SpikeMonitor, cm, msiemens, mV, nA, second, siemens, uF, umetre
from side_by_side import main

duration = 0.5 * second
AREA = 20000 * umetre**2
EQUATIONS = """
dv/dt = (g_l*(e_l - v) - g_na*m**3*h*(v - e_na) - g_kd*n**4*(v - e_k) + current) / c : volt
dm/dt = 1.28/exprel((13*mV - v + v_t)/(4*mV))/ms*(1 - m) - 1.4/exprel((v - v_t - 40*mV)/(5*mV))/ms*m : 1
dn/dt = 0.16/exprel((15*mV - v + v_t)/(5*mV))/ms*(1 - n) - 0.5*exp((10*mV - v + v_t)/(40*mV))/ms*n : 1
dh/dt = 0.128*exp((17*mV - v + v_t)/(18*mV))/ms*(1 - h) - 4/(1 + exp((40*mV - v + v_t)/(5*mV)))/ms*h : 1
current : amp
"""
CONSTANTS = {
    "c": AREA * uF / cm**2,
    "g_l": AREA * 5e-5 * siemens / cm**2,
    "g_na": AREA * 100 * msiemens / cm**2,
    "g_kd": AREA * 30 * msiemens / cm**2,
    "e_l": -65 * mV,
    "e_k": -90 * mV,
    "e_na": 50 * mV,
    "v_t": -63 * mV,
}


def network(neurons: int = 100) -> Network:
    """Currents from 0 to 0.7 nA."""
    cells = NeuronGroup(
        neurons,
        EQUATIONS,
        threshold="v > -40*mV",
        refractory="v > -40*mV",
        method="exponential_euler",
        namespace=CONSTANTS,
        name="cells",
    )
    cells.v = CONSTANTS["e_l"]
    cells.current = 0.7 * nA / neurons * range(neurons)
    return Network(cells, SpikeMonitor(cells, name="spikes"))


if __name__ == "__main__":
    main(network, duration)
