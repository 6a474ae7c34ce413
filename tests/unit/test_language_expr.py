"""Expressions: types and dimensions of every operation, NumPy's functions, and what a sealed neuron holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neuromorph.language import (
    Event,
    Expr,
    Neuron,
    Param,
    Port,
    State,
    Type,
    abs_,
    dt,
    exp,
    floor,
    log,
    maximum,
    minimum,
    neuron,
    normal,
    poisson,
    rint,
    sigmoid,
    sqrt,
    step,
    tanh,
    to_float,
    to_int,
    trunc,
    trunc_div,
    trunc_shift,
    uniform,
    where,
    white_noise,
)
from neuromorph.language.infix import infix
from neuromorph.units import CURRENT, FREQUENCY, NONE, TIME, VOLTAGE, Dimension, Mohm, ms, mV, nA, second

F, K, B = Type.FLOAT, Type.INT, Type.BOOL
V = Expr("state", (), VOLTAGE, F, "v")
X = Expr("state", (), NONE, F, "x")
N = Expr("state", (), NONE, K, "n")
R = Expr("param", (), VOLTAGE / CURRENT, F, "r")
C = X > 0


@pytest.mark.parametrize(
    ("expr", "kind", "dim", "text"),
    [
        (V + 1 * mV, F, VOLTAGE, "v + 1 * mV"),
        (1 * mV - V, F, VOLTAGE, "1 * mV - v"),
        (mV - V, F, VOLTAGE, "1 * mV - v"),
        (2 * V, F, VOLTAGE, "2 * v"),
        (np.float32(2) * V, F, VOLTAGE, "2 * v"),
        (np.int64(2) * N, K, NONE, "2 * n"),
        (V / R, F, CURRENT, "v / r"),
        (V / ms, F, VOLTAGE / TIME, "v / (1 * ms)"),
        (1 / (2 * ms), None, None, None),
        (-V, F, VOLTAGE, "-v"),
        (+V, F, VOLTAGE, "v"),
        (abs(V), F, VOLTAGE, "abs_(v)"),
        (V**2, F, VOLTAGE**2, "v ** 2"),
        (V**0.5, F, VOLTAGE**0.5, "v ** 0.5"),
        (N**2, K, NONE, "n ** 2"),
        (N**-1, F, NONE, "to_float(n) ** (-1)"),
        (N + N, K, NONE, "n + n"),
        (N + X, F, NONE, "to_float(n) + x"),
        (N / N, F, NONE, "to_float(n) / to_float(n)"),
        (N * (2 * ms), F, TIME, "to_float(n) * (2 * ms)"),
        (step * dt, F, TIME, "to_float(step) * dt"),
        (N >> 2, K, NONE, "n >> 2"),
        (1 << N, K, NONE, "1 << n"),
        (trunc_div(N, 3), K, NONE, "trunc_div(n, 3)"),
        (trunc_shift(N, 3), K, NONE, "where(n < 0, -(-n >> 3), n >> 3)"),
        (X * C, F, NONE, "x * where(x > 0, 1, 0)"),
        (N + C, K, NONE, "n + where(x > 0, 1, 0)"),
        (C & ~C | C, B, NONE, "x > 0 & ~(x > 0) | x > 0"),
        (True & C, B, NONE, "True & x > 0"),
        (N == 3, B, NONE, "n == 3"),
        (N > 3, B, NONE, "n > 3"),
        (1 * mV != V, B, NONE, "v != 1 * mV"),
        (exp(X), F, NONE, "exp(x)"),
        (exp(N), F, NONE, "exp(to_float(n))"),
        (log(X), F, NONE, "log(x)"),
        (sigmoid(X), F, NONE, "sigmoid(x)"),
        (tanh(V / mV), F, NONE, "tanh(v / (1 * mV))"),
        (sqrt(V), F, VOLTAGE**0.5, "sqrt(v)"),
        (abs_(N), K, NONE, "abs_(n)"),
        (minimum(V, 1 * mV), F, VOLTAGE, "minimum(v, 1 * mV)"),
        (maximum(N, 0), K, NONE, "maximum(n, 0)"),
        (maximum(N, 0.5), F, NONE, "maximum(to_float(n), 0.5)"),
        (floor(X), F, NONE, "floor(x)"),
        (rint(X), F, NONE, "rint(x)"),
        (trunc(X), F, NONE, "trunc(x)"),
        (trunc(N), K, NONE, "n"),
        (to_int(X), K, NONE, "to_int(x)"),
        (to_int(C), K, NONE, "where(x > 0, 1, 0)"),
        (to_float(C), F, NONE, "where(x > 0, 1, 0)"),
        (where(C, V, 1 * mV), F, VOLTAGE, "where(x > 0, v, 1 * mV)"),
        (where(C, N, 1), K, NONE, "where(x > 0, n, 1)"),
        (where(C, N, 1.0), F, NONE, "where(x > 0, to_float(n), 1)"),
        (where(C, C, True), B, NONE, "where(x > 0, x > 0, True)"),
        (normal(), F, NONE, "normal()"),
        (uniform(), F, NONE, "uniform()"),
        (white_noise(), F, FREQUENCY**0.5, "white_noise()"),
        (poisson(X), K, NONE, "poisson(x)"),
        (X - (X - X), F, NONE, "x - (x - x)"),
        (X - X + X, F, NONE, "x - x + x"),
        (X / (X * X), F, NONE, "x / (x * x)"),
        (-(X + X), F, NONE, "-(x + x)"),
        ((-X) ** 2, F, NONE, "(-x) ** 2"),
        (-(X**2), F, NONE, "-x ** 2"),
        (X * -2, F, NONE, "x * -2"),
    ],
)
def test_type_dimension_and_text(expr: Any, kind: Type | None, dim: Dimension | None, text: str | None) -> None:
    if kind is None:
        assert not isinstance(expr, Expr)
        return
    assert isinstance(expr, Expr)
    assert (expr.type, expr.dim) == (kind, dim)
    assert infix(expr) == text


@pytest.mark.parametrize(
    ("made", "same"),
    [
        (lambda: np.exp(X), lambda: exp(X)),
        (lambda: np.log(X), lambda: log(X)),
        (lambda: np.sqrt(V), lambda: sqrt(V)),
        (lambda: np.tanh(X), lambda: tanh(X)),
        (lambda: np.abs(V), lambda: abs_(V)),
        (lambda: np.minimum(V, V), lambda: minimum(V, V)),
        (lambda: np.maximum(2.0, X), lambda: maximum(2.0, X)),
        (lambda: np.where(C, X, 1.0), lambda: where(C, X, 1.0)),
        (lambda: np.clip(X, 0.0, 1.0), lambda: minimum(maximum(X, 0.0), 1.0)),
        (lambda: np.float64(2) * V, lambda: 2.0 * V),
        (lambda: np.float64(2) - X, lambda: 2.0 - X),
        (lambda: np.float64(2) / X, lambda: 2.0 / X),
        (lambda: np.less(X, 2.0), lambda: X < 2.0),
        (lambda: np.square(V), lambda: V * V),
        (lambda: np.logical_and(C, C), lambda: C & C),
        (lambda: np.right_shift(N, 2), lambda: N >> 2),
    ],
)
def test_numpy_functions_mean_ours(made: Callable[[], Expr], same: Callable[[], Expr]) -> None:
    assert (infix(made()), made().dim, made().type) == (infix(same()), same().dim, same().type)


def test_repr_shows_type_and_dimension() -> None:
    assert repr(V / R) == "<float v / r, current (A)>"


def test_expressions_are_hashable_by_identity() -> None:
    assert len({V, X, V}) == 2


def test_arithmetic_of_long_sums_is_not_recursive() -> None:
    total = X
    for _ in range(20_000):
        total = total + 1.0
    assert infix(total).startswith("... + 1 + 1")


@neuron
class LIF:
    """Leaky integrate-and-fire.

    Two lines of text.
    """

    i_in = Port(unit=nA)
    tau, r, theta, t_ref = Param(20 * ms), Param(10 * Mohm), Param(15 * mV), Param(2 * ms)
    e_l = Param(-70 * mV)
    i, v = State(0 * nA), State(e_l)
    spikes = State(0, dtype=int)
    drive = r * i
    i.jump = i_in
    i.dot = -i / (5 * ms)
    v.dot = (drive - (v - e_l)) / tau
    above = v > theta
    spike = Event(when=above, refractory=t_ref, hold=v)
    v.reset = v - theta
    spikes.reset = spikes + 1


def test_what_a_sealed_neuron_holds() -> None:
    n: Neuron = LIF
    assert (n.name, n.doc, n.method) == ("LIF", "Leaky integrate-and-fire.\n\nTwo lines of text.", "auto")
    assert [(p.name, str(p.unit), p.type) for p in n.ports] == [("i_in", "nA", F)]
    assert [(p.name, p.default, str(p.unit)) for p in n.params] == [
        ("tau", 0.02, "ms"),
        ("r", 1e7, "Mohm"),
        ("theta", 0.015, "mV"),
        ("t_ref", 0.002, "ms"),
        ("e_l", -0.07, "mV"),
    ]
    assert [(s.name, infix(s.initial), str(s.unit), s.type) for s in n.states] == [
        ("i", "0 * nA", "nA", F),
        ("v", "e_l", "mV", F),
        ("spikes", "0", "", K),
    ]
    assert [name for name, _ in n.named] == ["drive", "above"]
    assert n.event is not None
    assert (n.event.name, n.event.hold) == ("spike", ("v",))
    assert n.event.when is dict(n.named)["above"]
    assert n.state("v").next is None
    assert n.state("spikes").reset is not None
    assert repr(n) == "<Neuron LIF(): 3 states, 5 params, 1 ports>"


def test_sealed_symbols_are_plain_leaves_and_shared() -> None:
    from neuromorph.language.expr import nodes

    leaves = [e for e in nodes(*LIF.expressions()) if e.op in ("state", "param", "port")]
    assert all(type(e) is Expr for e in leaves)
    assert len({(e.op, e.payload) for e in leaves}) == len(leaves) == 9
    v = LIF.state("v").dot
    assert v is not None
    assert any(e is dict(LIF.named)["drive"] for e in nodes(v))


def test_streams_are_numbered_in_the_order_of_writing() -> None:
    normal()  # streams drawn elsewhere do not count

    @neuron
    class Noisy:
        rate = Param(3.0)
        x, y = State(0.0), State(0.0)
        a, b = normal(), poisson(rate)
        y.next = y + b + a
        x.dot = -x / second + white_noise() / sqrt(second) + a / second

    kinds = {e.op: e.payload for root in Noisy.expressions() for e in _leaves(root)}
    assert kinds == {"normal": 0, "poisson": 1, "white_noise": 2}


def _leaves(root: Expr) -> list[Expr]:
    from neuromorph.language.expr import nodes

    return [e for e in nodes(root) if e.op in ("normal", "poisson", "white_noise")]


def test_rules_read_back_inside_the_body() -> None:
    @neuron
    class X:
        v = State(0.0)
        v.dot = -v / second
        speed = v.dot * second

    assert X.equations() == ["speed = -v / (1 * s) * (1 * s)", "dv/dt = -v / (1 * s)"]


def test_ints_and_conditions_go_into_float_states() -> None:
    @neuron
    class X:
        n, x, y = State(0, dtype=int), State(0.0), State(0.0)
        n.next = n + 1
        x.next = n
        y.next = n > 2

    assert [s.next.type for s in X.states] == [K, F, F]


def test_look_ups_list_what_there_is() -> None:
    from neuromorph.errors import LanguageError

    assert LIF.port("i_in").name == "i_in"
    assert LIF.param("tau").default == 0.02
    for look_up, available in (
        (LIF.port, "i_in"),
        (LIF.param, "tau, r, theta, t_ref, e_l"),
        (LIF.state, "i, v, spikes"),
    ):
        with pytest.raises(LanguageError, match=f"LIF has no .* 'qqq'; available: {available}"):
            look_up("qqq")
