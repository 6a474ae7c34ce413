"""Modules beside the engines: equal in float64; in float32 bit for bit, where sums are in the engines' order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import DT, STEPS, networks

from neuromorph import (
    AvgPool2D,
    Conv1D,
    Conv2D,
    Dense,
    EventSource,
    FixedProbability,
    Integers,
    Network,
    OneToOne,
    Reference,
    Sparse,
    SumPool2D,
    Uniform,
    ms,
    mV,
    nA,
    nS,
    pA,
    second,
    train,
)
from neuromorph.mapping.spinnaker2 import SpiNNaker2
from neuromorph.models import (
    LIF,
    AdEx,
    BernoulliSource,
    EGRUEvNNWindowed,
    EGRUPaper,
    IntegerCUBA,
    Izhikevich,
    LeakyIntegrator,
    LIFConductance,
    LIFDelta,
    LIFDeltaPoisson,
    Linear,
    PoissonSource,
    TraubMilesCOBA,
    VogelsAbbottCOBA,
    VogelsAbbottCUBA,
)
from neuromorph.models.egru_layers import EGRUWeights, egru_stack

QUICK = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
RNG = np.random.default_rng(5)


def everything(net: Network) -> list[str]:
    """Every output that a module can give."""
    names = [name for p in net.populations for name in (p.name, f"{p.name}.fired")]
    return names + [f"{p.name}.{v}" for p in net.populations for v in (*(s.name for s in p.neuron.states),)]


def states_of(net: Network) -> list[str]:
    return [name for name in everything(net) if "." in name and not name.endswith(".fired")]


def moved(module: train.Module) -> train.Module:
    """The module with every parameter a few percent off, as training would have it."""
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1 + 0.03 * torch.randn(parameter.shape, generator=noise, dtype=parameter.dtype))
    return module


def bits(y: dict[str, torch.Tensor]) -> dict[str, bytes]:
    return {name: rows.numpy().tobytes() for name, rows in y.items()}


@given(networks())
@settings(QUICK, max_examples=12)
def test_in_float64_every_network_fires_as_the_engine_does(net: Network) -> None:
    module = moved(train.Module(net, DT, dtype=torch.float64))
    found = train.compare(module, target=Reference("float64"), steps=STEPS, states=states_of(net))
    assert found.equal, str(found)
    assert all(gap < 1e-9 for p in found.populations for gap in p.states.values()), str(found)


@given(networks(), st.integers(1, STEPS - 1))
@settings(QUICK, max_examples=5)
def test_a_sequence_that_was_cut_is_the_sequence(net: Network, cut: int) -> None:
    module = train.Module(net, DT, dtype=torch.float64, outputs=everything(net))
    for each in (module, train.Ordered(module)):
        with torch.no_grad():
            whole, end = each(steps=STEPS)
            first, state = each(steps=cut)
            second_, last = each(steps=STEPS - cut, state=state)
        assert bits({name: torch.cat([first[name], second_[name]]) for name in whole}) == bits(whole)
        assert last.step == end.step == STEPS
        for name, states in end.cells.items():
            assert bits(dict(zip("abcdefgh", last.cells[name], strict=False))) == bits(
                dict(zip("abcdefgh", states, strict=False))
            )


def gradients(module: train.Module, y: dict[str, torch.Tensor]) -> list[torch.Tensor | None]:
    """Of a fixed random sum of all outputs, for every parameter."""
    noise = torch.Generator().manual_seed(3)
    rows = [rows for rows in y.values() if rows.is_floating_point()]
    loss = sum((torch.randn(each.shape, generator=noise, dtype=each.dtype) * each).sum() for each in rows)
    if not loss.requires_grad:
        return []
    return list(torch.autograd.grad(loss, list(module.parameters()), allow_unused=True))


@given(networks(), st.integers(1, STEPS - 1), st.booleans())
@settings(QUICK, max_examples=5)
def test_gradients_pass_through_the_state_as_if_nothing_was_cut(net: Network, cut: int, detach_reset: bool) -> None:
    module = train.Module(
        net,
        DT,
        dtype=torch.float64,
        outputs=everything(net),
        surrogate=train.SuperSpike(2.0),
        detach_reset=detach_reset,
    )
    whole, _ = module(steps=STEPS)
    first, state = module(steps=cut)
    second_, _ = module(steps=STEPS - cut, state=state)
    both = {name: torch.cat([first[name], second_[name]]) for name in whole}
    for expected, found in zip(gradients(module, whole), gradients(module, both), strict=True):
        if expected is None or found is None:
            assert not any(g.any() for g in (expected, found) if g is not None)
        else:
            torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-9 * float(expected.abs().sum()) + 1e-30)


@given(networks())
@settings(QUICK, max_examples=12)
def test_in_the_engines_order_float32_is_bit_equal(net: Network) -> None:
    module = moved(train.Module(net, DT))
    found = train.compare(module, target=Reference("float32"), steps=STEPS, states=states_of(net), ordered=True)
    assert found.equal, str(found)
    assert all(gap == 0 for p in found.populations for gap in p.states.values()), str(found)


@given(networks(max_neurons=20))
@settings(QUICK, max_examples=3)
def test_chips_give_the_bits_of_the_module_too(net: Network) -> None:
    found = train.compare(train.Module(net, DT), target=SpiNNaker2(neurons_per_pe=7), steps=STEPS, ordered=True)
    assert found.equal, str(found)


@given(networks(max_neurons=20), st.integers(1, STEPS - 1))
@settings(QUICK, max_examples=4)
def test_module_and_ordered_evaluation_take_each_others_states(net: Network, cut: int) -> None:
    module = train.Module(net, DT, dtype=torch.float64, outputs=everything(net))
    ordered = train.Ordered(module)
    with torch.no_grad():
        whole, _ = ordered(steps=STEPS)
        for first, second_ in ((module, ordered), (ordered, module)):
            a, state = first(steps=cut)
            b, _ = second_(steps=STEPS - cut, state=state)
            for name, rows in whole.items():
                torch.testing.assert_close(torch.cat([a[name], b[name]]), rows, rtol=1e-9, atol=1e-9)


def driven(
    model: Any, port: str, weight: Any, size: int = 6, inputs: int = 8, graded: bool = False, **own: Any
) -> Network:
    """A source, a recurrent population of a model, and a second one behind it."""
    net = Network(seed=4)
    source = net.population(EventSource(inputs), name="in")
    first = net.population(model, size, name="first")
    ports = [p.name for p in first.neuron.ports]
    net.project(source, first.port(port), FixedProbability(0.7), weight=weight)
    for other in ports:
        net.project(source, first.port(other), FixedProbability(0.4), weight=0.2 * weight, delay=2, name=f"in {other}")
    if first.neuron.event is not None:
        net.project(first, first.port(port), FixedProbability(0.3), weight=0.3 * weight, delay=3)
        second_ = net.population(model, 3, name="second")
        net.project(first, second_.port(port), Dense(RNG.uniform(0, 1, (size, 3)).astype(np.float32)), weight=weight)
    return net


def integers() -> Network:
    net = Network(seed=1)
    source = net.population(EventSource(8), name="in")
    first = net.population(IntegerCUBA, 6, name="first")
    net.project(source, first, Dense(RNG.integers(-20, 90, (8, 6)).astype(np.int8)))
    net.project(first, first, FixedProbability(0.5), weight=Integers(-30, 60), delay=2)
    return net


def egru_layers(model: str) -> Network:
    net = Network(seed=1)
    if model == "evnn":
        source = net.population(EventSource(8), name="in")
        weights = [EGRUWeights.random(a, b, gain=2.0, seed=a) for a, b in ((8, 12), (12, 6))]
        top = egru_stack(net, source, weights)[-1]
        net.project(
            top, net.population(Linear(b=Uniform(0, 1), start=3), 4, name="out"), Dense(RNG.normal(0, 1, (6, 4)))
        )
        return net
    source = net.population(EventSource(8), name="in")
    layer = net.population((EGRUPaper if model == "paper" else EGRUEvNNWindowed(window=5))(start=1), 10, name="layer")
    for port in layer.neuron.ports:
        net.project(source, layer.port(port.name), Dense(RNG.normal(0, 1, (8, 10))))
        net.project(layer, layer.port(port.name), Dense(RNG.normal(0, 1, (10, 10))))
    return net


def images() -> Network:
    net = Network(seed=1)
    source = net.population(EventSource(2 * 8 * 8), (2, 8, 8), name="in")
    conv = net.population(LIFDelta(theta=8 * mV), (3, 6, 6), name="conv")
    pool = net.population(LIFDelta(theta=4 * mV, t_ref=0 * ms), (3, 3, 3), name="pool")
    out = net.population(LIFDelta, 4, name="out")
    net.project(source, conv, Conv2D(RNG.normal(1, 2, (3, 2, 3, 3)) * mV))
    net.project(conv, pool, SumPool2D(2), weight=5 * mV)
    net.project(pool, out, Dense(RNG.normal(3, 3, (27, 4)) * mV), delay=2)
    average = net.population(LIFDelta(theta=1 * mV), (3, 3, 3), name="average")
    net.project(conv, average, AvgPool2D(2), weight=10 * mV)
    return net


def line() -> Network:
    net = Network(seed=1)
    source = net.population(EventSource(2 * 9), (2, 9), name="in")
    conv = net.population(LIFDelta(theta=5 * mV), (3, 7), name="conv")
    net.project(source, conv, Conv1D(RNG.normal(2, 2, (3, 2, 3)) * mV))
    net.project(conv, conv, OneToOne(), weight=-3 * mV)
    return net


def delays() -> Network:
    """Delays of every synapse, a shortcut past a layer, and a loop over two populations."""
    net = Network(seed=7)
    source = net.population(EventSource(8), name="in")
    one, two, three = (net.population(LIF(theta=5 * mV, t_ref=Uniform(1 * ms, 4 * ms)), 6, name=n) for n in "abc")
    i, j = (m.ravel() for m in np.meshgrid(range(8), range(6), indexing="ij"))
    net.project(source, one.i_in, Sparse((i, j, RNG.uniform(1, 4, 48).astype(np.float32) * nA, RNG.integers(2, 9, 48))))
    net.project(one, two.i_in, Dense(RNG.normal(1, 2, (6, 6)) * nA), delay=Integers(1, 4))
    net.project(two, one.i_in, FixedProbability(0.6), weight=0.8 * nA, delay=1)
    net.project(two, three.i_in, FixedProbability(0.6), weight=2 * nA, delay=Uniform(1 * ms, 5 * ms))
    net.project(source, three.i_in, FixedProbability(0.6), weight=1 * nA)
    return net


def noise() -> Network:
    """Neurons that draw their own input, and sources that fire by chance."""
    net = Network(seed=2**40 + 3)
    cells = net.population(LIFDeltaPoisson(rate=4000 / second, drive_weight=0.4 * mV), 20, name="cells")
    chance = net.population(PoissonSource(rate=200 / second), 10, name="chance")
    coins = net.population(BernoulliSource(chance=0.3), 5, name="coins")
    net.project(chance, cells, FixedProbability(0.5), weight=1 * mV)
    net.project(coins, cells, FixedProbability(0.5), weight=0.5 * mV)
    return net


CASES: dict[str, Callable[[], Network]] = {
    "LIF": lambda: driven(LIF(t_ref=Uniform(1 * ms, 3 * ms)), "i_in", 6 * nA),
    "LIFDelta": lambda: driven(LIFDelta, "v_in", 9 * mV),
    "LIFConductance": lambda: driven(LIFConductance, "exc", 90 * nS),
    "AdEx": lambda: driven(AdEx(i_offset=700 * pA), "exc", 30 * nS),
    "Izhikevich": lambda: driven(Izhikevich, "v_in", 8 * mV / ms),
    "LeakyIntegrator": lambda: driven(LeakyIntegrator, "i_in", 1.0),
    "VogelsAbbottCUBA": lambda: driven(VogelsAbbottCUBA, "exc", 3 * mV),
    "VogelsAbbottCOBA": lambda: driven(VogelsAbbottCOBA, "exc", 2.0),
    "TraubMilesCOBA": lambda: driven(TraubMilesCOBA, "exc", 60 * nS),
    "IntegerCUBA": integers,
    "EGRU of EvNN": lambda: egru_layers("evnn"),
    "EGRU in windows": lambda: egru_layers("windowed"),
    "EGRU of the paper": lambda: egru_layers("paper"),
    "images": images,
    "line": line,
    "delays": delays,
    "noise": noise,
}


@pytest.mark.parametrize("name", CASES)
def test_models_train_as_what_the_engine_runs(name: str) -> None:
    net = CASES[name]()
    sources = [p for p in net.populations if isinstance(p.neuron, EventSource)]
    batch = 2 if sources else 1
    x = {p.name: torch.from_numpy((RNG.random((40, batch, p.size)) < 0.3).astype(np.float64)) for p in sources}
    steps, dt, states = None if sources else 40, 0.1 * ms if name == "TraubMilesCOBA" else 1 * ms, states_of(net)
    module = moved(train.Module(net, dt, dtype=torch.float64))
    found = train.compare(module, x, Reference("float64"), steps=steps, states=states)
    assert found.equal, str(found)
    assert all(gap < 1e-9 for p in found.populations for gap in p.states.values()), str(found)
    assert all(p.events[0] for p in found.populations if net[p.name].neuron.states and p.name != "second") or (
        name == "LeakyIntegrator"
    ), str(found)
    found = train.compare(
        moved(train.Module(net, dt)), x, Reference("float32"), steps=steps, states=states, ordered=True
    )
    assert found.equal, str(found)
    assert all(gap == 0 for p in found.populations for gap in p.states.values()), str(found)
