"""SONATA circuits as networks: nodes, edges, type tables, configurations, spikes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from sonata_circuits import SPIKES, circuit

from neuromorph import CheckError, EventSource, Live, NetworkError, from_sonata, ms, mV, nA, pA
from neuromorph.interchange.sonata import TEMPLATES, Template, read_circuit, sonata_nodes
from neuromorph.interchange.sonata.files import write_edges, write_nodes, write_spikes, write_types
from neuromorph.interchange.sonata.inputs import members, read_spikes
from neuromorph.interchange.sonata.neurons import IafPscExp, IntFire1
from neuromorph.models.integrate_and_fire import LIF

DATA = Path(__file__).parent.parent / "data" / "sonata"
REAL = {
    "networks": {
        "nodes": [
            {
                "nodes_file": str(DATA / "300_pointneurons_internal_nodes.h5"),
                "node_types_file": str(DATA / "300_pointneurons_internal_node_types.csv"),
            }
        ],
        "edges": [
            {
                "edges_file": str(DATA / "300_pointneurons_internal_internal_edges.h5"),
                "edge_types_file": str(DATA / "300_pointneurons_internal_internal_edge_types.csv"),
            }
        ],
    }
}
pytestmark = pytest.mark.filterwarnings("ignore:SONATA circuit .* times between steps")

Change = Callable[[dict[str, Any]], None]


def test_the_real_files_say_what_they_hold_and_what_is_missing() -> None:
    made = read_circuit(REAL)
    nodes, edges = made.nodes["internal"], made.edges["internal_to_internal"]
    assert (nodes.size, edges.size, edges.source, edges.target) == (300, 27_588, "internal", "internal")
    assert np.bincount(nodes.attributes.codes).tolist() == [80, 80, 80, 30, 30]
    names, codes = nodes.attributes.labels("ei")
    assert [(names[k], int(n)) for k, n in enumerate(np.bincount(codes))] == [("e", 240), ("i", 60)]
    assert set(np.unique(edges.attributes.numbers("syn_weight"))) == {2.5, 7.0, -7.5, -3.0}
    assert set(edges.attributes.numbers("delay")) == {2.0}
    with pytest.raises(CheckError) as error:
        from_sonata(REAL)
    assert len(error.value.problems) == 9
    assert "472363762_point.json: no such file" in str(error.value)
    assert "InhToInh.json" in str(error.value)


def test_the_real_files_run_with_intfire1() -> None:
    from neuromorph import CPU, OneToOne, first_difference
    from neuromorph.mapping.spinnaker2 import SpiNNaker2

    model = Template.of(IntFire1(refrac=3 * ms), weight=0.01)
    net = from_sonata(REAL, models={"internal": model}, ignore={"dynamics_params"})
    assert [(p.name, p.size) for p in net.populations] == [("internal", 300)]
    (projection,) = net.projections
    assert projection.name == "internal_to_internal"
    assert net["internal"].positions.shape == (300, 3)
    assert net["internal"].positions_in_metres
    built = net["internal"]
    generator = np.random.default_rng(3)
    outside = net.population(EventSource.from_dense(generator.random((2000, 300)) < 0.012), name="outside")
    net.project(outside, built, OneToOne(), weight=0.5)
    program = CPU().compile(net, dt=0.1 * ms)
    synapses = program.synapses("internal_to_internal")
    with h5py.File(DATA / "300_pointneurons_internal_internal_edges.h5") as file:
        group = file["edges/internal_to_internal"]
        columns = group["source_node_id"][:], group["target_node_id"][:], group["0/syn_weight"][:]
    order = np.lexsort((columns[1], columns[0]))
    np.testing.assert_array_equal(synapses.pre, columns[0][order])
    np.testing.assert_array_equal(synapses.post, columns[1][order])
    np.testing.assert_allclose(synapses.weights, 0.01 * columns[2][order], rtol=1e-6)
    assert np.all(np.asarray(synapses.delays) == 20)
    cpu = program.run(100 * ms, progress=False)
    assert cpu.count("internal") > 50
    assert first_difference(cpu, SpiNNaker2().compile(net, dt=0.1 * ms).run(100 * ms, progress=False)) is None


def test_a_circuit_becomes_populations_projections_and_sources(tmp_path: Path) -> None:
    net = from_sonata(circuit(tmp_path))
    assert [(p.name, p.size, p.neuron.name) for p in net.populations] == [
        ("cells", 4, "IafPscExp"),
        ("outside", 2, "EventSource"),
    ]
    values = dict(net["cells"].neuron.values)
    np.testing.assert_allclose(values["tau_m"].value, [0.015, 0.015, 0.01, 0.015])
    np.testing.assert_allclose(values["C_m"].value, [250e-12, 250e-12, 100e-12, 250e-12])
    np.testing.assert_allclose(net["cells"].positions[:, 0], np.arange(4) * 1e-6)
    by_name = {p.name: p for p in net.projections}
    assert list(by_name) == ["inner:ex", "inner:inh", "drive"]
    assert (by_name["inner:ex"].port, by_name["inner:inh"].port, by_name["drive"].port) == ("ex", "inh", "ex")
    np.testing.assert_allclose(by_name["inner:ex"].rule.weights.value, [10e-12, 40e-12, 30e-12])
    np.testing.assert_allclose(by_name["inner:inh"].rule.weights.value, [-40e-12, -150e-12])
    assert by_name["drive"].weight == 800 * pA
    assert by_name["drive"].delay == 1.5 * ms
    source = net["outside"].neuron
    assert isinstance(source, EventSource)
    assert source.values.tolist() == [1, 2], "two spikes in one step are one event that counts them"
    np.testing.assert_allclose(source.times.value, [3e-3, 5e-3])
    events = from_sonata(circuit(tmp_path), dt=0.01 * ms)["outside"].neuron
    assert isinstance(events, EventSource)
    assert events.values is None
    assert events.count == 3


def test_simulation_and_circuit_may_be_two_files_with_variables(tmp_path: Path) -> None:
    whole = circuit(tmp_path)
    inner = tmp_path / "inner"
    inner.mkdir()
    there = {"manifest": {"$BASE": ".."}, "networks": whole["networks"]}
    there["components"] = {"point_neuron_models_dir": "../components", "synaptic_models_dir": "$BASE/components"}
    (inner / "circuit_config.json").write_text(json.dumps(there))
    sets = {"drivers": {"population": "outside", "node_id": [0]}}
    (tmp_path / "sets.json").write_text(json.dumps(sets))
    spikes = {"input_type": "spikes", "module": "h5", "input_file": "${configdir}/spikes.h5", "node_set": "drivers"}
    simulation = {
        "network": "inner/circuit_config.json",
        "node_sets_file": "sets.json",
        "run": {"tstop": 20.0, "dt": 0.1, "random_seed": 5, "dL": 20.0},
        "inputs": {"spikes": spikes},
        "conditions": {"celsius": 34.0},
    }
    path = tmp_path / "simulation_config.json"
    path.write_text(json.dumps(simulation))
    made = read_circuit(path)
    assert made.dt == 0.1 * ms
    assert made.duration == 20 * ms
    net = from_sonata(path)
    assert net.seed == 5
    assert net["outside"].neuron.count == 1, "node 0 alone is in the set"
    assert from_sonata(made, seed=8).seed == 8


def test_models_of_your_own_by_template_or_by_population(tmp_path: Path) -> None:
    given = circuit(tmp_path)
    (tmp_path / "components" / "e.json").write_text(json.dumps({"tau_m": 5.0, "v": 1.0}))
    (tmp_path / "components" / "i.json").write_text(json.dumps({"theta": 20.0}))
    made = from_sonata(given, models={"nest:iaf_psc_exp": LIF})
    values = dict(made["cells"].neuron.values)
    np.testing.assert_allclose(values["tau_m"].value, [5e-3, 5e-3, 20e-3, 5e-3], err_msg="its own default for node 2")
    np.testing.assert_allclose(values["theta"].value, [15e-3, 15e-3, 20e-3, 15e-3])
    assert made.projections[0].port == "i_in"
    np.testing.assert_allclose(made.projections[0].rule.weights.value, np.array([-40, 10, 40, 30, -150]) * 1e-9)
    own = from_sonata(given, models={"cells": Template.of(LIF(tau_m=7 * ms), weight=1 * pA)})
    assert own["cells"].neuron == LIF(tau_m=7 * ms)
    assert float(own.projections[-1].weight / nA) == pytest.approx(0.8)
    with pytest.raises(CheckError, match=r"IafPscExp has no parameter 'v'.*\n.*no parameter 'theta'"):
        from_sonata(given)
    with pytest.raises(CheckError, match=r"no population or model template 'cell'; there are cells, nest:iaf_psc_exp"):
        from_sonata(given, models={"cell": LIF})


def test_nodes_of_several_models_become_several_populations(tmp_path: Path) -> None:
    given = circuit(tmp_path)
    write_types(
        tmp_path / "cell_types.csv",
        "node_type_id",
        {
            7: {"model_type": "point_neuron", "model_template": "nest:iaf_psc_exp"},
            9: {"model_type": "virtual"},
        },
    )
    with pytest.raises(CheckError, match="edges inner: 2 end at virtual nodes, which take in nothing"):
        from_sonata(given)
    weights = {"syn_weight": np.array([1.0, 2.0, 3.0])}
    pre, post = np.array([0, 2, 3]), np.array([1, 0, 3])
    write_edges(tmp_path / "inner.h5", "inner", ("cells", "cells"), pre, post, (4, 4), 3, weights)
    net = from_sonata(given)
    assert [p.name for p in net.populations] == ["cells.iaf_psc_exp", "cells.virtual", "outside"]
    parts = {p.name: p for p in net.projections}
    assert list(parts) == [
        "inner:cells.iaf_psc_exp:cells.iaf_psc_exp",
        "inner:cells.virtual:cells.iaf_psc_exp",
        "drive",
    ]
    inner = parts["inner:cells.iaf_psc_exp:cells.iaf_psc_exp"].rule
    assert (inner.pre.tolist(), inner.post.tolist()) == ([0, 2], [1, 2]), "node 3 is neuron 2"
    found = sonata_nodes(given)
    assert {name: (nodes, ids.tolist()) for name, (nodes, ids) in found.items()} == {
        "cells.virtual": ("cells", [2]),
        "cells.iaf_psc_exp": ("cells", [0, 1, 3]),
        "outside": ("outside", [0, 1]),
    }


def test_intfire1_takes_its_times_in_seconds_and_its_sign_from_the_edges(tmp_path: Path) -> None:
    given = circuit(tmp_path)
    table = {"model_type": "point_neuron", "model_template": "nrn:IntFire1", "dynamics_params": "f.json"}
    write_types(tmp_path / "cell_types.csv", "node_type_id", {7: table, 9: table})
    (tmp_path / "components" / "f.json").write_text(json.dumps({"tau": 0.024, "refrac": 0.003}))
    (tmp_path / "components" / "static.json").write_text(json.dumps({"level_of_detail": "instantaneous", "sign": -1}))
    net = from_sonata(given)
    assert net["cells"].neuron == IntFire1(tau=24 * ms, refrac=3 * ms)
    np.testing.assert_allclose(net.projections[0].rule.weights, [40, -10, -40, -30, 150])


def test_values_of_single_nodes_stand_over_those_of_their_type(tmp_path: Path) -> None:
    given = circuit(tmp_path)
    own = {"dynamics_params/tau_m": np.array([1.0, 2.0, 3.0, 4.0]), "model_type": np.array([b"point_neuron"] * 4)}
    write_nodes(tmp_path / "cells.h5", "cells", np.array([7, 7, 9, 7]), own)
    values = dict(from_sonata(given)["cells"].neuron.values)
    np.testing.assert_allclose(values["tau_m"].value, [1e-3, 2e-3, 3e-3, 4e-3])
    np.testing.assert_allclose(values["t_ref"].value, [2e-3, 2e-3, 1e-3, 2e-3])


def test_groups_of_single_nodes_with_attributes_of_their_own(tmp_path: Path) -> None:
    """The first group's nodes are the first of the population, and not all of it."""
    given = circuit(tmp_path)
    with h5py.File(tmp_path / "cells.h5", "r+") as file:
        nodes = file["nodes/cells"]
        nodes["node_group_id"][...] = [0, 0, 1, 1]
        nodes["node_group_index"][...] = [0, 1, 1, 0]
        del nodes["0"]
        nodes["0/x"], nodes["0/dynamics_params/tau_m"] = [10.0, 20.0], [3.0, 4.0]
        nodes["1/depth"], nodes["1/x"] = [7.0, 8.0], [40.0, 30.0]
    made = read_circuit(given).nodes["cells"].attributes
    np.testing.assert_array_equal(made.numbers("x"), [10, 20, 30, 40])
    np.testing.assert_array_equal(made.numbers("depth"), [np.nan, np.nan, 8, 7])
    np.testing.assert_allclose(
        dict(from_sonata(given)["cells"].neuron.values)["tau_m"].value, [3e-3, 4e-3, 10e-3, 15e-3]
    )


def test_layouts_that_others_write_are_read(tmp_path: Path) -> None:
    """No group ids, no node ids, texts as numbers of a library: as the Blue Brain Project's files have it."""
    given = circuit(tmp_path)
    with h5py.File(tmp_path / "cells.h5", "w") as file:
        group = file.create_group("nodes/cells")
        group["node_type_id"] = np.full(4, -1)
        group["0/model_type"] = np.zeros(4, np.uint32)
        group["0/model_template"] = np.array([0, 0, 1, 0], np.uint32)
        group["0/@library/model_type"] = np.array([b"point_neuron"])
        group["0/@library/model_template"] = np.array([b"nest:iaf_psc_exp", b"nest:iaf_psc_alpha"])
    given["networks"]["nodes"][0]["node_types_file"] = ""
    assert [p.name for p in from_sonata(given).populations] == ["cells.iaf_psc_exp", "cells.iaf_psc_alpha", "outside"]


def test_nodes_in_another_order_than_their_ids(tmp_path: Path) -> None:
    given = circuit(tmp_path)
    with h5py.File(tmp_path / "cells.h5", "r+") as file:
        file["nodes/cells/node_id"][...] = [3, 0, 1, 2]  # of types 7, 7, 9, 7
        file["nodes/cells/0/x"][...] = [30.0, 0.0, 10.0, 20.0]
    net = from_sonata(given)
    np.testing.assert_allclose(dict(net["cells"].neuron.values)["C_m"].value * 1e12, [250, 100, 250, 250])
    np.testing.assert_allclose(net["cells"].positions[:, 0], np.array([0, 10, 20, 30]) * 1e-6)
    with h5py.File(tmp_path / "cells.h5", "r+") as file:
        file["nodes/cells/node_id"][...] = [3, 0, 1, 1]
    with pytest.raises(NetworkError, match="nodes cells: 4 nodes, but ids from 0 to 3, or some twice"):
        from_sonata(given)


def test_spikes_of_both_layouts_and_of_tables(tmp_path: Path) -> None:
    legacy = read_spikes(DATA / "legacy_gids_external_spike_trains.h5")
    assert list(legacy) == [""]
    assert len(legacy[""][0]) == 4_334
    (tmp_path / "spikes.csv").write_text("timestamps population node_ids\n3.0 outside 0\n5.0 outside 1\n7.5 other 4\n")
    table = read_spikes(tmp_path / "spikes.csv")
    assert {name: (t.tolist(), n.tolist()) for name, (t, n) in table.items()} == {
        "outside": ([3.0, 5.0], [0, 1]),
        "other": ([7.5], [4]),
    }
    given = circuit(tmp_path)
    given["inputs"]["spikes"] |= {"module": "csv", "input_file": str(tmp_path / "spikes.csv")}
    assert from_sonata(given)["outside"].neuron.count == 2


def test_legacy_spikes_drive_the_only_population_of_their_node_set(tmp_path: Path) -> None:
    given = circuit(tmp_path)
    write_nodes(tmp_path / "outside.h5", "outside", np.ones(100, np.int64), {})
    given["inputs"]["spikes"]["input_file"] = str(DATA / "legacy_gids_external_spike_trains.h5")
    source = from_sonata(given)["outside"].neuron
    counts = source.values if source.values is not None else np.ones(source.count)
    assert counts.sum() == 4_334


def test_inputs_of_your_own(tmp_path: Path) -> None:
    given = circuit(tmp_path)
    assert from_sonata(given, inputs={"outside": Live(2)})["outside"].neuron == Live(2)
    path = tmp_path / "other.h5"
    write_spikes(path, {"whatever": (np.array([1.0]), np.array([1]))})
    assert from_sonata(given, inputs={"outside": path})["outside"].neuron.count == 1
    with pytest.raises(CheckError, match=r"Live\(3\) for the 2 nodes of outside"):
        from_sonata(given, inputs={"outside": Live(3)})
    with pytest.raises(CheckError, match="cells is no population of virtual nodes; those are outside"):
        from_sonata(given, inputs={"cells": path})


def test_node_sets(tmp_path: Path) -> None:
    sets = {"a": ["b", {"population": "cells", "node_id": [3]}], "b": {"ei": "i"}, "odd": {"node_type_id": 7}}
    made = read_circuit(circuit(tmp_path, node_sets=sets))

    def found(name: Any) -> dict[str, list[int]]:
        return {population: ids.tolist() for population, ids in members(made, name, "test").items()}

    assert found("a") == {"cells": [2, 3]}
    assert found("odd") == {"cells": [0, 1, 3]}
    assert found("all") == {"cells": [0, 1, 2, 3], "outside": [0, 1]}
    assert found({"population": ["cells"], "x": [0.0, 2.0]}) == {"cells": [0, 2]}
    with pytest.raises(NetworkError, match="test: no node set 'c'; there are a, b, odd, cells, outside and all"):
        found("c")
    with pytest.raises(NetworkError, match="no node has layer"):
        found({"layer": 4})


def test_reports_become_recordings(tmp_path: Path) -> None:
    reports = {
        "membrane": {"cells": "cells", "variable_name": "V_m", "module": "membrane_report", "dt": 0.5},
        "spikes": {"cells": "cells", "module": "spikes_report"},
        "off": {"module": "extracellular", "enabled": False},
    }
    net = from_sonata(circuit(tmp_path, reports=reports))
    assert net.recorded(net["cells"]) == (("V_m", 5),)
    reports["membrane"]["variable_name"] = "cai"
    reports["ecp"] = {"cells": "cells", "module": "extracellular"}
    with pytest.raises(CheckError) as error:
        from_sonata(circuit(tmp_path, reports=reports))
    assert "reports/membrane: cells (IafPscExp) has no 'cai'; it has V_m" in error.value.problems[0]
    assert "reports/ecp: module 'extracellular' has no equivalent" in error.value.problems[1]
    from_sonata(circuit(tmp_path, reports=reports), ignore={"reports/membrane", "reports/ecp"})


def biophysical(folder: Path) -> None:
    row = {"model_type": "biophysical", "model_template": "ctdb:Biophys1.hoc"}
    write_types(folder / "cell_types.csv", "node_type_id", {7: row, 9: row})


def unknown(folder: Path) -> None:
    row = {"model_type": "point_neuron", "model_template": "nest:aeif_cond_alpha"}
    write_types(folder / "cell_types.csv", "node_type_id", {7: row, 9: row})


def edge_types(**row: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        write_types(folder / "inner_types.csv", "edge_type_id", {3: {"delay": 2.0, **row}})

    return write


def no_weights(folder: Path) -> None:
    with h5py.File(folder / "inner.h5", "r+") as file:
        del file["edges/inner/0/syn_weight"]


@pytest.mark.parametrize(
    ("change", "message", "ignored"),
    [
        (biophysical, "model_type biophysical: cells with morphologies and NEURON's mechanisms", None),
        (unknown, "model_template nest:aeif_cond_alpha: known are nrn:IntFire1, nest:iaf_psc_delta", None),
        (edge_types(model_template="tsodyks_synapse"), "model_template tsodyks_synapse has no", "model_template"),
        (edge_types(weight_function="gauss"), "weight_function gauss is code of a simulator", "weight_function"),
        (edge_types(target_sections="['soma']"), "target_sections says where on a morphology", "target_sections"),
        (edge_types(receptor_type=2), "receptor_type 2; cells has 0 alone", "receptor_type"),
        (edge_types(delay=0.0), "a delay of 0 ms", "delay"),
        (no_weights, "edges inner: 5 of 5 have no syn_weight", None),
    ],
)
def test_what_has_no_equivalent_is_refused_by_name(
    tmp_path: Path, change: Callable[[Path], None], message: str, ignored: str | None
) -> None:
    given = circuit(tmp_path)
    change(tmp_path)
    with pytest.raises(CheckError) as error:
        from_sonata(given)
    assert message in str(error.value)
    if ignored is not None:
        from_sonata(given, ignore={ignored})


def test_edges_without_delay_have_that_of_the_simulators(tmp_path: Path) -> None:
    given = circuit(tmp_path)
    edge_types(delay="NULL")(tmp_path)
    assert from_sonata(given).projections[0].delay == 1 * ms


def test_what_is_switched_off_stays_out(tmp_path: Path) -> None:
    given = circuit(tmp_path)
    given["networks"]["edges"][0]["enabled"] = False
    given["networks"]["edges"][1]["enabled"] = True
    assert [p.name for p in from_sonata(given).projections] == ["drive"]


def test_words_of_the_published_examples(tmp_path: Path) -> None:
    """SONATA's own IntFire1 circuit says the type of NEURON's cell, and spells one word its own way."""
    given = circuit(tmp_path)
    table = {"model_type": "point_process", "model_template": "nrn:IntFire1", "dynamics_params": "f.json"}
    write_types(tmp_path / "cell_types.csv", "node_type_id", {7: table, 9: table})
    (tmp_path / "components" / "f.json").write_text(json.dumps({"tau": 0.024, "type": "NEURON_IntFire1"}))
    (tmp_path / "components" / "static.json").write_text(json.dumps({"level_of_detail": "instanteneous", "sign": -1}))
    given["inputs"]["spikes"]["node_set"] = {"population": "outside", "node_ids": [1]}
    net = from_sonata(given)
    assert net["cells"].neuron == IntFire1(tau=24 * ms)
    assert set(net["outside"].neuron.indices) == {1}
    (tmp_path / "components" / "f.json").write_text(json.dumps({"type": "NEURON_IntFire4"}))
    with pytest.raises(CheckError, match="type is 'NEURON_IntFire4'; IntFire1 has 'NEURON_IntFire1' alone"):
        from_sonata(given)


def test_everything_is_refused_at_once(tmp_path: Path) -> None:
    given = circuit(tmp_path)
    edge_types(model_template="tsodyks_synapse")(tmp_path)
    (tmp_path / "components" / "i.json").unlink()
    (tmp_path / "components" / "e.json").write_text(json.dumps({"tau_m": "fast", "delta": 0.5}))
    given["run"] |= {"tstart": 5.0}
    given["inputs"]["clamp"] = {"input_type": "current_clamp", "module": "SEClamp", "node_set": "cells"}
    given["inputs"]["more"] = {**SPIKES, "input_file": "nowhere.h5", "node_set": "cells"}
    with pytest.raises(CheckError) as error:
        from_sonata(given)
    text = str(error.value)
    for part in (
        "tau_m is 'fast'; a number is expected",
        "delta is 0.5; IafPscExp has 0.0 alone",
        "i.json: no such file",
        "run/tstart = 5.0 has no equivalent",
        "inputs/clamp: input_type 'current_clamp' (module 'SEClamp') has no equivalent",
        "nowhere.h5: no such file",
        "model_template tsodyks_synapse has no equivalent",
    ):
        assert part in text, part


def set_population(given: dict[str, Any]) -> None:
    with h5py.File(Path(given["manifest"]["$BASE"]) / "inner.h5", "r+") as file:
        file["edges/inner/source_node_id"].attrs["node_population"] = "nobody"


def set_target(given: dict[str, Any]) -> None:
    with h5py.File(Path(given["manifest"]["$BASE"]) / "inner.h5", "r+") as file:
        file["edges/inner/target_node_id"][0] = 9


def set_type(given: dict[str, Any]) -> None:
    with h5py.File(Path(given["manifest"]["$BASE"]) / "cells.h5", "r+") as file:
        file["nodes/cells/node_type_id"][0] = 8


def drop_nodes(given: dict[str, Any]) -> None:
    given["networks"]["nodes"] = []


def circle(given: dict[str, Any]) -> None:
    given["manifest"] = {"$A": "$B/x", "$B": "$A/y"}


def gap_junctions(given: dict[str, Any]) -> None:
    given["networks"]["gap_juncs"] = [{}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_population, "edges inner: source population nobody is in no node file"),
        (set_target, "edges inner: target node 9; cells has nodes 0 to 3"),
        (set_type, "nodes cells: type 8 missing from the node type table, which has 7, 9"),
        (drop_nodes, "names no node files"),
        (circle, r"manifest variables refer to each other: \$A, \$B"),
        (gap_junctions, "gap junctions have no equivalent"),
    ],
)
def test_damaged_circuits(tmp_path: Path, change: Change, message: str) -> None:
    given = circuit(tmp_path)
    change(given)
    with pytest.raises((NetworkError, CheckError), match=message):
        read_circuit(given)


def test_missing_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="no such file; give a SONATA configuration"):
        from_sonata(tmp_path / "nowhere.json")
    (tmp_path / "text.json").write_text("no json")
    with pytest.raises(NetworkError, match="no SONATA configuration"):
        from_sonata(tmp_path / "text.json")
    given = circuit(tmp_path)
    given["networks"]["nodes"][0]["nodes_file"] = str(tmp_path / "inner.h5")
    with pytest.raises(NetworkError, match="no SONATA nodes file; it has no /nodes"):
        from_sonata(given)


def test_templates_name_ports_and_parameters_that_their_neurons_have() -> None:
    for template in TEMPLATES.values():
        names = {p.name for p in template.neuron.params} | {s.name for s in template.neuron.states}
        assert {ours for ours, _ in template.parameters.values()} <= names
        for port in (template.excitatory, template.inhibitory):
            assert template.scale(port) > 0
    assert TEMPLATES["pyNN:IF_curr_exp"].scale("ex") == pytest.approx(1e-9)
    assert dict(TEMPLATES["pyNN:IF_curr_exp"].neuron.values)["V_th"] == -50 * mV
    assert Template.of(IafPscExp).parameters["tau_m"][0] == "tau_m"
