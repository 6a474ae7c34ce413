"""Nengo's learning rules as plastic synapses: the spikes and weights of its own simulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nengo_models import error, run, sent, spikes, spikes_of

from neuromorph import CheckError, from_nengo
from neuromorph.language import SynapseState

nengo = pytest.importorskip("nengo")

PES = nengo.PES(1e-3)


def learner(connect: Any, kind: Any = None) -> tuple[Any, Any, Any]:
    """A channel that learns from the difference between what it should say and what it says."""
    with nengo.Network(seed=3) as model:
        model.config[nengo.Ensemble].neuron_type = kind or nengo.LIF()
        drive = nengo.Node(lambda t: [np.sin(20 * t), np.cos(15 * t)], label="drive")
        a, b, wrong = (nengo.Ensemble(n, 2, label=label) for n, label in ((40, "a"), (30, "b"), (40, "wrong")))
        nengo.Connection(drive, a, synapse=None)
        learned = connect(a, b)
        nengo.Connection(b, wrong)
        nengo.Connection(drive, wrong, transform=-1)
        nengo.Connection(wrong, learned.learning_rule)
        fired, value = nengo.Probe(b.neurons), nengo.Probe(b, synapse=0.01, label="value")
    return model, fired, value


def nothing(x: Any) -> Any:
    return np.zeros(2)


def decoded(rule: Any = PES, **options: Any) -> Any:
    return lambda a, b: nengo.Connection(a, b, function=nothing, learning_rule_type=rule, **options)


VARIETIES = {
    "decoded": decoded(),
    "another activity": decoded(nengo.PES(1e-3, pre_synapse=nengo.Alpha(0.005))),
    "unfiltered activity": decoded(nengo.PES(1e-3, pre_synapse=None)),
    "weights": decoded(solver=nengo.solvers.LstsqL2(weights=True)),
    "a transform": decoded(transform=[[0.5, 0], [0, 2]]),
    "to a part": lambda a, b: nengo.Connection(a[0], b[1], learning_rule_type=PES),
    "neurons to neurons": lambda a, b: nengo.Connection(
        a.neurons[5:35], b.neurons[::2], transform=np.zeros((15, 30)), learning_rule_type=PES
    ),
    "neurons to a value": lambda a, b: nengo.Connection(
        a.neurons, b, transform=np.zeros((2, 40)), learning_rule_type=PES
    ),
}


@pytest.mark.parametrize("name", [*VARIETIES, "rates"])
def test_pes(name: str) -> None:
    if name == "to a part":
        model, fired, value = learner_of_a_part()
    else:
        model, fired, value = learner(
            VARIETIES.get(name, VARIETIES["decoded"]), nengo.LIFRate() if name == "rates" else None
        )
    simulator, trace = run(model, 0.15)
    assert spikes(trace, "b") == spikes_of(simulator, fired)
    assert error(trace.state("value", "value").data, simulator.data[value]) < 1e-6
    assert np.abs(simulator.data[value]).max() > 0.1


def learner_of_a_part() -> tuple[Any, Any, Any]:
    with nengo.Network(seed=1) as model:
        drive = nengo.Node(lambda t: [np.sin(20 * t), 0.5])
        a, b = nengo.Ensemble(40, 2, label="a"), nengo.Ensemble(30, 2, label="b")
        nengo.Connection(drive, a, synapse=None)
        learned = nengo.Connection(a[0], b[1], function=lambda x: 0.2 * x, learning_rule_type=PES)
        nengo.Connection(b[1], learned.learning_rule)
        nengo.Connection(drive[1], learned.learning_rule, transform=-1)
        fired, value = nengo.Probe(b.neurons), nengo.Probe(b, synapse=0.01, label="value")
    return model, fired, value


def test_relays_learn_the_decoders_themselves_a_step_later() -> None:
    model, _, value = learner(decoded())
    with model:
        learned = model.all_connections[1]
        weights = nengo.Probe(learned, "weights")
    simulator, trace = run(model, 0.3, relays=True)
    ours, theirs = np.asarray(trace.state("value", "value").data), simulator.data[value]
    assert np.sqrt(np.mean((ours - theirs) ** 2)) < 0.06
    recorded = np.asarray(trace.state("learned a to b", "w").data)[1:].reshape(-1, 40, 2) * 0.001
    expected = np.swapaxes(simulator.data[weights], 1, 2)[:-1]
    assert error(recorded, expected) < 0.15 * np.abs(expected).max()


def test_a_learned_connection_to_a_passthrough_node_is_read_from_its_relay() -> None:
    with nengo.Network(seed=1) as model:
        drive = nengo.Node([0.6])
        a, out = nengo.Ensemble(40, 1, label="a"), nengo.Node(size_in=1, label="out")
        nengo.Connection(drive, a, synapse=None)
        learned = nengo.Connection(a, out, function=lambda x: [0.0], learning_rule_type=nengo.PES(3e-3))
        nengo.Connection(out, learned.learning_rule)
        nengo.Connection(drive, learned.learning_rule, transform=-1)
        value = nengo.Probe(out, label="value")
    simulator, trace = run(model, 0.3)
    ours, theirs = np.asarray(trace.state("value", "value").data), simulator.data[value]
    assert np.abs(theirs[-100:].mean() - 0.6) < 0.1
    assert np.sqrt(np.mean((ours[1:] - theirs[:-1]) ** 2)) < 0.01


RULES = {
    "BCM": nengo.BCM(learning_rate=2e-10),
    "Oja": nengo.Oja(learning_rate=1e-6),
    "Oja, unfiltered": nengo.Oja(learning_rate=1e-6, pre_synapse=None, post_synapse=None),
}


@pytest.mark.parametrize("kind", [nengo.LIF(), nengo.SpikingRectifiedLinear()], ids=str)
@pytest.mark.parametrize("solved", [True, False], ids=["solved", "given"])
@pytest.mark.parametrize("name", RULES)
def test_rules_without_an_error(name: str, solved: bool, kind: Any) -> None:
    with nengo.Network(seed=5) as model:
        model.config[nengo.Ensemble].neuron_type = kind
        drive = nengo.Node(lambda t: np.sin(20 * t))
        a, b = nengo.Ensemble(30, 1, label="a"), nengo.Ensemble(20, 1, label="b")
        nengo.Connection(drive, a, synapse=None)
        if solved:
            weights = nengo.solvers.LstsqL2(weights=True)
            learned = nengo.Connection(a, b, solver=weights, learning_rule_type=RULES[name])
        else:
            matrix = np.random.RandomState(1).uniform(0, 2e-4, (20, 30))
            learned = nengo.Connection(a.neurons, b.neurons, transform=matrix, learning_rule_type=RULES[name])
        probe, fired = nengo.Probe(learned, "weights"), nengo.Probe(b.neurons)
    simulator, trace = run(model, 0.15)
    theirs = simulator.data[probe]
    ours = np.asarray(trace.state("learned a to b", "w").data).reshape(-1, 30, 20)[1:] * 0.001  # 1 spike is 1000 there
    assert spikes(trace, "b") == spikes_of(simulator, fired) != set()
    assert error(theirs[-1], theirs[0]) > 1e-4 * np.abs(theirs).max()
    assert error(np.swapaxes(ours, 1, 2), theirs[:-1]) < 1e-7 * np.abs(theirs).max()


@pytest.mark.parametrize(
    "kind", [nengo.LIFRate(), nengo.LIF(initial_state={"voltage": np.zeros(40)})], ids=["rates", "spikes"]
)
def test_voja_moves_encoders_a_step_later(kind: Any) -> None:
    with nengo.Network(seed=5) as model:
        drive, off = nengo.Node(lambda t: [np.sin(20 * t), 1]), nengo.Node(lambda t: -float(t > 0.1))
        gain = np.linspace(1.1, 5, 40)
        cells = nengo.Ensemble(40, 2, gain=gain, bias=np.zeros(40), neuron_type=kind, label="cells")
        rule = nengo.Voja(learning_rate=1e-1, post_synapse=0.005)
        learned = nengo.Connection(drive, cells, synapse=None, learning_rule_type=rule)
        nengo.Connection(off, learned.learning_rule, synapse=None)
        fired = nengo.Probe(cells.neurons)
    simulator, trace = run(model, 0.15, more=1)
    theirs = simulator.data[fired]
    ours = sent(trace, "cells", (151, 40))[1:] * (1000 if kind.spiking else 1)
    assert np.count_nonzero(theirs) > 200
    assert error(ours, theirs) < 1e-9 * theirs.max()


def test_synapses_of_learning_rules_print_themselves() -> None:
    model, _, _ = learner(decoded())
    learned = next(p for p in from_nengo(model, duration=0.01).projections if p.synapse is not None)
    assert learned.name == "learned a to b"
    assert learned.synapse.name == "PES"
    assert all(isinstance(state, SynapseState) for state in learned.synapse.states)
    assert "rate" in learned.synapse.text()


def test_what_cannot_learn_is_refused_by_name() -> None:
    class Mine(nengo.PES):  # type: ignore[misc]
        """A rule of one's own."""

    with nengo.Network() as model:
        a, b = nengo.Ensemble(10, 1), nengo.Ensemble(10, 1, label="b")
        nengo.Connection(a, b, learning_rule_type=nengo.RLS())
        nengo.Connection(a, b, learning_rule_type=Mine())
        nengo.Connection(
            a.neurons, b.neurons, transform=np.ones((10, 10)), learning_rule_type=[nengo.BCM(), nengo.Oja()]
        )
        for _ in range(2):
            nengo.Connection(a, b, learning_rule_type=nengo.Voja())
    with pytest.raises(CheckError) as caught:
        from_nengo(model)
    text = "\n".join(caught.value.problems)
    for expected in (
        "RLS keeps a matrix of all pairs",
        "the learning rule Mine has no counterpart; there are PES, BCM, Oja, Voja",
        "several learning rules",
        "2 learning rules move its encoders",
    ):
        assert expected in text, text
