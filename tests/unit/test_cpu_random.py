"""Random numbers that kernels make for many neurons at once, against the definition."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from neuromorph import random
from neuromorph.engine.memory import address
from neuromorph.random_kernels import poisson_own, poisson_shared

SEED, STEP = 2**63 + 5, 2**33 + 9
NEURONS = 700
MEANS = [1e-300, 1e-9, 1e-5, 2.0**-12, 0.3, 2.0, 17.3, 31.999, 32.0, 32.5, 100.0, 7e4, 0.0, -1.0, np.nan, np.inf]


def covering(first: int) -> tuple[np.uint64, np.uint64, int, slice]:
    """The groups that hold NEURONS neurons from a global id on, their elements, and where the neurons are."""
    group = first >> 6
    groups = ((first + NEURONS - 1) >> 6) - group + 1
    return np.uint64(group), np.uint64(groups), 64 * groups, slice(first & 63, (first & 63) + NEURONS)


def shared(first: int, word: int, mean: float) -> npt.NDArray[np.int32]:
    group, groups, n, part = covering(first)
    scratch = [np.zeros(size, np.uint32) for size in (n, n, random.POISSON_TABLE)]
    out = np.full(n, -7, np.int32)
    poisson_shared(
        np.uint64(SEED), group, groups, np.uint64(STEP), np.uint64(word), mean, *map(address, (*scratch, out))
    )
    return out[part]


def own(first: int, word: int, means: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    group, groups, n, part = covering(first)
    given, out = np.zeros(n), np.full(n, -7, np.int32)
    given[part] = means
    scratch = np.zeros(n, np.uint32), np.zeros(n, np.int32), np.zeros(n), np.zeros(n)
    poisson_own(np.uint64(SEED), group, groups, np.uint64(STEP), np.uint64(word), *map(address, (given, *scratch, out)))
    return out[part]


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize(("first", "word"), [(0, 0), (2**31 + 5, 4098)])
def test_counts_of_a_population_are_those_of_its_neurons(mean: float, first: int, word: int) -> None:
    expected = random.poisson(SEED, first + np.arange(NEURONS), STEP, word, mean)
    np.testing.assert_array_equal(shared(first, word, mean), expected)
    np.testing.assert_array_equal(own(first, word, np.full(NEURONS, mean)), expected)
    if 1 < mean < 1000:
        assert abs(expected.mean() - mean) < 5 * (mean / NEURONS) ** 0.5


def test_counts_of_means_of_every_size_together() -> None:
    means = np.random.default_rng(1).permutation(np.concatenate([np.geomspace(1e-6, 300, NEURONS - 16), MEANS]))
    expected = random.poisson(SEED, 77 + np.arange(NEURONS), STEP, 3, means)
    np.testing.assert_array_equal(own(77, 3, means), expected)
    assert expected.sum() > 1000
