"""What circuits of NEST and of the Brain Modeling Toolkit ask for: receptors, lists of parameters, clamps, grids."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuromorph import (
    CheckError,
    EventSource,
    FixedProbability,
    LanguageError,
    Network,
    OneToOne,
    Reference,
    from_sonata,
    ms,
    mV,
    nS,
    pA,
    to_sonata,
)
from neuromorph.interchange.sonata import TEMPLATES, read_circuit
from neuromorph.interchange.sonata.files import write_edges, write_nodes, write_spikes, write_types
from neuromorph.interchange.sonata.glif import Shape, glif_psc
from neuromorph.interchange.sonata.neurons import IafPscDelta
from neuromorph.interchange.sonata.templates import template_of
from neuromorph.interchange.sonata.timing import steps_of
from neuromorph.language.driven import driven

ASC = {"after_spike_currents": True, "asc_decay": [0.003, 0.3], "asc_amps": [-4.0, -290.0], "asc_init": [0.0, 0.0]}


def circuit(folder: Path, cells: dict[int, dict[str, Any]], edge: dict[str, Any], template: str) -> dict[str, Any]:
    """Four nodes of types 0 and 1, each with ``dynamics_params``, and an edge to each from one virtual node."""
    write_nodes(folder / "cells.h5", "cells", np.array([0, 0, 1, 1]), {})
    write_nodes(folder / "outside.h5", "outside", np.array([9]), {})
    point = {"model_type": "point_neuron", "model_template": template}
    rows = {number: {**point, "dynamics_params": json.dumps(values)} for number, values in cells.items()}
    write_types(folder / "cells.csv", "node_type_id", rows)
    write_types(folder / "outside.csv", "node_type_id", {9: {"model_type": "virtual"}})
    columns = {name: np.asarray(value) for name, value in edge.items() if isinstance(value, list)}
    row = {name: value for name, value in edge.items() if not isinstance(value, list)}
    write_edges(folder / "in.h5", "in", ("outside", "cells"), np.zeros(4, int), np.arange(4), (1, 4), 5, columns)
    write_types(folder / "in.csv", "edge_type_id", {5: {"delay": 1.0, **row}})
    write_spikes(folder / "spikes.h5", {"outside": (np.array([1.0, 2.0]), np.array([0, 0]))})
    files = {"nodes": ("cells", "outside"), "edges": ("in",)}
    return {
        "networks": {
            kind: [{f"{kind}_file": f"{folder}/{n}.h5", f"{kind[:-1]}_types_file": f"{folder}/{n}.csv"} for n in names]
            for kind, names in files.items()
        },
        "run": {"dt": 0.1, "tstop": 5.0},
        "inputs": {
            "spikes": {
                "input_type": "spikes",
                "module": "sonata",
                "input_file": str(folder / "spikes.h5"),
                "node_set": "outside",
            }
        },
    }


def test_lists_and_flags_decide_about_the_neuron(tmp_path: Path) -> None:
    plain = {"tau_syn": [5.5, 8.5], "V_th": -45.0, "asc_amps": [1.0, 2.0]}
    edge = {"syn_weight": 10.0, "receptor_type": [1, 2, 2, 1]}
    net = from_sonata(circuit(tmp_path, {0: plain, 1: {**ASC, "tau_syn": [2.0, 3.0]}}, edge, "nest:glif_psc"))
    assert [(p.name, p.size) for p in net.populations] == [
        ("cells.GlifPsc2", 2),
        ("cells.GlifPsc2Asc2", 2),
        ("outside", 1),
    ]
    one, other = (dict(net[name].neuron.values) for name in ("cells.GlifPsc2", "cells.GlifPsc2Asc2"))
    assert float(one["tau_syn_2"] / ms) == pytest.approx(8.5)
    assert float(other["asc_amps_2"] / pA) == pytest.approx(-290)
    assert "asc_amps_1" not in one, "NEST makes no use of it either"
    ports = {(p.post.name, p.port): p.rule.post.tolist() for p in net.projections}
    assert ports == {
        ("cells.GlifPsc2", "syn_1"): [0],
        ("cells.GlifPsc2", "syn_2"): [1],
        ("cells.GlifPsc2Asc2", "syn_2"): [0],
        ("cells.GlifPsc2Asc2", "syn_1"): [1],
    }


def test_receptors_and_lists_that_do_not_exist_are_refused(tmp_path: Path) -> None:
    given = circuit(
        tmp_path, {0: {}, 1: {}}, {"syn_weight": 10.0, "dynamics_params": '{"receptor_type": 3}'}, "nest:glif_psc"
    )
    with pytest.raises(CheckError, match="receptor_type 3; cells has 1"):
        from_sonata(given)
    given = circuit(tmp_path, {0: {}, 1: {}}, {"syn_weight": 10.0}, "nest:glif_psc")
    with pytest.raises(CheckError, match="receptor_type None; cells has 1"):
        from_sonata(given)
    uneven = {**ASC, "asc_amps": [1.0]}
    given = circuit(tmp_path, {0: uneven, 1: uneven}, {"syn_weight": 10.0, "receptor_type": 1}, "nest:glif_psc")
    with pytest.raises(CheckError, match=r"asc_amps is \[1.0\]; a list of 2 numbers is expected"):
        from_sonata(given)


def test_negative_weights_are_conductances_of_inhibition(tmp_path: Path) -> None:
    edge = {"syn_weight": [2.0, -3.0, 4.0, -5.0]}
    net = from_sonata(circuit(tmp_path, {0: {"g_L": 20.0}, 1: {}}, edge, "nest:iaf_cond_exp"))
    found = {p.port: np.asarray(p.rule.weights.value) * 1e9 for p in net.projections}
    np.testing.assert_allclose(found["ex"], [2, 4])
    np.testing.assert_allclose(found["inh"], [3, 5])
    np.testing.assert_allclose(dict(net["cells"].neuron.values)["g_l"].value, [20e-9, 20e-9, 16.6667e-9, 16.6667e-9])


def two_kinds() -> Network:
    """GLIF neurons and neurons with conductances, driven and coupled."""
    net = Network(seed=3)
    glif = glif_psc(Shape(receptors=2, currents=2, spike_threshold=True))
    outside = net.population(EventSource.from_dense(np.random.default_rng(1).random((200, 12)) < 0.08), name="outside")
    cells = net.population(glif(tau_syn_2=5 * ms), 12, name="glif")
    others = net.population(TEMPLATES["nest:iaf_cond_alpha"].neuron(tau_syn_ex=2 * ms), 12, name="cond")
    net.project(outside, cells.port("syn_1"), OneToOne(), weight=220 * pA, delay=1 * ms)
    net.project(cells, cells.port("syn_2"), FixedProbability(0.3), weight=-60 * pA, delay=1.5 * ms)
    net.project(outside, others.port("ex"), OneToOne(), weight=12 * nS, delay=1 * ms)
    net.project(others, others.port("inh"), FixedProbability(0.3), weight=9 * nS, delay=2 * ms)
    return net


def test_receptors_and_conductances_come_back(tmp_path: Path) -> None:
    made = two_kinds()
    path = to_sonata(made, tmp_path, dt=0.1 * ms, duration=20 * ms)
    said = json.loads((tmp_path / "components" / "glif.json").read_text())
    assert (len(said["tau_syn"]), said["after_spike_currents"], said["adapting_threshold"]) == (2, True, False)
    assert json.loads((tmp_path / "components" / "receptor_2.json").read_text()) == {"receptor_type": 2}
    back = from_sonata(path)
    runs = [Reference("float64").compile(n, dt=0.1 * ms, progress=False).run(200, progress=False) for n in (made, back)]
    for name in ("glif", "cond"):
        assert runs[0].count(name) > 10
        np.testing.assert_array_equal(runs[0].events(name).steps, runs[1].events(name).steps)
        np.testing.assert_array_equal(runs[0].events(name).ids, runs[1].events(name).ids)


def test_every_shape_is_known_again() -> None:
    for shape in (Shape(), Shape(3, 0, True), Shape(2, 2), Shape(1, 3, True), Shape(4, 2, True, True)):
        known = template_of(glif_psc(shape)(E_L=-70 * mV))
        assert known is not None
        assert (known[0], known[1].neuron) == ("nest:glif_psc", glif_psc(shape))
    assert template_of(driven(IafPscDelta, "I_e", "change")) is None


def test_a_current_begins_and_ends_by_events() -> None:
    neuron = driven(IafPscDelta(I_e=7 * pA, tau_m=5 * ms), "I_e", "change")
    assert [p.name for p in neuron.ports] == ["delta", "change"]
    assert "I_e" not in [p.name for p in neuron.params]
    net = Network()
    source = net.population(EventSource(1, steps=[3, 9], indices=[0, 0], values=[50.0, -20.0]), name="clamp")
    cells = net.population(neuron, 1, name="cells")
    net.project(source, cells.port("change"), OneToOne(), weight=1 * pA)
    net.record(cells, "I_e")
    trace = Reference("float64").compile(net, dt=0.1 * ms, progress=False).run(14, progress=False)
    found = np.asarray(trace.state("cells", "I_e"))[:, 0]
    np.testing.assert_allclose(found / found[0] * 7, [7] * 4 + [57] * 6 + [37] * 4)
    with pytest.raises(LanguageError, match="has no parameter"):
        driven(IafPscDelta, "I", "change")


@pytest.mark.parametrize(
    "clamp",
    [
        {
            "input_type": "current_clamp",
            "amp": [300.0, 500.0, 0.0],
            "delay": [0.5, 1.0, 9.0],
            "duration": [2.0, 1.0, 1.0],
        },
        {"input_type": "csv", "file": "amps.csv"},
    ],
)
def test_clamps_of_the_configuration(tmp_path: Path, clamp: dict[str, Any]) -> None:
    """300 pA from 0.5 ms on, 500 pA from 1 ms to 2 ms; NEST's current acts from a step later on."""
    given = circuit(tmp_path, {0: {}, 1: {"I_e": 5.0}}, {"syn_weight": 0.0}, "nest:iaf_psc_alpha")
    (tmp_path / "amps.csv").write_text("timestamps amps\n0.5 300\n1.0 500\n2.0 0\n")
    if "file" in clamp:
        clamp = {**clamp, "file": str(tmp_path / "amps.csv")}
    given["inputs"]["step"] = {"module": "IClamp", "node_set": {"population": "cells", "node_id": [1, 2]}, **clamp}
    net = from_sonata(given)
    net.record(net["cells"], "I_e", "V_m")
    trace = Reference("float64").compile(net, dt=0.1 * ms, progress=False).run(24, progress=False)
    current = np.asarray(trace.state("cells", "I_e"))
    current = current / current[0, 2] * 5
    expected = np.repeat([0.0, 300.0, 500.0, 0.0], [7, 5, 10, 2])
    np.testing.assert_allclose(current[:, 1], expected, atol=1e-9)
    np.testing.assert_allclose(current[:, 2], expected + 5, atol=1e-9)
    assert not current[:, 0].any()
    moved = np.flatnonzero(np.diff(np.asarray(trace.state("cells", "V_m"))[:, 1]))
    assert moved[0] + 1 == 7, "as in NEST, two steps after 0.5 ms"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"amp": [1.0, 2.0]}, "2 amplitudes, 1 delays and 1 durations"),
        ({"delay": -1.0}, "its times have to ascend from 0 ms on"),
        ({"amp": "high"}, "amp, delay and duration are numbers"),
        ({"section_name": "soma"}, "inputs/step/section_name = 'soma' has no equivalent"),
        ({"input_type": "csv", "file": "nowhere.csv"}, "nowhere.csv cannot be read"),
        ({"input_type": "nwb"}, r"input_type 'nwb' \(module 'IClamp'\) has no equivalent"),
    ],
)
def test_clamps_that_cannot_be(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    given = circuit(tmp_path, {0: {}, 1: {}}, {"syn_weight": 0.0}, "nest:iaf_psc_alpha")
    clamp = {"input_type": "current_clamp", "module": "IClamp", "amp": 1.0, "delay": 1.0, "duration": 1.0}
    given["inputs"]["step"] = {**clamp, "node_set": "cells", **change}
    with pytest.raises(CheckError, match=message):
        from_sonata(given)


def test_neurons_without_a_current_cannot_be_clamped(tmp_path: Path) -> None:
    given = circuit(tmp_path, {0: {}, 1: {}}, {"syn_weight": 0.1}, "nrn:IntFire1")
    clamp = {"input_type": "current_clamp", "module": "IClamp", "amp": 1.0, "delay": 1.0, "duration": 1.0}
    given["inputs"]["step"] = {**clamp, "node_set": "cells"}
    with pytest.raises(CheckError, match="inputs/step: cells has no current that could be clamped"):
        from_sonata(given)
    assert from_sonata(given, ignore={"inputs/step"}).size == 5


def test_sections_that_would_change_the_simulation_are_refused(tmp_path: Path) -> None:
    given = circuit(tmp_path, {0: {}, 1: {}}, {"syn_weight": 1.0}, "nest:iaf_psc_exp")
    given["inputs"]["spikes"] |= {"delay": 3.0, "duration": 2.0, "trial": 4}
    with pytest.raises(CheckError) as error:
        from_sonata(given)
    for part in ("spikes/delay = 3.0", "spikes/duration = 2.0", "spikes/trial = 4"):
        assert f"inputs/{part} has no equivalent" in str(error.value)
    from_sonata(given, ignore={"inputs/spikes/delay", "inputs/spikes/duration", "inputs/spikes/trial"})
    given["inputs"]["spikes"] |= {"delay": 0.0, "duration": 5.0}
    del given["inputs"]["spikes"]["trial"]
    from_sonata(given)
    given |= {"connection_overrides": [{"name": "all"}], "node_set": "some"}
    with pytest.raises(CheckError, match=r"connection_overrides: changes of weights(.|\n)*node_set: a part"):
        read_circuit(given)


def test_times_between_steps() -> None:
    times = np.array([0.3, 0.30000000001, 0.32, 0.37, 0.4])
    assert steps_of(times, 0.1, up=False).tolist() == [3, 3, 3, 4, 4]
    assert steps_of(times, 0.1, up=True).tolist() == [3, 3, 4, 4, 4]


def test_a_warning_says_what_the_step_moves(tmp_path: Path) -> None:
    given = circuit(tmp_path, {0: {}, 1: {}}, {"syn_weight": 1.0, "delay": 1.25}, "nest:iaf_psc_exp")
    write_spikes(tmp_path / "spikes.h5", {"outside": (np.array([1.0, 2.03]), np.array([0, 0]))})
    with pytest.warns(UserWarning, match="times between steps") as caught:
        net = from_sonata(given)
    assert str(caught[0].message) == (
        "SONATA circuit sonata: times between steps of 0.1 ms are moved: spikes of outside (up to 0.03 ms), delays of "
        "in (up to 0.05 ms); dt=0.01 * ms leaves all where they are"
    )
    assert np.rint(net["outside"].neuron.times / (0.1 * ms)).tolist() == [10, 20]
    with pytest.warns(UserWarning, match="times between steps"):
        net = from_sonata({**given, "target_simulator": "NEST"})
    assert np.rint(net["outside"].neuron.times / (0.1 * ms)).tolist() == [10, 21], "NEST takes the next step"
