"""The ready-made neurons against plain loops and closed forms."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from neuromorph import CPU, Dense, EventSource, Hz, Network, OneToOne, Reference, ms, mV, nA, pA, second
from neuromorph.language import Neuron
from neuromorph.models import (
    AdEx,
    BernoulliSource,
    EGRUEvNN,
    EGRUPaper,
    IntegerCUBA,
    Izhikevich,
    LeakyIntegrator,
    LIFConductance,
    PoissonSource,
    balanced,
    egru_layers,
)
from neuromorph.trace import analysis


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def test_egru_of_the_paper_follows_its_equations() -> None:
    rng = np.random.default_rng(2)
    steps, inputs, units, theta = 40, 6, 9, 0.25
    x = (rng.random((steps, inputs)) < 0.4).astype(float)
    w = {gate: rng.normal(0, 0.9, (inputs, units)) for gate in "urz"}
    v = {gate: rng.normal(0, 0.7, (units, units)) for gate in "urz"}
    b = {gate: rng.normal(0, 0.3, units) for gate in "urz"}
    c, y, expected = np.zeros(units), np.zeros(units), []
    for t in range(steps):
        u = sigmoid(x[t] @ w["u"] + y @ v["u"] + b["u"])
        r = sigmoid(x[t] @ w["r"] + y @ v["r"] + b["r"])
        z = np.tanh(x[t] @ w["z"] + (r * y) @ v["z"] + b["z"])
        c = u * z + (1 - u) * c - y
        y = np.where(c > theta, c, 0.0)
        expected.append(c)

    net = Network()
    source = net.population(EventSource.from_dense(np.repeat(x, 2, axis=0)), inputs)
    layer = net.population(EGRUPaper(theta=theta, start=1, b_u=b["u"], b_r=b["r"], b_z=b["z"]), units, name="layer")
    for gate in "urz":
        port = getattr(layer, f"a_{gate}")
        net.project(source, port, Dense(w[gate]))
        net.project(layer, port, Dense(v[gate]))
    net.record(layer, "c")
    trace = Reference(dtype="float64").compile(net, dt=1 * ms).run(2 * steps + 1, progress=False)
    got = np.asarray(trace.state("layer", "c").data)[2::2]
    assert np.count_nonzero(np.asarray(expected) > theta) > 20
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)  # Dense keeps weights as float32


def test_stacked_egru_layers_follow_evnn_equations() -> None:
    rng = np.random.default_rng(4)
    steps, sizes = 30, (5, 8, 7)
    layers = [egru_layers.EGRUWeights.random(a, b, threshold=0.1, gain=2.0, seed=a) for a, b in pairwise(sizes)]
    x = (rng.random((steps, sizes[0])) < 0.5).astype(np.float64)
    h = [np.zeros(n) for n in sizes[1:]]
    y = [np.zeros(n) for n in sizes[1:]]
    expected = []
    for t in range(steps):
        below = x[t]
        for k, layer in enumerate(layers):
            n = layer.units
            a, c = below @ layer.kernel, y[k] @ layer.recurrent_kernel
            z, r = sigmoid(a[:n] + c[:n]), sigmoid(a[n : 2 * n] + c[n : 2 * n])
            q = z * h[k] + (1 - z) * np.tanh(a[2 * n :] + r * c[2 * n :])
            y[k] = np.where(q > layer.threshold, q, 0.0)
            h[k] = q - np.where(q > layer.threshold, layer.threshold, 0.0)
            below = y[k]
        expected.append(h[1].copy())

    net = Network()
    source = net.population(EventSource.from_dense(x), sizes[0])
    top = egru_layers.egru_stack(net, source, layers)[-1]
    net.record(top, "c")
    trace = CPU(dtype="float64").compile(net, dt=1 * ms).run(steps + 2, progress=False)
    np.testing.assert_allclose(np.asarray(trace.state("egru2", "c").data)[2:], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("a", "b", "c", "d"), [(0.02, 0.2, -65, 8), (0.02, 0.2, -50, 2), (0.1, 0.2, -65, 2)])
def test_izhikevich_follows_its_two_equations(a: float, b: float, c: float, d: float) -> None:
    v, u, spikes = c, -13.0, []
    for t in range(1000):
        dv = 0.04 * v * v + 5 * v + 140 - u + 10
        u, v = u + a * (b * v - u), v + dv
        if v >= 30:
            spikes.append(t)
            v, u = c, u + d
    model = Izhikevich(a=a / ms, b=b / ms, c=c * mV, d=d * mV / ms, drive=10 * mV / ms, v=c * mV)
    got = model.simulate(1000 * ms, dt=1 * ms, dtype="float64").events
    assert len(spikes) > 10
    assert np.asarray(got.steps).tolist() == spikes


def test_adaptive_exponential_neuron_adapts() -> None:
    run = AdEx(i_offset=1000 * pA).simulate(400 * ms, dt=0.05 * ms)
    intervals = np.diff(np.asarray(run.events.steps))
    assert len(intervals) > 5
    assert intervals[-1] > 1.2 * intervals[0]


def test_conductances_settle_at_the_closed_form() -> None:
    model = LIFConductance(i_offset=100 * pA)
    v = model.simulate(300 * ms, dt=0.1 * ms, dtype="float64").states["v"] / mV
    assert np.ravel(v)[-1] == pytest.approx(-70 + 100 / 16.7, rel=1e-6)


def test_leaky_integrator_conserves_charge() -> None:
    run = LeakyIntegrator.simulate(400 * ms, dt=0.1 * ms, inputs={"i_in": np.r_[1.0, np.zeros(3999)]}, dtype="float64")
    v = np.ravel(run.states["v"])
    # a kick of the current leaves an area of tau_s under the voltage (integral of e^(-t/tau_s), unit gain)
    assert v.sum() * 0.1 == pytest.approx(5.0, rel=1e-2)


def counts(model: Neuron, n: int, steps: int) -> np.ndarray:
    net = Network(seed=5)
    net.population(model, n, name="source")
    trace = CPU().compile(net, dt=1 * ms).run(steps, progress=False)
    events = trace.events("source")
    values = 1.0 if events.values is None else events.values
    return np.bincount(events.ids, weights=np.broadcast_to(values, len(events)), minlength=n)


def test_bernoulli_source_has_its_rate() -> None:
    n, steps, p = 400, 2000, 0.05
    total = counts(BernoulliSource(rate=50 * Hz), n, steps).sum()
    assert abs(total - n * steps * p) < 5 * np.sqrt(n * steps * p * (1 - p))


def test_poisson_source_has_poisson_counts() -> None:
    n, steps, mean = 400, 500, 2.5
    drawn = counts(PoissonSource(rate=2500 * Hz), n, steps)
    assert abs(drawn.sum() - n * steps * mean) < 5 * np.sqrt(n * steps * mean)
    assert drawn.var() / drawn.mean() == pytest.approx(1.0, abs=0.3)


def test_integer_cuba_truncates_toward_zero() -> None:
    run = IntegerCUBA(u=-1000, v=-7, threshold=1000).simulate(3, dt=1 * ms)
    u, v = -1000, -7
    for step in range(3):
        u = int(u * (4096 - 410) / 4096)
        v = int(v * (4096 - 410) / 4096) + u
        assert (int(run.states["u"][step].ravel()[0]), int(run.states["v"][step].ravel()[0])) == (u, v)


def test_brunel_network_fires_irregularly() -> None:
    trace = CPU().compile(balanced.brunel(1000, 100, weight=1 * mV), dt=0.1 * ms).run(300 * ms, progress=False)
    assert 5 < analysis.rates(trace, "exc").mean() < 120
    assert np.nanmean(analysis.cv(trace, "exc")) > 0.3


def test_evnn_form_and_paper_form_differ() -> None:
    assert EGRUEvNN.hash != EGRUPaper.hash
    assert {port.name for port in EGRUEvNN.ports} != {port.name for port in EGRUPaper.ports}


def test_one_to_one_relay_keeps_every_event() -> None:
    net = Network()
    source = net.population(EventSource(3, steps=[0, 0, 4], indices=[0, 2, 1]), 3, name="source")
    relay = net.population(LeakyIntegrator, 3, name="relay")
    net.project(source, relay.i_in, OneToOne(), weight=1.0)
    trace = CPU().compile(net, dt=1 * ms).run(5, progress=False)
    assert trace.count("source") == 3


def test_units_of_models_are_the_fields_own() -> None:
    assert (1 * nA).dim == (1000 * pA).dim
    assert (1 * second).dim == (1 * ms).dim
