"""Distance-dependent connections: the cell grid finds exactly the pairs that a plain loop finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.errors import NetworkError
from neuromorph.language import Event, Port, State, neuron
from neuromorph.network import (
    AllToAll,
    Disc,
    DistanceDelay,
    DistanceDependent,
    ExponentialDecay,
    FixedProbability,
    Gaussian,
    Network,
    Sparse,
    Synapses,
    build,
    builders,
)
from neuromorph.network.builders import distance as builder
from neuromorph.units import metre, ms, mV, second, um

Floats = npt.NDArray[np.float64]


@neuron
class Unit:
    """Adds its input."""

    a = Port()
    v = State(0.0)
    v.jump = a
    spike = Event(when=v > 1)


def distances(a: Floats, b: Floats, period: Any = None) -> Floats:
    """Distance of every pair, by definition."""
    step = np.abs(a[:, None] - b[None])
    for axis, size in enumerate(period or ()):
        if size:
            step[..., axis] = np.minimum(step[..., axis] % size, size - step[..., axis] % size)
    return np.sqrt((step * step).sum(-1))


def made(rule: Any, a: Any, b: Any = None, seed: int = 1, threads: int = 2) -> Synapses:
    """Synapses between populations at these positions, or within one."""
    net = Network(seed=seed)
    pre = net.population(Unit, len(a), positions=a)
    post = pre if b is None else net.population(Unit, len(b), positions=b)
    net.project(pre, post, rule)
    return build(net, 1 * ms, threads=threads)[0]


def matrix(s: Synapses) -> npt.NDArray[np.int64]:
    """Number of synapses of each pair."""
    assert s.row_ptr is not None
    assert s.targets is not None
    out = np.zeros((s.n_pre, s.n_post), np.int64)
    np.add.at(out, (np.repeat(np.arange(s.n_pre), np.diff(s.row_ptr)), s.targets.astype(int)), 1)
    return out


@settings(max_examples=80, deadline=None)
@given(
    axes=st.integers(1, 3),
    n=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    cutoff=st.sampled_from([0.3, 1.0, 2.0, 3.5, 100.0]),
    wrap=st.lists(st.sampled_from([None, 5.0, 7.5]), max_size=3),
    whole=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_certain_profile_finds_every_pair_within_its_cutoff(
    axes: int, n: Any, cutoff: float, wrap: Any, whole: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    a, b = (rng.uniform(-6, 6, (k, axes)) for k in n)
    if whole:  # many distances equal the cutoff exactly
        a, b = np.rint(a), np.rint(b)
    period = tuple(wrap[:axes]) or None
    m = matrix(made(DistanceDependent(np.ones_like, cutoff=cutoff, period=period), a, b))
    d = distances(a, b, period)
    sure = np.abs(d - cutoff) > 1e-9  # rounding decides the rest, unless positions are whole
    assert (m == (d <= cutoff))[sure | (whole and period is None)].all()


def test_probability_follows_the_profile() -> None:
    rng = np.random.default_rng(3)
    a = rng.uniform(0, 10, (400, 2))
    profile = Gaussian(0.8, 1.5)
    m = matrix(made(DistanceDependent(profile, allow_self=False), a))
    d = distances(a, a)
    assert not m.diagonal().any()
    assert m.max() == 1
    np.fill_diagonal(d, np.inf)
    for low in np.arange(0, 6, 0.5):
        ring = (d >= low) & (d < low + 0.5)
        p = profile(d[ring])
        assert abs(m[ring].sum() - p.sum()) < 5 * np.sqrt((p * (1 - p)).sum()) + 1


def test_cutoff_only_removes_pairs() -> None:
    a = np.random.default_rng(3).uniform(0, 10, (200, 2))
    full = matrix(made(DistanceDependent(Gaussian(0.8, 1.5)), a))
    cut = matrix(made(DistanceDependent(Gaussian(0.8, 1.5), cutoff=2.0), a))
    assert (cut == full * (distances(a, a) <= 2.0)).all()


def test_profiles() -> None:
    d = np.array([0.0, 1.0, 2.0])
    assert np.allclose(Gaussian(0.5, 2.0)(d), 0.5 * np.exp(-d * d / 8))
    assert np.allclose(ExponentialDecay(0.5, 2.0)(d), 0.5 * np.exp(-d / 2))
    assert Disc(0.5, 1.0)(d).tolist() == [0.5, 0.5, 0.0]
    assert np.allclose(Gaussian(0.5, 2 * um)(d * 1e-6), Gaussian(0.5, 2.0)(d))


def test_a_functions_values_are_limited_to_probabilities() -> None:
    m = matrix(made(DistanceDependent(lambda d: 2.0 - d), np.arange(5.0)))
    assert (m == (distances(np.arange(5.0)[:, None], np.arange(5.0)[:, None]) < 2)).all()


def test_lengths_and_plain_numbers_give_the_same() -> None:
    a = np.random.default_rng(0).uniform(0, 10, (100, 2))
    plain = matrix(made(DistanceDependent(Gaussian(0.5, 2.0), cutoff=4.0, period=(10.0, 10.0)), a))
    rule = DistanceDependent(Gaussian(0.5, 2 * metre), cutoff=4 * metre, period=[10, 10] * metre)
    assert (matrix(made(rule, a * metre)) == plain).all()


def test_shape_gives_positions() -> None:
    net = Network()
    p = net.population(Unit, (3, 4))
    assert p.positions.tolist() == [[y, x] for y in range(3) for x in range(4)]
    net.project(p, p, DistanceDependent(Disc(1.0, 1.0)))
    assert build(net, 1 * ms)[0].count == 12 + 2 * (2 * 4 + 3 * 3)


def test_chunks_and_threads_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    a = np.random.default_rng(0).uniform(0, 10, (300, 2))
    whole = made(DistanceDependent(Gaussian(0.5, 2.0), cutoff=4.0), a, threads=1)
    monkeypatch.setattr(builder, "CHUNK", 50)
    monkeypatch.setattr(builders, "SMALL", 0)
    parts = made(DistanceDependent(Gaussian(0.5, 2.0), cutoff=4.0), a, threads=3)
    assert np.array_equal(whole.targets, parts.targets)


@pytest.mark.parametrize("rule", [AllToAll(), FixedProbability(0.3), DistanceDependent(Gaussian(0.5, 2.0), period=8.0)])
@pytest.mark.parametrize("speed", [2.0, 0.02])
def test_delays_grow_with_distance(rule: Any, speed: float) -> None:
    net = Network(seed=2)
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0, 8, (30, 1)), rng.uniform(0, 8, (20, 1))
    pre, post = net.population(Unit, 30, positions=a), net.population(Unit, 20, positions=b)
    net.project(pre, post, rule, delay=DistanceDelay(speed / ms, offset=0.7 * ms))
    s = build(net, 1 * ms)[0]
    assert s.nbytes == pytest.approx(net.forecast(1 * ms).nbytes, rel=0.2)
    assert s.delays.dtype == (np.uint8 if speed == 2.0 else np.uint16)
    d = distances(a, b, (8.0,) if isinstance(rule, DistanceDependent) else None)
    steps = np.maximum(1, np.rint(0.7 + d / speed))
    if s.row_ptr is None or s.targets is None:
        assert (s.delays.reshape(30, 20) == steps).all()
    else:
        assert (s.delays == steps[np.repeat(np.arange(30), np.diff(s.row_ptr)), s.targets]).all()


def test_delays_by_distance_in_metres() -> None:
    net = Network()
    p = net.population(Unit, 2, positions=[0, 300] * um)
    net.project(p, p, AllToAll(), delay=DistanceDelay(0.1 * metre / second))
    assert build(net, 1 * ms)[0].delays.tolist() == [1, 3, 3, 1]
    message = "speed is 1 1/s, positions of Unit are lengths; give a speed"
    with pytest.raises(NetworkError, match=f"^projection Unit -> Unit: {message}"):
        net.project(p, p, AllToAll(), delay=DistanceDelay(1 / second))
    with pytest.raises(NetworkError, match="the rule brings its own delays"):
        net.project(p, p, Sparse(([0], [0], [1.0], [1])), delay=DistanceDelay(1 * metre / second))


@pytest.mark.parametrize("n", [100, 900])
def test_count_foretells_the_number(n: int) -> None:
    net = Network(seed=4)
    p = net.population(Unit, n, positions=np.random.default_rng(0).uniform(0, 10, (n, 2)))
    net.project(p, p, DistanceDependent(Gaussian(0.5, 2.0), cutoff=4.0, allow_self=False))
    count = net.projections[0].count
    assert abs(build(net, 1 * ms)[0].count - count.mean) < 5 * count.sd
    assert count.sd < 0.05 * count.mean


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DistanceDependent(0.3), "profile 0.3 is no function of distance"),  # type: ignore[arg-type]
        (lambda: DistanceDependent(Gaussian(0.5, 1.0), cutoff=-1), "cutoff is -1; give a length above 0"),
        (lambda: DistanceDependent(Gaussian(0.5, 1.0), cutoff=3 * mV), "cutoff is 3 mV; give a length"),
        (lambda: Gaussian(1.5, 1.0), "peak is 1.5; a probability lies between 0 and 1"),
        (lambda: DistanceDelay(3 * ms), "speed is 3 ms; give one above 0, as in 0.3 . m/s"),
        (lambda: DistanceDelay(0 * metre / second), "speed is 0 m/s; give one above 0"),
        (lambda: DistanceDelay(1 * metre / second, -1 * ms), "offset is -1 ms; give one time of 0 or more"),
        (lambda: Disc(0.5, 0.0), "radius is 0.0; give a length above 0"),
    ],
)
def test_parameters_are_checked(make: Any, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        make()


@pytest.mark.parametrize(
    ("rule", "a", "b", "message"),
    [
        (
            DistanceDependent(Gaussian(0.5, 1.0)),
            [[1.0]] * um,
            [[1.0]] * um,
            "profile is 1.0; positions of a are lengths",
        ),
        (DistanceDependent(Gaussian(0.5, 1 * um)), [[1.0]], [[1.0]], "profile is 1 um; positions of a are plain"),
        (DistanceDependent(np.ones_like, cutoff=1 * um), [[1.0]], [[1.0]], "cutoff is 1 um; positions of a are plain"),
        (DistanceDependent(np.ones_like), [[1.0]], [[1.0]] * um, "positions of a and b are not both lengths"),
        (DistanceDependent(np.ones_like), [[1.0]], [[1.0, 2.0]], "positions of a have 1 axes, of b 2"),
        (DistanceDependent(np.ones_like, period=(1.0, 2.0)), [[1.0]], [[1.0]], "2 periods for positions of 1 axes"),
    ],
)
def test_lengths_are_checked(rule: Any, a: Any, b: Any, message: str) -> None:
    net = Network()
    pre, post = net.population(Unit, 1, "a", positions=a), net.population(Unit, 1, "b", positions=b)
    with pytest.raises(NetworkError, match=rf"^projection a -> b: {message}"):
        net.project(pre, post, rule)
