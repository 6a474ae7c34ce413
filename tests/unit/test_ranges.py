"""What is known of the size of numbers in a step program is true of every number that it computes."""

from __future__ import annotations

import numpy as np
import pytest

from neuromorph.engine.ranges import _ranges, widths
from neuromorph.language import (
    Event,
    Port,
    State,
    exp,
    log,
    neuron,
    normal,
    poisson,
    tanh,
    to_float,
    to_int,
    uniform,
    where,
)
from neuromorph.language.expr import Type
from neuromorph.lowering import lower_neuron
from neuromorph.lowering.evaluate import evaluate
from neuromorph.lowering.program import Float

SIZE = 500


@neuron
class Wide:
    """Numbers of every size, from ports and states that may be anything."""

    a, b = Port(), Port(dtype=int)
    x, y, n, k = State(0.0), State(0.0), State(0, dtype=int), State(0, dtype=int)
    x.next = exp(a) * normal() + tanh(x) + log(y)
    y.next = uniform() - to_float(poisson(3.0))
    n.next = (n >> 5) + b * 3 - to_int(uniform() * 100.0)
    k.next = where(n > k, to_int(uniform() * 1e12), 7) * 5
    spike = Event(when=x > y)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ranges_hold_every_value(dtype: Float) -> None:
    program = lower_neuron(Wide, 1e-3, dtype, SIZE).program
    rng = np.random.default_rng(4)
    floats = (rng.standard_normal((3, SIZE)) * 10.0 ** rng.integers(-30, 30, (3, SIZE))).astype(dtype)
    floats[:, :3] = [np.nan, np.inf, -np.inf]
    small, large = rng.integers(-(2**31), 2**31, (2, SIZE)), rng.integers(-(2**63), 2**63 - 1, SIZE)
    states, ports = [*floats[:2], *small], [floats[2], large]
    params = [np.dtype(dtype).type(0.5) for _ in program.params]
    values = evaluate(program, states, params, ports, step=3, seed=1, ids=np.arange(SIZE))
    known = _ranges(program.ops)
    assert len(known) > len(program.ops) // 4
    exponents = {op.args[0] for op in program.ops if op.code == "exp2i"}  # of nan, which is nobody's
    for number, (low, high) in known.items():
        if number not in exponents:
            assert np.all(
                (np.asarray(values[number], np.float64) >= low) & (np.asarray(values[number], np.float64) <= high)
            ), program.ops[number]
    for number, name in widths(program.ops).items():
        if number not in exponents:
            assert np.array_equal(np.asarray(values[number]).astype(name), values[number]), program.ops[number]


def test_random_words_are_converted_in_32_bits() -> None:
    program = lower_neuron(Wide, 1e-3, "float64", SIZE).program
    found = widths(program.ops)
    conversions = [op.args[0] for op in program.ops if op.code == "to_float"]
    assert conversions
    assert all(number in found for number in conversions)
    assert all(program.ops[number].type is Type.INT for number in found)
