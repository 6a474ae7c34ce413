"""Generated population kernels against the NumPy evaluator, operation by operation, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuromorph.engine.codegen import print_step
from neuromorph.engine.compile import compile_network
from neuromorph.engine.instance import Instance
from neuromorph.engine.layout import layout_of, stride_of
from neuromorph.errors import TargetError
from neuromorph.language.expr import Type
from neuromorph.lowering.evaluate import evaluate
from neuromorph.lowering.program import Float, LoweredNetwork, LoweredPopulation, Op, Slot, StepProgram

F, I, B = Type.FLOAT, Type.INT, Type.BOOL  # noqa: E741
SIZE = 77
SEED = 2**63 + 12345
FIRST_ID = 1000
STEP = 2**33 + 5


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


def network_of(population: LoweredPopulation, dtype: Float) -> LoweredNetwork:
    return LoweredNetwork("test", 1e-3, SEED, dtype, (population,), (), 1)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_operation_has_the_bits_of_the_evaluator(dtype: Float, threads: int) -> None:
    program = every_operation(dtype)
    population = population_of(program, np.random.default_rng(1))
    compiled = compile_network(network_of(population, dtype))
    layout = compiled.layouts[0]
    instance = Instance(compiled, threads)
    memory = instance.memories[0]
    rng = np.random.default_rng(2)
    arrived = rng.standard_normal(SIZE).astype(dtype), rng.integers(-(2**40), 2**40, SIZE)
    memory.float_ring[0, 0, :SIZE], memory.int_ring[0, 0, :SIZE] = arrived
    instance.run(STEP, STEP + 1, 0, instance.tables(record=False))

    types = {F: dtype, I: np.int64}
    states = [v.astype(types[s.type]) for s, v in zip(program.states, population.state_init, strict=True)]
    params = [v.astype(types[s.type]) for s, v in zip(program.params, population.param_values, strict=True)]
    ids = FIRST_ID + np.arange(SIZE)
    expected = evaluate(program, states, params, arrived, step=STEP, seed=SEED, ids=ids)

    pairs = [(slot.name, number) for slot, number in zip(program.states, program.new_states, strict=True)]
    for name, number in (*pairs, *program.observables):
        place = layout.place(name)
        got = (memory.ints if place.ints else memory.floats)[place.offset : place.offset + SIZE]
        want = np.broadcast_to(expected[number], (SIZE,))
        want = want.astype(np.int32) if place.ints else want
        assert got.dtype == want.dtype, name
        assert got.tobytes() == want.tobytes(), (name, got, want)
    fired = np.flatnonzero(expected[program.fired])
    values = expected[program.value][fired]
    row = STEP & memory.event_mask
    parts = [slice(lo, lo + n) for lo, n in zip(memory.bounds(threads), memory.counts[:, row], strict=False)]
    assert 10 < len(fired) < SIZE - 10
    np.testing.assert_array_equal(np.concatenate([memory.fired[row, part] for part in parts]), fired)
    np.testing.assert_array_equal(np.concatenate([memory.values[row, part] for part in parts]), values)
    assert not memory.float_ring.any()
    assert not memory.int_ring.any()


def test_only_what_is_recorded_is_computed() -> None:
    program = every_operation("float32")
    layout = layout_of(program, SIZE)
    source = print_step(program, layout)
    assert "random" not in source
    assert "poisson_own" in print_step(program, layout_of(program, SIZE, ("poisson",)))


def test_sizes_of_one_stride_share_a_kernel() -> None:
    program = every_operation("float32")
    assert print_step(program, layout_of(program, 70)) == print_step(program, layout_of(program, 128))
    assert print_step(program, layout_of(program, 128)) != print_step(program, layout_of(program, 129))
    for size in (1, 63, 64, 65, 16384, 16385, 100_000):
        assert size <= stride_of(size) <= max(64, 2 * size)


def test_an_integer_beyond_32_bits_is_refused_by_name() -> None:
    program = every_operation("float32")
    population = population_of(program, np.random.default_rng(1))
    population.param_values[3][5] = 2**31
    compiled = compile_network(network_of(population, "float32"))
    with pytest.raises(TargetError, match=r"population all: d ranges from .* to 2147483648"):
        Instance(compiled, 1)
