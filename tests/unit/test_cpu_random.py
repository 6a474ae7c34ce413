"""Poisson counts that a kernel draws for a whole population, against the definition."""

from __future__ import annotations

import numpy as np
import pytest

from neuromorph import random
from neuromorph.random_kernels import poisson_counts

NEURONS = 700  # more than two blocks


@pytest.mark.parametrize("mean", [1e-300, 1e-5, 0.3, 2.0, 17.3, 31.999, 32.0, 32.5, 100.0, 0.0, -1.0, float("nan")])
@pytest.mark.parametrize("word", [0, 4098])
def test_counts_of_a_population_are_those_of_its_neurons(mean: float, word: int) -> None:
    first, lo, hi = 2**31 + 5, 3, NEURONS - 2
    out = np.full(NEURONS, -7, np.int32)
    poisson_counts(np.int64(5), np.uint64(first), np.int64(9), word, mean, np.uint64(lo), np.uint64(hi), out)
    expected = random.poisson(5, first + np.arange(lo, hi), 9, word, mean)
    np.testing.assert_array_equal(out[lo:hi], expected)
    assert (out[:lo] == -7).all()
    assert (out[hi:] == -7).all()
    if mean > 1:
        assert abs(expected.mean() - mean) < 5 * (mean / NEURONS) ** 0.5
