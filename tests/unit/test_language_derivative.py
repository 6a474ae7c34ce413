"""Derivatives, judged by evaluating random expressions."""

from __future__ import annotations

import pytest
from expressions import A, X, evaluate, piecewise, point, smooth
from hypothesis import assume, given, settings

from neuromorph.language import (
    Expr,
    Type,
    exp,
    floor,
    to_float,
    to_int,
    where,
)
from neuromorph.language.derivative import derivative
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
    low, high = sorted((evaluate(expr, at | {"x": at["x"] + h}) - evaluate(expr, at)) / h for h in (1e-6, -1e-6))
    # At a border the slope is that of the piece that holds at the point itself, so one side agrees or the point is
    # isolated, as in where(x > 0, ...) with a jump on both sides of one value. Where several borders meet, as in
    # maximum(y, abs(x)) at 0, that piece may hold nowhere else: its slope is between those of the sides.
    scale = 1 + abs(slope) + abs(evaluate(expr, at))
    error = min(abs(low - slope), abs(high - slope))
    assume(scale < 1e2)
    assume(error < 1e3)
    assert error <= 1e-3 * scale**2 or low < slope < high


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


def test_dimensions_are_kept() -> None:
    dot = (2 * mV - V) / TAU + V * A / (3 * ms)
    assert derivative(dot, "v").dim == FREQUENCY
    for node in nodes(derivative(exp(V / mV) * V**2 / TAU, "v")):
        if node.op in ("add", "sub"):
            assert node.args[0].dim == node.args[1].dim == node.dim


def test_long_sums_do_not_recurse() -> None:
    total = X
    for _ in range(5_000):
        total = total + X * A
    assert evaluate(derivative(total, "x"), {"a": 2.0, "x": 1.0}) == 10_001
