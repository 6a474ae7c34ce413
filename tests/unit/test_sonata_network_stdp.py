"""NEST's stdp_synapse from SONATA files, against its definition: from spike to spike, with the delay at the target."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sonata_circuits import circuit

from neuromorph import CheckError, EventSource, Network, OneToOne, Reference, Sparse, from_sonata, mV
from neuromorph.interchange.sonata.files import write_types
from neuromorph.interchange.sonata.stdp import stdp
from neuromorph.language import Event, Port, State, neuron
from neuromorph.units import ms

pytestmark = pytest.mark.filterwarnings("ignore:SONATA circuit .* times between steps")

DT = 0.1


@neuron
class Tally:
    """Shows what arrives in a step, and fires where it is told to."""

    into, go = Port(unit=mV), Port()
    s = State(0.0)
    s.next = into / mV
    fire = Event(when=go > 0.5)


def delivered(pre: list[int], post: list[int], d: int, w: float, given: dict[str, float]) -> dict[int, float]:
    """What arrives at which step for spikes of both ends, as NEST's synapse computes it at its source's spikes."""
    p = {"tau_plus": 20.0, "lambda": 0.01, "alpha": 1.0, "mu_plus": 1.0, "mu_minus": 1.0, "Wmax": 100.0} | given
    k_plus, last, arrivals = 0.0, None, {}
    for t in pre:
        for seen in (s + d for s in post):
            if last is not None and last < seen <= t:
                trace = k_plus * np.exp((last - seen) * DT / p["tau_plus"])
                w = min(w / p["Wmax"] + p["lambda"] * (1 - w / p["Wmax"]) ** p["mu_plus"] * trace, 1) * p["Wmax"]
        k_minus = sum(np.exp((s + d - t) * DT / 20.0) for s in post if s + d < t)
        w = max(w / p["Wmax"] - p["alpha"] * p["lambda"] * (w / p["Wmax"]) ** p["mu_minus"] * k_minus, 0) * p["Wmax"]
        k_plus = 1 + (0 if last is None else k_plus * np.exp((last - t) * DT / p["tau_plus"]))
        last, arrivals[t + d] = t, w
    return arrivals


@pytest.mark.parametrize("delay", [1, 2, 15])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"lambda": 0.1, "alpha": 1.3, "Wmax": 12.0, "tau_plus": 13.0},
        {"lambda": 0.2, "mu_plus": 0.0, "mu_minus": 0.4, "Wmax": 12.0},
    ],
)
def test_weights_are_those_of_the_definition(delay: int, given: dict[str, float]) -> None:
    """Spikes so dense that many of both ends meet in one step."""
    random = np.random.default_rng(delay)
    pre, post = (np.flatnonzero(random.random(160) < 0.3) for _ in range(2))
    net = Network()
    source = net.population(EventSource(1, steps=pre, indices=np.zeros_like(pre)), name="source")
    teacher = net.population(EventSource(1, steps=post, indices=np.zeros_like(post)), name="teacher")
    cell = net.population(Tally, 1, name="cell")
    net.project(teacher, cell.go, OneToOne(), weight=1.0, delay=1)
    model = stdp(given, "into", mV, np.array([5e-3]))
    pair = Sparse(([0], [0], [1.0] * mV, [delay]))
    net.project(source, cell.into, pair, synapse=model, delays={"on_post": 2 * delay - 1})
    net.record(cell, "s")
    trace = Reference("float64").compile(net, dt=DT * ms, progress=False).run(200, progress=False)
    shown = np.asarray(trace.state("cell", "s"))[:, 0]
    expected = np.zeros(200)
    arrivals = delivered(pre.tolist(), (post + 1).tolist(), delay, 5.0, given)
    expected[list(arrivals)] = list(arrivals.values())
    np.testing.assert_allclose(shown, expected, rtol=1e-12, atol=1e-15)
    assert np.ptp(list(arrivals.values())) > 0.05


def plastic(folder: Path, **dynamics: Any) -> dict[str, Any]:
    """The circuit of the other tests, whose cells have plastic synapses with positive weights among them."""
    import h5py

    given = circuit(folder)
    with h5py.File(folder / "inner.h5", "r+") as file:
        file["edges/inner/0/syn_weight"][...] = [10.0, 20.0, 30.0, 40.0, 50.0]
    (folder / "components" / "stdp.json").write_text(json.dumps(dynamics))
    row = {"model_template": "stdp_synapse", "delay": 2.0, "dynamics_params": "stdp.json"}
    write_types(folder / "inner_types.csv", "edge_type_id", {3: row})
    return given


def test_files_with_plastic_synapses_run(tmp_path: Path) -> None:
    given = plastic(tmp_path, Wmax=200.0, **{"lambda": 0.05})
    net = from_sonata(given)
    inner = next(p for p in net.projections if p.name == "inner")
    assert inner.synapse is not None
    assert inner.port == "ex"
    program = Reference("float64").compile(net, dt=DT * ms, progress=False)
    found = program.synapses("inner")
    np.testing.assert_allclose(np.asarray(found["w"] / found["w"].unit), [20, 60, 40, 10, 150])
    program.run(200, progress=False)
    write_types(tmp_path / "inner_types.csv", "edge_type_id", {3: {"model_template": "seen", "delay": 2.0}})
    watched = {"module": "weight_recorder", "nest_model": "stdp_synapse", "model_template": "seen"}
    again = from_sonata({**given, "reports": {"weights": watched}}, ignore={"reports/weights"})
    assert next(p for p in again.projections if p.name == "inner").synapse is not None
    static = from_sonata(plastic(tmp_path), ignore={"model_template"})
    assert all(p.synapse is None for p in static.projections)


@pytest.mark.parametrize(
    ("dynamics", "message"),
    [
        ({"tau": 3.0}, "stdp_synapse has no parameter 'tau'; it has tau_plus, lambda"),
        ({"alpha": "much"}, "alpha is 'much'; a number is expected"),
        ({"Wmax": -5.0}, "Wmax is -5.0; a number above 0 is expected"),
    ],
)
def test_rules_that_cannot_be(tmp_path: Path, dynamics: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckError, match=message):
        from_sonata(plastic(tmp_path, **dynamics))


def test_negative_weights_have_no_rule(tmp_path: Path) -> None:
    import h5py

    given = plastic(tmp_path)
    with h5py.File(tmp_path / "inner.h5", "r+") as file:
        file["edges/inner/0/syn_weight"][0] = -1.0
    with pytest.raises(CheckError, match="1 plastic synapses have negative weights"):
        from_sonata(given)
