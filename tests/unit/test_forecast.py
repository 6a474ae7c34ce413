"""Forecasts are what building then takes, and building refuses what cannot fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuromorph.engine import CPU, Reference
from neuromorph.errors import NetworkError
from neuromorph.language import Event, Port, State, Weight, neuron, synapse
from neuromorph.lowering import check
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import LIFDelta
from neuromorph.models.plasticity import PairSTDP
from neuromorph.network import (
    AllToAll,
    AvgPool2D,
    Conv2D,
    Dense,
    DistanceDependent,
    FixedInDegree,
    FixedOutDegree,
    FixedProbability,
    FixedTotal,
    Gaussian,
    Integers,
    Lookup,
    Network,
    Normal,
    OneToOne,
    Sparse,
    Uniform,
    build,
)
from neuromorph.network import forecast as module
from neuromorph.network.forecast import available_memory, size
from neuromorph.units import ms, mV


@neuron
class Unit:
    """Adds its input."""

    a = Port()
    n = Port(dtype=int)
    v = State(0.0)
    v.jump = a + n
    spike = Event(when=v > 1)


RNG = np.random.default_rng(0)
CASES: list[tuple[Any, dict[str, Any]]] = [
    (OneToOne(), {}),
    (OneToOne(), {"weight": Normal(0, 1)}),
    (AllToAll(), {}),
    (AllToAll(), {"weight": Normal(0, 1), "delay": Integers(1, 300)}),
    (AllToAll(allow_self=False), {"weight": RNG.normal(size=(100, 1))}),
    (Dense(np.ones((100, 100), np.float32)), {"delay": Uniform(1 * ms, 9 * ms)}),
    (Sparse(([0, 5, 5], [3, 2, 2], [1.0, 2.0, 3.0], [1, 2, 300])), {}),
    (Sparse(([0, 5, 5], [3, 2, 2])), {"weight": 2.0}),
    (FixedInDegree(10), {"weight": 2.0, "delay": 400 * ms}),
    (FixedOutDegree(10), {"weight": Normal(0, 1), "delay": 1 + np.arange(100)}),
    (FixedTotal(777), {}),
    (Conv2D(np.ones((1, 1, 3, 3)), padding=1), {}),
]


@pytest.mark.parametrize(("rule", "values"), CASES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exact_rules_take_exactly_the_forecast(rule: Any, values: Any, dtype: str) -> None:
    net = Network()
    p = net.population(Unit, (10, 10))
    net.project(p, p.a, rule, **values)
    forecast = module.forecast(net, 1 * ms, dtype)
    built = build(net, 1 * ms, dtype=dtype)[0]
    assert forecast.projections[0].count.exact
    assert forecast.synapses == built.count
    assert forecast.nbytes == built.nbytes
    assert forecast.peak >= built.nbytes


def test_pooling_and_int_weights() -> None:
    net = Network()
    a, b = net.population(Unit, (3, 8, 8)), net.population(Unit, (3, 4, 4))
    net.project(a, b.a, AvgPool2D(2))
    net.project(b, b.n, Dense(np.ones((48, 48), np.int8)))
    assert net.forecast(1 * ms).nbytes == sum(s.nbytes for s in build(net, 1 * ms))


@pytest.mark.parametrize("rule", [FixedProbability(0.1), DistanceDependent(Gaussian(0.5, 3.0), cutoff=9.0)])
def test_random_rules_say_how_sure_they_are(rule: Any) -> None:
    counts = []
    for seed in range(40):
        net = Network(seed=seed)
        p = net.population(Unit, (20, 20))
        net.project(p, p.a, rule, weight=Normal(0, 1))
        counts.append(build(net, 1 * ms, threads=1)[0].count)
    forecast = net.forecast(1 * ms)
    count = forecast.projections[0].count
    assert not count.exact
    assert abs(np.mean(counts) - count.mean) < 4 * count.sd / np.sqrt(40) + 3 * count.mean * 0.01
    assert max(counts) <= count.high
    assert "±" in str(forecast)
    assert forecast.projections[0].bytes_per_synapse == 6


def test_it_reads_well() -> None:
    net = Network(name="net")
    p = net.population(Unit, 1000, name="p")
    net.project(p, p.a, FixedInDegree(100), weight=1.0)
    lines = str(net.forecast(1 * ms)).splitlines()
    assert lines[0].split() == ["projection", "rule", "synapses", "B", "each", "memory"]
    assert lines[1].split() == ["p", "->", "p.a", "FixedInDegree", "100,000", "2", "208", "kB"]
    assert lines[2].startswith("net: 1,000 neurons in 37 kB, 100,000 synapses in 208 kB; building peaks at ")
    assert [size(x) for x in (0, 999, 1500, 2.5e9, 4e12)] == ["0 B", "999 B", "1.5 kB", "2.5 GB", "4 TB"]


def test_building_refuses_what_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Network(name="net")
    p = net.population(Unit, 100, name="p")
    net.project(p, p.a, FixedInDegree(10), weight=1.0)
    net.project(p, p.a, FixedInDegree(50), weight=Normal(0, 1), delay=Uniform(1 * ms, 2 * ms), name="large")
    monkeypatch.setattr(module, "available_memory", lambda: 10_000)
    with pytest.raises(NetworkError) as caught:
        build(net, 1 * ms)
    message = str(caught.value)
    assert "network net: building takes" in message
    assert "10 kB are available" in message
    assert "projection large (FixedInDegree, 5,000 synapses of 7 B)" in message
    assert "One weight for all its synapses saves 20 kB; one delay for all its synapses saves 5 kB" in message
    assert "half as many synapses save 17.5 kB; compile(..., allow_memory=True) tries all the same" in message
    numbers: Any = caught.value
    assert (numbers.available, numbers.largest) == (10_000, "large")
    assert len(build(net, 1 * ms, allow_memory=True)) == 2


@pytest.mark.parametrize("target", [CPU(), Reference(), SpiNNaker2()])
def test_neurons_count_before_any_is_lowered(monkeypatch: pytest.MonkeyPatch, target: Any) -> None:
    net = Network(name="net")
    p = net.population(Unit, 1000, name="p")
    net.project(p, p.a, OneToOne(), delay=100)
    monkeypatch.setattr(module, "available_memory", lambda: 10_000)
    with pytest.raises(NetworkError, match=r"population p \(1,000 Unit of \d+ B\) takes .*allow_memory=True"):
        target.compile(net, 1 * ms)
    with pytest.raises(NetworkError, match="population p"):
        check(net, 1 * ms)
    target.compile(net, 1 * ms, allow_memory=True)


def test_neurons_take_about_the_forecast() -> None:
    net = Network()
    p = net.population(Unit, 4096)
    net.project(p, p.a, OneToOne(), delay=Integers(1, 64))
    for dtype in ("float32", "float64"):
        program = CPU(dtype=dtype).compile(net, 1 * ms)
        held = sum(cost.state_bytes + cost.ring_bytes for cost in program.report().populations)
        held += sum(a.nbytes for a in program.lowered.populations[0].state_init)
        assert module.forecast(net, 1 * ms, dtype).neuron_bytes == pytest.approx(held, rel=0.1)


def test_a_table_counts_if_it_is_copied_to_another_width() -> None:
    net = Network()
    net.population(Lookup(np.ones((1000, 30))))
    wide, narrow = (module.forecast(net, 1 * ms, dtype) for dtype in ("float64", "float32"))
    assert narrow.neuron_bytes - wide.neuron_bytes == 1000 * 30 * 4


def test_without_a_step_times_count_as_narrow_delays() -> None:
    net = Network()
    p = net.population(Unit, 10)
    net.project(p, p.a, AllToAll(), delay=Uniform(1 * ms, 2 * ms))
    assert net.forecast().projections[0].delay_bytes == 1
    assert net.forecast(0.001 * ms).projections[0].delay_bytes == 2


def test_available_memory_is_a_number_of_bytes() -> None:
    assert 1 << 20 < available_memory() <= 1 << 62


def test_rings_are_as_long_as_a_delay_given_as_a_time() -> None:
    def neurons(delay: Any) -> int:
        net = Network()
        cells = net.population(LIFDelta, 1000)
        net.project(cells, cells, OneToOne(), weight=1 * mV, delay=delay)
        return net.forecast(0.1 * ms).neuron_bytes

    assert neurons(1 * ms) == neurons(10)
    assert neurons(1 * ms) < 10 * neurons(1)


def test_plastic_projections_are_forecast_as_they_are_reported() -> None:
    for delay in (1, Uniform(0.1 * ms, 0.5 * ms)):
        net = Network(seed=3)
        cells = net.population(LIFDelta, 400)
        rule = PairSTDP if delay == 1 else Own
        net.project(cells, cells, FixedProbability(0.2), weight=Uniform(0 * mV, 1 * mV), delay=delay, synapse=rule)
        expected = net.forecast(0.1 * ms).projections[0]
        found = CPU().compile(net, dt=0.1 * ms, progress=False).report().projections[0]
        assert found.nbytes == pytest.approx(expected.nbytes, rel=0.05)
        assert net.forecast(0.1 * ms).peak > expected.nbytes


@synapse
class Own:
    """Synapses that keep everything themselves."""

    x = State(0.0)
    w = Weight()
    x.on_pre = x + 1
    w.on_post = w + 0.1 * x
