"""Same arithmetic: what docs/engine.md promises of roundings, held where a compiler would be tempted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neuromorph.engine.compile import compile_network
from neuromorph.engine.instance import Instance
from neuromorph.language import Param, State, floor, neuron
from neuromorph.lowering import elementary, lower_neuron
from neuromorph.lowering.program import Float, LoweredNetwork, LoweredPopulation
from neuromorph.units import ms

SIZE = 64
DTYPES: tuple[Float, ...] = ("float32", "float64")


@neuron
class Tempting:
    """Each state is what contraction, reassociation, a reciprocal or flushing would change."""

    a, b, c, ratio = State(0.0), State(0.0), State(0.0), State(0.0)
    contracted, associated, distributed, divided, tiny = State(0.0), State(0.0), State(0.0), State(0.0), State(0.0)

    contracted.next = a * b + c
    associated.next = (a + b) + c - a
    distributed.next = a * c + b * c
    divided.next = a / c
    tiny.next = ratio * 2.0**-20


def step(neuron: Any, dtype: Float, values: dict[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """States after one step of the compiled kernel."""
    lowered = lower_neuron(neuron(**values), 1e-3, dtype, SIZE)
    population = LoweredPopulation("p", 0, SIZE, 0, lowered.program, lowered.state_init, lowered.param_values)
    compiled = compile_network(LoweredNetwork("test", 1e-3, 0, dtype, (population,), (), 1))
    instance = Instance(compiled, 1)
    instance.run(0, 1, 0, instance.tables(record=False))
    layout, floats = compiled.layouts[0], instance.memories[0].floats
    assert layout is not None
    return {place.name: floats[place.offset : place.offset + SIZE] for place in layout.states}


@pytest.mark.parametrize("dtype", DTYPES)
def test_nothing_is_contracted_reassociated_or_flushed(dtype: Float) -> None:
    rng, kind = np.random.default_rng(1), np.dtype(dtype).type
    a, b = (rng.standard_normal(SIZE).astype(dtype) for _ in range(2))
    c = -(a * b) * kind(1 + 1e-3)
    small = np.finfo(dtype).smallest_subnormal * 2.0**22
    values = {"a": a, "b": b, "c": c, "ratio": np.full(SIZE, small)}
    got = step(Tempting, dtype, values)
    assert np.array_equal(got["contracted"], a * b + c)
    wide = np.longdouble if dtype == "float64" else np.float64
    fused = (a.astype(wide) * b.astype(wide) + c.astype(wide)).astype(dtype)
    assert np.any(fused != a * b + c), "the numbers could not tell"
    assert np.array_equal(got["associated"], (a + b) + c - a)
    assert np.any(got["associated"] != b + c)
    assert np.array_equal(got["distributed"], a * c + b * c)
    assert np.any(got["distributed"] != (a + b) * c)
    assert np.array_equal(got["divided"], a / c)
    assert np.any(got["divided"] != a * (kind(1) / c))
    assert np.all(got["tiny"] == np.finfo(dtype).smallest_subnormal * 4)


@neuron
class Quotients:
    """The same quotient by a known number, as a value and as a rate."""

    k = Param(49.0)
    n, quotient, x = State(49.0), State(0.0), State(0.0)
    n.next = n + 0.0
    quotient.next = floor(n / k)
    x.dot = n / k / ms


def test_only_derivatives_multiply_by_inverses() -> None:
    codes = [op.code for op in lower_neuron(Quotients, 1e-3).program.ops]
    assert codes.count("div") == 1
    assert np.all(step(Quotients, "float64", {})["quotient"] == 1.0)
    assert np.floor(49.0 * (1 / 49.0)) == 0.0, "the inverse would have told"


def test_documented_errors_are_those_that_are_measured() -> None:
    page = (Path(__file__).parents[2] / "docs" / "engine.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \| ([\d.]+) \|$", page, re.MULTILINE)
    assert {name: (float(narrow), float(wide)) for name, narrow, wide in rows} == elementary.ULPS
