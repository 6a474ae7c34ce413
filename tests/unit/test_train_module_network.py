"""What trains and what does not, what a module returns as a network, and what it says when something is wrong."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuromorph import (
    CPU,
    AllToAll,
    Conv2D,
    Dense,
    Event,
    EventSource,
    FixedProbability,
    Integers,
    Live,
    Lookup,
    Network,
    NetworkError,
    Normal,
    OneToOne,
    Param,
    Port,
    Sparse,
    State,
    SumPool2D,
    ms,
    mV,
    nA,
    neuron,
    to_int,
)
from neuromorph.errors import CheckError
from neuromorph.models.egru_layers import EGRUWeights, egru_stack
from neuromorph.models.integrate_and_fire import LIF
from neuromorph.models.plasticity import PairSTDP
from neuromorph.models.recurrent import EGRUEvNN, Linear

torch = pytest.importorskip("torch")
from neuromorph import train  # noqa: E402

F64, STEPS = torch.float64, 25


def rows_of(trace: Any, population: str, size: int, lag: int) -> np.ndarray[Any, Any]:
    found = trace.events(population)
    rows = np.zeros((STEPS + 20, size))
    rows[found.steps, found.ids] = 1.0 if found.values is None else found.values
    return rows[lag : lag + STEPS]


def everything() -> Network:
    """A projection of every rule, drawn and given values, units, states that start at a parameter."""
    net, rng = Network(seed=9, name="everything"), np.random.default_rng(9)
    x = rng.normal(size=(STEPS, 18)) * (rng.random((STEPS, 18)) < 0.5)
    source = net.population(EventSource.from_dense(x), (2, 3, 3), name="in", record=False)
    maps = net.population(Linear, (3, 2, 2), name="maps", positions=rng.random((12, 2)))
    pooled = net.population(Linear, (3, 1, 1), name="pooled")
    spiking = net.population(LIF(tau_m=rng.uniform(5, 20, 8) * ms, v=Normal(3 * mV, 1 * mV)), 8, name="spiking")
    gated = net.population(EGRUEvNN(theta=np.full(4, 0.1), c=0.2), 4, name="gated")
    net.project(source, maps, Conv2D(rng.normal(size=(3, 2, 2, 2))), name="convolution")
    net.project(maps, pooled, SumPool2D(2), weight=0.4)
    net.project(maps, spiking, FixedProbability(0.6), weight=Normal(0 * nA, 0.4 * nA), delay=Integers(1, 3))
    net.project(maps, spiking, AllToAll(), weight=0.2 * nA, name="one weight")
    net.project(spiking, spiking, AllToAll(allow_self=False), weight=rng.normal(size=(8, 8)) * nA, delay=2 * ms)
    net.project(spiking, gated.a_x, Dense(rng.normal(size=(8, 4))), delay=Integers(1, 3))
    net.project(pooled, gated.a_u, Sparse((np.array([0, 2, 2]), np.array([1, 0, 0]), np.array([1.0, 2.0, 0.5]))))
    net.project(gated, gated.a_y, OneToOne())
    net.record(gated, "c", every=2)
    return net


def changed(module: Any) -> Any:
    with torch.no_grad():
        for k, parameter in enumerate(module.parameters()):
            noise = torch.randn(parameter.shape, dtype=F64, generator=torch.Generator().manual_seed(k))
            parameter *= 1 + 0.2 * noise.tanh()
    return module


def test_what_was_learned_returns_to_the_network() -> None:
    net = everything()
    names = ["maps", "pooled", "spiking", "gated", "gated.c"]
    module = changed(train.Module(net, 1 * ms, dtype=F64, outputs=names, trainable={"spiking": ["tau_s", "v"]}))
    y, _ = module(steps=STEPS)
    learned = module.network()
    assert [p.name for p in learned.populations] == [p.name for p in net.populations]
    assert [p.shape for p in learned.populations] == [p.shape for p in net.populations]
    assert [j.name for j in learned.projections] == [j.name for j in net.projections]
    assert learned.recordings == net.recordings
    assert (learned.name, learned.seed) == (net.name, net.seed)
    assert not learned["in"].record_events
    trace = CPU(dtype="float64").compile(learned, dt=1 * ms).run(STEPS + 10)
    for name in names[:-1]:
        wanted = rows_of(trace, name, net[name].size, module.lags[name])
        assert wanted.any()
        np.testing.assert_allclose(y[name][:, 0].detach(), wanted, rtol=1e-9, atol=1e-9)
    again, _ = train.Module(learned, 1 * ms, dtype=F64, outputs=names)(steps=STEPS)
    for name in names:
        torch.testing.assert_close(again[name], y[name], rtol=1e-9, atol=1e-9)


def test_a_network_that_was_not_trained_returns_as_it_was() -> None:
    net = everything()
    learned = train.Module(net, 1 * ms, dtype=F64).network()
    traces = [CPU(dtype="float64").compile(each, dt=1 * ms).run(STEPS) for each in (net, learned)]
    for name in ("maps", "spiking", "gated"):
        first, second = (rows_of(trace, name, net[name].size, 0) for trace in traces)
        np.testing.assert_allclose(first, second, rtol=1e-12, atol=1e-12)


def test_defaults_train_weights_that_were_given_and_values_of_each_neuron() -> None:
    module = train.Module(everything(), 1 * ms)
    training = {m.name for m in module.projections if isinstance(m.weight, torch.nn.Parameter)}
    assert training == {m.name for m in module.projections} - {"gated -> gated.a_y"}
    assert [n for n, _ in module.population("spiking").named_parameters()] == ["tau_m"]
    assert [n for n, _ in module.population("gated").named_parameters()] == ["theta"]
    assert module.projection("one weight").weight.shape == ()
    assert module.projection("convolution").weight.shape == (3, 2, 2, 2)
    asked = train.Module(everything(), 1 * ms, trainable={"gated -> gated.a_y": ["weight"], "gated": ["b_u", "c"]})
    assert asked.projection("gated -> gated.a_y").weight.requires_grad
    assert [n for n, _ in asked.population("gated").named_parameters()] == ["b_u", "theta", "c"]


def test_an_initial_state_that_is_a_parameter_follows_it() -> None:
    @neuron
    class Resting:
        a = Port()
        rest = Param(2 * mV)
        v = State(rest)
        v.dot = (rest - v) / (5 * ms)
        v.jump = a * mV
        out = Event(when=v > 3 * mV)

    net = Network()
    source = net.population(Live(1), name="in")
    h = net.population(Resting, 2, name="h")
    net.project(source, h, Dense([[1.0, 0.5]]))
    module = train.Module(net, 1 * ms, dtype=F64, trainable={"h": ["rest"]}, outputs=["h.v"])
    with torch.no_grad():
        module.population("h").rest.fill_(-1.0)
    y, _ = module(torch.zeros(2, 1, 1, dtype=F64))
    assert torch.allclose(y["h.v"], torch.full((2, 1, 2), -1e-3, dtype=F64))
    y["h.v"].sum().backward()
    assert module.population("h").rest.grad.item() == pytest.approx(4e-3)


def test_ids_look_rows_of_a_table_up() -> None:
    rng = np.random.default_rng(0)
    table, ids = rng.normal(size=(6, 3)), np.array([2, 5, -1, 0, 2], np.int32)
    net = Network()
    source = net.population(Lookup(table, ids), name="words")
    out = net.population(Linear, 2, name="out")
    w = rng.normal(size=(3, 2))
    net.project(source, out, Dense(w))
    module = train.Module(net, 1 * ms, dtype=F64)
    own, _ = module(steps=7)
    given, _ = module(torch.tensor(ids)[:, None])
    wanted = np.where(ids[:, None] >= 0, table[ids] @ w, 0.0)
    np.testing.assert_allclose(own["out"][:5, 0].detach(), wanted, atol=1e-12)
    assert not own["out"][5:].any()
    assert torch.equal(given["out"], own["out"][:5])
    later, _ = module(steps=2, state=module(steps=3)[1])
    assert torch.equal(later["out"], own["out"][3:5])
    given["out"].sum().backward()
    grad = module.population("words").table.grad
    assert grad.shape == (6, 3)
    np.testing.assert_allclose(grad[2], 2 * w.sum(1))
    assert not grad[1].any()
    with torch.no_grad():
        module.population("words").table *= 2
    np.testing.assert_allclose(module.network()["words"].neuron.table, 2 * table)


def test_parametrisations_are_what_the_module_uses_and_returns() -> None:
    net = Network()
    source = net.population(Live(4, graded=True), name="in")
    out = net.population(Linear, 3, name="out")
    projection = net.project(source, out, Dense(np.ones((4, 3))))
    module = train.Module(net, 1 * ms)

    class Counted(torch.nn.Module):
        calls = 0

        def forward(self, weight: Any) -> Any:
            Counted.calls += 1
            return weight * 2

    torch.nn.utils.parametrize.register_parametrization(module.projection(projection), "weight", Counted())
    Counted.calls = 0
    y, _ = module(torch.ones(5, 2, 4))
    assert Counted.calls == 1
    assert torch.equal(y["out"], torch.full((5, 2, 3), 8.0))
    assert (np.asarray(module.network().projections[0].rule.weights) == 2).all()


def test_a_module_is_saved_copied_and_pickled() -> None:
    def stack() -> Network:
        net = Network(seed=1)
        source = net.population(Live(3, graded=True), name="in")
        egru_stack(net, source, [EGRUWeights.random(3, 4, threshold=0.1, seed=2)])
        return net

    module = changed(train.Module(stack(), 1 * ms, dtype=F64))
    x = torch.randn(5, 2, 3, dtype=F64)
    wanted = module(x)[0]["egru1"]
    other = train.Module(stack(), 1 * ms, dtype=F64)
    other.load_state_dict(module.state_dict())
    for each in (other, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(each(x)[0]["egru1"], wanted)


@neuron
class Sampler:
    """A float parameter that is used as an int alone."""

    a = Port()
    n = Param(3.0)
    v = State(0.0)
    v.next = a
    out = Event(when=to_int(n) > 2, value=v)


def refused(**options: Any) -> Callable[[], Any]:
    def attempt() -> Any:
        net = Network(name="net")
        source, other = net.population(Live(2), name="in"), net.population(Live(3), name="second")
        h, s = net.population(EGRUEvNN, 4, name="h"), net.population(Sampler, 1, name="s")
        net.project(source, h.a_x, Dense(np.ones((2, 4))), name="p")
        net.project(other, h.a_u, Dense(np.ones((3, 4))))
        net.project(h, s, Dense(np.ones((4, 1))))
        call = options.pop("call", None)
        module = train.Module(net, 1 * ms, **options)
        return call(module)

    return attempt


def zeros(*shape: int) -> Any:
    return torch.zeros(shape)


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (refused(dtype=torch.float16), "choose torch.float32 or torch.float64"),
        (refused(trainable={"hidden": ["theta"]}), "no population or projection 'hidden'"),
        (refused(trainable={"h": "theta"}), "give a list of names"),
        (refused(trainable={"h": ["tau"]}), "has no parameter or state 'tau'"),
        (refused(trainable={"h": ["start"]}), "h.start is an int"),
        (refused(trainable={"s": ["n"]}), "no gradient can reach n"),
        (refused(trainable={"p": ["delay"]}), "a projection has a weight alone"),
        (refused(outputs="h"), "give a list of names"),
        (refused(outputs=["k"]), "no population 'k'"),
        (refused(outputs=["h.v"]), "EGRUEvNN has no 'v'"),
        (refused(outputs=["in.c"]), "in is a source"),
        (refused(call=lambda m: m(zeros(3, 1, 2))), "2 sources"),
        (refused(call=lambda m: m({"h": zeros(3, 1, 4)})), "'h' is no source"),
        (refused(call=lambda m: m({"in": zeros(3, 1, 4)})), r"give \(steps, batch, 2\)"),
        (refused(call=lambda m: m({"in": zeros(3, 1, 2), "second": zeros(3, 2, 3)})), "inputs differ"),
        (refused(call=lambda m: m()), "nothing is given"),
        (refused(call=lambda m: m({"in": zeros(3, 1, 2)}, steps=4)), "steps=4, but x has 3"),
        (refused(call=lambda m: m({"in": zeros(3, 1, 2)}, m(steps=1, batch=2)[1])), "batch of 2"),
        (refused(call=lambda m: m.projection("q")), "no projection 'q'"),
        (refused(call=lambda m: m.population("q")), "no population 'q'"),
        (lambda: train.Triangle(support=0), "support=0"),
    ],
)
def test_errors_say_what_to_do(attempt: Callable[[], Any], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        attempt()


def test_a_matrix_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuromorph.train.modules.weights.forecast.available_memory", lambda: 40_000)
    net = Network()
    source, out = net.population(Live(100), name="in"), net.population(Linear, 100, name="out")
    net.project(source, out, OneToOne(), name="large")
    with pytest.raises(NetworkError, match="large: training takes a matrix of 100 x 100"):
        train.Module(net, 1 * ms)


def test_plastic_projections_are_refused_by_name() -> None:
    net = Network()
    source, h = net.population(Live(2), name="in"), net.population(LIF, 3, name="h")
    net.project(source, h, AllToAll(), weight=1 * nA, synapse=PairSTDP, name="learning")
    with pytest.raises(CheckError, match="learning"):
        train.Module(net, 1 * ms)
