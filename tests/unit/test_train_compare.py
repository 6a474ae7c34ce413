"""Comparisons of modules with targets: what they report, and what they refuse."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from neuromorph import CPU, Dense, EventSource, Live, Lookup, Network, Reference, ms, mV, nA
from neuromorph.errors import NetworkError
from neuromorph.models import LIF, EGRUEvNN, LIFDelta, PoissonSource
from neuromorph.units import Hz

torch = pytest.importorskip("torch")
from neuromorph import train  # noqa: E402

RNG = np.random.default_rng(2)


def layers(source: object = None) -> Network:
    """A source of 12, a recurrent layer of 20, an output of 3 behind a delay of 2."""
    net = Network(seed=3)
    x = net.population(source or EventSource(12), name="in")
    hidden, out = net.population(LIF, 20, name="hidden"), net.population(LIF, 3, name="out")
    net.project(x, hidden.i_in, Dense(RNG.normal(0, 3, (12, 20)) * nA), name="w")
    net.project(hidden, hidden.i_in, Dense(RNG.normal(0, 1, (20, 20)) * nA))
    net.project(hidden, out.i_in, Dense(RNG.normal(1, 2, (20, 3)) * nA), delay=2)
    return net


def spikes(steps: int = 60, batch: int = 2, n: int = 12) -> torch.Tensor:
    return torch.from_numpy((RNG.random((steps, batch, n)) < 0.3).astype(np.float32))


def test_equal_runs_are_said_to_be_equal() -> None:
    found = train.compare(
        train.Module(layers(), 1 * ms), spikes(), Reference("float32"), states=["out.v"], ordered=True
    )
    assert found.equal
    assert str(found).endswith("no difference")
    assert found.populations[1].events[0] > 50
    assert found.populations[2].states == {"out.v": 0.0}


def test_the_first_difference_is_that_of_the_traces() -> None:
    """Weights of 8 bits move events; what is reported is counted again from plain traces."""
    net, x = layers(), spikes(batch=1)
    module = train.Module(net, 1 * ms)
    found = train.compare(module, x, Reference("float32", weights="int8"))
    assert not found.equal
    runs = []
    for weights in (None, "int8"):
        trace = Reference("float32", weights=weights).compile(layers_with(net, x), 1 * ms).run(63, progress=False)
        runs.append({name: set(zip(*where(trace, name, lag), strict=True)) for name, lag in module.lags.items()})
    for p in found.populations:
        full, rounded = runs[0][p.name], runs[1][p.name]
        assert (p.missing, p.extra) == (len(rounded - full), len(full - rounded))
    differing = [(step, name, neuron) for name in runs[0] for step, neuron in runs[0][name] ^ runs[1][name]]
    first = found.first
    assert first is not None
    assert (first.step, first.population, first.neuron) in differing
    assert first.step == min(differing)[0]
    assert (first.target is None) != (first.module is None)


def layers_with(net: Network, x: torch.Tensor) -> Network:
    from neuromorph.network.copy import with_neurons

    return with_neurons(net, {"in": EventSource.from_dense(x[:, 0].numpy())})


def where(trace: object, name: str, lag: int) -> tuple[list[int], list[int]]:
    events = trace.events(name)
    inside = (events.steps >= lag) & (events.steps < lag + 60)
    return events.steps[inside].tolist(), events.ids[inside].tolist()


def test_the_distance_is_the_one_that_the_target_had() -> None:
    """A threshold moved by 1 mV: the neuron that differs first is that far from it, at most."""
    net, x = layers(), spikes(batch=1)
    module = train.Module(net, 1 * ms, dtype=torch.float64, trainable={"hidden": ["theta"]})
    found = train.compare(module, x, Shifted())
    first = found.first
    assert first is not None
    assert first.population == "hidden"
    assert first.distance is not None
    assert first.distance.unit == "V"
    assert first.distance.text == "v > theta"
    assert first.target is None
    assert -1e-3 <= first.distance.value <= 0
    assert "from v > theta" in str(found)


class Shifted:
    """The reference, with all thresholds of the hidden layer 1 mV higher."""

    def compile(self, network: Network, dt: object) -> object:
        from neuromorph.network.copy import with_neurons

        moved = network["hidden"].neuron(theta=16 * mV)
        return Reference("float64").compile(with_neurons(network, {"hidden": moved}), dt)


def test_tables_and_live_sources_take_what_is_given() -> None:
    table = RNG.normal(0, 1, (9, 12)) * (RNG.random((9, 12)) < 0.5)
    ids = torch.from_numpy(RNG.integers(-1, 9, (40, 2)))
    live = torch.from_numpy(RNG.normal(0, 1, (40, 2, 12)))
    for source, x in ((Lookup(table), ids), (Live(12, graded=True), live)):
        net = Network()
        words = net.population(source, name="words")
        unit = net.population(EGRUEvNN(theta=0.1, start=1), 10, name="unit")
        for port in ("a_u", "a_r", "a_x"):
            net.project(words, unit.port(port), Dense(RNG.normal(0, 1, (12, 10))))
        net.project(unit, unit.a_y, Dense(RNG.normal(0, 1, (10, 10))))
        found = train.compare(train.Module(net, 1 * ms, dtype=torch.float64), x, Reference("float64"))
        assert found.equal, str(found)
        assert found.populations[1].events[0] > 50
        assert train.compare(train.Module(net, 1 * ms), x, CPU(), ordered=True).equal


def test_weights_of_the_target_can_be_those_of_the_ordered_evaluation() -> None:
    net, x = layers(), spikes(batch=1)
    module = train.Module(net, 1 * ms, outputs=["out", "hidden", "hidden.fired"])
    y, _ = train.Ordered(module, weights="int8")(x)
    trace = Reference("float32", weights="int8").compile(layers_with(net, x), 1 * ms).run(63, progress=False)
    rows, neurons = np.nonzero(y["hidden.fired"][:, 0].numpy())
    assert (rows.tolist(), neurons.tolist()) == tuple(
        [n - lag for n in each] for each, lag in zip(where(trace, "hidden", 1), (1, 0), strict=True)
    )


def test_an_ordered_evaluation_keeps_the_values_that_it_was_made_with() -> None:
    net = Network()
    words = net.population(Lookup(RNG.normal(0, 1, (9, 12))), name="words")
    unit = net.population(EGRUEvNN(theta=0.1), 10, name="unit")
    net.project(words, unit.a_x, Dense(RNG.normal(0, 1, (12, 10))))
    module, ids = train.Module(net, 1 * ms), torch.from_numpy(RNG.integers(0, 9, (20, 1)))
    ordered = train.Ordered(module)
    before, _ = ordered(ids)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(2)
    assert torch.equal(ordered(ids)[0]["unit"], before["unit"])
    assert not torch.equal(train.Ordered(module)(ids)[0]["unit"], before["unit"])


def test_intermediate_values_are_compared_if_the_module_gives_them() -> None:
    net = Network()
    x = net.population(EventSource(4), name="in")
    unit = net.population(EGRUEvNN(theta=0.1), 5, name="unit")
    net.project(x, unit.a_x, Dense(RNG.normal(0, 1, (4, 5))))
    given = torch.from_numpy(RNG.random((20, 1, 4)))
    plain = train.Module(net, 1 * ms, dtype=torch.float64)
    with pytest.raises(NetworkError, match=r"does not give 'unit.g', .* make it with outputs=\[..., 'unit.g'\]"):
        train.compare(plain, given, states=["unit.g"])
    own = train.Module(net, 1 * ms, dtype=torch.float64, outputs=["unit.g", "unit.c"])
    for module, ordered in ((own, False), (plain, True)):
        found = train.compare(module, given, Reference("float64"), states=["unit.g", "unit.c"], ordered=ordered)
        assert found.equal
        assert found.populations[1].states.keys() == {"unit.g", "unit.c"}
        assert max(found.populations[1].states.values()) < 1e-12


def test_what_cannot_be_compared_is_refused() -> None:
    net = Network()
    source = net.population(PoissonSource(rate=100 * Hz), 4, name="chance")
    net.project(source, net.population(LIFDelta, 4, name="cells"), Dense(np.ones((4, 4)) * mV))
    module = train.Module(net, 1 * ms)
    with pytest.raises(
        NetworkError, match=r"draws random numbers, and only the first of 3 samples .*; give one sample"
    ):
        train.compare(module, steps=5, batch=3)
    with pytest.raises(NetworkError, match="no population 'cell'"):
        train.compare(module, steps=5, states=["cell.v"])
    changed = train.Module(layers(), 1 * ms)
    changed.after("hidden", torch.nn.Threshold(0.5, 2.0))
    with pytest.raises(NetworkError, match=r"after population hidden \(Threshold\) changes its events in eval mode"):
        train.Ordered(changed)(spikes())
    passed = train.Module(layers(), 1 * ms)
    passed.after("hidden", torch.nn.Dropout(0.5))
    assert train.compare(passed, spikes(), Reference("float32"), ordered=True).equal


def test_without_torch_there_is_one_clear_message() -> None:
    script = """
import sys; sys.modules["torch"] = None
import neuromorph
for use in ("from neuromorph import train", "neuromorph.train.Module", "import neuromorph.train"):
    try:
        exec(use)
    except ImportError as error:
        assert str(error) == "neuromorph.train needs PyTorch: pip install 'neuromorph[train]'", error
    else:
        sys.exit(use)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
