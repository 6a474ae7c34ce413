"""Networks as NIR graphs: the files of others as they were, projections as what a reader makes of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nir_graphs import primitives
from nir_networks import (
    STEP,
    Counting,
    Flowing,
    Gate,
    Noisy,
    Rising,
    Stepped,
    SteppedCurrents,
    body,
    sent,
    spikes,
)

from neuromorph import (
    CheckError,
    EventSource,
    Network,
    first_difference,
    from_nir,
    ms,
    second,
    to_nir,
)
from neuromorph.interchange import latency
from neuromorph.interchange.nir.firing import DELAYED, RESETS
from neuromorph.interchange.nir.neurons import PARAMETERS, STEPPING
from neuromorph.models.recurrent import Linear
from neuromorph.network import (
    AllToAll,
    AvgPool2D,
    Conv1D,
    Conv2D,
    Dense,
    FixedProbability,
    OneToOne,
    Sparse,
    SumPool2D,
)

nir = pytest.importorskip("nir")
PRIMITIVES = primitives()

DATA = Path(__file__).parents[1] / "data"
BRAILLE = Path(__file__).parents[2] / "models" / "data" / "braille" / "braille_noDelay_bias_zero.nir"

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
