"""LaTeX and HTML of expressions and neurons."""

from __future__ import annotations

import re

import numpy as np
import pytest

from neuromorph.language import (
    Event,
    Expr,
    Param,
    Port,
    State,
    Type,
    abs_,
    cos,
    dt,
    exp,
    floor,
    minimum,
    neuron,
    normal,
    poisson,
    sigmoid,
    sin,
    sqrt,
    step,
    trunc_div,
    where,
    white_noise,
)
from neuromorph.language.latex import expr_latex, name_latex, unit_latex
from neuromorph.units import NONE, TIME, VOLTAGE, Mohm, Unit, cm, ms, mV, nA, nS, uF

X, Y = (Expr("state", (), NONE, Type.FLOAT, name) for name in "xy")
N = Expr("state", (), NONE, Type.INT, "n")
V = Expr("state", (), VOLTAGE, Type.FLOAT, "v")
TAU = Expr("param", (), TIME, Type.FLOAT, "tau_m")


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("v", "v"),
        ("tau_m", r"\tau_{m}"),
        ("i_in", r"i_{\mathrm{in}}"),
        ("g_Na_max", r"g_{\mathrm{Na},\mathrm{max}}"),
        ("x1", "x_{1}"),
        ("theta2_0", r"\theta_{2,0}"),
        ("drive", r"\mathrm{drive}"),
        ("Delta_T", r"\Delta_{T}"),
        ("_x", "x"),
    ],
)
def test_names(name: str, latex: str) -> None:
    assert name_latex(name) == latex


@pytest.mark.parametrize(
    ("unit", "latex"),
    [
        (mV, r"\mathrm{mV}"),
        (Mohm, r"\mathrm{M\Omega}"),
        (uF / cm**2, r"\mathrm{\mu F\,cm^{-2}}"),
        (nS / ms, r"\mathrm{nS\,ms^{-1}}"),
    ],
)
def test_units(unit: Unit, latex: str) -> None:
    assert unit_latex(unit) == latex


@pytest.mark.parametrize(
    ("expr", "latex"),
    [
        (-V / TAU, r"\frac{-v}{\tau_{m}}"),
        ((V - 15 * mV) / TAU, r"\frac{v - 15\,\mathrm{mV}}{\tau_{m}}"),
        (X * (X + Y), r"x \, \left(x + y\right)"),
        (2 * X * 3, r"2 \, x \cdot 3"),
        (X - (X - Y), r"x - \left(x - y\right)"),
        (X - X - Y, "x - x - y"),
        ((X + Y) ** 2, r"\left(x + y\right)^{2}"),
        ((X / Y) ** 2, r"\left(\frac{x}{y}\right)^{2}"),
        (-(X + Y), r"-\left(x + y\right)"),
        (X - -Y, r"x - \left(-y\right)"),
        (X * -2.0, r"x \, \left(-2\right)"),
        (exp((V - 15 * mV) / (2 * mV)), r"\exp\left(\frac{v - 15\,\mathrm{mV}}{2\,\mathrm{mV}}\right)"),
        (sigmoid(X), r"\sigma\left(x\right)"),
        (sin(X) + cos(Y), r"\sin\left(x\right) + \cos\left(y\right)"),
        (sqrt(X), r"\sqrt{x}"),
        (abs_(X), r"\left| x \right|"),
        (floor(X), r"\left\lfloor x \right\rfloor"),
        (minimum(X, Y), r"\min\left(x, y\right)"),
        (where(X > 0, X, 0.0), r"\begin{cases} x & \text{if } x > 0 \\ 0 & \text{otherwise} \end{cases}"),
        ((X >= 0) & ~(Y < 1), r"x \ge 0 \land \lnot \left(y < 1\right)"),
        (((X > 0) | (Y > 0)) & (X != 1), r"\left(x > 0 \lor y > 0\right) \land x \ne 1"),
        (N >> 2, r"n \gg 2"),
        ((N + 1) >> 2, r"n + 1 \gg 2"),
        (trunc_div(N, 3), r"\operatorname{trunc}\left(\frac{n}{3}\right)"),
        (N * 0.5, r"n \cdot 0.5"),
        (step * dt, r"\mathrm{step} \, \Delta t"),
        (X * 1e-5, r"x \cdot 1 \cdot 10^{-5}"),
        (poisson(X), r"\operatorname{Poisson}\left(x\right)"),
    ],
)
def test_expressions(expr: Expr, latex: str) -> None:
    assert expr_latex(expr) == latex


@neuron
class AdEx:
    """Adaptive <exponential> & friends."""

    i_in = Port(unit=nA)
    tau_m, r, theta = Param(20 * ms), Param(10 * Mohm), Param(15 * mV)
    v, w = State(0 * mV), State(0 * nA)
    drive = r * (i_in - w)
    v.dot = (drive - v + 0.1 * mV * sqrt(tau_m) * white_noise()) / tau_m
    w.jump = i_in
    w.next = w * 0.5
    spike = Event(when=v > theta, value=v / mV, refractory=2 * ms, hold=(v, w))
    v.reset = v - theta


def test_a_neuron() -> None:
    latex = AdEx._repr_latex_()
    assert latex.startswith("$$\\begin{aligned}\n")
    assert latex.endswith("\n\\end{aligned}$$")
    assert [line.removesuffix(r" \\") for line in latex.splitlines()[1:-1]] == [
        r"\mathrm{drive} &= r \, \left(i_{\mathrm{in}} - w\right)",
        r"w &\leftarrow w + i_{\mathrm{in}} && \text{(arriving)}",
        r"\frac{d v}{d t} &= \frac{\mathrm{drive} - v + 0.1\,\mathrm{mV} \, \sqrt{\tau_{m}} \, \xi_{0}}{\tau_{m}}",
        r"w &\leftarrow w \cdot 0.5",
        r"\mathrm{spike} &: v > \theta,\ \text{value } \frac{v}{1\,\mathrm{mV}},"
        r"\ \text{refractory for } 2\,\mathrm{ms},\ \text{holding } v, w",
        r"v &\leftarrow v - \theta && \text{(at an event)}",
    ]


def test_braces_balance() -> None:
    latex = AdEx._repr_latex_()
    assert latex.count("{") == latex.count("}")
    assert latex.count(r"\left") - latex.count(r"\leftarrow") == latex.count(r"\right")


def test_html_escapes_and_shows_units() -> None:
    html = AdEx(tau_m=np.linspace(10, 30, 100_000) * ms)._repr_html_()
    assert "Adaptive &lt;exponential&gt; &amp; friends." in html
    assert "v &gt; \\theta" in html
    assert re.search(r"<td>tau_m</td><td>float</td><td>array of 100,000: 10 to 30 ms</td>", html)
    assert "<td>r</td><td>float</td><td>10 Mohm</td>" in html
    assert "<td>i_in</td><td>float</td><td>nA</td>" in html
    assert "<td>v</td><td>float</td><td>0 mV</td>" in html
    assert len(html) < 6_000


def test_many_equations_are_cut() -> None:
    body: dict[str, object] = {"__name__": "wide"}
    source = "from neuromorph.language import *\n@neuron\nclass Wide:\n" + "".join(
        f"    x{k} = State(0.0)\n    x{k}.next = x{k} + {k}\n" for k in range(500)
    )
    exec(source, body)
    wide = body["Wide"]
    assert r"\text{440 more}" in wide._repr_latex_()  # type: ignore[attr-defined]
    assert "460 more" in wide._repr_html_()  # type: ignore[attr-defined]
    assert len(wide._repr_html_()) < 10_000  # type: ignore[attr-defined]


def test_streams_are_told_apart() -> None:
    @neuron
    class Two:
        x = State(0.0)
        x.next = normal() - normal()

    assert r"\mathcal{N}_{0} - \mathcal{N}_{1}" in Two._repr_latex_()
