"""Models of Nengo taken in: the spikes and decoded values of its own simulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nengo_models import error, run, spikes, spikes_of

from neuromorph import CPU, CheckError, NetworkError, from_nengo

nengo = pytest.importorskip("nengo")


def test_neurons_with_the_same_current_fire_the_same_spikes_and_have_the_same_voltage() -> None:
    with nengo.Network(seed=1) as model:
        drive = nengo.Node([0.7])
        cells = nengo.Ensemble(
            60,
            1,
            neuron_type=nengo.LIF(tau_rc=0.03, tau_ref=0.0013),
            max_rates=nengo.dists.Uniform(50, 600),
            label="cells",
        )
        nengo.Connection(drive, cells, synapse=None)
        fired, voltage = nengo.Probe(cells.neurons), nengo.Probe(cells.neurons, "voltage")
        wait, current = nengo.Probe(cells.neurons, "refractory_time"), nengo.Probe(cells.neurons, "input")
    simulator, trace = run(model, 0.3)
    assert len(spikes_of(simulator, fired)) > 1000
    assert spikes(trace, "cells") == spikes_of(simulator, fired)
    assert error(trace.state("cells", "voltage").data, simulator.data[voltage]) < 1e-5
    assert error(trace.state("cells", "current").data, simulator.data[current]) < 1e-5
    assert error(trace.state("cells", "refractory_time").data, simulator.data[wait]) < 1e-6


def communication_channel() -> tuple[Any, Any, Any]:
    with nengo.Network(seed=3) as model:
        drive = nengo.Node(lambda t: [np.sin(20 * t), np.cos(13 * t)], label="drive")
        a, b = nengo.Ensemble(80, 2, label="a"), nengo.Ensemble(60, 2, label="b")
        nengo.Connection(drive, a, synapse=None)
        nengo.Connection(a, b)
        fired = nengo.Probe(b.neurons)
        decoded = nengo.Probe(b, synapse=0.01, label="output")
    return model, fired, decoded


def test_communication_channel() -> None:
    model, fired, decoded = communication_channel()
    simulator, trace = run(model, 0.3, target=CPU)
    assert len(spikes_of(simulator, fired)) > 500
    assert spikes(trace, "b") == spikes_of(simulator, fired)
    assert error(trace.state("output", "value").data, simulator.data[decoded]) < 1e-5


def test_relays_decode_the_same_value_a_step_later() -> None:
    model, _, decoded = communication_channel()
    simulator, trace = run(model, 0.3, relays=True)
    ours, theirs = np.asarray(trace.state("output", "value").data), simulator.data[decoded]
    assert np.sqrt(np.mean((ours[50:] - theirs[50:]) ** 2)) < 0.1
    expected = np.stack([np.sin(20 * simulator.trange() - 0.4), np.cos(13 * simulator.trange() - 0.26)], axis=1)
    for values in (ours, theirs):
        assert np.sqrt(np.mean((values[50:] - expected[50:]) ** 2)) < 0.2


def test_a_square_and_a_recurrent_integrator() -> None:
    with nengo.Network(seed=5) as model:
        drive = nengo.Node(nengo.processes.WhiteSignal(1.0, high=5, seed=2))
        a = nengo.Ensemble(100, 1, label="a")
        square = nengo.Ensemble(60, 1, label="square")
        integrator = nengo.Ensemble(100, 1, label="integrator")
        nengo.Connection(drive, a, synapse=nengo.Alpha(0.01))
        nengo.Connection(a, square, function=lambda x: x**2, synapse=0.02)
        nengo.Connection(square, integrator, transform=0.1, synapse=0.1)
        nengo.Connection(integrator, integrator, synapse=0.1)
        fired = [nengo.Probe(x.neurons) for x in (a, square, integrator)]
        values = [nengo.Probe(x, synapse=0.02, label=f"{x.label} decoded") for x in (square, integrator)]
    simulator, trace = run(model, 0.4)
    for ensemble, probe in zip((a, square, integrator), fired, strict=True):
        expected = spikes_of(simulator, probe)
        assert len(expected) > 500
        assert spikes(trace, ensemble.label) == expected
    for probe in values:
        assert error(trace.state(probe.label, "value").data, simulator.data[probe]) < 1e-5


@pytest.mark.parametrize("kind", ["SpikingRectifiedLinear", "LIFRate", "RectifiedLinear"])
def test_other_neurons(kind: str) -> None:
    with nengo.Network(seed=9) as model:
        model.config[nengo.Ensemble].neuron_type = getattr(nengo, kind)(amplitude=0.5)
        drive = nengo.Node(lambda t: np.sin(20 * t))
        a, b = nengo.Ensemble(40, 1, label="a"), nengo.Ensemble(30, 1, label="b")
        nengo.Connection(drive, a)
        nengo.Connection(a, b, function=np.square)
        output, decoded = nengo.Probe(b.neurons), nengo.Probe(b, synapse=0.01, label="decoded")
    simulator, trace = run(model, 0.2)
    events = trace.events("b")
    found = np.zeros_like(simulator.data[output])
    found[np.asarray(events.steps), np.asarray(events.ids)] = np.asarray(events.values)
    unit = 0.5 / 0.001 if kind == "SpikingRectifiedLinear" else 1.0
    assert np.count_nonzero(found) > 100
    assert error(unit * found, simulator.data[output]) < 1e-4
    assert error(trace.state("decoded", "value").data, simulator.data[decoded]) < 1e-5


def test_a_product_through_passthrough_nodes_slices_and_neurons() -> None:
    with nengo.Network(seed=7) as model:
        drive = nengo.Node(lambda t: [0.8, np.sin(30 * t)])
        array = nengo.networks.EnsembleArray(40, 2)
        product = nengo.Ensemble(80, 2, radius=1.4, label="product")
        gate = nengo.Ensemble(30, 1, label="gate")
        nengo.Connection(drive, array.input, synapse=None)
        nengo.Connection(array.output, product[[1, 0]], synapse=0.01, transform=[[1, 0], [0, 0.5]])
        nengo.Connection(product, gate, function=lambda x: x[0] * x[1], solver=nengo.solvers.LstsqL2(weights=True))
        nengo.Connection(drive[1], gate.neurons[:10], transform=-0.3 * np.ones((10, 1)), synapse=0.005)
        nengo.Connection(gate.neurons, gate.neurons[::3], transform=-1e-3 * np.ones((10, 30)), synapse=0.02)
        fired = [nengo.Probe(x.neurons) for x in (*array.ea_ensembles, product, gate)]
        through = nengo.Probe(array.output, synapse=0.01, label="through")
        held = nengo.Probe(drive, synapse=0.005, label="held")
    simulator, trace = run(model, 0.2)
    for population, probe in zip(("0", "1", "product", "gate"), fired, strict=True):
        assert spikes(trace, population) == spikes_of(simulator, probe)
    for probe in (through, held):
        assert error(trace.state(probe.label, "value").data, simulator.data[probe]) < 1e-5


class Quiet(nengo.LIF):  # type: ignore[misc]
    """Nobody's neuron."""


class Silence(nengo.synapses.Synapse):  # type: ignore[misc]
    """Nobody's synapse."""


def test_everything_that_cannot_be_taken_is_named_at_once() -> None:
    with nengo.Network() as model:
        loop = nengo.Node(lambda t, x: x, size_in=1, label="loop")
        drive = nengo.Node(np.sin, label="drive")
        rate = nengo.Ensemble(10, 1, neuron_type=Quiet(), label="rate")
        noisy = nengo.Ensemble(10, 1, noise=nengo.processes.WhiteNoise(), label="noisy")
        direct = nengo.Ensemble(10, 1, neuron_type=nengo.Direct(), label="direct")
        nengo.Connection(drive, rate, synapse=Silence())
        nengo.Connection(rate, loop)
        nengo.Connection(direct, rate, function=np.square)
        learned = nengo.Connection(rate, noisy, learning_rule_type=nengo.RLS())
        nengo.Connection(drive, learned.learning_rule)
        nengo.Probe(nengo.Connection(drive, noisy), "weights")
        nengo.Probe(noisy, "scaled_encoders")
        nengo.Probe(noisy, sample_every=0.0025)
    with pytest.raises(CheckError) as caught:
        from_nengo(model)
    text = "\n".join(caught.value.problems)
    for expected in (
        "computes its output from input",
        "give duration=, for how long to compute",
        "give duration=, for how long to draw",
        "neurons are Quiet",
        "is no filter",
        "in direct mode passes on",
        "RLS keeps a matrix",
        "do not change",
        "'scaled_encoders'",
        "sample_every=0.0025 is no whole number of steps of 0.001 s",
    ):
        assert expected in text, text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"model": None}, "expected a nengo.Network, got None"),
        ({"duration": 0}, "duration is 0"),
        ({"duration": 1e-4}, "duration is 0.0001; give at least a step, 0.001 s"),
        ({"dt": 0}, "dt is 0"),
        ({"duration": 0.02}, "node late: what it puts out is not finite in step 9"),
    ],
)
def test_what_makes_no_network_is_said(given: dict[str, Any], said: str) -> None:
    with nengo.Network() as model:
        late = nengo.Node(lambda t: 0.0 if t < 0.0095 else np.nan, label="late")
        nengo.Connection(late, nengo.Ensemble(5, 1))
    with pytest.raises(NetworkError, match=said):
        from_nengo(**{"model": model, **given})


def test_a_probe_may_look_less_often() -> None:
    """Our steps 0, 5, 10, ... are Nengo's 1, 6, 11, ...; its probe has 5, 10, ..."""
    with nengo.Network(seed=4) as model:
        drive = nengo.Node(lambda t: np.sin(40 * t))
        seldom, always = (nengo.Probe(drive, synapse=0.01, sample_every=p, label=f"{p}") for p in (0.005, None))
    simulator, trace = run(model, 0.05)
    found = trace.state("0.005", "value").data
    assert np.shape(found) == simulator.data[seldom].shape == (10, 1)
    assert error(found, simulator.data[always][::5]) < 1e-9


def test_two_synapses_in_a_row_act_one_after_the_other() -> None:
    with nengo.Network(seed=4) as model:
        drive = nengo.Node([0.8])
        a, node, b = nengo.Ensemble(30, 1), nengo.Node(size_in=1), nengo.Ensemble(40, 1, label="b")
        nengo.Connection(drive, a, synapse=0.02)
        nengo.Connection(a, node, synapse=nengo.Alpha(0.01))
        nengo.Connection(node, b, synapse=0.005)
        fired, value = nengo.Probe(b.neurons), nengo.Probe(b, "input", synapse=0.01, label="value")
    simulator, trace = run(model, 0.15)
    assert spikes(trace, "b") == spikes_of(simulator, fired) != set()
    assert error(trace.state("value", "value").data, simulator.data[value]) < 1e-6


def test_a_loop_of_passthrough_nodes_is_refused() -> None:
    with nengo.Network() as model:
        node, b = nengo.Node(size_in=1, label="round"), nengo.Ensemble(10, 1)
        nengo.Connection(node, node, synapse=0.1)
        nengo.Connection(node, b)
    with pytest.raises(CheckError, match="a loop of passthrough nodes"):
        from_nengo(model)
