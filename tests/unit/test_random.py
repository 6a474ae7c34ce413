"""Counter-based random numbers: published vectors, the scalar twin, distributions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from neuromorph import random, random_kernels

FULL = 0xFFFFFFFF
VECTORS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((FULL,) * 4, (FULL,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), VECTORS)
def test_published_vectors(counter, key, expected):
    assert tuple(int(x) for x in random.philox(counter, key)) == expected
    scalar = random_kernels.philox(*(np.uint64(x) for x in (*counter, *key)))
    assert tuple(int(x) for x in scalar) == expected


def test_word_is_a_lane_of_a_block():
    seed, step, word = 0x299F31D0A4093822, 0x13198A2E85A308D3, 0x03707344
    first = 0x243F6A88 >> 4 << 6 | 0x243F6A88 & 15
    words = [int(random.bits(seed, first + 16 * lane, step, word)) for lane in range(4)]
    assert tuple(words) == VECTORS[2][2]


@settings(deadline=None)  # the first call compiles
@given(
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**26 - 9),
    st.integers(1, 8),
    st.integers(0, 2**62),
    st.integers(0, 2**32 - 1),
)
def test_vector_twin_gives_the_same_bits(seed, group, groups, step, word):
    out = np.zeros(64 * groups, np.uint32)
    random_kernels.random_words(*(np.uint64(x) for x in (seed, group, groups, step, word)), out.ctypes.data)
    assert np.array_equal(out, random.bits(seed, 64 * group + np.arange(64 * groups), step, word))


def test_neurons_are_independent_of_who_else_asks():
    together = random.bits(7, np.arange(100), 3, 2)
    assert np.array_equal(together[40:50], random.bits(7, np.arange(40, 50), 3, 2))
    assert len(np.unique(together)) == 100


def test_words_are_uniform():
    u = random.bits(1, np.arange(50_000), 0, 0) * 2.0**-32
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    for other in (random.bits(1, np.arange(50_000), 1, 0), random.bits(1, np.arange(50_000), 0, 1), np.roll(u, 16)):
        assert abs(np.corrcoef(u, other)[0, 1]) < 0.02


@pytest.mark.parametrize("mean", [0.01, 0.7, 5.0, 31.9, 32.1, 100.0, 1000.0])
def test_poisson_counts(mean):
    n = 20_000
    counts = random.poisson(5, np.arange(n), 2, 0, mean)
    low, high = stats.poisson.ppf([0.002, 0.998], mean).astype(int)
    edges = np.unique(np.linspace(low, high, 12).astype(int))
    observed = np.histogram(counts, np.concatenate([[-1], edges, [10**9]]) + 0.5)[0]
    expected = np.diff(np.concatenate([[0], stats.poisson.cdf(edges, mean), [1]])) * n
    assert (
        stats.chisquare(
            observed[expected > 5], expected[expected > 5] * observed[expected > 5].sum() / expected[expected > 5].sum()
        ).pvalue
        > 1e-4
    )


@pytest.mark.parametrize("mean", [1e-9, 1e-5, 2.0**-12 - 1e-9])
def test_small_means_have_the_probabilities_of_the_definition(mean):
    """The two words of the first count above k are the tail, so that its relative error can be seen."""
    tails = stats.poisson.sf(np.arange(4), mean)
    for k, tail in enumerate(tails):
        below, above = tail * (1 - 1e-3), tail * (1 + 1e-3)
        if tail > 1e-300:
            assert random._count_few(np.array([below]), np.array([mean]))[0] > k
            assert random._count_few(np.array([above]), np.array([mean]))[0] <= k


def test_poisson_at_the_edges():
    means = np.array([0.0, -1.0, np.nan, -np.inf])
    assert np.array_equal(random.poisson(1, np.arange(4), 0, 0, means), np.zeros(4))
    most = random.poisson(1, 0, 0, 0, np.inf)
    assert abs(most - random.POISSON_LIMIT) < 6 * random.POISSON_LIMIT**0.5
    assert most == random.poisson(1, 0, 0, 0, random.POISSON_LIMIT)


@pytest.mark.parametrize(("mean", "most"), [(2.0, 16), (32.0, 74)])
def test_stated_ends_of_the_distribution(mean, most):
    u = np.array([0.5, 2.0**32 - 0.5]) * 2.0**-32
    least, greatest = random._invert(u, np.full(2, mean))
    assert greatest == most
    assert stats.poisson.sf(greatest, mean) < 2.0**-33 < stats.poisson.sf(greatest - 2, mean)
    assert least == 0 or stats.poisson.cdf(least - 1, mean) < 2.0**-33
