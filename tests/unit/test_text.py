"""Text forms of a neuron: the readable equations and the canonical text."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from expressions import UNARY, evaluate, piecewise, point
from hypothesis import given, settings

from neuromorph.language import Event, Expr, Param, Port, State, exp, neuron, normal, to_float, where
from neuromorph.language.infix import exact_constant, infix
from neuromorph.units import ms, mV, nS


@neuron
class Everything:
    g_in = Port(unit=nS)
    k_in = Port(dtype=int)
    tau, theta, t_ref = Param(20 * ms), Param(15 * mV), Param(2 * ms)
    bits = Param(3, dtype=int)
    g, v = State(0 * nS), State(-theta / 2)
    n = State(0, dtype=int)
    w = State(0.5)
    ratio = v / theta
    noise = normal()
    g.jump = g_in
    n.jump = k_in
    g.dot = -g / (5 * ms)
    v.dot = (theta * exp(ratio) - v) / tau
    n.next = n >> bits
    spike = Event(when=(v > theta) | (n > 100), value=ratio * to_float(n), refractory=t_ref, hold=(v, n))
    v.reset = where(noise > 0, v - theta, 0 * mV)
    w.reset = ratio


EQUATIONS = """
ratio = v / theta
noise = normal()
g <- g + g_in  (jump)
n <- n + k_in  (jump)
dg/dt = -g / (5 * ms)
dv/dt = (theta * exp(ratio) - v) / tau
n <- n >> bits
event spike when v > theta | n > 100, value ratio * to_float(n), refractory for t_ref, holding v, n
v <- where(noise > 0, v - theta, 0 * mV)  (at an event)
w <- ratio  (at an event)
"""

TEXT = """
neuron Everything
method auto
port g_in: float nS
port k_in: int
param tau: float ms = 0.02
param theta: float mV = 0.015
param t_ref: float ms = 0.002
param bits: int = 3
let ratio = v / theta
let noise = normal#0
state g: float nS = 0.0[S]
  jump = g_in
  dot = -g / 0.005[s]
state v: float mV = -theta / 2.0
  dot = (theta * exp(ratio) - v) / tau
  reset = where(noise > 0.0, v - theta, 0.0[V])
state n: int = 0
  jump = k_in
  next = n >> bits
state w: float = 0.5
  reset = ratio
event spike
  when = v > theta | n > 100
  value = ratio * to_float(n)
  refractory = t_ref
  hold = v, n
"""


def test_equations() -> None:
    assert "\n".join(Everything.equations()) == EQUATIONS.strip()


def test_canonical_text() -> None:
    # The exact text is a promise: hashes of it are stored in traces.
    assert Everything.text() == TEXT.lstrip()


def test_canonical_text_has_the_values() -> None:
    text = Everything(tau=10 * ms, bits=[1, 2], v=np.array([1.0, 2.0]) * mV).text()
    lines = text.removeprefix(TEXT.lstrip()).splitlines()
    assert lines[0] == "value tau = 0.01"
    assert lines[1].startswith("value bits = array(2,) i8 sha256:")
    assert lines[2].startswith("value v = array(2,) f8 sha256:")


def test_distributions_are_written_exactly() -> None:
    from neuromorph.network.distributions import Normal

    one, other = (Everything(v=Normal(mean * mV, 2 * mV)) for mean in (1.0, 1.0 + 1e-15))
    assert one.hash != other.hash
    assert "value v = Normal(mean=0.001, sd=0.002)\n" in one.text()


def test_shared_operands_are_written_once() -> None:
    @neuron
    class Shared:
        x = State(1.0)
        for _ in [0]:
            y = x + 1
            for _ in range(40):  # 2**40 operations if each use were written out
                y = y * y
        del y

    @neuron
    class Doubling:
        x = State(1.0)
        square = x
        for _ in range(40):
            square = square * square
        x.next = square

    assert "next" not in Shared.text()
    text = Doubling.text()
    assert len(text.splitlines()) < 60
    assert "let %1 = %0 * %0" in text
    assert "let square = %38 * %38" in text
    assert len("\n".join(Doubling.equations())) < 10_000


def test_constants_read_back_exactly() -> None:
    @neuron
    class X:
        x = State(0.1 + 0.2)
        x.next = x * (1 / 3)

    assert "= 0.30000000000000004\n" in X.text()
    assert "next = x * 0.3333333333333333\n" in X.text()


@given(piecewise, point)
@settings(max_examples=150, deadline=None)
def test_canonical_text_means_the_expression(expr: Expr, at: dict[str, float]) -> None:
    # Python reads the text with its own precedence and must compute the same bits: so texts of different sums differ.
    functions: dict[str, Any] = {
        **{name: UNARY[name] for name in ("exp", "log", "sqrt", "sigmoid", "tanh", "sin", "cos", "floor")},
        "abs_": abs,
        "to_int": int,
        "to_float": float,
        "minimum": min,
        "maximum": max,
        "where": lambda c, a, b: a if c else b,
    }
    text = infix(expr, number=exact_constant, limit=2**62)
    value = eval(text, functions | at)
    expected = evaluate(expr, at)
    assert math.copysign(1, value) == math.copysign(1, expected)
    assert value == expected
