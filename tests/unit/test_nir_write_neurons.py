"""Neurons as nodes of NIR graphs, known by their equations, from wherever they come."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from nir_networks import (
    CUBA,
    CURRENTS,
    STEP,
    Counting,
    Gate,
    Jumping,
    Plain,
    Stepped,
    SteppedCurrent,
    driven,
    sent,
    spikes,
)

from neuromorph import (
    CheckError,
    EventSource,
    Network,
    Neuron,
    from_nir,
    ms,
    mV,
    nA,
    to_nir,
)
from neuromorph.interchange import from_brian2, latency
from neuromorph.interchange.nir.neurons import model
from neuromorph.interchange.sonata import TEMPLATES
from neuromorph.models.integrate_and_fire import LIF, LeakyIntegrator, LIFDelta
from neuromorph.models.recurrent import Linear
from neuromorph.network import (
    Dense,
    OneToOne,
    Uniform,
)

nir = pytest.importorskip("nir")

EXACT: dict[str, tuple[Neuron, str, str]] = {
    "delta": (LIFDelta(t_ref=0 * ms, theta=1.5 * mV, v_reset=0.2 * mV, drive=1 * mV), "LIF", "zero"),
    "delta, euler": (LIFDelta(t_ref=0 * ms, theta=1.5 * mV, v_reset=0 * mV).with_method("euler"), "LIF", "zero"),
    "jumping current": (Jumping, "CubaLIF", "zero"),
    "integrator": (Counting, "IF", "subtract"),
    "plain": (Plain, "IF", "zero"),
    "recurrence": (Stepped, "LIF", "subtract"),
    "recurrent current": (SteppedCurrent, "CubaLIF", "zero"),
    "gate": (Gate, "Threshold", "zero"),
    "linear unit": (Linear, "Scale", "zero"),
}


@pytest.mark.parametrize("name", EXACT)
def test_a_neuron_is_known_by_its_equations(name: str) -> None:
    ours, kind, reset = EXACT[name]
    net, events = driven(ours)
    graph = to_nir(net, dt=STEP, reset=reset)
    if kind != "Scale":
        assert type(graph.nodes["cells"]).__name__ == kind
    twin = from_nir(graph, events=events, names={"output": "cells"} if "cells" not in graph.nodes else None)
    one, two = spikes(net), spikes(twin)
    assert len(sent(one, "cells")) > 20
    np.testing.assert_allclose(sent(two, "cells"), sent(one, "cells"), rtol=1e-12)


@pytest.mark.parametrize("name", CURRENTS)
def test_several_currents_become_nodes_of_their_own_that_make_the_same_steps(name: str) -> None:
    net, events = driven(CURRENTS[name])
    graph = to_nir(net, dt=STEP)
    ports = sum(isinstance(node, nir.LI) for node in graph.nodes.values())
    assert ports == len(CURRENTS[name].states) - 1
    twin = from_nir(graph, events=events)
    late = latency(twin["cells"])
    one, two = sent(spikes(net), "cells"), sent(spikes(twin, 130 + late), "cells")
    assert len(one) > 20
    np.testing.assert_array_equal(two - [late, 0, 0], one)


def test_several_currents_in_a_loop_and_in_the_reading_of_later_events() -> None:
    rng = np.random.default_rng(7)
    events = EventSource.from_dense(rng.random((100, 5)) < 0.3)
    for delay, forward in ((2, None), (3, "next"), (1, "next")):
        net = Network(name="loop")
        source, cells = net.population(events, name="source"), net.population(CUBA, 4, name="cells")
        net.project(source, cells.exc, Dense(rng.uniform(0, 0.7, (5, 4)) * mV), delay=delay, name="in")
        net.project(cells, cells.inh, Dense(rng.uniform(-2, 0, (4, 4)) * mV), delay=delay, name="back")
        if delay == 1:
            with pytest.raises(CheckError, match="projection in: it takes 1 steps, and in the graph at least 2"):
                to_nir(net, dt=STEP, forward=forward, outputs=["cells"])
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            twin = from_nir(to_nir(net, dt=STEP, forward=forward, outputs=["cells"]), events=events)
        late = latency(twin["cells"])
        one, two = sent(spikes(net), "cells"), sent(spikes(twin, 130 + late), "cells")
        assert len(one) > 5
        np.testing.assert_array_equal(two - [late, 0, 0], one)


def test_currents_that_flow_are_carried_over_as_equations() -> None:
    net, _ = driven(LIF(t_ref=0 * ms, i_offset=0.1 * nA, theta=3 * mV))
    found = to_nir(net, dt=STEP).nodes["cells"]
    assert isinstance(found, nir.CubaLIF)
    np.testing.assert_allclose(found.tau_syn, 5e-3)
    np.testing.assert_allclose(found.tau_mem, 20e-3)
    np.testing.assert_allclose(found.r, 1e7)
    np.testing.assert_allclose(found.v_leak, 1e-3)  # 10 Mohm x 0.1 nA
    np.testing.assert_allclose(found.w_in, 10.0)  # tau_s / dt: one event adds its weight
    reader, _ = driven(LeakyIntegrator)
    assert isinstance(to_nir(reader, dt=STEP).nodes["cells"], nir.CubaLI)


def test_values_of_each_neuron_and_drawn_ones_are_written() -> None:
    net = Network(seed=4)
    taus = np.array([10.0, 20, 30]) * ms
    cells = net.population(LIFDelta(t_ref=0 * ms, tau_m=taus, v=Uniform(0 * mV, 5 * mV)), 3, name="cells")
    net.project(net.population(EventSource(3), name="in"), cells, OneToOne(), weight=Uniform(0 * mV, 1 * mV))
    written = to_nir(net, dt=STEP).nodes["cells"]
    np.testing.assert_allclose(written.tau, [10e-3, 20e-3, 30e-3])
    start = 20e-3 - written.v_threshold  # counted from where each starts
    assert len(set(start)) == 3
    assert ((start > 0) & (start < 5e-3)).all()
    np.testing.assert_allclose(written.v_threshold - written.v_reset, 10e-3)


@pytest.mark.parametrize("kind", ["LIF", "Threshold"])
def test_a_bias_that_no_projection_can_bring_goes_into_the_leak_or_the_threshold(kind: str) -> None:
    rng = np.random.default_rng(9)
    events = EventSource.from_dense(rng.random((80, 3)) < 0.3)
    values = {"tau": 5 * ms, "r": 2.0, "v_leak": 0.1} if kind == "LIF" else {"threshold": 1.1}
    net = Network(name="biased")
    cells = net.population(model(kind, "zero", "euler")(bias=np.array([0.2, 0.4, 0.6]), **values), 3, name="cells")
    net.project(net.population(events, name="in"), cells, OneToOne())
    graph = to_nir(net, dt=STEP)
    assert ("in", "cells") in graph.edges
    one, two = spikes(net, 80), spikes(from_nir(graph, events=events), 80)
    assert 10 < one.count("cells") < 200
    np.testing.assert_array_equal(one.events("cells").steps, two.events("cells").steps)


# --- networks that came from elsewhere ------------------------------------------------------------------------------


def test_integrate_and_fire_neurons_of_sonata_are_nir_s() -> None:
    net, events = driven(TEMPLATES["nrn:IntFire1"].neuron, refrac=0 * ms, tau=8 * ms)
    graph = to_nir(net, dt=STEP)
    assert type(graph.nodes["cells"]) is nir.LIF
    one, two = spikes(net), spikes(from_nir(graph, events=events))
    assert one.count("cells") > 20
    np.testing.assert_array_equal(sent(two, "cells"), sent(one, "cells"))


def test_groups_of_brian2_are_nir_s_if_events_act_on_currents() -> None:
    b2 = pytest.importorskip("brian2")
    b2.prefs.codegen.target = "numpy"
    step = 0.5 * b2.ms
    events = [(k % 5, k * 0.5) for k in range(3, 200, 2)]
    source = b2.SpikeGeneratorGroup(5, [i for i, _ in events], [t for _, t in events] * b2.ms, dt=step, name="source")
    equations = "dv/dt = (x - y - v) / (9*ms) : 1\ndx/dt = -x / (3*ms) : 1\ndy/dt = -y / (6*ms) : 1"
    cells = b2.NeuronGroup(4, equations, threshold="v > 1", reset="v = 0.1", method="exact", dt=step, name="cells")
    made = [
        b2.Synapses(source, cells, "w : 1", on_pre="x += w", delay=1 * b2.ms, dt=step, name="exciting"),
        b2.Synapses(cells, cells, "w : 1", on_pre="y += w", delay=2 * b2.ms, dt=step, name="inhibiting"),
    ]
    for synapses, weight in zip(made, ("1.5 + 0.2 * i", "0.3 * j"), strict=True):
        synapses.connect()
        synapses.w = weight
    net = from_brian2(b2.Network(source, cells, *made))
    graph = to_nir(net, dt=STEP, outputs=["cells"])
    given = EventSource(5, steps=[round(2 * t) for _, t in events], indices=[i for i, _ in events])
    twin = from_nir(graph, events=given)
    late = latency(twin["cells"])
    one, two = sent(spikes(net), "cells"), sent(spikes(twin, 130 + late), "cells")
    assert len(one) > 10
    np.testing.assert_array_equal(two - [late, 0, 0], one)
    at_once = b2.NeuronGroup(4, "dv/dt = -v / (9*ms) : 1", threshold="v > 1", reset="v = 0", method="exact", dt=step)
    direct = b2.Synapses(source, at_once, on_pre="v += 1", dt=step)
    direct.connect()
    with pytest.raises(CheckError, match=r"it is reset a step after its spike \(spike_fired\)"):
        to_nir(from_brian2(b2.Network(source, at_once, direct)), dt=STEP)
