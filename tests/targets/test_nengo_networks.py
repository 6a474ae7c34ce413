"""Nengo's models on our targets: the same events on the reference, the CPU and SpiNNaker2."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuromorph import CPU, Reference, first_difference, from_nengo, second
from neuromorph.mapping.spinnaker2 import SpiNNaker2

nengo = pytest.importorskip("nengo")


def images() -> Any:
    """Convolutions of spikes and of rates, behind inputs that are shown one after the other."""
    shown = np.random.RandomState(5).uniform(0, 1, (2, 36))
    with nengo.Network(seed=4) as model:
        drive = nengo.Node(nengo.processes.PresentInput(shown, 0.01))
        fine = nengo.Convolution(2, (6, 6, 1), padding="same", init=nengo.dists.Uniform(0, 1))
        coarse = nengo.Convolution(
            3, (6, 6, 2), kernel_size=(2, 2), strides=(2, 2), init=nengo.dists.Uniform(-0.2, 0.2)
        )
        a = nengo.Ensemble(72, 1, label="a", gain=np.linspace(1, 2, 72), bias=np.full(72, 0.5))
        b = nengo.Ensemble(27, 1, label="b", gain=np.ones(27), bias=np.full(27, 1.1), neuron_type=nengo.LIFRate())
        nengo.Connection(drive, a.neurons, transform=fine, synapse=None)
        nengo.Connection(a.neurons, b.neurons, transform=coarse, synapse=0.005)
    return model


def kinds() -> Any:
    """One ensemble of each sort of neuron, one after the other."""
    types = [nengo.AdaptiveLIF(), nengo.Izhikevich(), nengo.Tanh(), nengo.PoissonSpiking(nengo.LIFRate())]
    with nengo.Network(seed=4) as model:
        before = nengo.Node(lambda t: np.sin(60 * t), label="drive")
        for kind in types:
            cells = nengo.Ensemble(20, 1, neuron_type=kind, max_rates=nengo.dists.Uniform(40, 90), label=str(kind))
            nengo.Connection(before, cells, synapse=nengo.Alpha(0.005))
            before = cells
        nengo.Probe(before, synapse=0.01, label="value")
    return model


@pytest.mark.parametrize(("make", "relays"), [(images, False), (kinds, False), (kinds, True)])
def test_targets_agree(make: Any, relays: bool) -> None:
    network = from_nengo(make(), duration=0.04, relays=relays)
    targets = Reference("float32"), CPU(threads=1), SpiNNaker2()
    runs = [t.compile(network, dt=0.001 * second, progress=False).run(40, progress=False) for t in targets]
    assert sum(runs[0].count(name) for name in runs[0].recorded_events) > 100
    assert all(first_difference(runs[0], run) is None for run in runs[1:])


def test_chips_learn_as_the_engine_does() -> None:
    with nengo.Network(seed=1) as model:
        drive = nengo.Node(lambda t: np.sin(60 * t), label="drive")
        a, b = nengo.Ensemble(10, 1, label="a"), nengo.Ensemble(10, 1, label="b")
        nengo.Connection(drive, a)
        learned = nengo.Connection(a, b, function=lambda x: 0, learning_rule_type=nengo.PES())
        nengo.Connection(b, learned.learning_rule)
    network = from_nengo(model, duration=0.04)
    programs = [t.compile(network, dt=0.001 * second, progress=False) for t in (CPU(threads=1), SpiNNaker2())]
    runs = [program.run(40, progress=False) for program in programs]
    assert first_difference(*runs) is None
    name = next(p.name for p in network.projections if p.synapse is not None)
    weights = [np.asarray(program.synapses(name).weights) for program in programs]
    np.testing.assert_array_equal(*weights)
    assert np.ptp(weights[0]) > 0
