"""A model written for Nengo, on every target that runs it: decoded values on chips."""

from __future__ import annotations

import numpy as np
import pytest

from neuromorph import CPU, first_difference, from_nengo, second
from neuromorph.mapping.spinnaker2 import SpiNNaker2

nengo = pytest.importorskip("nengo")


@pytest.mark.parametrize("relays", [False, True], ids=["full weights", "relays"])
def test_a_decoded_value_crosses_chips(relays: bool) -> None:
    with nengo.Network(seed=3) as model:
        drive = nengo.Node(lambda t: np.sin(20 * t), label="drive")
        a, b = nengo.Ensemble(80, 1, label="a"), nengo.Ensemble(80, 1, label="b")
        nengo.Connection(drive, a, synapse=None)
        nengo.Connection(a, b, function=lambda x: x**2)
        probe = nengo.Probe(b, synapse=0.02, label="output")
    network = from_nengo(model, duration=0.3, relays=relays)
    on_cpu = CPU(threads=1).compile(network, dt=0.001 * second).run(300, progress=False)
    program = SpiNNaker2(neurons_per_pe=30).compile(network, dt=0.001 * second)
    on_chips = program.run(300, progress=False)
    assert not first_difference(on_cpu, on_chips)
    simulator = nengo.Simulator(model, progress_bar=False)
    simulator.run_steps(300)
    value = np.asarray(on_chips.state("output", "value").data)
    difference = np.sqrt(np.mean((value[50:] - simulator.data[probe][50:]) ** 2))
    assert difference < (0.1 if relays else 0.03), difference
