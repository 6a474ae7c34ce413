"""How neuromorph.nengo.Simulator carries connections over: factored or straight, with shared kernels or without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nengo_models import agree, both, ours

nengo = pytest.importorskip("nengo")


def test_decoded_connections_are_factored() -> None:
    """Many ensembles and connections become few populations, and synapses are neurons times dimensions."""
    with nengo.Network(seed=4) as model:
        first, second = nengo.networks.EnsembleArray(50, 8), nengo.networks.EnsembleArray(50, 8)
        second.add_output("square that nobody reads", np.square)
        nengo.Connection(first.output, nengo.Node(size_in=8), synapse=0.02)  # nor this
        nengo.Connection(first.output, second.input, synapse=0.01)
        nengo.Connection(nengo.Node(np.linspace(-1, 1, 8)), first.input, synapse=None)
        nengo.Probe(second.output, synapse=0.01)
    theirs, mine = both(model, steps=60)
    agree(theirs, mine, model)
    assert {type(op).__name__ for op in mine.lifted.host} <= {"Copy", "Reset", "SimProbe", "TimeUpdate"}  # no decoders
    with ours(model) as running:
        sizes = {p.name: p.size for p in running.program.network.populations}
        synapses = sum(len(running.program.synapses(p).pre) for p in running.program.network.projections)
    assert sizes == {"LIF 0": 800, "lowpass_10000us 0": 16}
    assert synapses == 3 * 8 * 50


def test_transforms_and_filters_of_all_kinds_are_taken() -> None:
    """Convolutions, sparse matrices, slices out of order, filters of order 3 and such that pass their input on."""
    with nengo.Network(seed=8) as model:
        picture, features = nengo.Ensemble(36, 1), nengo.Ensemble(32, 1)
        nengo.Connection(nengo.Node(lambda t: np.sin(20 * t)), picture, synapse=None)
        kernel = nengo.Convolution(2, (6, 6, 1), kernel_size=(3, 3), init=nengo.dists.Uniform(0, 1e-3))
        nengo.Connection(picture.neurons, features.neurons, transform=kernel, synapse=0.01)
        some = nengo.Sparse((32, 36), indices=[[3, 1], [7, 30]], init=[0.002, 0.001])
        slow = nengo.LinearFilter([1.0], [1e-7, 5e-5, 0.01, 1.0])
        nengo.Connection(picture.neurons, features.neurons, transform=some, synapse=slow)
        through = nengo.LinearFilter([0.5, 0.1], [1.0, -0.6], analog=False)
        nengo.Connection(picture.neurons[[5, 3]], features.neurons[[9, 2]], transform=1e-3, synapse=through)
        for x in (picture, features):
            nengo.Probe(x.neurons)
        nengo.Probe(features.neurons, "input")
    theirs, mine = both(model)
    assert len(mine.lifted.relays) == 3  # the host reads them, since it adds up the input that is probed
    agree(theirs, mine, model)


def images(gain: Any) -> Any:
    """Convolutions from a node and from neurons to neurons with these gains."""
    with nengo.Network(seed=4) as model:
        drive = nengo.Node(lambda t: np.linspace(0, t / 0.2, 36))
        fine = nengo.Convolution(2, (6, 6, 1), padding="same", init=nengo.dists.Uniform(0, 1))
        coarse = nengo.Convolution(3, (4, 6, 2), kernel_size=(2, 2), strides=(2, 2), init=nengo.dists.Uniform(0, 0.1))
        a = nengo.Ensemble(72, 1, gain=gain(72), bias=np.full(72, 0.5))
        b = nengo.Ensemble(20, 1, gain=gain(20), bias=np.full(20, 0.9))
        nengo.Connection(drive, a.neurons, transform=fine, synapse=None)
        nengo.Connection(a.neurons[12:60], b.neurons[1:19], transform=coarse, synapse=0.005)
        nengo.Probe(a.neurons)
        nengo.Probe(b.neurons)
    return model


@pytest.mark.parametrize("gain", [np.ones, lambda n: np.linspace(0.2, 2, n)], ids=["even", "uneven"])
def test_convolutions_share_their_kernels(gain: Any) -> None:
    """Also behind a slice, in front of one, and where a neuron's gain multiplies what arrives."""
    model = images(gain)
    theirs, mine = both(model)
    assert mine.lifted.relays == ()
    agree(theirs, mine, model)
    with ours(model) as running:
        program = running.program
        stored = [p.rule.kernel_size for p in program.network.projections]
        synapses = [len(program.synapses(p).weights) for p in program.network.projections]
    assert stored == [18, 24]
    assert synapses == [18 * 16 + 12 * 16 + 8 * 4, 6 * 8 * 3]


@pytest.mark.parametrize("count", [2, 3])
def test_kernels_that_cannot_share_a_port_are_taken_apart(count: int) -> None:
    """A neuron has one gain; a transform behind the convolution may ask for another."""
    with nengo.Network(seed=4) as model:
        drive = nengo.Node(lambda t: np.linspace(0, t / 0.2, 36))
        cells = nengo.Ensemble(16, 1, gain=np.linspace(1, 2, 16), bias=np.zeros(16))
        for k in range(count):
            between = nengo.Node(size_in=16)
            nengo.Connection(drive, between, transform=nengo.Convolution(1, (6, 6, 1)), synapse=None)
            nengo.Connection(between, cells.neurons, transform=np.linspace(k, 1, 16), synapse=None)
        nengo.Probe(cells.neurons, "input")
    theirs, mine = both(model, steps=10)
    agree(theirs, mine, model)


def test_the_cheaper_way_of_a_connection_is_taken_and_told() -> None:
    """Neurons times dimensions; pairs of neurons where these are fewer; a value that the host reads is always there."""
    with nengo.Network(seed=1) as model:
        many, few = nengo.Ensemble(50, 2, label="many"), nengo.Ensemble(4, 16, label="few")
        back = nengo.Connection(few, few, synapse=0.1, label="small loop")
        wide = nengo.Connection(many, many, synapse=0.1, label="large loop")
        solved = nengo.Connection(many, few, solver=nengo.solvers.LstsqL2(weights=True), transform=np.ones((16, 2)))
        seen = nengo.Connection(few, few, synapse=0.05, label="probed loop")
        nengo.Probe(seen)
        for x in (many, few):
            nengo.Probe(x.neurons)
    theirs, mine = both(model)
    agree(theirs, mine, model)
    through = {choice.name: choice.through for choice in mine.lifted.choices}
    assert through == {str(back): False, str(wide): True, str(solved): False}
    text = mine.lifted.text()
    assert "54 neurons of 2 ensembles" in text
    assert "SimProbe" in text
    loop = next(choice for choice in mine.lifted.choices if choice.name == str(wide))
    assert loop.factored.operations == 0.1 * 100 + 2 * 3 + 100  # decoders for a tenth of all steps; filters; encoders
    assert loop.straight.operations == 0.1 * 2500 + 50 * 3
    assert loop.straight.bytes == 4 * (2500 + 100) > loop.factored.bytes == 4 * (100 + 4 + 100)
