"""Derivatives and linear forms, judged by evaluating random expressions."""

from __future__ import annotations

import pytest
from expressions import A, B, X, Y, evaluate, leaf, piecewise, point, smooth
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from neuromorph.language import (
    Expr,
    Type,
    abs_,
    exp,
    floor,
    minimum,
    sigmoid,
    to_float,
    to_int,
    where,
)
from neuromorph.language.derivative import derivative, linear_coefficients
from neuromorph.language.expr import nodes
from neuromorph.language.infix import infix
from neuromorph.units import FREQUENCY, TIME, VOLTAGE, ms, mV

V = Expr("state", (), VOLTAGE, Type.FLOAT, "v")
TAU = Expr("param", (), TIME, Type.FLOAT, "tau")


@given(smooth, point)
@settings(max_examples=150, deadline=None)
def test_smooth_derivatives_agree_with_differences(expr: Expr, at: dict[str, float]) -> None:
    slope = evaluate(derivative(expr, "x"), at)
    h = 1e-4
    near = [evaluate(expr, at | {"x": at["x"] + k * h}) for k in (-2, -1, 1, 2)]
    central = (near[0] - 8 * near[1] + 8 * near[2] - near[3]) / (12 * h)
    scale = 1 + max(map(abs, near)) + abs(slope)
    assume(scale < 1e3)
    assert slope == pytest.approx(central, abs=1e-6 * scale**2)


@given(piecewise, point)
@settings(max_examples=150, deadline=None)
def test_piecewise_derivatives_agree_with_one_side(expr: Expr, at: dict[str, float]) -> None:
    slope = evaluate(derivative(expr, "x"), at)
    sides = []
    for h in (1e-6, -1e-6):
        change = (evaluate(expr, at | {"x": at["x"] + h}) - evaluate(expr, at)) / h
        sides.append(abs(change - slope))
    # At a border the slope is that of the piece that holds at the point itself, so one side agrees or the point is
    # isolated, as in where(x > 0, ...) with a jump on both sides of one value.
    scale = 1 + abs(slope) + abs(evaluate(expr, at))
    assume(scale < 1e2)
    assume(min(sides) < 1e3)
    assert min(sides) <= 1e-3 * scale**2


@given(piecewise, point, st.sampled_from([("x",), ("x", "y"), ()]))
@settings(max_examples=150, deadline=None)
def test_linear_forms_are_equal_to_the_expression(expr: Expr, at: dict[str, float], states: tuple[str, ...]) -> None:
    form = linear_coefficients(expr, states)
    if form is None:
        assert states
        return
    coefficients, remainder = form
    parts = [remainder, *coefficients.values()]
    assert not any(n.op == "state" and n.payload in states for n in nodes(*parts))
    for at_x in (at["x"], 1.0):  # coefficients are evaluated once, the states move
        moved = at | {"x": at_x}
        rebuilt = evaluate(remainder, at) + sum(evaluate(c, at) * moved[s] for s, c in coefficients.items())
        if states:
            assert rebuilt == pytest.approx(evaluate(expr, moved), rel=1e-9, abs=1e-9)


linear = st.recursive(
    st.sampled_from([X, Y]),
    lambda inner: st.one_of(
        st.builds(lambda a, b: a + b, inner, inner),
        st.builds(lambda a, b: a - b, inner, inner),
        st.builds(lambda a, k: k * a, inner, leaf.filter(lambda e: e.op != "state")),
        st.builds(lambda a, k: a / (1.5 + k * k), inner, leaf.filter(lambda e: e.op != "state")),
        st.builds(lambda a: -a, inner),
        st.builds(lambda a, b: where(A > B, a, b), inner, inner),
        st.builds(lambda a, k: a + sigmoid(k), inner, leaf.filter(lambda e: e.op != "state")),
    ),
    max_leaves=10,
)


@given(linear, point)
@settings(max_examples=200, deadline=None)
def test_linear_expressions_are_recognised(expr: Expr, at: dict[str, float]) -> None:
    form = linear_coefficients(expr, ("x", "y"))
    assert form is not None
    for state in "xy":
        slope = evaluate(derivative(expr, state), at)
        assert slope == pytest.approx(evaluate(form[0].get(state, Expr("const", payload=0.0)), at), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("expr", "slope"),
    [
        (X, "1"),
        (A, "0"),
        (3 * X + A, "3"),
        (-X / A, "-1 / a"),
        (X * X, "x + x"),
        (X**2, "2 * x"),
        (X**1, "1"),
        (exp(A * X), "exp(a * x) * a"),
        (floor(X), "0"),
        (to_float(to_int(X)), "0"),
        (where(X > 0, X, -X), "where(x > 0, 1, -1)"),
        (where(A > 0, X, X), "1"),
    ],
)
def test_trivial_terms_vanish(expr: Expr, slope: str) -> None:
    assert infix(derivative(expr, "x")) == slope


@pytest.mark.parametrize(
    "expr", [X * Y, X * X, A / X, exp(X), X**2, abs_(X), where(X > 0, A, B), floor(X), minimum(X, A)]
)
def test_what_is_not_linear(expr: Expr) -> None:
    assert linear_coefficients(expr, ("x", "y")) is None


def test_linear_in_one_state_alone() -> None:
    form = linear_coefficients(X * Y + A, ("x",))
    assert form is not None
    assert {s: infix(c) for s, c in form[0].items()} == {"x": "y"}
    assert infix(form[1]) == "a"


def test_cancelling_terms_leave_no_coefficient() -> None:
    form = linear_coefficients(X - X + A, ("x",))
    assert form is not None
    assert form[0] == {}


def test_dimensions_are_kept() -> None:
    dot = (2 * mV - V) / TAU + V * A / (3 * ms)
    assert derivative(dot, "v").dim == FREQUENCY
    form = linear_coefficients(dot, ("v",))
    assert form is not None
    assert form[0]["v"].dim == FREQUENCY
    assert form[1].dim == VOLTAGE * FREQUENCY
    for node in nodes(derivative(exp(V / mV) * V**2 / TAU, "v")):
        if node.op in ("add", "sub"):
            assert node.args[0].dim == node.args[1].dim == node.dim


def test_long_sums_do_not_recurse() -> None:
    total = X
    for _ in range(5_000):
        total = total + X * A
    assert evaluate(derivative(total, "x"), {"a": 2.0, "x": 1.0}) == 10_001
    form = linear_coefficients(total, ("x",))
    assert form is not None
    assert evaluate(form[0]["x"], {"a": 2.0}) == 10_001
