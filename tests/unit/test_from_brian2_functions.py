"""Functions of Brian 2 that the language has not: powers, tables read at any time, binomial numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuromorph import CheckError, Network, Reference, State, from_brian2, ms
from neuromorph.errors import LanguageError
from neuromorph.language import make_neuron

b = pytest.importorskip("brian2")

from brian2_networks import compare, numpy_code  # noqa: E402, F401  numpy_code acts by itself

from neuromorph.interchange.brian2.functions import binomial  # noqa: E402


def test_powers_with_a_variable_for_exponent() -> None:
    group = b.NeuronGroup(
        12,
        """two = 2**k : integer
        plus_minus = (-1)**k : integer
        three = (-3)**k : integer
        whole = x**k : 1
        below = x**(k - 5) : 1
        large = sgn**(k*17) : 1
        broken = abs(x)**(0.3*k - 1) : 1
        real = (-1.5)**(1.0*k) : 1
        sgn = 0.97*x/abs(x) : 1
        k : integer (constant)
        x : 1 (constant)""",
    )
    group.k, group.x = np.arange(12), np.linspace(-2, 2, 12)
    names = ["two", "plus_minus", "three", "whole", "below", "large", "broken", "real"]
    assert compare([group, b.StateMonitor(group, names, record=True)], 0.3) == 0


def test_tables_at_any_time_and_of_any_length() -> None:
    drawn = np.random.default_rng(0)
    names = {
        "flat": b.TimedArray(drawn.random(67), dt=0.5 * b.ms),
        "wide": b.TimedArray(drawn.random((12, 5)) * b.mV, dt=1 * b.ms),
        "long": b.TimedArray(drawn.random(5000), dt=0.1 * b.ms),
    }
    group = b.NeuronGroup(
        6,
        """dx/dt = 1 + 0.3*sin(2*pi*80*Hz*t) : second
        column = int(5*flat(x)) : integer
        moved = flat(0.5*ms + 2*x) : 1
        late = long(t - d) : 1
        fast = long(t*(1 + d/(10*ms)) + d) : 1
        chosen = wide(t, column) : volt
        own = wide(x, i % 5) : volt
        both = wide(t - d, i % 5) : volt
        d : second (constant)""",
        method="euler",
    )
    group.d, group.x = [0, 1, 1, 2.5, 3, -2] * b.ms, "0.3*ms*i"
    seen = ["column", "moved", "late", "fast", "chosen", "own", "both"]
    assert compare([group, b.StateMonitor(group, seen, record=True)], 14, names) == 0
    group = b.NeuronGroup(2, "dx/dt = 1 + long(x) : second", method="euler", name="group")
    with pytest.raises(CheckError, match=r"group: x?.*long\(\): which of its 5000 entries is read is not known before"):
        from_brian2([group], namespace=names)


@pytest.mark.parametrize(("n", "p"), [(100, 0.1), (100, 0.97), (3, 0.5), (400, 0.3)])
def test_binomial_numbers_are_spread_as_they_should_be(n: int, p: float) -> None:
    shown = State(0.0)
    shown.next = binomial(n, p, approximate=False)
    network = Network(seed=2)
    draws = network.population(make_neuron("Draws", {"shown": shown}), 200, name="draws")
    network.record(draws, "shown")
    trace = Reference().compile(network, dt=1 * ms).run(50, progress=False)
    drawn = np.asarray(trace.state("draws", "shown").data)
    spread = np.sqrt(n * p * (1 - p))
    assert abs(drawn.mean() - n * p) < 4 * spread / np.sqrt(drawn.size)
    assert abs(drawn.std() / spread - 1) < 0.03
    assert np.all(drawn == np.rint(drawn))
    assert drawn.min() >= 0
    assert drawn.max() <= n


def test_binomial_numbers_of_extreme_chances() -> None:
    for p in (0, 1):
        sure = binomial(7, p)
        assert (sure.op, sure.payload) == ("const", 7.0 * p)
    with pytest.raises(LanguageError, match="approximate=True"):
        binomial(10**6, 0.5, approximate=False)
    group = b.NeuronGroup(2, "x : 1\ny : 1", name="group")
    group.run_regularly("x = near(); y = exact()")
    names = {"near": b.BinomialFunction(100, 0.5), "exact": b.BinomialFunction(30, 0.1, approximate=False)}
    objects = [group, b.StateMonitor(group, ["x", "y"], record=True)]
    trace = Reference().compile(from_brian2(objects, namespace=names), dt=0.1 * ms).run(40 * ms, progress=False)
    x, y = trace.state("group", "x_start").data[5:], trace.state("group", "y_start").data[5:]
    assert abs(x.mean() - 50) < 1.5
    assert np.any(x != np.rint(x))
    assert abs(y.mean() - 3) < 0.4
    assert set(np.unique(y)) <= set(range(31))


def test_functions_of_ones_own_with_those_for_arrays() -> None:
    brians, own = b.numpy_, 0.5

    @b.check_units(x=1, y=1, result=1)
    def mine(x: Any, y: Any = 2) -> Any:
        return np.log1p(x * x) + b.exp(-x) * brians.sin(y) + own * np.clip(np.arctan(x), -1, 0.9) ** 2

    @b.check_units(x=1, result=1)
    def branching(x: Any) -> Any:
        return x if x > 0 else -x

    group = b.NeuronGroup(5, "v : 1\nw : 1", name="group")
    group.run_regularly("w = mine(v, 0.3); v += 0.1*mine(w, v)")
    group.v = "0.3*i - 1"
    objects = [group, b.StateMonitor(group, ["v", "w"], record=True)]
    assert compare(objects, 2, {"mine": mine}) == 0
    other = b.NeuronGroup(1, "v = branching(t/ms) : 1", name="other")
    with pytest.raises(CheckError, match=r"branching\(\) cannot be said in equations; it must be plain arithmetic"):
        from_brian2([other], namespace={"branching": branching})
