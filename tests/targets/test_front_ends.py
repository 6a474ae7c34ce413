"""A network of each front end on every target: the same events and states, bit for bit, as on the reference."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuromorph import (
    AllToAll,
    EventSource,
    FixedProbability,
    Network,
    Reference,
    Uniform,
    first_difference,
    from_brian2,
    from_nengo,
    from_nir,
    from_sonata,
    ms,
    mV,
    pA,
    to_sonata,
)
from neuromorph.engine import Target
from neuromorph.interchange.sonata import TEMPLATES

STEPS = 60


def brian2(_: Path) -> Network:
    """Neurons that are held after a spike, sources of chance, replayed spikes, delays, a reset that counts."""
    b2 = pytest.importorskip("brian2")
    b2.prefs.codegen.target = "numpy"
    b2.seed(7)
    equations = """dv/dt = (g - v) / (10*ms) : 1 (unless refractory)
    dg/dt = -g / (3*ms) : 1
    fired : 1"""
    cells = b2.NeuronGroup(
        30, equations, threshold="v > 1", reset="v = 0; fired += 1", refractory=2 * b2.ms, method="exact", name="cells",
        dt=1 * b2.ms,
    )  # fmt: skip
    cells.g = "4 * rand()"
    chance = b2.PoissonGroup(20, rates=80 * b2.Hz, name="chance", dt=1 * b2.ms)
    given = b2.SpikeGeneratorGroup(2, [0, 1, 0], [3, 5, 20] * b2.ms, name="given", dt=1 * b2.ms)
    inputs = [b2.Synapses(source, cells, on_pre="g += 2.5", dt=1 * b2.ms) for source in (chance, given)]
    inside = b2.Synapses(cells, cells, "w : 1", on_pre="g += w", dt=1 * b2.ms, name="inside")
    for synapses in (*inputs, inside):
        synapses.connect(p=0.4)
    inside.w, inside.delay = "rand() - 0.4", "5 * rand() * ms"
    seen = b2.StateMonitor(cells, ["v", "fired"], record=True, dt=1 * b2.ms)
    return from_brian2(b2.Network(cells, chance, given, *inputs, inside, seen), seed=3)


def nengo(_: Path) -> Network:
    """A loop of two ensembles, graded events between, filters and a probe."""
    ng = pytest.importorskip("nengo")
    with ng.Network(seed=4) as model:
        drive = ng.Node(lambda t: np.sin(60 * t), label="drive")
        spiking = ng.Ensemble(25, 1, label="spiking")
        rates = ng.Ensemble(15, 1, neuron_type=ng.Tanh(), max_rates=ng.dists.Uniform(40, 90), label="rates")
        ng.Connection(drive, spiking, synapse=ng.Alpha(0.005))
        ng.Connection(spiking, rates)
        ng.Connection(rates, spiking, transform=-0.5, synapse=0.01)
        ng.Probe(rates, synapse=0.01, label="value")
    return from_nengo(model, duration=STEPS / 1000)


def nir(_: Path) -> Network:
    """A convolution, pools, a recurrent layer with currents, a readout without a threshold."""
    nir = pytest.importorskip("nir")
    rng = np.random.default_rng(5)
    ones, maps = np.ones, (2, 6, 6)
    nodes = {
        "input": nir.Input(np.array([1, 6, 6])),
        "conv": nir.Conv2d((6, 6), rng.normal(0.5, 1, (2, 1, 3, 3)), 1, 1, 1, 1, np.zeros(2)),
        "cells": nir.LIF(
            tau=np.full(maps, 0.005), r=ones(maps), v_leak=np.zeros(maps), v_threshold=np.full(maps, 0.2)
        ),
        "pool": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "flat": nir.Flatten({"input": np.array([2, 3, 3])}, start_dim=0),
        "dense": nir.Affine(rng.normal(0.4, 1, (8, 18)), rng.normal(0, 0.1, 8)),
        "rec": nir.CubaLIF(
            tau_mem=np.full(8, 0.008), tau_syn=np.full(8, 0.004), r=ones(8), v_leak=np.zeros(8),
            v_threshold=np.full(8, 0.3), w_in=ones(8),
        ),
        "again": nir.Linear(rng.normal(0, 1, (8, 8))),
        "out": nir.LI(tau=np.full(8, 0.02), r=ones(8), v_leak=np.zeros(8)),
        "output": nir.Output(np.array([8])),
    }  # fmt: skip
    order = ["input", "conv", "cells", "pool", "flat", "dense", "rec", "out", "output"]
    edges = [*pairwise(order), ("rec", "again"), ("again", "rec")]
    return from_nir(nir.NIRGraph(nodes=nodes, edges=edges), dt=1 * ms, events=rng.random((STEPS, 1, 6, 6)) < 0.2)


def sonata(folder: Path) -> Network:
    """Exact point neurons with currents of both signs, delays of their own, spikes and types from files."""
    lif = TEMPLATES["nest:iaf_psc_exp"].neuron
    net = Network(seed=1)
    spikes = np.random.default_rng(1).random((STEPS, 20)) < 0.1
    outside = net.population(EventSource.from_dense(spikes), name="outside")
    cells = net.population(lif(V_m=Uniform(-70 * mV, -55 * mV)), 30, name="cells")
    net.project(outside, cells.ex, AllToAll(), weight=Uniform(0 * pA, 200 * pA), delay=1 * ms)
    net.project(cells, cells.ex, FixedProbability(0.2), weight=100 * pA, delay=Uniform(1 * ms, 5 * ms))
    net.project(cells, cells.inh, FixedProbability(0.2), weight=-150 * pA, delay=2 * ms)
    net.record(cells, "V_m")
    return from_sonata(to_sonata(net, folder / "circuit", dt=1 * ms, duration=STEPS * ms))


@pytest.mark.parametrize("front_end", [brian2, nengo, nir, sonata])
def test_every_target_runs_it_alike(
    others: Callable[..., dict[str, Target]], tmp_path: Path, front_end: Callable[[Path], Network]
) -> None:
    network = front_end(tmp_path)

    def trace(target: Target) -> Any:
        return target.compile(network, dt=1 * ms, progress=False).run(STEPS, progress=False)

    expected = trace(Reference("float32"))
    sent = {name: expected.count(name) for name in expected.recorded_events}
    assert all(sent.values()), sent
    assert expected.recorded_states or front_end is nir
    for name, target in others("float32", None).items():
        assert first_difference(expected, trace(target)) is None, name
