"""Synapses built are those that the rule promises: exactly, or within stated bounds at fixed seeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import sparse, stats

from neuromorph.errors import NetworkError, UnitError
from neuromorph.language import Event, Port, State, neuron
from neuromorph.network import (
    AllToAll,
    Connections,
    Count,
    Dense,
    FixedInDegree,
    FixedOutDegree,
    FixedProbability,
    FixedTotal,
    Integers,
    Network,
    Normal,
    OneToOne,
    Sparse,
    Synapses,
    Uniform,
    build,
    builders,
)
from neuromorph.network.builders.degree_kernels import draw_distinct
from neuromorph.units import ms, nA, pA


@neuron
class Unit:
    """Adds its input."""

    a = Port()
    n = Port(dtype=int)
    v = State(0.0)
    v.jump = a + n
    spike = Event(when=v > 1)


@neuron
class Current:
    """Its port has a unit."""

    i = Port(unit=nA)
    v = State(0 * nA)
    v.jump = i
    spike = Event(when=v > 1 * nA)


def made(
    rule: Any,
    n_pre: int = 40,
    n_post: int | None = None,
    seed: int = 1,
    port: str = "a",
    threads: int = 2,
    **values: Any,
) -> Synapses:
    """The rule's synapses between two populations, or within one if ``n_post`` is left out."""
    net = Network(seed=seed)
    pre = net.population(Unit, n_pre)
    post = pre if n_post is None else net.population(Unit, n_post)
    net.project(pre, post.port(port), rule, **values)
    return build(net, 1 * ms, threads=threads)[0]


def matrix(s: Synapses) -> npt.NDArray[np.int64]:
    """Number of synapses of each pair."""
    if s.row_ptr is None or s.targets is None:
        return np.ones((s.n_pre, s.n_post), np.int64)
    out = np.zeros((s.n_pre, s.n_post), np.int64)
    np.add.at(out, (np.repeat(np.arange(s.n_pre), np.diff(s.row_ptr)), s.targets.astype(int)), 1)
    return out


def test_one_to_one() -> None:
    assert (matrix(made(OneToOne(), 7, 7)) == np.eye(7)).all()


def test_all_to_all_holds_nothing_but_one_weight() -> None:
    s = made(AllToAll(), 30, 50, weight=2.0)
    assert (s.count, s.nbytes, s.row_ptr, s.weights.shape) == (1500, 5, None, ())


def test_all_to_all_without_self() -> None:
    s = made(AllToAll(allow_self=False), 30)
    assert (matrix(s) == 1 - np.eye(30)).all()
    assert matrix(made(AllToAll(allow_self=False), 30, 30)).all(), "two populations have no self"


@pytest.mark.parametrize("p", [0.001, 0.03, 0.5, 0.97])
@pytest.mark.parametrize("allow_self", [True, False])
def test_fixed_probability_is_bernoulli(p: float, allow_self: bool) -> None:
    n = 600
    m = matrix(made(FixedProbability(p, allow_self), n))
    assert m.max() == 1
    assert allow_self or not m.diagonal().any()
    trials = n * (n if allow_self else n - 1)
    assert abs(m.sum() - trials * p) < 5 * np.sqrt(trials * p * (1 - p)), "total"
    # rows and columns are binomial: their variance shows any dependence between pairs
    for degrees in (m.sum(axis=0), m.sum(axis=1)):
        expected = (n if allow_self else n - 1) * p * (1 - p)
        ratio = degrees.var(ddof=1) / expected
        assert abs(ratio - 1) < 5 * np.sqrt(2 / n) + (0.5 if p < 0.01 else 0)


def test_fixed_probability_of_every_pair_alone() -> None:
    p, seeds = 0.3, 400
    total = sum(matrix(made(FixedProbability(p), 6, 5, seed=k, threads=1)) for k in range(seeds))
    z = (total - seeds * p) / np.sqrt(seeds * p * (1 - p))
    assert np.abs(z).max() < 4.5
    assert 0.4 < z.var() < 1.8


def test_fixed_probability_at_its_ends() -> None:
    assert made(FixedProbability(0.0), 9).count == 0
    assert matrix(made(FixedProbability(1.0), 9)).all()
    assert (matrix(made(FixedProbability(1.0, allow_self=False), 9)) == 1 - np.eye(9)).all()
    assert made(FixedProbability(1.0, allow_self=False), 1).count == 0


@pytest.mark.parametrize("k", [0, 1, 7, 30, 39])
@pytest.mark.parametrize("multapses", [True, False])
@pytest.mark.parametrize("allow_self", [True, False])
def test_fixed_degrees_are_exact(k: int, multapses: bool, allow_self: bool) -> None:
    for rule, axis in ((FixedInDegree, 0), (FixedOutDegree, 1)):
        m = matrix(made(rule(k, multapses, allow_self), 40))
        assert (m.sum(axis=axis) == k).all()
        assert multapses or m.max() <= 1
        assert allow_self or not m.diagonal().any()
        assert not multapses or k < 30 or m.max() > 1


@pytest.mark.parametrize("rule", [FixedInDegree(20), FixedInDegree(250), FixedInDegree(20, True), FixedOutDegree(20)])
def test_fixed_degrees_draw_uniformly(rule: Any) -> None:
    n = 300
    m = matrix(made(rule, n))
    free = m.sum(axis=1 if isinstance(rule, FixedInDegree) else 0)
    fraction = rule.k / n
    variance = n * fraction * (1 if rule.multapses else 1 - fraction)
    assert abs(stats.kurtosis(free)) < 2
    assert abs(free.var() / variance - 1) < 5 * np.sqrt(2 / n)


def test_distinct_draws_give_every_subset_alike() -> None:
    counts: dict[tuple[int, ...], int] = {}
    out, marks = np.empty(2, np.int64), np.zeros(5, np.bool_)
    for row in range(4000):
        draw_distinct(np.uint64(7), row, 5, False, marks, out)
        assert not marks.any()
        key = tuple(sorted(int(x) for x in out))
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 10
    assert stats.chisquare(list(counts.values())).pvalue > 1e-4


def test_fixed_total() -> None:
    m = matrix(made(FixedTotal(9000, allow_self=False), 30))
    assert m.sum() == 9000
    assert not m.diagonal().any()
    assert stats.chisquare(m[~np.eye(30, dtype=bool)]).pvalue > 1e-4


def test_sparse_takes_every_form() -> None:
    rng = np.random.default_rng(2)
    full = np.where(rng.random((20, 30)) < 0.3, rng.normal(size=(20, 30)), 0).astype(np.float32)
    i, j = np.nonzero(full)
    order = rng.permutation(len(i))
    i, j = i[order], j[order]
    forms: list[Any] = [
        getattr(sparse, f"{kind}_{what}")(full)
        for kind in ("coo", "csr", "csc", "lil", "dok", "bsr", "dia")
        for what in ("matrix", "array")
    ]
    forms += [(i, j, full[i, j]), list(zip(i.tolist(), j.tolist(), full[i, j].tolist(), strict=True))]
    for form in forms:
        s = made(Sparse(form), 20, 30)
        assert s.targets is not None
        assert s.row_ptr is not None
        dense = sparse.csr_array((s.weights, s.targets.astype(np.int32), s.row_ptr), (20, 30)).toarray()
        assert (dense == full).all(), form


def test_sparse_keeps_multapses_zeros_and_delays() -> None:
    s = made(Sparse(([1, 0, 1, 1], [2, 1, 2, 0], [0.5, 0.0, 1.5, 2.5], [3, 1, 9, 300])), 3, 3)
    assert s.row_ptr is not None
    assert s.targets is not None
    assert s.row_ptr.tolist() == [0, 1, 4, 4]
    assert s.targets.tolist() == [1, 0, 2, 2]
    assert s.weights.tolist() == [0.0, 2.5, 0.5, 1.5]
    assert s.delays.tolist() == [1, 300, 3, 9]
    assert s.delays.dtype == np.uint16
    twice = sparse.coo_array(([1.0, 2.0, 0.0], ([0, 0, 1], [1, 1, 0])), (2, 2))
    assert made(Sparse(twice), 2, 2).weights.tolist() == [1.0, 2.0, 0.0]
    unsorted = sparse.csr_array((np.array([1.0, 2.0]), np.array([1, 0]), np.array([0, 2, 2])), (2, 2))
    assert made(Sparse(unsorted), 2, 2).weights.tolist() == [2.0, 1.0]


def test_sparse_rows_may_be_quantities() -> None:
    net = Network()
    p = net.population(Current, 3)
    net.project(p, p.i, Sparse([(0, 1, 2 * nA, 3 * ms), (0, 0, 500 * pA, 1 * ms)]))
    net.project(p, p.i, Sparse(sparse.eye_array(3)), weight=2 * nA)
    rows, matrix = build(net, 1 * ms)
    assert rows.weights.tolist() == pytest.approx([0.5e-9, 2e-9])
    assert rows.delays.tolist() == [1, 3]
    assert matrix.weights.tolist() == pytest.approx([2e-9] * 3)
    with pytest.raises(UnitError, match="different dimensions"):
        Sparse([(0, 1, 2 * nA), (0, 1, 2 * ms)])


def test_weights_may_be_brian_2_quantities() -> None:
    brian2 = pytest.importorskip("brian2")
    net = Network()
    p = net.population(Current, 3)
    net.project(p, p.i, AllToAll(), weight=2 * brian2.nA, delay=3 * brian2.ms)
    net.project(p, p.i, Dense(np.eye(3) * brian2.nA))
    one, dense = build(net, 1 * ms)
    assert (float(one.weights), int(one.delays)) == (np.float32(2e-9), 3)
    assert dense.weights.max() == np.float32(1e-9)


@pytest.mark.parametrize(("n", "dtype"), [(65_535, np.uint16), (65_536, np.uint16), (65_537, np.uint32)])
def test_targets_are_as_narrow_as_they_can_be(n: int, dtype: Any) -> None:
    for rule in (FixedProbability(1.0), FixedOutDegree(n), Sparse(([0], [n - 1]))):
        s = made(rule, 1, n)
        assert s.targets is not None
        assert s.targets.dtype == dtype
        assert s.targets[-1] == n - 1


def test_sparse_without_weights_takes_the_projections() -> None:
    s = made(Sparse(([0, 1], [1, 0])), 2, 2, weight=3.0, delay=2)
    assert s.weights.shape == ()
    assert s.weights == 3
    drawn = made(Sparse(([0, 1, 1], [1, 0, 0])), 2, 2, weight=Uniform(1.0, 2.0))
    assert len(set(drawn.weights.tolist())) == 3


@pytest.mark.parametrize(("given", "kept"), [("f4", "f4"), ("f8", "f4"), ("i4", "f4"), ("b1", "f4")])
def test_dense_float_weights(given: str, kept: str) -> None:
    w = (np.arange(12).reshape(3, 4) % 5).astype(given)
    s = made(Dense(w), 3, 4)
    assert s.weights.dtype == kept
    assert (s.weights.reshape(3, 4) == w).all()
    assert np.shares_memory(s.weights, w) == (given == "f4")


@pytest.mark.parametrize(
    ("given", "kept"),
    [("i1", "i1"), ("i2", "i2"), ("i4", "i4"), ("i8", "i4"), ("u1", "i2"), ("u2", "i4"), ("b1", "i1")],
)
def test_dense_int_weights_keep_their_width(given: str, kept: str) -> None:
    w = (np.arange(12).reshape(3, 4) % 2).astype(given)
    s = made(Dense(w), 3, 4, port="n")
    assert s.weights.dtype == kept
    assert (s.weights.reshape(3, 4) == w).all()


def test_dense_takes_any_memory_order() -> None:
    w = np.arange(12.0, dtype=np.float32).reshape(4, 3).T
    assert (made(Dense(w), 3, 4).weights.reshape(3, 4) == w).all()


@pytest.mark.parametrize("shape", [(), (50,), (40, 1), (40, 50), (1, 50), (1, 1)])
@pytest.mark.parametrize("rule", [AllToAll(), FixedProbability(0.3), FixedInDegree(5, multapses=True)])
def test_weight_and_delay_tables_are_read_by_pair(shape: tuple[int, ...], rule: Any) -> None:
    rng = np.random.default_rng(0)
    weight, delay = rng.normal(size=shape), rng.integers(1, 9, shape)
    s = made(rule, 40, 50, weight=weight, delay=delay)
    if s.row_ptr is None or s.targets is None:
        pre, post = np.divmod(np.arange(2000), 50)
    else:
        pre, post = np.repeat(np.arange(40), np.diff(s.row_ptr)), s.targets
    assert (np.broadcast_to(s.weights, pre.shape) == np.broadcast_to(weight, (40, 50))[pre, post].astype("f4")).all()
    assert (np.broadcast_to(s.delays, pre.shape) == np.broadcast_to(delay, (40, 50))[pre, post]).all()


def test_scalar_weight_takes_one_place() -> None:
    s = made(FixedProbability(0.5), weight=0.25, delay=3)
    assert s.row_ptr is not None
    assert s.nbytes == 2 * s.count + s.row_ptr.nbytes + 4 + 1


def test_at_most_eight_bytes_for_a_synapse() -> None:
    net = Network()
    wide = net.population(Unit, 70_000)
    few = net.population(Unit, 50)
    net.project(few, wide.a, FixedProbability(0.1), weight=Normal(0.0, 1.0))
    net.project(few, wide.a, FixedProbability(0.1), weight=1.0)
    net.project(wide, few.a, FixedProbability(0.1), weight=Normal(0.0, 1.0))
    own, shared, narrow = build(net, 1 * ms)
    for s, each in ((own, 8), (shared, 4), (narrow, 6)):
        assert s.row_ptr is not None
        assert s.targets is not None
        assert s.nbytes - s.row_ptr.nbytes <= each * s.count + 5
    assert own.targets is not None
    assert own.targets.dtype == np.uint32
    assert own.targets.max() > 65_535


def test_drawn_weights_have_the_distribution() -> None:
    s = made(AllToAll(), 300, 400, weight=Normal(2.0, 0.5))
    assert s.weights.dtype == np.float32
    assert stats.kstest(s.weights, "norm", (2.0, 0.5)).pvalue > 1e-3
    ints = made(AllToAll(), 300, 400, port="n", weight=Integers(-2, 2))
    assert ints.weights.dtype == np.int32
    assert stats.chisquare(np.unique(ints.weights, return_counts=True)[1]).pvalue > 1e-3


def test_drawn_weights_differ_between_projections_and_seeds() -> None:
    net = Network(seed=5)
    a = net.population(Unit, 20)
    for _ in range(2):
        net.project(a, a.a, AllToAll(), weight=Normal(0.0, 1.0))
    one, two = build(net, 1 * ms)
    assert not (one.weights == two.weights).any()
    other = made(AllToAll(), 20, seed=6, weight=Normal(0.0, 1.0))
    assert not (one.weights == other.weights).any()


def test_drawn_delays_are_rounded_and_at_least_one_step() -> None:
    s = made(AllToAll(), 100, delay=Uniform(0.2 * ms, 4.4 * ms))
    assert s.delays.dtype == np.uint8
    number = np.unique(s.delays, return_counts=True)
    assert number[0].tolist() == [1, 2, 3, 4]
    expected = np.array([1.3, 1, 1, 0.9]) / 4.2 * 10_000
    assert stats.chisquare(number[1], expected).pvalue > 1e-3
    assert set(made(AllToAll(), 50, delay=Integers(2, 4)).delays.tolist()) == {2, 3, 4}
    assert made(AllToAll(), 50, delay=Normal(300 * ms, 1 * ms)).delays.dtype == np.uint16


@pytest.mark.parametrize(
    ("delay", "steps"), [(None, 1), (4, 4), (1.4 * ms, 1), (1.6 * ms, 2), (300 * ms, 300), ([[3] * 40], 3)]
)
def test_delay_of_all(delay: Any, steps: int) -> None:
    s = made(FixedProbability(0.5), delay=delay)
    assert (s.delays.shape, s.delays) == ((), steps)
    assert s.max_delay == steps


def test_float64_keeps_double_weights() -> None:
    net = Network()
    a = net.population(Unit, 3)
    w = np.random.default_rng(0).normal(size=(3, 3))
    net.project(a, a.a, Dense(w))
    net.project(a, a.a, AllToAll(), weight=0.1)
    dense, shared = build(net, 1 * ms, dtype="float64")
    assert (dense.weights.reshape(3, 3) == w).all()
    assert shared.weights.dtype == np.float64
    assert shared.weights == 0.1


def test_weight_scales_a_rules_own_weights() -> None:
    w = np.arange(6.0).reshape(2, 3)
    assert (made(Dense(w), 2, 3, weight=0.5).weights == w.ravel() / 2).all()
    assert (made(Dense(w.astype(int)), 2, 3, port="n", weight=-3).weights == -3 * w.ravel()).all()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_do_not_matter(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builders, "SMALL", 0)
    rules: list[Any] = [
        FixedProbability(0.2),
        FixedInDegree(9),
        FixedInDegree(9, True),
        FixedOutDegree(7),
        FixedTotal(999),
    ]
    for rule in rules:
        values = {"weight": Normal(0.0, 1.0), "delay": Uniform(1 * ms, 5 * ms)}
        one, other = made(rule, 130, threads=1, **values), made(rule, 130, threads=threads, **values)
        for name in ("row_ptr", "targets", "weights", "delays"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), (rule, name)


def test_what_is_added_later_leaves_earlier_synapses_alone() -> None:
    net = Network(seed=9)
    a = net.population(Unit, 50)
    net.project(a, a.a, FixedProbability(0.2))
    before = build(net, 1 * ms)[0]
    net.project(net.population(Unit, 5), a.a, FixedProbability(0.2))
    after = build(net, 1 * ms)
    assert len(after) == 2
    assert np.array_equal(before.targets, after[0].targets)


def test_progress_is_told() -> None:
    class Seen:
        def __init__(self) -> None:
            self.stages: list[tuple[str, int | None]] = []
            self.advanced = 0

        def stage(self, text: str, total: int | None = None) -> None:
            self.stages.append((text, total))

        def advance(self, amount: int = 1) -> None:
            self.advanced += amount

    net = Network(name="n")
    a = net.population(Unit, 5)
    net.project(a, a.a, OneToOne())
    seen: Any = Seen()
    build(net, 1 * ms, progress=seen)
    assert (seen.stages, seen.advanced) == ([("building n", 1)], 1)


def test_a_users_own_rule_builds() -> None:
    @dataclass(frozen=True)
    class Ring:
        """Neuron i to i + 1."""

        def check(self, pre: Any, post: Any, subject: str) -> None:
            if pre.size != post.size:
                raise NetworkError(f"{subject}: Ring needs equal sizes")

        def count(self, pre: Any, post: Any) -> Count:
            return Count(pre.size)

        def connect(self, pre: Any, post: Any, stream: Any) -> Connections:
            n = pre.size
            return Connections(np.arange(n + 1), ((np.arange(n) + 1) % n).astype(np.uint16))

    assert (matrix(made(Ring(), 4)) == np.roll(np.eye(4), 1, axis=1)).all()
    with pytest.raises(NetworkError, match="Ring needs equal sizes"):
        made(Ring(), 4, 5)
