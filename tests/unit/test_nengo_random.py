"""Models drawn at random: neuromorph.nengo.Simulator gives what Nengo's own simulator gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
from nengo_models import both

nengo = pytest.importorskip("nengo")
Draw = np.random.RandomState

NEURONS = [
    nengo.LIF(amplitude=0.5),
    nengo.AdaptiveLIF(),
    nengo.Izhikevich(),
    nengo.LIFRate(),
    nengo.SpikingRectifiedLinear(),
    nengo.Tanh(),
    nengo.RegularSpiking(nengo.LIFRate()),
]
SYNAPSES = [
    None,
    nengo.Lowpass(0.005),
    nengo.Alpha(0.01),
    nengo.Triangle(0.006),
    nengo.LinearFilter([0.5, 0.1], [1, -0.6], analog=False),
]


def model_of(seed: int) -> Any:
    """Ensembles and nodes of every sort with connections from anywhere to anywhere, and probes of all of them."""
    draw = Draw(seed)
    with nengo.Network(seed=seed) as model:
        for _ in range(draw.randint(2, 6)):
            nengo.Ensemble(draw.randint(3, 20), draw.randint(1, 4), neuron_type=NEURONS[draw.randint(len(NEURONS))])
        nengo.Node(lambda t, x: np.tanh(x) + 0.1 * np.sin(9 * t), size_in=2)
        nengo.Node(size_in=2)
        nengo.Node(lambda t: [np.cos(20 * t), 0.5])
        nengo.Node([0.3])
        things = [*model.ensembles, *model.nodes]
        for _ in range(draw.randint(6, 16)):
            before, behind = draw.randint(len(things), size=2)
            connect(draw, things[before], things[behind], later=behind > before)
        for thing in things:
            nengo.Probe(thing, synapse=SYNAPSES[draw.randint(len(SYNAPSES))])
        for cells in model.ensembles:
            nengo.Probe(cells.neurons, "output" if draw.rand() < 0.7 else "input")
    return model


def connect(draw: Any, before: Any, behind: Any, later: bool) -> None:
    """One connection, perhaps of neurons, a part, sparse or of solved weights; without a synapse to later ones only."""
    synapse = SYNAPSES[draw.randint(not later, len(SYNAPSES))]
    decoded = isinstance(before, nengo.Ensemble) and draw.rand() < 0.75
    source = before if decoded or isinstance(before, nengo.Node) else before.neurons
    target = behind.neurons if isinstance(behind, nengo.Ensemble) and draw.rand() < 0.25 else behind
    if target.size_in == 0:
        return
    if source.size_out > 1 and draw.rand() < 0.3:
        source = source[draw.permutation(source.size_out)[:-1].tolist()]
    if target.size_in > 1 and draw.rand() < 0.3:
        target = target[1:]
    shape = target.size_in, source.size_out
    strength = 0.3 if decoded or isinstance(before, nengo.Node) else 1e-3
    options: dict[str, Any] = {"transform": strength * draw.uniform(-1, 1, shape), "synapse": synapse}
    if not decoded and draw.rand() < 0.3:
        options["transform"] = nengo.Sparse(shape, init=strength * scipy.sparse.random(*shape, 0.5, random_state=draw))
    elif source is before and target is behind and decoded and draw.rand() < 0.3:
        options["solver"] = nengo.solvers.LstsqL2(weights=isinstance(behind, nengo.Ensemble))
    nengo.Connection(source, target, **options)


@pytest.mark.parametrize("seed", range(5))
def test_random_models(seed: int) -> None:
    model = model_of(seed)
    theirs, mine = both(model, steps=30)
    assert mine.lifted.cells
    for probe in model.all_probes:
        expected = theirs.data[probe]
        assert np.allclose(mine.data[probe], expected, rtol=1e-9, atol=1e-9 * (1 + np.abs(expected).max())), probe
    assert sum(np.any(theirs.data[probe]) for probe in model.all_probes) > len(model.all_probes) / 2
