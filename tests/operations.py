"""A step program that uses every operation there is, for whoever prints or runs step programs."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuromorph.language.expr import Type
from neuromorph.lowering.program import Float, LoweredPopulation, Op, Slot, StepProgram

F, I, B = Type.FLOAT, Type.INT, Type.BOOL  # noqa: E741
SIZE = 77
FIRST_ID = 1000


class Writer:
    """Collects ops; calling it appends one and gives its number."""

    def __init__(self) -> None:
        self.ops: list[Op] = []

    def __call__(self, code: str, type_: Type, *args: int, payload: Any = None) -> int:
        self.ops.append(Op(code, args, type_, payload))
        return len(self.ops) - 1


def every_operation(dtype: Float) -> StepProgram:
    """A program that uses every code there is and makes each result observable."""
    op = Writer()
    x, y, j, k = (op("state", t, payload=n) for n, t in enumerate((F, F, I, I)))
    shared, own, whole, own_whole = (op("param", t, payload=n) for n, t in enumerate((F, F, I, I)))
    port, whole_port = op("port", F, payload=0), op("port", I, payload=1)
    one, tenth = op("const", F, payload=1.0), op("const", F, payload=0.1)
    three, seven, minus = (op("const", I, payload=n) for n in (3, 7, -3))
    size = op("abs", F, y)
    random, small = op("random", I, payload=5), op("bitand", I, j, seven)
    seen = {
        "step": op("shr", I, op("step", I), seven),
        "random": op("shr", I, random, three),
        "poisson": op("poisson", I, size, payload=64),
        "poisson of one mean": op("poisson", I, op("mul", F, shared, one), payload=8192),
        "sqrt": op("sqrt", F, size),
        "to_int": op("to_int", I, x),
        "to_float": op("to_float", F, random),
        "shr": op("shr", I, j, three),
        "shl": op("shl", I, j, seven),
        "truncdiv": op("truncdiv", I, j, seven),
        "truncdiv by less than 0": op("truncdiv", I, k, minus),
        "exp2i": op("exp2i", F, op("mul", I, small, minus)),
        "exponent": op("exponent", I, op("add", F, size, tenth)),
        "mantissa": op("mantissa", F, op("add", F, size, tenth)),
        "shared": op("mul", F, shared, own),
        "whole": op("add", I, whole, own_whole),
        "not finite": op("div", F, x, op("const", F, payload=float("inf"))),
    }
    for code in ("add", "sub", "mul", "div", "min", "max"):
        seen[code] = op(code, F, x, y)
    for code in ("add", "sub", "mul", "min", "max", "bitand"):
        seen[f"int {code}"] = op(code, I, j, k)
    for code in ("neg", "abs", "floor", "rint", "trunc"):
        seen[code] = op(code, F, x)
    for code in ("neg", "abs"):
        seen[f"int {code}"] = op(code, I, j)
    tests = {code: op(code, B, x, y) for code in ("lt", "le", "gt", "ge", "eq", "ne")}
    tests |= {f"int {code}": op(code, B, j, k) for code in ("lt", "le", "gt", "ge", "eq", "ne")}
    tests["and"], tests["or"] = op("and", B, tests["lt"], tests["int lt"]), op("or", B, tests["gt"], tests["int eq"])
    tests["not"], tests["const"] = op("not", B, tests["ge"]), op("const", B, payload=True)
    for name, test in tests.items():
        seen[f"select {name}"] = op("select", F, test, x, one)
    seen["int select"] = op("select", I, tests["gt"], j, k)
    return StepProgram(
        dtype=dtype,
        states=(Slot("x", F), Slot("y", F), Slot("j", I), Slot("k", I)),
        params=(Slot("a", F, per_neuron=False), Slot("b", F), Slot("c", I, per_neuron=False), Slot("d", I)),
        ports=(Slot("in", F), Slot("in_whole", I)),
        new_states=(op("add", F, x, port), y, op("add", I, j, whole_port), seen["int mul"]),
        fired=tests["or"],
        value=seen["mul"],
        observables=tuple(seen.items()),
        ops=tuple(op.ops),
    )


def population_of(program: StepProgram, rng: np.random.Generator) -> LoweredPopulation:
    x = rng.standard_normal(SIZE) * 10.0 ** rng.integers(-3, 4, SIZE)
    y = rng.standard_normal(SIZE)
    y[:9], x[:9] = [0.0, -0.0, 0.5, 1.5, 2.5, -0.5, 7.0, 1.0, 2.0], [0.0, 0.0, 2.5, 3.5, -2.5, 0.5, 7.0, 1.0, 2.0]
    j, k = rng.integers(-(2**31), 2**31, (2, SIZE))
    j[:3] = k[:3]
    return LoweredPopulation(
        name="all",
        index=0,
        size=SIZE,
        first_id=FIRST_ID,
        program=program,
        state_init=(x, y, j, k),
        param_values=(np.asarray(0.3), rng.random(SIZE), np.asarray(11), rng.integers(-50, 50, SIZE)),
        record_states=tuple((name, 1) for name, _ in program.observables),
    )
