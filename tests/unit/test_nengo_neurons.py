"""Nengo's neuron types here: the spikes, rates and states of its own simulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from nengo_models import error, run, sent

from neuromorph import CPU, CheckError, Reference, from_nengo, second
from neuromorph.interchange.nengo.neurons import UPDATES, event_unit, output_state, refusal

nengo = pytest.importorskip("nengo")

FAST = {"tau_n": 0.05, "inc_n": 0.02}
EXACT = {
    "LIF": nengo.LIF(tau_rc=0.03, tau_ref=0.0013, min_voltage=-1, amplitude=0.3),
    "AdaptiveLIF": nengo.AdaptiveLIF(**FAST, amplitude=0.7),
    "LIFRate": nengo.LIFRate(amplitude=0.4),
    "AdaptiveLIFRate": nengo.AdaptiveLIFRate(**FAST),
    "RectifiedLinear": nengo.RectifiedLinear(amplitude=0.2),
    "SpikingRectifiedLinear": nengo.SpikingRectifiedLinear(amplitude=0.2),
    "Izhikevich": nengo.Izhikevich(coupling=0.25),
    "Sigmoid": nengo.Sigmoid(),
    "Tanh": nengo.Tanh(),
    "RegularSpiking": nengo.RegularSpiking(nengo.LIFRate()),
    "RegularSpiking of Tanh": nengo.RegularSpiking(nengo.Tanh(), amplitude=0.5),
    "RegularSpiking of AdaptiveLIFRate": nengo.RegularSpiking(nengo.AdaptiveLIFRate(**FAST)),
}


def chain(kind: Any) -> tuple[Any, Any, dict[str, Any]]:
    """A sine into one ensemble and its square into another, whose output and states are probed."""
    low, high = {"Izhikevich": (20, 60), "Sigmoid": (220, 350)}.get(type(kind).__name__, (100, 300))
    with nengo.Network(seed=9) as model:
        model.config[nengo.Ensemble].neuron_type = kind
        model.config[nengo.Ensemble].max_rates = nengo.dists.Uniform(low, high)
        model.config[nengo.Ensemble].intercepts = nengo.dists.Uniform(-1, 0.5)
        drive = nengo.Node(lambda t: np.sin(20 * t))
        a, b = nengo.Ensemble(30, 1, label="a"), nengo.Ensemble(20, 1, label="b")
        nengo.Connection(drive, a)
        nengo.Connection(a, b, function=np.square)
        output = nengo.Probe(b.neurons)
        states = {name: nengo.Probe(b.neurons, name) for name in kind.probeable if name not in ("output", "spikes")}
    return model, output, states


@pytest.mark.parametrize("name", EXACT)
def test_output_and_states_are_those_of_nengo(name: str) -> None:
    kind = EXACT[name]
    model, output, states = chain(kind)
    simulator, trace = run(model, 0.15, target=CPU if name == "AdaptiveLIF" else Reference)
    theirs = simulator.data[output]
    ours = sent(trace, "b", theirs.shape) * event_unit(kind, 0.001)
    assert np.count_nonzero(theirs) > 100
    assert error(ours, theirs) < 1e-9 * np.abs(theirs).max()
    for state, probe in states.items():
        recorded = np.asarray(trace.state("b", state).data)
        assert error(recorded, simulator.data[probe]) < 1e-5 * max(np.abs(simulator.data[probe]).max(), 1)


@pytest.mark.parametrize(
    "kind",
    [
        nengo.StochasticSpiking(nengo.LIFRate()),
        nengo.StochasticSpiking(nengo.Tanh(), amplitude=0.5),
        nengo.PoissonSpiking(nengo.RectifiedLinear()),
        nengo.PoissonSpiking(nengo.Tanh()),
    ],
    ids=str,
)
def test_spikes_drawn_from_rates_have_their_mean_and_spread(kind: Any) -> None:
    with nengo.Network(seed=2) as model:
        cells = nengo.Ensemble(
            200, 1, neuron_type=kind, label="cells", gain=np.ones(200), bias=np.linspace(-4, 60, 200)
        )
        rate = nengo.Probe(cells.neurons, "rate_out")
    simulator, trace = run(model, 0.4)
    expected = simulator.data[rate][0] * 0.001
    found = sent(trace, "cells", (400, 200))
    assert error(trace.state("cells", "rate_out").data[0], simulator.data[rate][0]) < 1e-3
    poisson = isinstance(kind, nengo.PoissonSpiking)
    part = np.abs(expected) % 1
    variance = np.abs(expected) if poisson else part * (1 - part)
    deviation = (found.sum(0) - 400 * expected) / np.sqrt(400 * variance + 1)
    assert np.abs(deviation).max() < 5
    assert 0.5 < np.mean(deviation**2) < 1.5
    assert np.array_equal(np.unique(np.sign(found[:, expected < -0.1])), [-1, 0]) or not kind.negative


def test_the_state_that_holds_the_output_holds_it() -> None:
    for name in ("SpikingRectifiedLinear", "RegularSpiking of Tanh", "Tanh"):
        model, _, _ = chain(EXACT[name])
        state = output_state(EXACT[name])
        assert state is not None
        network = from_nengo(model, duration=0.05)
        network.record(network.populations[1], state)
        trace = Reference("float64").compile(network, dt=0.001 * second).run(50, progress=False)
        assert error(trace.state("b", state).data, sent(trace, "b", (50, 20))) < 1e-6 * 400


def test_every_type_of_nengo_is_taken_or_refused_by_name() -> None:
    import nengo.neurons as module

    kinds = [k for k in vars(module).values() if isinstance(k, type) and issubclass(k, nengo.neurons.NeuronType)]
    abstract = {"NeuronType", "RatesToSpikesNeuronType", "Direct"}
    assert {k.__name__ for k in kinds} - abstract == set(UPDATES)


def test_neurons_of_ones_own_are_refused() -> None:
    class Mine(nengo.LIFRate):  # type: ignore[misc]
        """A rate of one's own."""

    assert "neurons are Mine; there are LIF" in (refusal(Mine()) or "")
    assert "StochasticSpiking of Mine; there is StochasticSpiking of LIFRate" in (
        refusal(nengo.StochasticSpiking(Mine())) or ""
    )
    assert refusal(nengo.StochasticSpiking(nengo.LIFRate())) is None
    with nengo.Network() as model:
        nengo.Ensemble(10, 1, neuron_type=Mine())
    with pytest.raises(CheckError, match="Mine"):
        from_nengo(model)


def test_an_ensemble_in_direct_mode_passes_on_what_it_gets() -> None:
    with nengo.Network(seed=1) as model:
        drive = nengo.Node(lambda t: [np.sin(9 * t), 0.4])
        direct = nengo.Ensemble(1, 2, neuron_type=nengo.Direct(), label="direct")
        cells = nengo.Ensemble(50, 1, label="cells")
        nengo.Connection(drive, direct)
        nengo.Connection(direct[0], cells, transform=-1)
        fired, held = nengo.Probe(cells.neurons), nengo.Probe(direct, label="held")
    simulator, trace = run(model, 0.1)
    assert error(sent(trace, "cells", (100, 50)), simulator.data[fired] / 1000) == 0
    assert error(trace.state("held", "value").data, simulator.data[held]) < 1e-6
