"""Distributions: quantiles, moments, limits and messages."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from neuromorph.errors import NetworkError, UnitError
from neuromorph.network import Distribution, Exponential, Integers, LogNormal, Normal, Uniform
from neuromorph.network.keys import stream_key, uniforms
from neuromorph.units import CURRENT, NONE, mV, nA

CASES: list[tuple[Distribution, Any]] = [
    (Uniform(-1.0, 3.0), stats.uniform(-1, 4)),
    (Normal(2.0, 0.5), stats.norm(2, 0.5)),
    (LogNormal(2.0, 0.5), stats.lognorm(0.5, scale=2)),
    (Exponential(3.0), stats.expon(scale=3)),
    (Normal(0.0, 1.0).truncate(-1.0, 0.5), stats.truncnorm(-1, 0.5)),
    (Normal(0.0, 1.0).truncate(low=2.0), stats.truncnorm(2, np.inf)),
    (Exponential(1.0).truncate(high=1.0), stats.truncexpon(1)),
    (Uniform(0.0, 1.0).truncate(0.5), stats.uniform(0.5, 0.5)),
]


@pytest.mark.parametrize(("ours", "scipys"), CASES, ids=[repr(c[0]) for c in CASES])
def test_quantiles_and_moments_are_scipys(ours: Distribution, scipys: Any) -> None:
    u = np.linspace(1e-6, 1 - 1e-6, 1001)
    assert np.allclose(ours.quantile(u), scipys.ppf(u), rtol=1e-9, atol=1e-9)
    for x in scipys.ppf([0.01, 0.4, 0.99]):
        assert ours.cdf(x) == pytest.approx(scipys.cdf(x), abs=1e-9)
    samples = ours.sample(np.random.default_rng(1), 20_000)
    assert samples.dtype == np.float64
    assert samples.shape == (20_000,)
    assert abs(samples.mean() - scipys.mean()) < 5 * scipys.std() / np.sqrt(20_000)
    assert stats.kstest(samples, scipys.cdf).pvalue > 1e-3
    assert ours.bounds[0] <= samples.min()
    assert samples.max() <= ours.bounds[1]


def test_integers_include_both_ends() -> None:
    samples = Integers(-2, 3).sample(np.random.default_rng(1), 12_000)
    values, counts = np.unique(samples, return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2, 3]
    assert stats.chisquare(counts).pvalue > 1e-3
    assert Integers(-2, 3).integer
    assert not Uniform(0, 1).integer
    kept = Integers(0, 9).truncate(3, 5)
    assert kept.integer
    assert set(kept.sample(np.random.default_rng(1), 500).tolist()) == {3, 4, 5}


def test_clipping_moves_samples_to_the_limits() -> None:
    clipped = Normal(0.0, 1.0).clip(-0.5, 1.0)
    samples = clipped.sample(np.random.default_rng(1), 10_000)
    inner = Normal(0.0, 1.0).sample(np.random.default_rng(1), 10_000)
    assert (samples == np.clip(inner, -0.5, 1.0)).all()
    assert clipped.bounds == (-0.5, 1.0)
    assert (clipped.cdf(-0.6), clipped.cdf(1.0)) == (0.0, 1.0)
    assert clipped.cdf(0.0) == pytest.approx(0.5)


def test_units_are_stripped_to_si() -> None:
    d = Normal(2 * nA, 0.5 * nA)
    assert d.dim == CURRENT
    assert d.quantile(np.array([0.5]))[0] == pytest.approx(2e-9)
    assert d.clip(0 * nA).dim == CURRENT
    assert d.truncate(1 * nA, 3 * nA).bounds == pytest.approx((1e-9, 3e-9))
    assert Uniform(0, 1).dim == NONE
    assert repr(Uniform(0 * mV, 15 * mV)) == "Uniform(low=0 mV, high=15 mV)"


def test_equal_by_value_and_picklable() -> None:
    d = Normal(2 * nA, 0.5 * nA).clip(0 * nA)
    assert pickle.loads(pickle.dumps(d)) == d
    assert d != Normal(2 * nA, 0.6 * nA).clip(0 * nA)


def test_degenerate_distributions() -> None:
    u = np.array([0.1, 0.9])
    assert Uniform(2.0, 2.0).quantile(u).tolist() == [2, 2]
    assert Normal(2.0, 0.0).quantile(u).tolist() == [2, 2]
    assert (Normal(2.0, 0.0).cdf(1.9), Normal(2.0, 0.0).cdf(2.0)) == (0.0, 1.0)
    assert (Uniform(2.0, 2.0).cdf(1.9), Uniform(2.0, 2.0).cdf(2.0)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Uniform(2, 1), NetworkError, "Uniform: low 2 lies above high 1"),
        (lambda: Normal(0, -1), NetworkError, "Normal: sd -1 is negative"),
        (lambda: LogNormal(0, 1), NetworkError, "LogNormal: median 0 is not positive"),
        (lambda: LogNormal(1, -1), NetworkError, "LogNormal: sigma -1 is negative"),
        (lambda: Exponential(0), NetworkError, "Exponential: mean 0 is not positive"),
        (lambda: Integers(0.5, 2), NetworkError, "Integers: 0.5 is not an int"),  # type: ignore[arg-type]
        (lambda: Integers(3, 2), NetworkError, "Integers: low 3 lies above high 2"),
        (lambda: Uniform(0, np.inf), NetworkError, "Uniform: expected finite numbers"),
        (lambda: Normal(1 * nA, 1 * mV), UnitError, "Normal: 1 nA and 1 mV have different dimensions"),
        (lambda: Normal(1 * nA, 1 * nA).clip(0 * mV), UnitError, "clip: limit 0 mV"),
        (lambda: Uniform(0, 1).clip(2, 1), NetworkError, "clip: low 2 lies above high 1"),
        (lambda: Uniform(0, 1).truncate(2, 3), NetworkError, "never lies between 2 and 3"),
    ],
)
def test_parameters_are_checked(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@given(st.integers(0, 2**64 - 1), st.integers(0, 50), st.integers(1, 40))
def test_uniforms_are_numbered(key: int, start: int, count: int) -> None:
    whole = uniforms(key, 0, 4 * start + count)
    assert ((whole > 0) & (whole < 1)).all()
    assert (uniforms(key, 4 * start, count) == whole[4 * start :]).all()


def test_keys_tell_streams_apart() -> None:
    keys = {stream_key(s, p, w) for s in (0, 1, 11) for p in (0, 1, 11) for w in ("topology", "weight")}
    assert len(keys) == 18
