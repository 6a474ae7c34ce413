"""Generated population kernels against the NumPy evaluator, operation by operation, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from operations import FIRST_ID, SIZE, every_operation, population_of

from neuromorph.engine.codegen import print_step
from neuromorph.engine.compile import compile_network
from neuromorph.engine.instance import Instance
from neuromorph.engine.layout import layout_of, stride_of
from neuromorph.errors import TargetError
from neuromorph.language.expr import Type
from neuromorph.lowering.evaluate import evaluate
from neuromorph.lowering.program import Float, LoweredNetwork, LoweredPopulation

F, I = Type.FLOAT, Type.INT  # noqa: E741
SEED = 2**63 + 12345
STEP = 2**33 + 5


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
