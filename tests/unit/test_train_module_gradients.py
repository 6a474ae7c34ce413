"""Gradients of modules: against finite differences where all is smooth, and against loops written by hand elsewhere."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuromorph import (
    Conv2D,
    Dense,
    Event,
    FixedProbability,
    Integers,
    Live,
    Mohm,
    Network,
    Normal,
    Param,
    Port,
    State,
    SumPool2D,
    abs_,
    exp,
    log,
    maximum,
    minimum,
    ms,
    mV,
    nA,
    neuron,
    sigmoid,
    sqrt,
    step,
    tanh,
    where,
    white_noise,
)
from neuromorph.models.egru_layers import EGRUWeights, egru_layer
from neuromorph.models.recurrent import EGRUPaper, Linear

torch = pytest.importorskip("torch")
from neuromorph import train  # noqa: E402

F64 = torch.float64


def difference(value: Callable[[], Any], tensor: Any, size: float = 1e-6) -> tuple[float, float]:
    """Derivative of ``value()`` along a random direction of `tensor`: by central differences, and its gradient's."""
    direction = torch.randn(tensor.shape, dtype=F64, generator=torch.Generator().manual_seed(0)) * tensor.detach().abs()
    with torch.no_grad():
        tensor += size * direction
        high = value().item()
        tensor -= 2 * size * direction
        low = value().item()
        tensor += size * direction
    return (high - low) / (2 * size), (tensor.grad * direction).sum().item()


def require_gradients(module: Any, value: Callable[[], Any]) -> None:
    """Every parameter's gradient is the finite difference."""
    module.zero_grad()
    value().backward()
    for name, parameter in module.named_parameters():
        wanted, got = difference(value, parameter)
        assert abs(wanted) > 1e-9, name
        assert got == pytest.approx(wanted, rel=2e-5, abs=1e-8), name


@neuron
class Functions:
    """Every function, and events that always happen, so that nothing is a step."""

    a, b = Port(), Port()
    k, q = Param(0.7), Param(1.3)
    x, y = State(0.2), State(0.1)
    z = exp(-abs_(a)) + log(1 + a * a) * sqrt(1 + b**2) + k**2 / (2 + tanh(b)) - (1.5 + b**2) ** 0.3
    x.next = 0.5 * x + sigmoid(z) * k - where(y > 100.0, a, 0.1 * b)
    y.next = 0.3 * y + minimum(maximum(x, -5.0), a + 7.0) * q - x / (1 + abs_(y))
    out = Event(when=step >= 0, value=x * y + z)


@neuron(method="exponential_euler")
class Nonlinear:
    """Exponential Euler, where the derivative of phi is needed."""

    a = Port()
    tau, g = Param(8 * ms), Param(0.6)
    v = State(0.1)
    v.dot = (a - v - g * v * v) / tau
    out = Event(when=step >= 0, value=v)


@neuron
class Coupled:
    """Exact integration of three states, noise in two of them."""

    a = Port()
    tau_1, tau_2, w, sigma = Param(8 * ms), Param(20 * ms), Param(0.5), Param(0.2)
    p, q, r = State(0.0), State(0.3), State(0.1)
    p.jump = a
    p.dot = -p / tau_1 + sigma * white_noise() / tau_2**0.5
    q.dot = (w * p - q - 0.3 * r) / tau_2
    r.dot = (q - r) / tau_1 + 0.1 * white_noise() / tau_1**0.5
    out = Event(when=step >= 0, value=r + 0.5 * q)


def test_functions_and_recurrence_against_finite_differences() -> None:
    net, rng = Network(seed=1), np.random.default_rng(1)
    source = net.population(Live(3, graded=True), name="in")
    f = net.population(Functions(k=rng.uniform(0.5, 1, 4)), 4, name="f")
    out = net.population(Linear(b=0.1), 2, name="out")
    net.project(source, f.a, Dense(rng.normal(size=(3, 4))))
    net.project(source, f.b, Dense(rng.normal(size=(3, 4))), delay=2)
    net.project(f, f.b, FixedProbability(0.6), weight=Normal(0, 0.1), delay=Integers(1, 3))
    net.project(f, f.a, Dense(0.05 * rng.normal(size=(4, 4))))
    net.project(f, out, Dense(rng.normal(size=(4, 2))))
    names = ["out", "f", "f.x", "f.z"]
    module = train.Module(net, 1 * ms, dtype=F64, trainable={"f": ["q"], "out": ["b"]}, outputs=names)
    x = torch.randn(7, 2, 3, dtype=F64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    scales = dict(zip(names, (1.0, 0.3, 0.7, 0.2), strict=True))

    def value() -> Any:
        y, state = module(x[:4])
        z, state = module(x[4:], state)  # gradients flow through a state that is not detached
        total = sum(scale * (y[name].square().mean() + z[name].sin().mean()) for name, scale in scales.items())
        return total + state.cells["f"][1].sum()

    require_gradients(module, value)
    wanted, got = difference(value, x)
    assert got == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(("model", "names"), [(Nonlinear, ["tau", "g"]), (Coupled, ["tau_1", "tau_2", "w", "sigma"])])
def test_derived_parameters_against_finite_differences(model: Any, names: list[str]) -> None:
    net = Network(seed=2)
    source = net.population(Live(2, graded=True), name="in")
    first = names[0]
    each = net.population(model(**{first: np.array([6.0, 9.0, 15.0]) * ms}), 3, name="h")
    net.project(source, each, Dense([[1.0, -0.5, 0.3], [0.2, 0.8, -1.0]]))
    module = train.Module(net, 1 * ms, dtype=F64, trainable={"h": names})
    x = torch.randn(6, 2, 2, dtype=F64, generator=torch.Generator().manual_seed(1))
    require_gradients(module, lambda: module(x)[0]["h"].square().sum())


def test_convolutions_against_finite_differences() -> None:
    net, rng = Network(seed=5), np.random.default_rng(5)
    source = net.population(Live(50, graded=True), (2, 5, 5), name="in")
    hidden = net.population(Linear, (4, 5, 3), name="h")
    out = net.population(Linear, (4, 2, 1), name="out")
    kernel = rng.normal(size=(4, 1, 3, 2))
    net.project(source, hidden, Conv2D(kernel, stride=(1, 2), padding=(1, 1), groups=2))
    net.project(hidden, hidden, Conv2D(0.1 * rng.normal(size=(4, 4, 3, 3)), padding="same"))
    net.project(hidden, out, SumPool2D(2, stride=(2, 2)), weight=0.5)
    module = train.Module(net, 1 * ms, dtype=F64)
    x = torch.randn(3, 2, 50, dtype=F64, generator=torch.Generator().manual_seed(1))
    require_gradients(module, lambda: module(x)[0]["out"].square().sum())


class Fire(torch.autograd.Function):
    """Heaviside with the triangle's derivative, for loops by hand."""

    @staticmethod
    def forward(ctx: Any, v: Any, dampening: float, support: float) -> Any:
        ctx.save_for_backward(v)
        ctx.shape = dampening, support
        return (v > 0).to(v.dtype)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        dampening, support = ctx.shape
        (v,) = ctx.saved_tensors
        return g * dampening * torch.clamp(1 - support * v.abs(), min=0), None, None


def same_gradients(pairs: list[tuple[Any, Any]]) -> None:
    for mine, other in pairs:
        assert other.grad.abs().max() > 1e-6
        assert torch.allclose(mine.grad, other.grad, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("detach", [False, True])
def test_egru_as_in_evnn_against_a_loop_by_hand(detach: bool) -> None:
    h, c = 5, 3
    weights = EGRUWeights.random(c, h, threshold=0.1, gain=2.0, seed=3)
    net = Network()
    source = net.population(Live(c, graded=True), name="in")
    egru_layer(net, source, weights, start=1, name="egru")
    net.population(Live(1), name="unused")
    surrogate = train.Triangle(0.6, 1.7)
    module = train.Module(
        net, 1 * ms, dtype=F64, surrogate=surrogate, detach_reset=detach, outputs=["egru", "egru.fired", "egru.c"]
    )
    ports = ["a_u", "a_r", "a_x", "a_u", "a_r", "a_y"]
    w = [m.weight.detach().clone().requires_grad_() for m in module.projections]
    egru = module.population("egru")
    b = {n: getattr(egru, n).detach().clone().requires_grad_() for n in ("b_u", "b_r", "b_x", "b_y", "theta")}
    x = torch.randn(9, 4, c, dtype=F64, generator=torch.Generator().manual_seed(0))
    state, y, wanted = torch.zeros(4, h, dtype=F64), torch.zeros(4, h, dtype=F64), []
    for row in x:
        a = dict.fromkeys(ports, 0.0)
        for port, matrix, sent in zip(ports, w, (row, row, row, y, y, y), strict=True):
            a[port] = a[port] + sent @ matrix
        u, r = torch.sigmoid(a["a_u"] + b["b_u"]), torch.sigmoid(a["a_r"] + b["b_r"])
        g = torch.tanh(a["a_x"] + b["b_x"] + r * (a["a_y"] + b["b_y"]))
        new = u * state + (1 - u) * g
        fired = Fire.apply(new - b["theta"], 0.6, 1.7)
        y = fired * new
        state = new - (fired.detach() if detach else fired) * b["theta"]
        wanted.append((y, fired, state))
    got, _ = module({"in": x})
    stacked = dict(zip(("egru", "egru.fired", "egru.c"), map(torch.stack, zip(*wanted, strict=True)), strict=True))
    factors = torch.randn(9, 4, h, dtype=F64, generator=torch.Generator().manual_seed(2))
    for rows in (got, stacked):
        sum((rows[name] * factors * (k + 1)).sum() for k, name in enumerate(stacked)).backward()
    for name, rows in stacked.items():
        assert torch.allclose(got[name], rows, atol=1e-12)
    same_gradients([(m.weight, other) for m, other in zip(module.projections, w, strict=True)])
    same_gradients([(getattr(egru, name), other) for name, other in b.items()])


def test_egru_as_in_the_paper_against_a_loop_by_hand() -> None:
    """``y = new H(new - theta)`` is sent as it is: the model's condition ``y > 0`` has no surrogate of its own."""
    n, t = 4, 8
    shapes = [(2, n), (2, n), (2, n), (n, n), (n, n), (n, n)]
    rng = np.random.default_rng(7)
    w = [torch.tensor(rng.normal(size=s), dtype=F64, requires_grad=True) for s in shapes]
    theta = torch.full((n,), 0.2, dtype=F64, requires_grad=True)
    net = Network()
    source = net.population(Live(2, graded=True), name="in")
    h = net.population(EGRUPaper(theta=np.full(n, 0.2), start=1), n, name="h")
    for k, (port, delay) in enumerate((("a_u", 1), ("a_r", 1), ("a_z", 2), ("a_u", 1), ("a_r", 1), ("a_z", 1))):
        net.project(source if k < 3 else h, h.port(port), Dense(w[k].detach().numpy()), delay=delay)
    module = train.Module(net, 1 * ms, dtype=F64, surrogate=train.Triangle(0.5, 2.0), outputs=["h", "h.c"])
    x = torch.randn(t, 3, 2, dtype=F64, generator=torch.Generator().manual_seed(0))
    c, y = torch.zeros(3, n, dtype=F64), torch.zeros(3, n, dtype=F64)
    rows: list[Any] = []
    for row in x:
        u, r = torch.sigmoid(row @ w[0] + y @ w[3]), torch.sigmoid(row @ w[1] + y @ w[4])
        c = u * torch.tanh(row @ w[2] + (r * y) @ w[5]) + (1 - u) * c - y
        y = c * Fire.apply(c - theta, 0.5, 2.0)
        rows.append((c, y))
    given = torch.zeros(2 * t, 3, 2, dtype=F64)
    given[::2] = x
    got, _ = module(given)
    wanted = [torch.stack(column) for column in zip(*rows, strict=True)]
    pairs = [(got["h.c"][1::2], wanted[0]), (got["h"][1::2], wanted[1])]
    factors = torch.randn(t, 3, n, dtype=F64, generator=torch.Generator().manual_seed(2))
    for mine, other in pairs:
        assert torch.allclose(mine, other, atol=1e-12)
    sum((mine * factors).sum() for mine, _ in pairs).backward()
    sum((other * factors).sum() for _, other in pairs).backward()
    same_gradients([(m.weight, other) for m, other in zip(module.projections, w, strict=True)])
    same_gradients([(module.population("h").theta, theta)])


@neuron
class Leaky:
    """Leaky integrate-and-fire with a refractory time, in units."""

    i_in = Port(unit=nA)
    tau, r, theta, v_reset = Param(20 * ms), Param(10 * Mohm), Param(15 * mV), Param(-2 * mV)
    v = State(0 * mV)
    v.dot = (r * i_in / ms * ms - v) / tau
    spike = Event(when=v > theta, refractory=2 * ms, hold=v)
    v.reset = v_reset


def test_a_spiking_neuron_against_a_loop_by_hand() -> None:
    n = 6
    net = Network()
    source = net.population(Live(3), name="in")
    h = net.population(Leaky, n, name="h")
    rng = np.random.default_rng(1)
    first, second = 6 * rng.random((3, n)), rng.normal(size=(n, n))
    net.project(source, h, Dense(first * nA))
    net.project(h, h, Dense(second * nA), delay=2)
    names = ["tau", "r", "theta", "v_reset"]
    module = train.Module(
        net, 1 * ms, dtype=F64, surrogate=train.Triangle(0.7, 0.1), trainable={"h": names}, outputs=["h", "h.v"]
    )
    w, q = (torch.tensor(m, dtype=F64, requires_grad=True) for m in (first, second))
    p = {
        k: torch.tensor(v, dtype=F64, requires_grad=True) for k, v in zip(names, (20.0, 10.0, 15.0, -2.0), strict=True)
    }
    x = (torch.rand(25, 2, 3, generator=torch.Generator().manual_seed(0)) < 0.7).to(F64)
    v, rest = torch.zeros(2, n, dtype=F64), torch.zeros(2, n)
    sent, states = [torch.zeros(2, n, dtype=F64)] * 2, []
    for row in x:
        decay = torch.exp(-1 / p["tau"])
        new = decay * v + (1 - decay) * p["r"] * (row @ w + sent[-2] @ q)  # in mV
        new = torch.where(rest > 0, v, new)
        fired = torch.where(rest > 0, 0.0, Fire.apply(new - p["theta"], 0.7, 0.1))
        v = new + fired * (p["v_reset"] - new)
        rest = torch.where(fired > 0, 2.0, torch.clamp(rest - 1, min=0))
        sent.append(fired)
        states.append(v)
    got, _ = module(x)
    assert torch.equal(got["h"], torch.stack(sent[2:]).detach())
    assert got["h"].sum() > 10
    assert torch.allclose(got["h.v"] * 1e3, torch.stack(states), atol=1e-9)
    (got["h"].cumsum(0).sum() + (got["h.v"] * 1e3).square().mean()).backward()
    (torch.stack(sent[2:]).cumsum(0).sum() + torch.stack(states).square().mean()).backward()
    same_gradients([(module.projection(j).weight, other) for j, other in zip(net.projections, (w, q), strict=True)])
    same_gradients([(getattr(module.population("h"), name), other) for name, other in p.items()])


SURROGATES = [
    (train.Triangle(0.7, 1.0), lambda v: 0.7 * max(0.0, 1 - abs(v))),
    (train.SuperSpike(10.0), lambda v: 1 / (1 + 10 * abs(v)) ** 2),
    (train.Sigmoid(4.0), lambda v: 4 * np.exp(-4 * v) / (1 + np.exp(-4 * v)) ** 2),
    (train.ArcTan(2.0), lambda v: 1 / (1 + (np.pi * v) ** 2)),
    (train.Rectangle(0.8), lambda v: 1.25 if abs(v) < 0.4 else 0.0),
    (train.Gaussian(0.9, 0.5), lambda v: 0.9 * np.exp(-2 * v * v)),
    (train.StraightThrough(), lambda v: 1.0),
]


@pytest.mark.parametrize(("surrogate", "formula"), SURROGATES, ids=lambda p: type(p).__name__)
def test_surrogates_are_their_formulas(surrogate: Any, formula: Callable[[float], float]) -> None:
    v = torch.linspace(-2, 2, 41, dtype=F64)
    before = v.clone()
    assert torch.allclose(surrogate.derivative(v), torch.tensor([formula(float(x)) for x in v], dtype=F64))
    assert torch.equal(v, before)


@neuron
class Logic:
    """A condition of several comparisons."""

    a = Port()
    low, high = Param(0.2), Param(0.9)
    v = State(0.0)
    v.next = a
    out = Event(when=((v > low) & ~(v >= high)) | (v < -1.0))


def test_a_condition_is_differentiated_comparison_by_comparison() -> None:
    net = Network()
    source = net.population(Live(1, graded=True), name="in")
    h = net.population(Logic, 1, name="h")
    net.project(source, h, Dense([[1.0]]))
    bump = train.Gaussian(1.0, 0.3)
    module = train.Module(net, 1 * ms, dtype=F64, surrogate=bump, trainable={"h": ["low", "high"]})
    x = torch.linspace(-1.5, 1.5, 13, dtype=F64).view(1, 13, 1).requires_grad_()
    y, _ = module(x)
    y["h"].sum().backward()
    v = x.detach().flatten()
    p, q, r = (v > 0.2).double(), (v >= 0.9).double(), (v < -1.0).double()
    dp, dq, dr = (bump.derivative(d) for d in (v - 0.2, v - 0.9, -1.0 - v))
    first = p * (1 - q)
    assert torch.equal(y["h"].flatten(), first + r - first * r)
    d_low, d_high = -dp * (1 - q) * (1 - r), dq * p * (1 - r)
    assert torch.allclose(x.grad.flatten(), -d_low - d_high - dr * (1 - first))
    assert module.population("h").low.grad.item() == pytest.approx(d_low.sum().item())
    assert module.population("h").high.grad.item() == pytest.approx(d_high.sum().item())


def test_a_graph_can_be_walked_twice_and_is_freed() -> None:
    net = Network()
    source = net.population(Live(3, graded=True), name="in")
    egru_layer(net, source, EGRUWeights.random(3, 4, threshold=0.1), start=1, name="egru")
    module = train.Module(net, 1 * ms, dtype=F64)
    x = torch.randn(5, 2, 3, dtype=F64)
    y, state = module(x)
    loss = y["egru"].square().sum()
    loss.backward(retain_graph=True)
    once = [p.grad.clone() for p in module.parameters()]
    loss.backward()
    assert all(torch.allclose(p.grad, 2 * g) for p, g in zip(module.parameters(), once, strict=True))
    watched = weakref.ref(y["egru"])
    gc.disable()
    try:
        del y, state, loss
        assert watched() is None  # no cycle keeps the activations of a sequence
    finally:
        gc.enable()
