"""Networks as SONATA circuits: what is written, who reads it, and that it comes back the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from neuromorph import (
    AllToAll,
    CheckError,
    Conv2D,
    Event,
    EventSource,
    FixedProbability,
    Live,
    Lookup,
    Network,
    NetworkError,
    OneToOne,
    Param,
    Port,
    Reference,
    Sparse,
    State,
    Uniform,
    first_difference,
    from_sonata,
    ms,
    mV,
    neuron,
    nS,
    pA,
    to_sonata,
    um,
)
from neuromorph.interchange.sonata import TEMPLATES, read_circuit, save_spikes, sonata_nodes
from neuromorph.interchange.sonata.inputs import read_spikes
from neuromorph.models.integrate_and_fire import LIF, LIFConductance
from neuromorph.models.plasticity import PairSTDP

DATA = Path(__file__).parent.parent / "data" / "sonata"
DT = 0.1 * ms


@neuron
class Counter:
    """Fires every ``period`` inputs."""

    a, b = Port(dtype=int), Port(dtype=int)
    period = Param(3, dtype=int)
    n = State(0, dtype=int)
    n.jump = a - b
    tick = Event(when=n >= period)
    n.reset = n - period


@neuron
class Graded:
    """Sends its value."""

    a = Port()
    x = State(0.0)
    x.jump = a
    out = Event(when=x > 1, value=x)


def spikes(n: int, steps: int, rate: float, seed: int = 0) -> EventSource:
    """Poisson spikes."""
    return EventSource.from_dense(np.random.default_rng(seed).random((steps, n)) < rate)


def balanced(seed: int = 2) -> Network:
    """Two populations with drawn weights, delays and initial states, positions, two synapses of one pair."""
    net = Network(seed=seed, name="balanced")
    model = TEMPLATES["nest:iaf_psc_exp"].neuron
    exc = net.population(
        model(V_m=Uniform(-70 * mV, -56 * mV)), 30, name="exc", positions=np.arange(90.0).reshape(30, 3) * um
    )
    inh = net.population(model(tau_m=8 * ms), 8, name="inh")
    outside = net.population(spikes(38, 400, 0.04), name="outside")
    net.project(outside, exc.ex, Sparse((np.arange(30), np.arange(30))), weight=450 * pA, delay=1 * ms)
    net.project(outside, inh.ex, Sparse((np.arange(30, 38), np.arange(8))), weight=400 * pA)
    net.project(exc, exc.ex, FixedProbability(0.2), weight=Uniform(50 * pA, 150 * pA), delay=Uniform(0.5 * ms, 3 * ms))
    net.project(exc, inh.ex, Sparse(([0, 0, 3], [1, 1, 2], np.array([90.0, 80.0, 70.0]) * pA)), delay=1.5 * ms)
    net.project(inh, exc.inh, AllToAll(), weight=-120 * pA, delay=2 * ms)
    net.record(exc, "V_m", every=10)
    return net


def convolved() -> Network:
    """A neuron of one's own with whole numbers and two ports, behind a convolution."""
    net = Network(name="convolved")
    image = net.population(spikes(36, 200, 0.1), (1, 6, 6), name="image")
    cells = net.population(Counter(period=np.arange(3, 3 + 32)), (2, 4, 4), name="cells")
    kernel = np.random.default_rng(1).integers(1, 4, (2, 1, 3, 3))
    net.project(image, cells.a, Conv2D(kernel), name="by convolution")
    net.project(cells, cells.b, FixedProbability(0.3), delay=3)
    return net


def run(network: Network, steps: int = 400) -> Any:
    return Reference("float64").compile(network, dt=DT, progress=False).run(steps, progress=False)


@pytest.mark.parametrize(
    ("made", "models", "busy"),
    [(balanced(), {}, "exc"), (convolved(), {"neuromorph:Counter": Counter}, "cells")],
    ids=["balanced", "convolved"],
)
def test_a_network_comes_back_the_same(made: Network, models: dict[str, Any], busy: str, tmp_path: Path) -> None:
    back = from_sonata(to_sonata(made, tmp_path, dt=DT, duration=40 * ms), models=models)
    assert [(p.name, p.size) for p in back.populations] == [(p.name, p.size) for p in made.populations]
    assert back.seed == made.seed
    before, after = run(made), run(back)
    assert before.count(busy) > 20
    for name in before.populations:
        np.testing.assert_array_equal(before.events(name).steps, after.events(name).steps)
        np.testing.assert_array_equal(before.events(name).ids, after.events(name).ids)
    again = tmp_path / "again"
    to_sonata(back, again, dt=DT, duration=40 * ms)
    for file in tmp_path.glob("*_edges.h5"):
        with h5py.File(file) as one, h5py.File(again / file.name) as other:
            (name,) = one["edges"]
            assert np.array_equal(one[f"edges/{name}/source_node_id"][:], other[f"edges/{name}/source_node_id"][:])


def test_positions_and_recordings_come_back(tmp_path: Path) -> None:
    made = balanced()
    back = from_sonata(to_sonata(made, tmp_path, dt=DT, duration=40 * ms))
    np.testing.assert_allclose(back["exc"].positions, made["exc"].positions)
    assert back["exc"].positions_in_metres
    assert back.recorded(back["exc"]) == (("V_m", 10),)


def test_chips_run_what_came_back(tmp_path: Path) -> None:
    from neuromorph import CPU
    from neuromorph.mapping.spinnaker2 import SpiNNaker2

    back = from_sonata(to_sonata(balanced(), tmp_path, dt=DT, duration=40 * ms))
    cpu, chips = (target.compile(back, dt=DT).run(40 * ms, progress=False) for target in (CPU(), SpiNNaker2()))
    assert cpu.count("exc") > 20
    assert first_difference(cpu, chips) is None


def test_libsonata_reads_the_circuit(tmp_path: Path) -> None:
    import libsonata

    made = balanced()
    path = to_sonata(made, tmp_path, dt=DT, duration=40 * ms)
    circuit = libsonata.CircuitConfig.from_file(str(path.with_name("circuit_config.json")))
    assert circuit.node_populations == {"exc", "inh", "outside"}
    names = {"outside_to_exc_ex", "outside_to_inh_ex", "exc_to_exc_ex", "exc_to_inh_ex", "inh_to_exc_inh"}
    assert circuit.edge_populations == names
    nodes = circuit.node_population("exc")
    assert nodes.size == 30
    np.testing.assert_allclose(nodes.get_attribute("y", libsonata.Selection([0, 2])), [1, 7])
    synapses = Reference().compile(made, dt=DT, progress=False).synapses("exc -> exc.ex")
    edges = circuit.edge_population("exc_to_exc_ex")
    assert edges.size == len(synapses.pre)
    for node in range(30):
        incoming, outgoing = edges.afferent_edges([node]), edges.efferent_edges([node])
        assert np.array_equal(np.sort(edges.source_nodes(incoming)), np.sort(synapses.pre[synapses.post == node]))
        assert np.array_equal(np.sort(edges.target_nodes(outgoing)), np.sort(synapses.post[synapses.pre == node]))
        delays = np.asarray(synapses.delays)[synapses.post == node] * 0.1
        np.testing.assert_allclose(np.sort(edges.get_attribute("delay", incoming)), np.sort(delays))
    spiking = libsonata.SpikeReader(str(tmp_path / "outside_spikes.h5"))["outside"]
    assert len(spiking.get()) == made["outside"].neuron.count
    assert spiking.sorting == "by_time"
    assert set(libsonata.NodeSets.from_file(str(tmp_path / "node_sets.json")).names) == {"exc", "inh", "outside"}


def test_libsonata_reads_the_simulation(tmp_path: Path) -> None:
    import libsonata

    made = balanced()
    path = to_sonata(made, tmp_path, dt=DT, duration=40 * ms).with_name("simulation_config_libsonata.json")
    simulation = libsonata.SimulationConfig.from_file(str(path))
    assert (simulation.run.tstop, simulation.run.dt) == (40.0, pytest.approx(0.1))
    given = simulation.input("outside")
    assert given.module.name == "synapse_replay"
    assert Path(given.spike_file) == tmp_path / "outside_spikes.h5"
    assert simulation.report(next(iter(simulation.list_report_names))).variable_name == "V_m"
    assert Path(simulation.network) == tmp_path / "circuit_config.json"
    back = from_sonata(path)
    np.testing.assert_array_equal(back["outside"].neuron.indices, made["outside"].neuron.indices)


def test_bmtk_reads_the_circuit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from bmtk.utils.sonata import File
    from bmtk.utils.sonata.config import SonataConfig

    made = balanced()
    path = to_sonata(made, tmp_path, dt=DT, duration=40 * ms)
    monkeypatch.chdir(tmp_path)  # bmtk takes relative paths from there
    config = SonataConfig.from_json(str(path))
    assert (config.tstop, config.dt) == (40.0, pytest.approx(0.1))
    assert len(config.nodes) == 3
    assert len(config.edges) == 5
    for entry in config.nodes:
        File(data_files=entry["nodes_file"], data_type_files=entry["node_types_file"])
    nodes = File(data_files="exc_nodes.h5", data_type_files="exc_node_types.csv").nodes["exc"]
    values = json.loads((tmp_path / "components" / nodes.get_node_id(4)["dynamics_params"]).read_text())
    assert -70 <= values["V_m"] <= -56
    assert nodes.get_node_id(4)["model_template"] == "nest:iaf_psc_exp"
    edges = File(data_files="exc_to_inh_ex_edges.h5", data_type_files="exc_to_inh_ex_edge_types.csv").edges[
        "exc_to_inh_ex"
    ]
    found = [(e.source_node_id, e.target_node_id, e["syn_weight"], float(e["delay"])) for e in edges.get_target(1)]
    np.testing.assert_allclose(found, [(0, 1, 90, 1.5), (0, 1, 80, 1.5)])


def real_files() -> dict[str, Any]:
    """A configuration of the real node and edge files alone."""
    internal = str(DATA / "300_pointneurons_internal_")
    nodes = {"nodes_file": internal + "nodes.h5", "node_types_file": internal + "node_types.csv"}
    edges = {"edges_file": internal + "internal_edges.h5", "edge_types_file": internal + "internal_edge_types.csv"}
    return {"networks": {"nodes": [nodes], "edges": [edges]}}


def test_the_real_files_are_written_again(tmp_path: Path) -> None:
    model = TEMPLATES["nest:iaf_psc_alpha"].neuron
    net = from_sonata(real_files(), models={"internal": model}, ignore={"dynamics_params"})
    path = to_sonata(net, tmp_path, dt=DT, duration=100 * ms)
    edges = sorted(tmp_path.glob("*_edges.h5"))
    assert [file.name for file in edges] == ["internal_to_internal_ex_edges.h5", "internal_to_internal_inh_edges.h5"]
    found = []
    for file in edges:
        with h5py.File(file) as written:
            (group,) = written["edges"].values()
            found.append(np.stack([group[name][:] for name in ("source_node_id", "target_node_id", "0/syn_weight")]))
    with h5py.File(DATA / "300_pointneurons_internal_internal_edges.h5") as real:
        group = real["edges/internal_to_internal"]
        expected = np.stack([group[name][:] for name in ("source_node_id", "target_node_id", "0/syn_weight")])
    ours = np.concatenate(found, axis=1)
    np.testing.assert_allclose(ours[:, np.lexsort(ours)], expected[:, np.lexsort(expected)])
    with (
        h5py.File(tmp_path / "internal_nodes.h5") as written,
        h5py.File(DATA / "300_pointneurons_internal_nodes.h5") as real,
    ):
        np.testing.assert_allclose(written["nodes/internal/0/z"][:], real["nodes/internal/0/z"][:])
    assert read_circuit(path).edges["internal_to_internal_inh"].size == expected[2][expected[2] < 0].size


def test_many_sets_of_parameters_go_to_the_nodes(tmp_path: Path) -> None:
    net = Network(seed=1)
    cells = net.population(LIF(tau_m=Uniform(5 * ms, 20 * ms)), 300, name="cells")
    path = to_sonata(net, tmp_path, dt=DT, duration=1 * ms)
    assert [file.name for file in (tmp_path / "components").iterdir()] == ["cells.json"]
    back = from_sonata(path, models={"neuromorph:LIF": LIF})
    from neuromorph.lowering.values import parameter_values

    before, after = (parameter_values(n, 300, 1, 0) for n in (cells.neuron, back["cells"].neuron))
    for name, values in before.items():
        np.testing.assert_allclose(np.broadcast_to(after[name], 300), np.broadcast_to(values, 300), rtol=1e-15)


def test_ports_of_your_own_neurons_are_named(tmp_path: Path) -> None:
    net = Network()
    cells = net.population(LIFConductance, 3, name="cells")
    net.project(cells, cells.inh, OneToOne(), weight=2 * nS)
    models = {"neuromorph:LIFConductance": LIFConductance}
    back = from_sonata(to_sonata(net, tmp_path, dt=DT, duration=1 * ms), models=models)
    assert back.projections[0].port == "inh"
    assert float(back.projections[0].weight / nS) == pytest.approx(2)
    with pytest.raises(CheckError, match="model_template neuromorph:LIFConductance: known are"):
        from_sonata(tmp_path / "circuit_config.json")
    assert from_sonata(tmp_path / "circuit_config.json", models=models).size == 3


def test_names_stay_apart(tmp_path: Path) -> None:
    net = Network()
    pre = net.population(EventSource(2), name="a b")
    post = net.population(EventSource(2), name="a_b")
    cells = net.population(LIF, 2, name="cells")
    net.project(pre, cells, OneToOne(), weight=1 * pA)
    net.project(pre, cells, OneToOne(), weight=2 * pA, name="second")
    net.project(post, cells, OneToOne(), weight=3 * pA)
    back = from_sonata(to_sonata(net, tmp_path, dt=DT, duration=1 * ms), models={"neuromorph:LIF": LIF})
    assert [p.name for p in back.populations] == ["a b", "a_b", "cells"]
    assert [round(float(p.weight / pA)) for p in back.projections] == [1, 2, 3]


def test_spikes_that_count_are_written_one_by_one(tmp_path: Path) -> None:
    net = Network()
    net.population(EventSource(2, times=[1.0, 2.0] * ms, indices=[0, 1], values=[1, 3]), name="outside")
    path = to_sonata(net, tmp_path, dt=DT, duration=5 * ms)
    times, nodes = read_spikes(tmp_path / "outside_spikes.h5")["outside"]
    assert (times.tolist(), nodes.tolist()) == ([1.0, 2.0, 2.0, 2.0], [0, 1, 1, 1])
    assert from_sonata(path)["outside"].neuron.values.tolist() == [1, 3]


def test_what_sonata_cannot_say_is_refused_at_once(tmp_path: Path) -> None:
    net = Network()
    words = net.population(Lookup(np.eye(2), [0]), name="words")
    net.population(Live(2, graded=True), name="live")
    given = net.population(EventSource(1, steps=[0], indices=[0], values=[0.5]), name="given")
    graded = net.population(Graded, 2, name="graded")
    cells = net.population(LIF, 2, name="cells")
    net.project(words, graded, OneToOne())
    net.project(given, cells, AllToAll(), weight=1 * pA, synapse=PairSTDP, name="learning")
    with pytest.raises(CheckError) as error:
        to_sonata(net, tmp_path / "out", dt=DT, duration=1 * ms)
    assert len(error.value.problems) == 5
    for part in (
        "words: Lookup sends graded",
        "live: Live sends",
        "given: its events have values",
        "graded: Graded sends",
    ):
        assert f"population {part}" in str(error.value)
    assert "projection learning: PairSTDP changes weights by equations" in str(error.value)
    assert not (tmp_path / "out").exists()


def test_weights_of_the_wrong_sign_are_refused(tmp_path: Path) -> None:
    net = Network()
    cells = net.population(TEMPLATES["nest:iaf_psc_exp"].neuron, 4, name="cells")
    net.project(cells, cells.inh, AllToAll(), weight=3 * pA)
    with pytest.raises(CheckError, match="16 weights at port inh have the sign of the other port"):
        to_sonata(net, tmp_path, dt=DT, duration=1 * ms)


def test_spikes_of_nodes_of_several_models_get_their_ids_back(tmp_path: Path) -> None:
    from neuromorph import Trace

    trace = Trace.from_events(
        {"cells.a": ([1, 5], [0, 1]), "cells.b": ([3], [0]), "other": ([2], [1])},
        sizes={"cells.a": 2, "cells.b": 1, "other": 2},
        dt=1e-4,
    )
    save_spikes(trace, tmp_path / "all.h5")
    assert list(read_spikes(tmp_path / "all.h5")) == ["cells.a", "cells.b", "other"]
    nodes = {"cells.a": ("cells", np.array([0, 2])), "cells.b": ("cells", np.array([1]))}
    save_spikes(trace, tmp_path / "nodes.h5", nodes)
    times, ids = read_spikes(tmp_path / "nodes.h5")["cells"]
    np.testing.assert_allclose(times, [0.1, 0.3, 0.5])
    assert ids.tolist() == [0, 1, 2]
    with pytest.raises(NetworkError, match=r"no events of cells\.c"):
        save_spikes(trace, tmp_path / "nodes.h5", {"cells.c": ("cells", np.array([0]))})
    assert sonata_nodes(to_sonata(balanced(), tmp_path, dt=DT, duration=1 * ms))["inh"][1].tolist() == list(range(8))
