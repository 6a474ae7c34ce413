"""Networks as NIR graphs: the files of others as they were, networks of one's own as what a reader makes of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nir_graphs import primitives

from neuromorph import (
    CheckError,
    Event,
    EventSource,
    Network,
    NetworkError,
    Neuron,
    Param,
    Port,
    Reference,
    State,
    first_difference,
    from_nir,
    ms,
    mV,
    nA,
    neuron,
    second,
    step,
    to_nir,
    where,
)
from neuromorph.interchange import from_brian2, latency
from neuromorph.interchange.nir.firing import DELAYED, RESETS
from neuromorph.interchange.nir.neurons import PARAMETERS, STEPPING, model
from neuromorph.interchange.sonata import TEMPLATES
from neuromorph.language import normal, to_int
from neuromorph.models.integrate_and_fire import LIF, LeakyIntegrator, LIFConductance, LIFDelta, VogelsAbbottCUBA
from neuromorph.models.plasticity import PairSTDP
from neuromorph.models.recurrent import EGRUEvNN, Linear
from neuromorph.network import (
    AllToAll,
    AvgPool2D,
    Conv1D,
    Conv2D,
    Dense,
    EventsOf,
    FixedProbability,
    OneToOne,
    Sparse,
    SumPool2D,
    Uniform,
)

nir = pytest.importorskip("nir")
PRIMITIVES = primitives()

DATA = Path(__file__).parents[1] / "data"
BRAILLE = Path(__file__).parents[2] / "models" / "data" / "braille" / "braille_noDelay_bias_zero.nir"
STEP = 0.5 * ms

# --- files of others --------------------------------------------------------------------------------------------------

FILES = {
    "lif_norse.nir": (DATA / "nir_lif", "zero", 0.1 * ms, 1 * second),
    "lif_rockpool.nir": (DATA / "nir_lif", "multiple", 0.1 * ms, 1 * second),
    "two_lif_neurons.nir": (DATA / "nir_lif", "zero", 1 * ms, 1 * second),
    "braille_noDelay_bias_zero.nir": (BRAILLE.parent, "zero", 0.1 * ms, 1 * second),
    "braille_noDelay_bias_zero_subgraph.nir": (DATA / "nir_braille", "zero", 0.1 * ms, 1 * second),
    "braille_noDelay_noBias_subtract.nir": (DATA / "nir_braille", "snntorch", 0.1 * ms, 1 * second),
    "braille_noDelay_noBias_subtract_subgraph.nir": (DATA / "nir_braille", "snntorch", 0.1 * ms, 1 * second),
    "cnn_sinabs.nir": (DATA / "nir_cnn", "zero", 1 * ms, 1 * ms),
}


def body(net: Network) -> list[str]:
    """Everything a network is made of, but its name."""
    return net.text().split("\n")[1:]


@pytest.mark.parametrize("name", FILES)
def test_files_of_others_survive_a_round_trip(name: str, tmp_path: Path) -> None:
    folder, reset, length, unit = FILES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of edges that name no node
        net = from_nir(folder / name, dt=length, reset=reset, time_unit=unit)
    written = to_nir(net, tmp_path / "copy.nir", dt=length, reset=reset, time_unit=unit)
    assert body(from_nir(tmp_path / "copy.nir")) == body(net)  # dt, reset and unit are in the file
    assert sorted(nir.read(tmp_path / "copy.nir").edges) == sorted(written.edges)
    if "subgraph" in name or "rockpool" in name or "two_lif" in name:
        return
    given = nir.read(folder / name)  # which the package refuses for the others, or calls its output otherwise
    assert sorted(given.edges) == sorted(written.edges)
    for key, node in given.nodes.items():
        same = type(node) is type(written.nodes[key])
        assert same or (isinstance(node, nir.Affine) and isinstance(written.nodes[key], nir.Linear))
        for field in ("weight", "tau", "tau_syn", "tau_mem", "r", "w_in", "v_leak", "v_threshold", "v_reset"):
            if hasattr(node, field):
                np.testing.assert_allclose(getattr(written.nodes[key], field), getattr(node, field), rtol=1e-12)


def test_nested_graphs_are_written_as_such_if_asked_for(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of edges that name no node
        net = from_nir(DATA / "nir_braille" / "braille_noDelay_bias_zero_subgraph.nir", dt=0.1 * ms)
    graph = to_nir(net, tmp_path / "nested.nir", dt=0.1 * ms, nested=True)
    assert sorted(graph.nodes) == ["fc1", "fc2", "input", "lif1", "lif2", "output"]
    assert sorted(graph.nodes["lif1"].nodes) == ["input", "lif1", "lin", "output"]
    assert ("fc1", "lif1") in graph.edges
    assert ("lin", "lif1") in graph.nodes["lif1"].edges
    assert sorted(nir.read(tmp_path / "nested.nir").nodes["lif1"].nodes) == ["input", "lif1", "lin", "output"]
    assert sorted(body(from_nir(tmp_path / "nested.nir"))) == sorted(body(net))


def test_graphs_in_nested_graphs_and_groups_with_several_ways_in() -> None:
    net = Network()
    source = net.population(EventSource(2), name="in")
    names = ["a.b.x", "a.b.y", "a.z", "g.x", "g.y"]
    x, y, z, left, right = (net.population(Stepped, 2, name=name) for name in names)
    net.project(source, x, AllToAll(), name="first")
    net.project(x, y, OneToOne(), name="a.b.w", weight=2)
    net.project(y, z, OneToOne(), name="a.w", weight=3)
    for post in (left, right):
        net.project(z, post, AllToAll(), name=f"onto {post.name}")
    graph = to_nir(net, dt=STEP, reset="subtract", nested=True)
    assert sorted(graph.nodes["a"].nodes) == ["b", "input", "output", "w", "z"]
    assert sorted(graph.nodes["a"].nodes["b"].nodes) == ["input", "output", "w", "x", "y"]
    assert {"g.x", "g.y"} < set(graph.nodes)
    assert sorted(body(from_nir(graph))) == sorted(body(from_nir(to_nir(net, dt=STEP, reset="subtract"))))


# --- every primitive --------------------------------------------------------------------------------------------------


def test_every_primitive_is_tried() -> None:
    known = {name for name in nir.ir.__all__ if isinstance(getattr(nir, name), type)} - {"NIRNode"}
    assert {name.split()[0] for name in PRIMITIVES} == known - {"NIRGraph", "Input", "Output"}


@pytest.mark.parametrize("forward", ["same", "next"])
@pytest.mark.parametrize("name", PRIMITIVES)
def test_every_primitive_survives_a_round_trip(name: str, forward: str, tmp_path: Path) -> None:
    shape, node = PRIMITIVES[name]
    nodes = {"input": nir.Input(np.array(shape)), "x": node, "output": nir.Output(None)}
    graph = nir.NIRGraph(nodes, [("input", "x"), ("x", "output")])
    net = from_nir(graph, dt=STEP, forward=forward)
    copy = to_nir(net, tmp_path / "copy.nir", dt=STEP, forward=forward)
    assert body(from_nir(nir.read(tmp_path / "copy.nir"))) == body(net)
    assert sorted(copy.edges) == ([("input", "output")] if name == "Flatten" else sorted(graph.edges)), copy.nodes
    if name == "Flatten":  # what a population is shaped like is not what it computes
        return
    assert type(copy.nodes["x"]) is type(node)
    given = {key: v for key, v in vars(node).items() if key not in ("input_type", "output_type", "metadata")}
    if name == "Delay" and forward == "next":  # a step goes without saying
        given["delay"] = np.where(node.delay == 0.5e-3, 0, node.delay)
    for key, value in given.items():
        if isinstance(value, str):
            assert getattr(copy.nodes["x"], key) == value
        else:
            np.testing.assert_allclose(getattr(copy.nodes["x"], key), value, rtol=1e-12)


# --- neurons by their equations ---------------------------------------------------------------------------------------


@neuron(method="euler")
class Jumping:
    """A current that events move at once, and a membrane."""

    a, b = Port(unit=nA), Port(unit=nA)
    tau_s, tau_m, theta = Param(3 * ms), Param(9 * ms), Param(-50 * mV)
    x, u = State(0 * nA), State(-60 * mV)

    x.jump = 2 * a - b
    x.dot = -x / tau_s
    u.dot = (-60 * mV - u + 30 * mV / nA * x) / tau_m
    spike = Event(when=theta < u)
    u.reset = -65 * mV


@neuron
class Counting:
    """Perfect integrator of what jumps and what flows, by subtraction."""

    a = Port()
    drive = Param(20 / second)
    v = State(0.25)

    v.jump = 0.5 * a
    v.dot = drive
    spike = Event(when=v > 1)
    v.reset = v - 1.0


@neuron
class Plain:
    """Adds up what arrives; one of its ports is of no use."""

    a, unused = Port(), Port()
    v = State(0.0)

    v.jump = 0.5 * a + 0.0 * unused
    spike = Event(when=v > 1)
    v.reset = 0.0


@neuron
class Stepped:
    """A leaky neuron as a recurrence, in networks that were trained so."""

    a = Port()
    beta, start = Param(0.9), Param(0, dtype=int)
    v = State(0.0)

    v.next = where(step >= start, beta * v + a, v)
    spike = Event(when=(step >= start) & (v > 1))
    v.reset = v - 1


@neuron
class SteppedCurrent:
    """The same with a synaptic current, seen in the step in which it changes."""

    a = Port()
    alpha, beta = Param(0.8), Param(0.9)
    i, v = State(0.0), State(0.0)

    now = alpha * i + a
    i.next = now
    v.next = beta * v + now - 0.01
    spike = Event(when=v > 1)
    v.reset = 0.0


@neuron
class Gate:
    """Fires if enough arrives at once, and keeps nothing."""

    a, b = Port(), Port()
    spike = Event(when=a - 0.5 * b > 0.6)


def driven(ours: Neuron, n: int = 4, **values: Any) -> tuple[Network, EventSource]:
    """A population that random events reach at every port."""
    rng = np.random.default_rng(1)
    unit = ours.ports[0].unit
    events = EventSource.from_dense(rng.random((120, 5)) < 0.3)
    net = Network(name="driven")
    source, cells = net.population(events, name="source"), net.population(ours(**values), n, name="cells")
    for port in ours.ports:
        weight = rng.uniform(0, 0.7, (5, n)) * unit
        net.project(source, cells.port(port.name), Dense(weight), delay=1 + len(net.projections))
    return net, events


def spikes(net: Network, steps: int = 130) -> Any:
    return Reference("float64").compile(net, dt=STEP).run(steps, progress=False)


def sent(trace: Any, name: str) -> np.ndarray:
    """Events (step, neuron, value) but for those of value 0, which a linear unit sends and a node does not."""
    events = trace.events(name)
    values = np.ones(len(events.steps)) if events.values is None else np.asarray(events.values)
    return np.column_stack((events.steps, events.ids, values))[values != 0]


@neuron
class Flowing:
    """Inputs that flow into a current, and others that reach the membrane."""

    a, b = Port(), Port()
    x, v = State(0.0), State(0.0)

    x.dot = (20 * a - x) / (3 * ms)
    v.jump = 0.2 * b
    v.dot = (x - v) / (9 * ms)
    spike = Event(when=v > 1)
    v.reset = 0.0


@neuron
class Rising:
    """A current that rises and decays, and one that integrates without a leak."""

    a, b = Port(), Port()
    fast, slow, v = State(0.0), State(0.0), State(0.0)

    fast.jump = a
    slow.jump = a + 0.5 * b
    fast.dot = -fast / (2 * ms)
    slow.dot = -slow / (6 * ms)
    v.dot = (slow - fast) / (1 * ms)
    spike = Event(when=v > 1)
    v.reset = 0.0


@neuron
class SteppedCurrents:
    """Two currents and a direct input as recurrences."""

    a, b, c = Port(), Port(), Port()
    x, y, v = State(0.0), State(0.0), State(0.0)

    now = 0.7 * x + a
    also = 0.9 * y + 0.3 * b
    x.next = now
    y.next = also
    v.next = 0.9 * v + now - also + 0.5 * c
    spike = Event(when=v > 1)
    v.reset = 0.0


CUBA = VogelsAbbottCUBA(t_ref=0 * ms, theta=-58 * mV, e_l=-60 * mV)

#: Neurons with several currents; their graphs act within a step.
CURRENTS: dict[str, Neuron] = {
    "two currents": CUBA,
    "two currents, euler": CUBA.with_method("euler"),
    "two currents, exponential": CUBA.with_method("exponential_euler"),
    "one as slow as the membrane": CUBA(tau_i=20 * ms),
    "flowing": Flowing.with_method("euler"),
    "flowing, exponential": Flowing.with_method("exponential_euler"),
    "rising": Rising,
    "rising, euler": Rising.with_method("euler"),
    "recurrences": SteppedCurrents,
}


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


@pytest.mark.parametrize("reset", RESETS)
@pytest.mark.parametrize("kind", ["IF", "LIF", "CubaLIF"])
def test_every_rule_of_resets_and_every_step_survives_a_round_trip(kind: str, reset: str) -> None:
    values = {item.rstrip("?"): np.arange(4) / 8 + 1 for item in PARAMETERS[kind]}
    values |= {"v_leak": np.zeros(4)} if "v_leak" in values else {}
    nodes = {"input": nir.Input(np.array([4])), "x": getattr(nir, kind)(**values), "output": nir.Output(None)}
    graph = nir.NIRGraph(nodes, [("input", "x"), ("x", "output")])
    for method in ("euler",) if reset in DELAYED else STEPPING:
        net = from_nir(graph, dt=STEP, reset=reset, method=method)
        assert body(from_nir(to_nir(net, dt=STEP, reset=reset))) == body(net)


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


# --- what NIR cannot say ----------------------------------------------------------------------------------------------


@neuron
class Noisy:
    a = Port()
    v = State(0.0)
    v.next = 0.9 * v + a + 0.1 * normal()
    spike = Event(when=v > 1)
    v.reset = 0.0


@neuron
class AtLeast:
    a = Port()
    v = State(0.0)
    v.dot = (a - v) / (10 * ms)
    spike = Event(when=v >= 1)
    v.reset = 0.0


@neuron
class Adapting:
    a = Port()
    v, w = State(0.0), State(0.0)
    v.dot = (a - v - w) / (10 * ms)
    w.dot = -w / (50 * ms)
    spike = Event(when=v > 1)
    v.reset = 0.0
    w.reset = w + 0.1


@neuron
class Halving:
    a = Port()
    v = State(0.0)
    v.dot = (a - v) / (10 * ms)
    spike = Event(when=v > 1)
    v.reset = v / 2


@neuron
class Whole:
    a = Port(dtype=int)
    n = State(0, dtype=int)
    n.jump = a
    spike = Event(when=n > 3)
    n.reset = n - 3


@neuron
class Squared:
    a = Port()
    v = State(0.0)
    v.dot = (v * v + a) / (10 * ms)
    spike = Event(when=v > 1)
    v.reset = 0.0


@neuron
class Alpha:
    a = Port()
    x, g, v = State(0.0), State(0.0), State(0.0)
    x.jump = a
    x.dot = -x / (5 * ms)
    g.dot = (x - g) / (5 * ms)
    v.dot = (g - v) / (10 * ms)
    spike = Event(when=v > 1)
    v.reset = 0.0


@neuron
class Offset:
    a, b = Port(), Port()
    x, v = State(0.0), State(0.0)
    x.jump = a
    x.dot = (0.1 - x) / (5 * ms)
    v.jump = b
    v.dot = (x - v) / (10 * ms)
    spike = Event(when=v > 1)
    v.reset = 0.0


REFUSED: dict[str, tuple[Neuron, str]] = {
    "refractory": (LIF, "has a refractory time, and NIR's neurons have none"),
    "conductances": (LIFConductance(t_ref=0 * ms), "g_exc * (e_exc - v) is in it"),
    "a current of a current": (Alpha, "g depends on x, and a current of NIR's on its inputs alone"),
    "flowing currents": (Flowing.with_method("exact"), "inputs flow into x during a step, beside other inputs of v"),
    "a constant current": (Offset, "a constant flows into x, beside other inputs of v"),
    "gated": (EGRUEvNN, "is not a sum of constant multiples of states and inputs"),
    "random": (Noisy, "draws random numbers, which NIR has not"),
    "not strict": (AtLeast, "fires where v >= 1; NIR's neurons fire where the membrane is above the threshold"),
    "adaptation": (Adapting, "an event resets w, on which it does not depend"),
    "half": (Halving, "resets v to a part of itself"),
    "whole": (Whole, "a, n counts in whole numbers"),
    "squared": (Squared, "is not a sum of constant multiples"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_neuron_that_nir_has_not_is_refused_with_the_reason(name: str) -> None:
    ours, reason = REFUSED[name]
    net = Network()
    net.population(ours, 3, name="cells")
    with pytest.raises(CheckError) as caught:
        to_nir(net, dt=STEP)
    (problem,) = caught.value.problems
    assert problem.startswith(f"population cells ({ours.name}): ")
    assert reason in problem


def test_all_that_cannot_be_said_is_told_at_once() -> None:
    net = Network(name="mixed")
    source = net.population(EventSource(2), name="source")
    noisy, counting = net.population(Noisy, 2, name="noisy"), net.population(Counting, 2, name="counting")
    net.project(source, noisy, OneToOne())
    net.project(noisy, counting, OneToOne())
    with pytest.raises(CheckError, match="network mixed as a NIR graph") as caught:
        to_nir(net, dt=STEP, inputs=["nobody", "counting"])
    first, second_, third = caught.value.problems
    assert "no population 'nobody'; it has source, noisy, counting" in first
    assert "population noisy (Noisy): next v = 0.9 * v + a + 0.1 * normal()" in second_
    assert "projections reach population counting, so it is no input" in third


def test_neurons_that_are_integrated_by_several_methods_are_told() -> None:
    net, _ = driven(LIFDelta(t_ref=0 * ms))
    euler = net.population(LIFDelta(t_ref=0 * ms).with_method("euler"), 2, name="euler")
    net.project(net["cells"], euler, AllToAll(), weight=1 * mV)
    with pytest.warns(UserWarning, match="cells by 'auto'; euler by 'euler'; the graph says 'euler'"):
        to_nir(net, dt=STEP)


def test_resets_that_nir_has_not_must_be_asked_for() -> None:
    net, _ = driven(Counting)
    with pytest.raises(CheckError, match="what follows a spike is 'subtract'; NIR says 'zero' alone"):
        to_nir(net, dt=STEP)
    assert float(to_nir(net, dt=STEP, reset="subtract").metadata["neuromorph"]["dt"]) == 0.5e-3


def test_plastic_synapses_are_refused() -> None:
    net = Network()
    cells = net.population(Stepped, 2, name="cells")
    net.project(net.population(EventSource(2), name="in"), cells, AllToAll(), synapse=PairSTDP, name="learning")
    with pytest.raises(CheckError, match=r"projection learning: its synapses \(PairSTDP\) change"):
        to_nir(net, dt=STEP, reset="subtract")


@neuron
class Watched:
    """Two kinds of events, and a state that others read."""

    a, seen = Port(), Port()
    v, high = State(0.0), State(0, dtype=int)
    v.jump = a
    v.dot = (seen - v) / (10 * ms)
    high.next = to_int(v > 0.5)
    spike = Event(when=v > 1)
    v.reset = 0.0


def test_further_events_and_states_that_others_read_are_refused() -> None:
    net = Network()
    cells, others = net.population(Watched, 2, name="cells"), net.population(Stepped, 2, name="others")
    net.project(net.population(EventsOf(cells, "high"), name="high"), others, OneToOne())
    net.read(cells, "v", cells.seen, delay=1)
    with pytest.raises(CheckError) as caught:
        to_nir(net, dt=STEP, reset="subtract")
    text = "\n".join(caught.value.problems)
    assert "population high: further events of cells; NIR's neurons send one kind" in text
    assert "reading cells.v -> cells.seen: in NIR, what neurons send is all that others see" in text


def test_a_bias_that_nothing_can_bring_is_refused() -> None:
    net = Network()
    net.population(Counting, 2, name="alone")
    with pytest.raises(CheckError, match="population alone: no projection onto it can bring its bias"):
        to_nir(net, dt=STEP, reset="subtract")


def test_options_that_are_wrong(tmp_path: Path) -> None:
    net, _ = driven(Gate)
    with pytest.raises(NetworkError, match=r"none.x\.nir: the graph cannot be written there"):
        to_nir(net, tmp_path / "none" / "x.nir", dt=STEP)
    with pytest.raises(CheckError, match="it has no populations"):
        to_nir(Network(), dt=STEP)
    with pytest.raises(NetworkError, match="reset='soft'"):
        to_nir(net, dt=STEP, reset="soft")
    with pytest.raises(CheckError, match="outputs: the network has no population 'x'"):
        to_nir(net, dt=STEP, outputs=["x"])
    late = from_nir(DATA / "nir_lif" / "lif_norse.nir", dt=STEP)
    with pytest.raises(CheckError, match="starts at step 1, which NIR cannot say with forward='next'"):
        to_nir(late, dt=STEP, forward="next")
    ring = Network()
    a, b = ring.population(Gate, 1, name="a"), ring.population(Gate, 1, name="b")
    ring.project(a, b.a, OneToOne())
    ring.project(b, a.a, OneToOne())
    with pytest.raises(CheckError, match="every population sends to another"):
        to_nir(ring, dt=STEP)
    assert isinstance(to_nir(ring, dt=STEP, outputs=["b"]).nodes["output"], nir.Output)


# --- projections ------------------------------------------------------------------------------------------------------

SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...], Callable[[np.random.Generator], Any]]] = {
    "convolution": ((2, 6, 5), (4, 3, 5), lambda r: Conv2D(r.normal(size=(4, 2, 3, 3)), (2, 1), 1)),
    "same": ((6, 5), (3, 6, 5), lambda r: Conv2D(r.normal(size=(3, 1, 2, 3)), padding="same")),
    "dilated": ((2, 7, 7), (4, 3, 3), lambda r: Conv2D(r.normal(size=(4, 2, 3, 3)), dilation=2)),
    "line": ((2, 9), (3, 4), lambda r: Conv1D(r.normal(size=(3, 2, 3)), 2)),
    "sums": ((2, 6, 4), (2, 3, 2), lambda r: SumPool2D(2)),
    "means": ((2, 6, 4), (2, 2, 2), lambda r: AvgPool2D((4, 2), 2)),
    "matrix": ((3, 4), (2, 5), lambda r: Dense(r.normal(size=(12, 10)))),
    "list": ((6,), (5,), lambda r: Sparse(([0, 0, 3, 5, 3], [1, 1, 4, 0, 4], r.normal(size=5)))),
    "random": ((12,), (9,), lambda r: FixedProbability(0.4)),
    "pairs": ((3, 2), (3, 2), lambda r: OneToOne()),
    "all": ((4,), (6,), lambda r: AllToAll()),
}


def fed(name: str, **options: Any) -> tuple[Network, EventSource]:
    """Events into integrators by one rule."""
    rng = np.random.default_rng(3)
    before, after, rule = SHAPES[name]
    events = EventSource.from_dense(rng.integers(0, 3, (30, int(np.prod(before)))))
    net = Network(seed=2, name="fed")
    source = net.population(events, before, name="source")
    cells = net.population(Stepped(beta=0.5), after, name="cells")
    net.project(source, cells, rule(rng), **options)
    return net, events


@pytest.mark.parametrize("delay", [1, 3])
@pytest.mark.parametrize("name", SHAPES)
def test_every_rule_becomes_nodes(name: str, delay: int) -> None:
    net, events = fed(name, delay=delay)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graph = to_nir(net, dt=STEP, reset="subtract")
    twin = from_nir(graph, events=events)
    kinds = {type(node).__name__ for node in graph.nodes.values()}
    assert ("Delay" in kinds) == (delay > 1)
    shared = {"convolution": Conv2D, "same": Conv2D, "dilated": Conv2D, "line": Conv1D, "sums": SumPool2D}
    if name in shared:
        assert isinstance(twin.projections[0].rule, shared[name])
    one, two = spikes(net, 40), spikes(twin, 40)
    assert one.count("cells") > 5
    assert first_difference(one, two) is None


@pytest.mark.parametrize("forward", ["same", "next"])
def test_delays_of_synapses_become_delays_of_sources_targets_or_branches(forward: str) -> None:
    given = {
        "sources": (np.array([[1], [4], [2], [1]]), 1),
        "targets": (np.array([[1, 3, 2]]), 1),
        "synapses": (np.array([[1, 2, 1], [3, 1, 1], [1, 1, 1], [2, 2, 2]]), 3),
    }
    for name, (delays, branches) in given.items():
        rng = np.random.default_rng(5)
        events = EventSource.from_dense(rng.random((40, 4)) < 0.3)
        net = Network(name="late")
        cells = net.population(Stepped(beta=0.5), 3, name="cells")
        net.project(net.population(events, name="in"), cells, Dense(rng.normal(size=(4, 3))), delay=delays, name="w")
        graph = to_nir(net, dt=STEP, reset="subtract", forward=forward)
        assert sum(isinstance(node, nir.Linear) for node in graph.nodes.values()) == branches, name
        one, two = spikes(net, 50).events("cells"), spikes(from_nir(graph, events=events), 52).events("cells")
        late = forward == "same"  # there the cells are a step behind what their delays say
        np.testing.assert_array_equal(two.steps[two.steps < 50 + late] - late, one.steps)


def test_too_many_delays_are_refused() -> None:
    net = Network()
    cells = net.population(Stepped, 10, name="cells")
    net.project(
        net.population(EventSource(10), name="in"), cells, AllToAll(), delay=np.arange(1, 101).reshape(10, 10), name="w"
    )
    with pytest.raises(CheckError, match="projection w: its synapses have 100 different delays"):
        to_nir(net, dt=STEP, reset="subtract")


def test_convolutions_of_pooled_inputs_are_pooling_and_a_convolution() -> None:
    rng = np.random.default_rng(6)
    small = rng.normal(size=(3, 2, 3, 3))
    kernel = np.kron(small, np.ones((1, 1, 2, 2)))
    net = Network()
    source = net.population(EventSource(2 * 8 * 8), (2, 8, 8), name="in")
    net.project(source, net.population(Stepped, (3, 4, 4), name="cells"), Conv2D(kernel, 2, 2), name="pool+conv")
    graph = to_nir(net, dt=STEP, reset="subtract")
    assert isinstance(graph.nodes["pool"], nir.SumPool2d)
    np.testing.assert_array_equal(graph.nodes["conv"].weight, small)
    assert graph.nodes["conv"].padding == (1, 1)
    again = from_nir(graph).projections[0].rule
    assert isinstance(again, Conv2D)
    np.testing.assert_array_equal(again.kernel, kernel)


def test_what_the_nir_package_refuses_is_told() -> None:
    net = Network()
    source = net.population(EventSource(4 * 5 * 5), (4, 5, 5), name="in")
    net.project(source, net.population(Stepped, (2, 3, 3), name="cells"), Conv2D(np.ones((2, 2, 3, 3)), groups=2))
    with pytest.warns(UserWarning, match=r"takes this graph with type_check=False alone: .*type mismatch"):
        graph = to_nir(net, dt=STEP, reset="subtract")
    assert body(from_nir(graph)) == body(from_nir(to_nir_quiet(from_nir(graph))))


def to_nir_quiet(net: Network) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return to_nir(net, dt=STEP, reset="subtract")


def test_random_populations_may_be_written_as_inputs() -> None:
    net = Network()
    noise, cells = net.population(Noisy, 2, name="noise"), net.population(Stepped, 2, name="cells")
    net.project(noise, cells, OneToOne(), weight=0.5)
    graph = to_nir(net, dt=STEP, inputs=["noise"], reset="subtract")
    assert isinstance(graph.nodes["noise"], nir.Input)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("forward", ["same", "next"])
def test_any_network_of_these_neurons_is_read_again_as_it_was(seed: int, forward: str) -> None:
    rng = np.random.default_rng(seed)
    count, n = int(rng.integers(2, 5)), 3
    events = EventSource.from_dense(rng.random((60, n)) < 0.4)
    net = Network(name="any")
    made = [net.population(events, name="source")]
    apart = bool(seed % 2)  # neurons with several currents, for which a step is the least delay beyond a node's
    models = [Stepped(beta=0.7), Counting(drive=0 / second, v=0.0), Gate, Linear]
    if apart:
        models = [SteppedCurrents, Flowing.with_method("euler"), Rising.with_method("euler"), Gate, Linear]
    chosen = [models[int(rng.integers(len(models)))] for _ in range(count)]
    made += [net.population(one, n, name=f"c{k}") for k, one in enumerate(chosen)]
    for k, post in enumerate(made[1:], 1):
        sources = [p for p in made[:k] if rng.random() < 0.6] or [made[k - 1]]
        # A linear unit in a loop would be one step more there than its node.
        sources += [p for p in made[k:-1] if rng.random() < 0.3 and p.neuron != Linear != post.neuron]
        for pre in sources:
            port = post.neuron.ports[int(rng.integers(len(post.neuron.ports)))]
            weight = rng.integers(-2, 4, (n, n)) / 4
            net.project(pre, post.port(port.name), Dense(weight), delay=int(rng.integers(1 + apart, 4)))
    reset = "zero" if apart else "subtract"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package, and of loops over several populations
        graph = to_nir(net, dt=STEP, reset=reset, forward=forward, outputs=[made[-1].name])
        last = made[-1].name if made[-1].name in graph.nodes else "output"
        twin = from_nir(graph, events=events)
    one, two = sent(spikes(net, 70), made[-1].name), sent(spikes(twin, 70 + latency(twin[last])), last)
    late = latency(twin[last]) if forward == "same" else 0
    np.testing.assert_array_equal(two[two[:, 0] < 70 + late] - [late, 0, 0], one)
