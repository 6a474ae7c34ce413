"""Every storage form against the reference's delivery, bit for bit: kernels on their own, on arbitrary ranges."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from assembly import called, require_vectors, vector_loops
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from neuromorph import (
    CPU,
    AvgPool2D,
    Conv2D,
    Dense,
    EventSource,
    FixedOutDegree,
    Integers,
    Network,
    Sparse,
    ms,
    mV,
)
from neuromorph.engine.delivery import Choice, Stored, Traffic, choose, store, stored_forecast
from neuromorph.engine.delivery import lists as lists_module
from neuromorph.engine.memory import address, aligned
from neuromorph.engine.reference import deliver
from neuromorph.engine.schedule import call
from neuromorph.models import LIFDelta
from neuromorph.native import compile_kernel
from neuromorph.network.builders.convolution import Axis, Window
from neuromorph.network.synapses import Synapses

SLOTS = 8
SEEDS = st.integers(0, 2**32 - 1)
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
SPIKES, VALUES = Traffic("", "float32"), Traffic("float32", "float32")
DOUBLE, WHOLE = Traffic("float64", "float64"), Traffic("", "int64")


def random_rows(rng: np.random.Generator, n_pre: int, n_post: int, density: float, repeat: bool) -> tuple[Any, Any]:
    count = rng.integers(0, 2, (n_pre, n_post)) if repeat else np.zeros((n_pre, n_post), int)
    rows, targets = np.nonzero(rng.random((n_pre, n_post)) < density)
    again = np.repeat(np.arange(len(rows)), 1 + count[rows, targets])
    row_ptr = np.concatenate([[0], np.cumsum(np.bincount(rows[again], minlength=n_pre))]).astype(np.int64)
    return row_ptr, targets[again].astype(np.uint16 if n_post <= 1 << 16 else np.uint32)


def random_weights(rng: np.random.Generator, kind: str, shape: Any) -> tuple[np.ndarray[Any, Any], float | None]:
    """Weights of a type; narrow ints stand for floats and have a scale."""
    if kind.startswith("float"):
        return np.asarray(rng.normal(size=shape), kind), None
    return np.asarray(rng.integers(-100, 100, shape), kind), float(rng.random()) + 0.01


def synapses_of(**given: Any) -> Synapses:
    return Synapses("s", 0, 0, 1, 1, **{"row_ptr": None, "targets": None, "weight_index": None, **given})


def run(stored: Stored, before: np.ndarray[Any, Any], step: int, segments: list[Any], cuts: list[int]) -> np.ndarray:
    """Deliver one step's events, listed in segments, range by range; gives the sums of the port."""
    traffic, n_post = stored.traffic, stored.n_post
    stride, rows = -(-max(n_post, 1) // 64) * 64, 4
    ring = aligned((SLOTS, 2, stride), traffic.sums)
    ring[:, 1, :n_post] = before
    ring[:, 0] = ring[:, 1, n_post:] = 7
    width = max(sum(len(fired) for fired, _ in segments), 1)
    fired = np.zeros((rows, width), np.uint32)
    values = np.zeros((rows, width), traffic.value or "float32")
    counts = np.zeros((len(segments), rows), np.int64)
    starts, at = np.zeros(len(segments), np.int64), 0
    for k, (sources, emitted) in enumerate(segments):
        starts[k], counts[k, step & 3] = at, len(sources)
        fired[step & 3, at : at + len(sources)], values[step & 3, at : at + len(sources)] = sources, emitted
        at += len(sources)
    head = {
        "fired": address(fired), "values": address(values), "counts": address(counts), "starts": address(starts),
        "segments": len(segments), "event_mask": rows - 1, "stride": width, "ring": address(ring),
        "ring_mask": SLOTS - 1, "row": 2 * stride, "port": stride,
    }  # fmt: skip
    kernel = compile_kernel(stored.form.source(traffic), f"{stored.form}")
    for lo, hi in pairwise(cuts):
        for item in stored.form.items(head, traffic, lo, hi) if lo < hi else ():
            call(kernel, step, 0, item)
    assert (ring[:, 0] == 7).all(), "another port changed"
    assert (ring[:, 1, n_post:] == 7).all(), "something beyond the population changed"
    return ring[:, 1, :n_post]


def check(stored: Stored, synapses: Synapses, rng: np.random.Generator) -> None:
    """One step's random events through a stored projection and through the reference."""
    traffic, step = stored.traffic, int(rng.integers(0, 100))
    sums = (rng.normal(size=(SLOTS, stored.n_post)) * 100).astype(traffic.sums)
    fired = np.flatnonzero(rng.random(stored.n_pre) < rng.random())
    values = rng.normal(size=len(fired)).astype(traffic.value or "float32")
    ends = np.sort(rng.integers(0, len(fired) + 1, 2))
    segments = list(zip(np.split(fired, ends), np.split(values, ends), strict=True))
    cuts = [0, *np.sort(rng.integers(0, stored.n_post + 1, rng.integers(0, 4))).tolist(), stored.n_post]
    got = run(stored, sums, step, segments, cuts)
    deliver(synapses.expanded(), sums, step, fired, values if traffic.value else None)
    np.testing.assert_array_equal(got.view(f"u{sums.itemsize}"), sums.view(f"u{sums.itemsize}"))
    again = stored.expanded()  # what others read has the same sums
    assert again.count == synapses.count
    other = (rng.normal(size=(SLOTS, stored.n_post)) * 100).astype(traffic.sums)
    one, two = other.copy(), other.copy()
    deliver(again, one, step, fired, values if traffic.value else None)
    deliver(synapses.expanded(), two, step, fired, values if traffic.value else None)
    assert one.tobytes() == two.tobytes()


def network() -> Network:
    """Projections of every form, with exact numbers of synapses."""
    rng = np.random.default_rng(0)
    net = Network(seed=1)
    source = net.population(EventSource(700, steps=[1], indices=[0]), name="source")
    few, many = net.population(LIFDelta(), 900, name="few"), net.population(LIFDelta(), 70_000, name="many")
    image = net.population(EventSource(3 * 8 * 9, steps=[1], indices=[0]), (3, 8, 9), name="image")
    maps, pooled = net.population(LIFDelta(), (4, 6, 7)), net.population(LIFDelta(), (4, 3, 3))
    net.project(source, few.v_in, FixedOutDegree(200), weight=1 * mV, name="bits")
    net.project(source, few.v_in, FixedOutDegree(20), weight=1 * mV, name="lists")
    net.project(source, many.v_in, FixedOutDegree(300), weight=1 * mV, name="blocks")
    net.project(source, many.v_in, FixedOutDegree(1), weight=1 * mV, name="no blocks")
    net.project(source, few.v_in, Dense(rng.normal(size=(700, 900)).astype(np.float32) * mV), name="matrix")
    net.project(image, maps.v_in, Conv2D(rng.normal(size=(4, 3, 3, 3)) * mV), name="convolution")
    net.project(maps, pooled.v_in, AvgPool2D(2), weight=2 * mV, name="pool")
    return net


def test_the_forecast_is_what_the_report_counts() -> None:
    program = CPU(threads=1).compile(network(), dt=1 * ms, progress=False)
    expected = stored_forecast(program.network, 1e-3, "float32")
    for made, said in zip(program.report().projections, expected.projections, strict=True):
        assert made.nbytes == said.nbytes, (made.name, made.storage)
    forms = [cost.storage.replace(",", "").split(" ")[0] for cost in program.report().projections]
    assert forms == ["bit", "lists", "lists", "lists", "matrix", "geometry", "geometry"]
    blocks, none = program.report().projections[2:4]
    assert ("2 blocks" in blocks.storage, "uint32" in none.storage) == (True, True)


def test_a_large_convolution_is_not_refused_for_synapses_that_are_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Network()
    image = net.population(EventSource(32 * 64 * 64, steps=[1], indices=[0]), (32, 64, 64))
    maps = net.population(LIFDelta(), (64, 64, 64))
    net.project(image, maps.v_in, Conv2D(np.ones((64, 32, 5, 5)) * mV, padding=2))
    monkeypatch.setattr("neuromorph.network.forecast.available_memory", lambda: 200_000_000)
    assert not net.forecast(1 * ms).fits
    assert CPU(threads=1).compile(net, dt=1 * ms, progress=False).report().nbytes < 50_000_000


def test_what_a_rule_was_given_is_never_written_over() -> None:
    rng = np.random.default_rng(4)
    pre, post = np.divmod(np.arange(40 * 50), 50)
    weights, delays = rng.normal(size=2000).astype(np.float32), rng.integers(1, 3, 2000)
    kept = weights.copy()
    matrix = sparse.csr_array((weights, (pre, post)), shape=(40, 50))
    net = Network()
    source = net.population(EventSource(40, steps=[1], indices=[0]))
    few = net.population(LIFDelta(), 50)
    net.project(source, few.v_in, Sparse((pre, post, weights, delays)), weight=1 * mV)
    net.project(source, few.v_in, Sparse(matrix), weight=1 * mV, delay=Integers(1, 2))
    form = CPU(threads=1).compile(net, dt=1 * ms, progress=False).compiled.projections[1].form
    assert form.runs == 2
    assert not np.array_equal(form.weights, kept)
    np.testing.assert_array_equal(weights, kept)
    np.testing.assert_array_equal(matrix.data, kept)


@pytest.mark.parametrize("form", ["bits", "matrix", "scaled matrix"])
def test_rows_are_added_as_vectors(form: str) -> None:
    width = require_vectors()
    given: dict[str, Any] = {"n_pre": 100, "n_post": 200, "delays": np.asarray(1, np.uint8)}
    if form == "bits":
        row_ptr, targets = random_rows(np.random.default_rng(5), 100, 200, 0.3, False)
        synapses = synapses_of(row_ptr=row_ptr, targets=targets, weights=np.asarray(0.1, np.float32), **given)
        stored = forced(synapses, SPIKES, "bits")
    else:
        scale = 0.1 if form == "scaled matrix" else None
        kind = np.float32 if scale is None else np.int8
        stored = forced(synapses_of(weights=np.ones(20_000, kind), weight_scale=scale, **given), VALUES, "matrix")
    text = compile_kernel(stored.form.source(stored.traffic), form).assembly()
    assert not [name for name in called(text) if "neuromorph_kernel" not in name]  # the wrapper calls the kernel
    loops = vector_loops(text, width)
    assert len(loops) >= 4, "one for each size of a group of events"
    assert not any(i.is_scalar_float for loop in loops for i in loop)
    additions = [sum(i.name.startswith("vadd") and i.bits >= width for i in loop) for loop in loops]
    assert max(additions) >= 8, "several events pass over sums that stay in a register"


def forced(synapses: Synapses, traffic: Traffic, form: Any) -> Stored:
    return store(synapses, traffic, lambda s, t: Choice(form, "test"))


@pytest.mark.parametrize(
    ("traffic", "weights", "shared", "delays"),
    [
        (SPIKES, "float32", True, "one"),
        (SPIKES, "float32", True, "few"),
        (SPIKES, "float32", True, "many"),
        (SPIKES, "float32", False, "few"),
        (VALUES, "float32", True, "one"),
        (VALUES, "float32", False, "one"),
        (VALUES, "float32", False, "few"),
        (VALUES, "float32", False, "many"),
        (VALUES, "int8", False, "one"),
        (SPIKES, "int16", False, "few"),
        (DOUBLE, "int8", True, "one"),
        (DOUBLE, "float64", False, "few"),
        (WHOLE, "int32", True, "one"),
        (WHOLE, "int16", False, "many"),
    ],
)
@settings(QUICK, max_examples=20)
@given(seed=SEEDS)
def test_lists(traffic: Traffic, weights: str, shared: bool, delays: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_pre, n_post = (int(n) for n in rng.integers(1, 200, 2))
    row_ptr, targets = random_rows(rng, n_pre, n_post, rng.random() * (0.5 if delays == "few" else 0.1), True)
    made, scale = random_weights(rng, weights, () if shared else len(targets))
    if delays == "one":
        steps = np.asarray(rng.integers(1, SLOTS), np.uint8)
    else:
        steps = rng.integers(1, 3 if delays == "few" else SLOTS, len(targets)).astype(np.uint16)
    synapses = synapses_of(
        n_pre=n_pre, n_post=n_post, row_ptr=row_ptr, targets=targets, weights=made, delays=steps,
        weight_scale=None if traffic is WHOLE else scale,
    )  # fmt: skip
    check(forced(synapses, traffic, "lists"), synapses, rng)


@pytest.mark.parametrize(
    ("traffic", "weights"),
    [(SPIKES, "float32"), (VALUES, "float32"), (VALUES, "int8"), (DOUBLE, "float64"), (WHOLE, "int32")],
)
@QUICK
@given(seed=SEEDS)
def test_bits(traffic: Traffic, weights: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_pre, n_post = (int(n) for n in rng.integers(1, 200, 2))
    row_ptr, targets = random_rows(rng, n_pre, n_post, rng.random(), False)
    made, scale = random_weights(rng, weights, ())
    synapses = synapses_of(
        n_pre=n_pre, n_post=n_post, row_ptr=row_ptr, targets=targets, weights=made,
        delays=np.asarray(rng.integers(1, SLOTS), np.uint8), weight_scale=None if traffic is WHOLE else scale,
    )  # fmt: skip
    check(forced(synapses, traffic, "bits"), synapses, rng)


@pytest.mark.parametrize(
    ("traffic", "weights", "shared"),
    [
        (SPIKES, "float32", False),
        (VALUES, "float32", False),
        (VALUES, "float32", True),
        (VALUES, "int8", False),
        (SPIKES, "int8", False),
        (VALUES, "int16", False),
        (DOUBLE, "float64", False),
        (DOUBLE, "int8", False),
        (WHOLE, "int8", False),
        (WHOLE, "int32", True),
    ],
)
@QUICK
@given(seed=SEEDS)
def test_matrix(traffic: Traffic, weights: str, shared: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n_pre, n_post = (int(n) for n in rng.integers(1, 200, 2))
    made, scale = random_weights(rng, weights, () if shared else n_pre * n_post)
    synapses = synapses_of(
        n_pre=n_pre, n_post=n_post, weights=made, delays=np.asarray(rng.integers(1, SLOTS), np.uint8),
        weight_scale=None if traffic is WHOLE else scale,
    )  # fmt: skip
    check(forced(synapses, traffic, "matrix"), synapses, rng)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """A convolution of any stride, padding, dilation and groups; some inputs may reach nothing."""

    def axis() -> Axis:
        taps, dilation = draw(st.integers(1, 5)), draw(st.integers(1, 3))
        size = draw(st.integers(dilation * (taps - 1) + 1, dilation * (taps - 1) + 8))
        return Axis(size, taps, draw(st.integers(1, 4)), dilation, draw(st.integers(0, 3)), draw(st.integers(0, 3)))

    groups = draw(st.integers(1, 3))
    return Window(axis(), axis(), groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3)), groups)


@pytest.mark.parametrize(
    ("traffic", "weights", "shared"),
    [
        (SPIKES, "float32", False),
        (VALUES, "float32", False),
        (VALUES, "int8", False),
        (DOUBLE, "float64", True),
        (WHOLE, "int32", True),
    ],
)
@settings(QUICK, max_examples=5)
@given(window=windows(), seed=SEEDS)
def test_geometry(traffic: Traffic, weights: str, shared: bool, window: Window, seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel = window.out_channels * (window.channels // window.groups) * window.y.taps * window.x.taps
    made, scale = random_weights(rng, weights, () if shared else kernel)
    synapses = synapses_of(
        n_pre=window.channels * window.y.size * window.x.size,
        n_post=window.out_channels * window.y.out * window.x.out, weights=made,
        delays=np.asarray(rng.integers(1, SLOTS), np.uint8), weight_scale=None if traffic is WHOLE else scale,
        geometry=window,
    )  # fmt: skip
    assert synapses.expanded().count == synapses.count
    check(forced(synapses, traffic, "geometry"), synapses, rng)


def test_planes_of_whole_pages_are_done_channel_by_channel() -> None:
    rng = np.random.default_rng(6)
    window = Window(Axis(32, 3, 1, 1, 1, 1), Axis(32, 3, 1, 1, 1, 1), 2, 3, 1)
    weights = rng.normal(size=54).astype(np.float32)
    synapses = synapses_of(n_pre=2048, n_post=3072, weights=weights, delays=np.asarray(1, np.uint8), geometry=window)
    stored = forced(synapses, VALUES, "geometry")
    assert stored.form.channels_first
    for _ in range(5):
        check(stored, synapses, rng)


def test_targets_count_from_blocks_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    n_pre, n_post = 40, 150_000
    row_ptr, targets = random_rows(rng, n_pre, n_post, 0.01, True)
    delays = np.asarray(2, np.uint8)
    given = {"n_pre": n_pre, "n_post": n_post, "row_ptr": row_ptr, "delays": delays, "weights": np.float32(0.1)}
    synapses = synapses_of(targets=targets, **given)
    kept = targets.copy()
    stored = forced(synapses, SPIKES, "lists")
    assert isinstance(stored.form, lists_module.Lists)
    assert stored.form.targets.dtype == np.uint16
    assert len(stored.form.grid) == 2
    assert sum(stored.form.arrays().values()) < 2.1 * len(targets)
    check(stored, synapses, rng)
    np.testing.assert_array_equal(stored.expanded().targets, kept)
    consumed = store(replace(synapses, targets=kept.copy()), SPIKES, consume=True)
    np.testing.assert_array_equal(consumed.form.targets, stored.form.targets)
    np.testing.assert_array_equal(targets, kept)
    few = synapses_of(targets=np.array([5, 149_999], np.uint32), **(given | {"row_ptr": np.array([0] * 40 + [2])}))
    assert forced(few, SPIKES, "lists").form.targets.dtype == np.uint32  # the cuts would take more than they save


def test_delays_are_sorted_where_runs_are_long_enough() -> None:
    rng = np.random.default_rng(2)
    row_ptr, targets = random_rows(rng, 20, 500, 0.2, False)
    given = {"n_pre": 20, "n_post": 500, "row_ptr": row_ptr, "targets": targets, "weights": np.float32(0.1)}
    few = synapses_of(delays=rng.integers(1, 4, len(targets)).astype(np.uint8), **given)
    many = synapses_of(delays=rng.integers(1, 200, len(targets)).astype(np.uint8), **given)
    sorted_, own = forced(few, SPIKES, "lists").form, forced(many, SPIKES, "lists").form
    assert (sorted_.runs, sorted_.own_delays, sorted_.delays.tolist()) == (3, False, [1, 2, 3])
    assert (own.runs, own.own_delays) == (1, True)
    assert sorted_.arrays()["delays"] == 3


def test_the_choice_follows_kind_and_density() -> None:
    rng = np.random.default_rng(3)
    row_ptr, targets = random_rows(rng, 100, 200, 0.075, False)
    given = {"n_pre": 100, "n_post": 200, "delays": np.asarray(1, np.uint8), "weights": np.float32(0.1)}
    rows = {"row_ptr": row_ptr, "targets": targets}
    assert choose(synapses_of(**given, **rows), SPIKES).form == "bits"
    assert choose(synapses_of(**given, **rows), replace(SPIKES, sums="float64")).form == "lists"
    own = np.ones(len(targets), np.float32)
    assert choose(synapses_of(**(given | rows | {"weights": own})), SPIKES).form == "lists"
    twice = {"row_ptr": 2 * row_ptr, "targets": np.repeat(targets, 2)}
    assert choose(synapses_of(**given, **twice), SPIKES).reason.startswith("pairs with more than one")
    sparse = random_rows(rng, 100, 200, 0.02, False)
    assert choose(synapses_of(**given, row_ptr=sparse[0], targets=sparse[1]), SPIKES).form == "lists"
    assert choose(synapses_of(**given), SPIKES).form == "matrix"
    each = np.ones(100 * 200, np.uint8)
    assert choose(synapses_of(**(given | {"delays": each})), SPIKES).form == "lists"


@settings(QUICK, max_examples=5)
@given(seed=SEEDS)
def test_a_matrix_with_delays_of_its_own_becomes_lists(seed: int) -> None:
    rng = np.random.default_rng(seed)
    synapses = synapses_of(
        n_pre=30, n_post=40, weights=rng.normal(size=1200).astype(np.float32),
        delays=rng.integers(1, 4, 1200).astype(np.uint8),
    )  # fmt: skip
    check(store(synapses, VALUES), synapses, rng)
