"""Bursts of the neuron of Hindmarsh and Rose (1984), integrated by a fourth-order Runge-Kutta method.

Brian 2's example Hindmarsh_Rose_1984. It has no spikes: what is compared is x. Nothing is random.

python examples/brian2/hindmarsh_rose.py
"""

from __future__ import annotations

from brian2 import Network, NeuronGroup, StateMonitor, ms
from side_by_side import main

duration = 2100 * ms
EQUATIONS = """
dx/dt = (y - x**3 + 3*x**2 + current - z) / ms : 1
dy/dt = (1 - 5*x**2 - y) / ms : 1
dz/dt = 0.001 * (4*(x - x_rest) - z) / ms : 1
current : 1 (constant)
"""


def network() -> Network:
    """Three neurons with a current each, from their state of rest without adaptation."""
    cells = NeuronGroup(3, EQUATIONS, method="rk4", namespace={"x_rest": -1.6}, name="cells")
    cells.x = -1.6
    cells.y = "1 - 5*x**2"
    cells.current = [0.4, 2, 4]
    return Network(cells, StateMonitor(cells, "x", record=True, name="states"))


if __name__ == "__main__":
    main(network, duration)
