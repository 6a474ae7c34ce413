"""A network as a module of PyTorch gives the engine's events and states, in its own clock."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuromorph import (
    CPU,
    Conv2D,
    Dense,
    Event,
    EventSource,
    FixedProbability,
    Integers,
    Live,
    Network,
    Normal,
    OneToOne,
    Param,
    Port,
    Sparse,
    State,
    SumPool2D,
    exp,
    maximum,
    ms,
    mV,
    nA,
    neuron,
    poisson,
    to_float,
    uniform,
    where,
    white_noise,
)
from neuromorph.models.egru_layers import EGRUWeights, egru_stack
from neuromorph.models.integrate_and_fire import LIF
from neuromorph.models.recurrent import EGRUPaper, Linear

torch = pytest.importorskip("torch")
from neuromorph import train  # noqa: E402

STEPS = 30


@neuron
class Counter:
    """Fires every ``period`` inputs."""

    a = Port(dtype=int)
    period = Param(3, dtype=int)
    n = State(0, dtype=int)
    n.jump = a
    tick = Event(when=n >= period)
    n.reset = n - period


@neuron
class Noisy:
    """Noise of every kind, a graded event and a reset that depends on the state."""

    g = Port()
    tau, sigma, mu = Param(10 * ms), Param(0.5), Param(1.0)
    v, k = State(0.0), State(0.0)
    v.dot = (mu - v) / tau + sigma * white_noise() * (2 / tau) ** 0.5
    k.next = k * 0.5 + uniform() + to_float(poisson(0.7))
    v.jump = g
    z = exp(v) * maximum(k, 0.3)
    out = Event(when=v > 1, value=z)
    v.reset = where(v > 2, 0.3 * v, 0.1)


def events(rng: np.random.Generator, size: int, graded: bool = True) -> EventSource:
    fired = rng.random((STEPS, size)) < 0.4
    return EventSource.from_dense(fired * (rng.normal(size=fired.shape) if graded else 1.0))


def stack() -> Network:
    net, rng = Network(seed=1), np.random.default_rng(1)
    source = net.population(events(rng, 5), name="in")
    layers = [EGRUWeights.random(n, m, threshold=0.1, gain=2.0, seed=m) for n, m in ((5, 7), (7, 4))]
    egru_stack(net, source, layers)
    return net


def paper() -> Network:
    net, rng = Network(seed=1), np.random.default_rng(2)
    source = net.population(events(rng, 5), name="in")
    hidden = net.population(EGRUPaper(theta=np.full(6, 0.05), start=1, b_u=rng.normal(size=6)), 6, name="h")
    for port, delay in (("a_u", 1), ("a_r", 1), ("a_z", 2)):
        net.project(source, hidden.port(port), Dense(rng.normal(size=(5, 6))), delay=delay)
        net.project(hidden, hidden.port(port), Dense(rng.normal(size=(6, 6))))
    return net


def spiking() -> Network:
    """Refractory, with a delay for each synapse, and a chain whose second link is two steps long."""
    net, rng = Network(seed=3), np.random.default_rng(3)
    source = net.population(events(rng, 6, graded=False), name="in")
    hidden = net.population(LIF(tau_m=rng.uniform(5, 30, 9) * ms, t_ref=2 * ms), 9, name="h")
    out = net.population(LIF, 3, name="out")
    net.project(source, hidden, Dense(rng.uniform(0, 3, (6, 9)) * nA))
    net.project(hidden, hidden, FixedProbability(0.4), weight=Normal(0 * nA, 1 * nA), delay=Integers(1, 4))
    net.project(hidden, out, Dense(rng.uniform(0, 3, (9, 3)) * nA), delay=2)
    return net


def mixed() -> Network:
    """Ints, noise, loops over one and several steps, and a population that fires before anything reaches it."""
    net, rng = Network(seed=4), np.random.default_rng(4)
    source = net.population(events(rng, 5, graded=False), name="in")
    counter = net.population(Counter(period=rng.integers(2, 4, 6)), 6, name="counter")
    noisy = net.population(Noisy(tau=rng.uniform(5, 20, 6) * ms, v=0.95), 6, name="noisy")
    net.project(source, counter, FixedProbability(0.8), weight=rng.integers(0, 3, (5, 6)))
    net.project(counter, counter, FixedProbability(0.3), weight=-1, delay=2)
    net.project(counter, noisy, OneToOne(), weight=0.3)
    net.project(noisy, noisy, FixedProbability(0.4), weight=Normal(0, 0.2), delay=Integers(1, 3))
    return net


def images() -> Network:
    net, rng = Network(seed=5), np.random.default_rng(5)
    source = net.population(events(rng, 72), (2, 6, 6), name="in")
    hidden = net.population(Linear, (3, 4, 5), name="h")
    pooled = net.population(Linear, (3, 2, 2), name="pooled")
    out = net.population(Linear, 6, name="out")
    net.project(source, hidden, Conv2D(rng.normal(size=(3, 2, 3, 2))))
    net.project(hidden, hidden, Conv2D(0.2 * rng.normal(size=(3, 3, 3, 3)), padding="same"), delay=2)
    net.project(hidden, pooled, SumPool2D(2, stride=(2, 3)), weight=0.5)
    listed = (np.array([0, 1, 1, 5]), np.array([0, 2, 2, 3]), np.array([1.0, 2.0, 3.0, 4.0]), np.array([1, 2, 1, 3]))
    net.project(pooled, out, Sparse(listed))
    return net


NETWORKS = {"stack": stack, "paper": paper, "spiking": spiking, "mixed": mixed, "images": images}
RECORDED = {
    "stack": ["egru1.c", "egru2.u", "egru1.r"],
    "paper": ["h.c", "h.y", "h.z"],
    "spiking": ["h.v", "out.v"],
    "mixed": ["counter.n", "noisy.v", "noisy.k", "noisy.z"],
    "images": ["h.y"],
}


def module_of(net: Network, **options: Any) -> Any:
    names = [p.name for p in net.populations if p.neuron.ports]
    return train.Module(net, 1 * ms, dtype=torch.float64, outputs=[*names, *options.pop("more", [])], **options)


def engine_rows(net: Network, population: str, lag: int, steps: int, trace: Any) -> np.ndarray[Any, Any]:
    found = trace.events(population)
    rows = np.zeros((steps + 20, net[population].size))
    rows[found.steps, found.ids] = 1.0 if found.values is None else found.values
    return rows[lag : lag + steps]


@pytest.mark.parametrize("name", NETWORKS)
def test_events_and_states_are_the_engines(name: str) -> None:
    net, recorded = NETWORKS[name](), RECORDED[name]
    module = module_of(net, more=recorded)
    y, _ = module(steps=STEPS)
    for each in recorded:
        population, _, variable = each.rpartition(".")
        net.record(net[population], variable)
    trace = CPU(dtype="float64").compile(net, dt=1 * ms).run(STEPS + max(module.lags.values()))
    for population, lag in module.lags.items():
        if population != "in":
            rows = engine_rows(net, population, lag, STEPS, trace)
            assert (rows != 0).any()
            np.testing.assert_allclose(y[population][:, 0].detach(), rows, rtol=1e-9, atol=1e-9)
    for each in recorded:
        population, _, variable = each.rpartition(".")
        slots = {s.name: s.unit.scale for s in net[population].neuron.states}
        wanted = np.asarray(trace.state(population, variable), np.float64) * slots.get(variable, 1.0)
        lag = module.lags[population]
        np.testing.assert_allclose(y[each][:, 0].detach(), wanted[lag : lag + STEPS], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("cuts", [(1,), (7, 8, 20)])
def test_carried_state_is_the_sequence_never_cut(name: str, cuts: tuple[int, ...]) -> None:
    module = module_of(NETWORKS[name](), more=RECORDED[name])
    whole, last = module(steps=STEPS, batch=2)
    state, parts = None, []
    for begin, end in zip((0, *cuts), (*cuts, STEPS), strict=True):
        y, state = module(steps=end - begin, batch=2, state=state)
        parts.append(y)
        state = state.detach()
    for key, rows in whole.items():
        assert torch.allclose(torch.cat([part[key] for part in parts]), rows, rtol=0, atol=1e-12)
    assert state is not None
    assert state.step == last.step == STEPS
    for population, cells in last.cells.items():
        for a, b in zip(state.cells[population], cells, strict=True):
            assert torch.allclose(a, b, rtol=0, atol=1e-12)


def test_inference_is_the_forward_pass_of_training() -> None:
    for make in NETWORKS.values():
        module = module_of(make())
        y, _ = module(steps=STEPS)
        with torch.inference_mode():
            z, _ = module(steps=STEPS)
        for key, rows in y.items():
            assert torch.equal(rows, z[key])


def test_lags_are_the_shortest_paths_from_the_sources() -> None:
    assert module_of(stack()).lags == {"in": 0, "egru1": 1, "egru2": 2}
    assert module_of(spiking()).lags == {"in": 0, "h": 1, "out": 3}
    assert module_of(paper()).lags == {"in": 0, "h": 1}


def test_an_input_acts_in_its_own_row() -> None:
    net = Network()
    source, a = net.population(Live(1, graded=True), name="in"), net.population(Linear, 1, name="a")
    b = net.population(Linear, 1, name="b")
    net.project(source, a, Dense([[2.0]]))
    net.project(a, b, Dense([[3.0]]), delay=4)
    module = train.Module(net, 1 * ms, outputs=["a", "b"])
    x = torch.arange(1.0, 6.0)[:, None, None]
    y, _ = module(x)
    assert torch.equal(y["a"], 2 * x)
    assert torch.equal(y["b"], 6 * x)


def test_samples_of_a_batch_do_not_meet() -> None:
    net = stack()
    module = module_of(net)
    x = torch.randn(9, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    y, _ = module(x)
    for k in range(3):
        alone, _ = module(x[:, k : k + 1])
        for key, rows in y.items():
            assert torch.allclose(rows[:, k : k + 1], alone[key], rtol=0, atol=1e-12)


def test_samples_draw_noise_of_their_own_and_the_first_draws_the_engines() -> None:
    module = module_of(mixed(), more=["noisy.v"])
    v = module(steps=5, batch=3)[0]["noisy.v"]
    assert torch.equal(v[:, :1], module(steps=5)[0]["noisy.v"])
    assert not torch.equal(v[:, 0], v[:, 1])
    assert not torch.equal(v[:, 1], v[:, 2])
    module.seed += 1
    assert not torch.equal(v, module(steps=5, batch=3)[0]["noisy.v"])


def test_fired_is_one_where_there_is_an_event() -> None:
    module = module_of(stack(), more=["egru1.fired", "in.fired"])
    y, _ = module(steps=STEPS)
    assert torch.equal(y["egru1.fired"], (y["egru1"] != 0).double())
    assert 0 < y["egru1.fired"].mean() < 1
    assert set(y["in.fired"].unique().tolist()) == {0.0, 1.0}


def test_only_outputs_are_carried_on_request() -> None:
    module = module_of(stack(), more=["egru1.c"])
    _, state = module(steps=4)
    reset = state.outputs_only()
    assert not reset.cells["egru1"][0].any()
    assert torch.equal(reset.emitted["egru1"], state.emitted["egru1"])
    y, _ = module(steps=3, state=reset)
    z, _ = module(steps=3, state=state)
    assert not torch.equal(y["egru1.c"], z["egru1.c"])


def test_samples_of_a_state_are_taken() -> None:
    module = module_of(spiking())
    x = torch.ones(6, 4, 6, dtype=torch.float64) * torch.arange(4.0, dtype=torch.float64)[None, :, None]
    _, state = module(x)
    kept = state.select(torch.tensor([2, 0]))
    y, _ = module(x[:, [2, 0]], kept)
    z, _ = module(x, state)
    for key, rows in y.items():
        assert torch.equal(rows, z[key][:, [2, 0]])


def test_a_transform_changes_what_is_sent_and_not_what_recurs() -> None:
    net = stack()
    module = module_of(net, more=["egru1.c"])
    y, _ = module(steps=STEPS)

    class Half(torch.nn.Module):
        def forward(self, rows: Any) -> Any:
            return rows / 2

    module.after("egru1", Half())
    z, _ = module(steps=STEPS)
    assert torch.equal(z["egru1"], y["egru1"] / 2)
    assert torch.equal(z["egru1.c"], y["egru1.c"])
    assert not torch.equal(z["egru2"], y["egru2"])
    assert "Half" in str(module)


def test_default_outputs_are_populations_that_send_to_no_other() -> None:
    assert list(train.Module(stack(), 1 * ms)(steps=2)[0]) == ["egru2"]
    assert list(train.Module(paper(), 1 * ms)(steps=2)[0]) == ["h"]


def test_printed_code_is_shown() -> None:
    module = module_of(stack())
    module(steps=2)
    source = module.source()
    assert "sigmoid" in source
    assert "def backward" in source
    assert "start" not in source  # decided before the step


def test_parameters_are_in_the_units_they_were_declared_in() -> None:
    net = spiking()
    module = module_of(net, trainable={"out": ["theta", "tau_m"]})
    assert module.population("out").theta.item() == pytest.approx(15.0 if LIF.param("theta").unit == mV else 0.015)
    assert 5 <= module.population("h").tau_m.min() <= module.population("h").tau_m.max() <= 30
    assert module.projection(net.projections[0]).weight.max() <= 3


def test_the_meta_device_needs_no_tensor_of_the_cpu() -> None:
    for name in ("stack", "spiking"):
        net = NETWORKS[name]()
        names = [p.name for p in net.populations if p.neuron.ports]
        module = train.Module(net, 1 * ms, device="meta", outputs=[*names, *RECORDED[name]])
        optimiser = torch.optim.AdamW(module.parameters())
        x = torch.randn(1, 2, net["in"].size, device="meta")
        y, state = module(x)
        y, state = module(x, state.detach())
        sum(rows.double().sum() for rows in y.values()).backward()
        optimiser.step()
        assert all(p.grad is not None and p.grad.device.type == "meta" for p in module.parameters() if p.numel())
