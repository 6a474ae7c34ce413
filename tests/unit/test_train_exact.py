"""Step programs printed for PyTorch without gradients: every operation has the bits that the evaluator gives it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from operations import FIRST_ID, SIZE, every_operation, population_of

from neuromorph.language.expr import Type
from neuromorph.lowering.evaluate import evaluate
from neuromorph.lowering.program import Float

torch = pytest.importorskip("torch")
from neuromorph.train.modules.noise import sample_seed  # noqa: E402
from neuromorph.train.parity.exact import ExactPopulation  # noqa: E402

SEED, STEP, SAMPLES = 2**63 + 12345, 2**33 + 5, 3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_operation_has_the_bits_of_the_evaluator(dtype: Float) -> None:
    program = every_operation(dtype)
    population = population_of(program, np.random.default_rng(1))
    exact = ExactPopulation(population, SEED)
    types = {Type.FLOAT: dtype, Type.INT: np.int64}
    params = [v.astype(types[s.type]) for s, v in zip(program.params, population.param_values, strict=True)]
    rng = np.random.default_rng(2)
    arrived = rng.standard_normal((SAMPLES, SIZE)).astype(dtype), rng.integers(-(2**40), 2**40, (SAMPLES, SIZE))
    states = exact.initial(SAMPLES)
    done = exact.advance(states, [torch.from_numpy(a) for a in arrived], STEP)
    for sample in range(SAMPLES):
        given: Any = [s[sample].numpy() for s in states], params, [a[sample] for a in arrived]
        seed, ids = sample_seed(SEED, sample), FIRST_ID + np.arange(SIZE)
        expected = evaluate(program, *given, step=STEP, seed=seed, ids=ids)
        new = zip((slot.name for slot in program.states), program.new_states, strict=True)
        for name, number in (*new, *program.observables):
            want = np.broadcast_to(expected[number], (SIZE,))
            if want.dtype == np.int64 and name in exact.states:
                want = want.astype(np.int32).astype(np.int64)
            got = done.named[name].expand(SAMPLES, SIZE)[sample].numpy()
            assert got.dtype == want.dtype, name
            assert got.tobytes() == want.tobytes(), (name, got, want)
        assert done.fired is not None
        assert done.value is not None
        np.testing.assert_array_equal(done.fired[sample].numpy(), expected[program.fired])
        np.testing.assert_array_equal(done.value[sample].numpy(), expected[program.value])
