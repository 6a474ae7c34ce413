"""Oscillators pull each other into step: the model of Kuramoto.

Brian 2's example coupled_oscillators: sines of differences, summed over all pairs in every step. What is compared are
the phases. After the initial values nothing is random.

python examples/brian2/coupled_oscillators.py
"""

from __future__ import annotations

from brian2 import Network, NeuronGroup, StateMonitor, Synapses, ms, second
from side_by_side import main

duration = 10 * second


def network(oscillators: int = 100, coupling: float = 2.0) -> Network:
    """Frequencies around 0.5 rad/s, all to all; `coupling` in 1/s."""
    cells = NeuronGroup(
        oscillators,
        """dphase/dt = frequency + coupling / N * pull : radian
        frequency : radian/second (constant)
        pull : 1""",
        method="euler",
        dt=1 * ms,
        namespace={"coupling": coupling / second},
        name="cells",
    )
    cells.phase = "rand() * 2 * pi"
    cells.frequency = "clip(0.5 + 0.5 * randn(), 0, inf) * radian/second"
    pairs = Synapses(cells, cells, "pull_post = sin(phase_pre - phase_post) : 1 (summed)", dt=1 * ms, name="pairs")
    pairs.connect()
    return Network(cells, pairs, StateMonitor(cells, "phase", record=True, dt=10 * ms, name="states"))


if __name__ == "__main__":
    main(network, duration)
