"""Sinks and traces: whatever is written comes back, from memory and from a file alike."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuromorph.errors import TraceError
from neuromorph.trace import FileSink, MemorySink, RunMeta, Sink, Trace, compare, first_difference
from neuromorph.units import ms, second

SIZES = {"a": 4, "b.c": 1, "d e": 300}


@st.composite
def runs(draw: st.DrawFn) -> tuple[RunMeta, list[tuple[str, tuple[Any, ...]]]]:
    """What a run announces, and the calls that write it, in time order."""
    steps = draw(st.integers(1, 30))
    first = draw(st.sampled_from([0, 5, 10**6]))
    recorded = draw(st.sampled_from([None, ("a",), ("d e", "a"), ()]))
    states = draw(
        st.dictionaries(
            st.sampled_from([("a", "v"), ("a", "u"), ("b.c", "v"), ("d e", "w")]),
            st.tuples(st.sampled_from(["mV", "", "nA"]), st.sampled_from([1.0, 1e-3, 1e-9]), st.integers(1, 4)),
        )
    )
    meta = RunMeta(
        "net", draw(st.sampled_from([1e-3, 1e-4, 0.00033])), steps, draw(st.integers(0, 2**63)), SIZES, states,
        {"versions": {"numpy": "2"}, "text": "é" * draw(st.integers(0, 9000)), "n": 3, "list": np.arange(3)},
        recorded, first,
    )  # fmt: skip
    values_of = {name: draw(st.sampled_from([None, np.float32, np.float64, np.int32])) for name in SIZES}
    type_of = {key: draw(st.sampled_from([np.float32, np.float64, np.int32])) for key in states}
    calls: list[tuple[str, tuple[Any, ...]]] = []
    for step in range(first, first + steps):
        for name in meta.event_populations:
            n = draw(st.integers(0, 3))
            ids = draw(hnp.arrays(np.uint32, n, elements=st.integers(0, SIZES[name] - 1)))
            kind = values_of[name]
            given_values = None if kind is None else np.arange(n).astype(kind) - 1
            calls.append(("events", (name, np.full(n, step), ids, given_values)))
        for (name, variable), (_, _, every) in states.items():
            if (step - first) % every == 0:
                row = np.full((1, SIZES[name]), step * 3 % 7, type_of[name, variable])
                calls.append(("states", (name, variable, step, every, row)))
        if draw(st.booleans()):
            calls.append(("extra", ("costs/rows", np.full((1, 2), step))))
    return meta, calls


def write(sink: Sink, meta: RunMeta, calls: list[tuple[str, tuple[Any, ...]]]) -> None:
    sink.open(meta)
    for name, arguments in calls:
        if name == "extra":
            sink.extra(*arguments, append=True)
        else:
            getattr(sink, name)(*arguments)
    sink.extra("machine/name", "a machine", {"note": "of no kind"})
    sink.extra("machine/chips", 7)
    sink.close()


def assert_same(a: Trace, b: Trace) -> None:
    assert a.meta.populations == b.meta.populations
    assert a.meta.states == b.meta.states
    assert (a.meta.dt, a.meta.steps, a.meta.seed, a.meta.first_step) == (
        b.meta.dt, b.meta.steps, b.meta.seed, b.meta.first_step,
    )  # fmt: skip
    assert (a.start, a.stop, a.complete) == (b.start, b.stop, b.complete)
    assert a.recorded_events == b.recorded_events
    for name in a.recorded_events:
        x, y = a.events(name), b.events(name)
        np.testing.assert_array_equal(x.steps, y.steps)
        np.testing.assert_array_equal(x.ids, y.ids)
        np.testing.assert_array_equal(x.times, y.times)
        assert (x.values is None) == (y.values is None)
        if x.values is not None and y.values is not None:
            assert x.values.dtype == y.values.dtype
            np.testing.assert_array_equal(x.values, y.values)
    assert a.recorded_states == b.recorded_states
    for population, variable in a.recorded_states:
        s, r = a.state(population, variable), b.state(population, variable)
        assert (s.unit, s.shape, s.data.dtype) == (r.unit, r.shape, r.data.dtype)
        np.testing.assert_array_equal(s.data, r.data)
        np.testing.assert_allclose(s.times, r.times, rtol=1e-12)
        np.testing.assert_array_equal(s.steps, r.steps)
    assert list(a.run) == list(b.run)
    for path in a.run:
        np.testing.assert_array_equal(a.run[path], b.run[path])
        assert a.run.attrs(path) == b.run.attrs(path)
    assert a.provenance["text"] == b.provenance["text"]
    assert a.provenance["versions"] == b.provenance["versions"]
    np.testing.assert_array_equal(a.provenance["list"], b.provenance["list"])


@settings(max_examples=25, deadline=None)
@given(run=runs(), flush=st.sampled_from([0.0, 1e9]), small=st.sampled_from([100, 10**8]))
def test_file_and_memory_give_the_same_trace(run: Any, flush: float, small: int) -> None:
    meta, calls = run
    memory = MemorySink()
    write(memory, meta, calls)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.h5"
        write(FileSink(path, flush_seconds=flush, flush_bytes=small), meta, calls)
        kept = memory.trace()
        with Trace(path) as filed:
            assert_same(kept, filed)
            assert compare(kept, filed).equal
        kept.save(Path(folder) / "saved.h5")
        with Trace(Path(folder) / "saved.h5") as saved:
            assert_same(kept, saved)
        # What was written is what is read.
        for name in meta.event_populations:
            steps = np.concatenate([c[1] for kind, c in calls if kind == "events" and c[0] == name])
            np.testing.assert_array_equal(kept.events(name).steps, steps)
            np.testing.assert_array_equal(kept.events(name).times, steps * meta.dt_ms)


@pytest.fixture
def trace() -> Trace:
    sink = MemorySink()
    sink.open(RunMeta("net", 1e-4, 100, 1, {"a": 5, "quiet": 2}, {("a", "v"): ("mV", 1e-3, 2)}, recorded=("a",)))
    for step in range(100):
        sink.events("a", [step], [step % 5])
        if step % 2 == 0:
            sink.states("a", "v", step, 2, np.arange(5.0)[None] * 1e-3 + step * 1e-3)
    sink.close()
    return sink.trace()


@pytest.mark.parametrize("filed", [False, True])
def test_selecting(trace: Trace, tmp_path: Path, filed: bool) -> None:
    if filed:
        trace.save(tmp_path / "t.h5")
        trace = Trace(tmp_path / "t.h5")
    assert trace.events("a", start=1.0, stop=2.0).steps.tolist() == list(range(10, 20))
    assert trace.events("a", start=0.3, stop=0.7).steps.tolist() == [3, 4, 5, 6]  # 3 * 0.1 > 0.3 as floats
    assert trace.events("a", start=1 * ms, stop=0.002 * second).steps.tolist() == list(range(10, 20))
    assert trace.events("a", ids=[1, 3], stop=1).steps.tolist() == [1, 3, 6, 8]
    assert trace.events("a", ids=2, stop=1).steps.tolist() == [2, 7]
    assert len(trace.events("a", start=50)) == 0
    assert len(trace.events("a", start=2, stop=1)) == 0
    assert [len(part) for part in trace.stream("a", block=33)] == [33, 33, 33, 1]
    states = trace.state("a", "v", ids=[4, 0], start=1.0, stop=1.5)
    assert states.steps.tolist() == [10, 12, 14]
    np.testing.assert_allclose(states.data, [[14, 10], [16, 12], [18, 14]])
    np.testing.assert_allclose(states[1:], [[16, 12], [18, 14]])
    np.testing.assert_allclose(states[:2, 1], [10, 12])
    np.testing.assert_allclose(np.asarray(states)[0], [14, 10])
    np.testing.assert_allclose(states[-1], [18, 14])
    assert trace.state("a", "v", start=9, stop=3).shape == (0, 5)
    assert trace.state("a", "v", ids=[]).data.shape == (50, 0)
    assert trace.sizes == {"a": 5, "quiet": 2}
    assert trace.stop == 10.0


def test_traces_pickle(trace: Trace, tmp_path: Path) -> None:
    assert first_difference(pickle.loads(pickle.dumps(trace)), trace) is None
    trace.save(tmp_path / "t.h5")
    filed = pickle.loads(pickle.dumps(Trace(tmp_path / "t.h5")))
    assert filed.path == str(tmp_path / "t.h5")
    assert first_difference(filed, trace) is None


@pytest.mark.filterwarnings("ignore:invalid value")  # times that were hit
def test_damaged_files_are_named(trace: Trace, tmp_path: Path) -> None:
    path = tmp_path / "t.h5"
    trace.save(path)
    whole = path.read_bytes()
    refused = 0
    for start in range(0, len(whole), 512):
        path.write_bytes(whole[:start] + bytes(b ^ 0x5A for b in whole[start : start + 512]) + whole[start + 512 :])
        try:  # whatever is hit: all is read, or the file is named
            with Trace(path) as damaged:
                damaged.summary()
                damaged.events("a")
                _ = damaged.state("a", "v").data
        except TraceError as error:
            refused += str(path) in str(error)
    assert refused > 5


@pytest.mark.parametrize("wrong", ["timestamps", "node_ids"])
@pytest.mark.parametrize("value", [np.zeros((3, 2)), np.array([b"a", b"b", b"c"]), 1.0, None])
def test_spikes_that_are_no_columns_of_numbers_are_named(tmp_path: Path, wrong: str, value: Any) -> None:
    path = tmp_path / "t.h5"
    with h5py.File(path, "w") as file:
        for name in ("timestamps", "node_ids"):
            file[f"spikes/a/{name}"] = np.arange(3)
            file[f"spikes/a/{name}"].attrs["units"] = "ms"
        del file[f"spikes/a/{wrong}"]
        if value is None:
            file.create_group(f"spikes/a/{wrong}")
        else:
            file[f"spikes/a/{wrong}"] = value
    with (
        pytest.raises(TraceError, match=rf"t\.h5: /spikes/a/{wrong} is .*; expected a column of numbers"),
        Trace(path) as trace,
    ):
        trace.events("a")


@pytest.mark.parametrize("wrong", ["data", "mapping/node_ids", "mapping/index_pointers", "mapping/time"])
def test_reports_that_are_no_arrays_of_numbers_are_named(trace: Trace, tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "t.h5"
    trace.save(path)
    with h5py.File(path, "r+") as file:
        (name,) = file["report"]
        report = file[f"report/{name}"]
        for key in {wrong, "exact"} & {"exact", *report, *(f"mapping/{k}" for k in report["mapping"])}:
            if key in report:
                del report[key]
        report[wrong] = np.array([b"a", b"b"])
    with pytest.raises(TraceError, match=rf"t\.h5: .*{wrong} is .*; expected .* of numbers"), Trace(path) as damaged:
        _ = damaged.state("a", "v").data


def test_what_is_no_trace_is_named(trace: Trace, tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="is a folder"):
        Trace(tmp_path)
    with pytest.raises(TraceError, match="3 is not the path of a trace"):
        Trace(3)  # type: ignore[arg-type]
    for a, b in ((trace, "b.h5"), ("a.h5", trace)):
        with pytest.raises(TraceError, match=r"expected two traces, got '.*open_trace"):
            compare(a, b)  # type: ignore[arg-type]


def test_asking_for_what_is_not_there(trace: Trace, tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="were not recorded; recorded populations: a"):
        trace.events("quiet")
    with pytest.raises(TraceError, match="no such population"):
        trace.events("b")
    with pytest.raises(TraceError, match=r"recorded states: a\.v"):
        trace.state("a", "u")
    with pytest.raises(TraceError, match="no neuron 5"):
        trace.state("a", "v", ids=[5])
    with pytest.raises(KeyError, match="nothing"):
        _ = trace.run["costs"]
    trace.save(tmp_path / "t.h5")
    filed = Trace(tmp_path / "t.h5")
    filed.close()
    with pytest.raises(TraceError, match="has been closed"):
        filed.events("a")
    assert "closed" in repr(filed)
    with pytest.raises(TraceError, match="holds no run"):
        MemorySink().trace()


def test_sinks_refuse_what_cannot_be(tmp_path: Path) -> None:
    meta = RunMeta("net", 1e-3, 10, 1, {"a": 3}, {("a", "v"): ("", 1.0, 2)}, first_step=4)
    for sink in (MemorySink(), FileSink(tmp_path / "t.h5")):
        sink.open(meta)
        with pytest.raises(TraceError, match="ids must lie in"):
            sink.events("a", [4], [3])
        with pytest.raises(TraceError, match="ids must lie in"):
            sink.events("a", [4], [-1])
        with pytest.raises(TraceError, match="one length"):
            sink.events("a", [4, 5], [0])
        with pytest.raises(TraceError, match="time order"):
            sink.events("a", [3], [0])
        with pytest.raises(TraceError, match="time order"):
            sink.events("a", [6, 5], [0, 0])
        with pytest.raises(TraceError, match="did not announce"):
            sink.events("b", [4], [0])
        with pytest.raises(TraceError, match="did not announce"):
            sink.states("a", "u", 4, 1, np.zeros((1, 3)))
        with pytest.raises(TraceError, match="rows must be"):
            sink.states("a", "v", 4, 2, np.zeros((1, 4)))
        with pytest.raises(TraceError, match="every 2 steps"):
            sink.states("a", "v", 4, 1, np.zeros((1, 3)))
        sink.states("a", "v", 4, 2, np.zeros((2, 3)))
        with pytest.raises(TraceError, match="the next row is that of step 8"):
            sink.states("a", "v", 6, 2, np.zeros((1, 3)))
        with pytest.raises(TraceError, match="the trace's own"):
            sink.extra("provenance/x", 1)
        sink.close()
    with pytest.raises(TraceError, match="not among the populations"):
        RunMeta("net", 1e-3, 10, 1, {"a": 3}, recorded=("b",))
    with pytest.raises(TraceError, match="dt must be positive"):
        RunMeta("net", 0.0, 10, 1, {"a": 3})
    with pytest.raises(TraceError, match="hold a '/'"):
        FileSink(tmp_path / "u.h5").open(RunMeta("net", 1e-3, 10, 1, {"a/b": 3}))
    assert not (tmp_path / "u.h5").exists()


def test_sinks_copy_what_they_keep(tmp_path: Path) -> None:
    for sink in (MemorySink(), FileSink(tmp_path / "t.h5", flush_seconds=1e9)):
        sink.open(RunMeta("net", 1e-3, 10, 1, {"a": 3}, {("a", "v"): ("", 1.0, 1)}))
        steps, ids, values, rows = np.zeros(2, np.int64), np.array([0, 1], np.uint32), np.ones(2, "f4"), np.ones((1, 3))
        sink.events("a", steps, ids, values)
        sink.states("a", "v", 0, 1, rows)
        steps[:], ids[:], values[:], rows[:] = 9, 2, 9, 9
        sink.close()
        events = sink.trace().events("a")
        assert (events.steps.tolist(), events.ids.tolist(), events.values.tolist()) == ([0, 0], [0, 1], [1, 1])
        assert sink.trace().state("a", "v").data.tolist() == [[1, 1, 1]]


def test_states_come_in_their_unit_and_keep_every_bit(tmp_path: Path) -> None:
    exact = np.array([[1 / 3, 2**24 + 1, np.nan]])
    ints = np.array([[2**31 - 1, -(2**31), 16777217]], np.int32)
    for sink in (MemorySink(), FileSink(tmp_path / "t.h5")):
        states = {("a", "x"): ("", 1.0, 1), ("a", "n"): ("", 1.0, 1), ("a", "v"): ("mV", 1e-3, 1)}
        sink.open(RunMeta("net", 1e-3, 1, 1, {"a": 3}, states))
        sink.states("a", "x", 0, 1, exact)
        sink.states("a", "n", 0, 1, ints)
        sink.states("a", "v", 0, 1, np.array([[-0.065, 0.015, 0.0]], np.float32))
        sink.close()
        trace = sink.trace()
        np.testing.assert_array_equal(trace.state("a", "x").data, exact)
        np.testing.assert_array_equal(trace.state("a", "n").data, ints)
        assert trace.state("a", "n").data.dtype == np.int32
        np.testing.assert_array_equal(trace.state("a", "v").data, np.array([[-65, 15, 0]], np.float32))


def test_spikes_before_the_first_graded_event_count_as_one(tmp_path: Path) -> None:
    for sink in (MemorySink(), FileSink(tmp_path / "t.h5", flush_seconds=0)):
        sink.open(RunMeta("net", 1e-3, 9, 1, {"a": 3}))
        sink.events("a", [0], [0])
        sink.events("a", [1], [1], np.array([0.5], np.float32))
        sink.events("a", [2], [2])
        sink.close()
        assert sink.trace().events("a").values.tolist() == [1, 0.5, 1]


def test_an_interrupted_run_says_how_far_it_came(tmp_path: Path) -> None:
    for sink in (MemorySink(), FileSink(tmp_path / "t.h5")):
        with pytest.raises(KeyboardInterrupt), sink:  # noqa: PT012
            sink.open(RunMeta("net", 1e-3, 1000, 1, {"a": 3}, first_step=10))
            sink.events("a", [16], [0])
            raise KeyboardInterrupt
        assert sink.trace().meta.steps == 7
        assert sink.trace().stop == 17.0
        sink.close()  # harmless


def test_a_sink_may_be_used_again(tmp_path: Path) -> None:
    for sink in (MemorySink(), FileSink(tmp_path / "t.h5")):
        for count in (2, 1):
            sink.open(RunMeta("net", 1e-3, 5, 1, {"a": 3}))
            sink.events("a", np.arange(count), np.zeros(count, int))
            sink.close()
        assert sink.trace().count("a") == 1


def test_saving_a_file_copies_it(trace: Trace, tmp_path: Path) -> None:
    trace.save(tmp_path / "t.h5")
    with Trace(tmp_path / "t.h5") as filed:
        filed.save(tmp_path / "u.h5")
        filed.save(tmp_path / "t.h5")
        (tmp_path / "x.h5").write_text("precious")
        with pytest.raises(TraceError, match="not a trace"):
            filed.save(tmp_path / "x.h5")
    assert (tmp_path / "u.h5").read_bytes() == (tmp_path / "t.h5").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.h5", "u.h5", "x.h5"]


def test_traces_show_themselves_in_bounded_space(trace: Trace) -> None:
    assert repr(trace) == "Trace(in memory, 0 to 10 ms, events {a: 100})"
    assert "not recorded" in trace._repr_html_()
    many = Trace.from_events({}, sizes={f"<p{k}>": 1 for k in range(1000)}, dt=1e-3, steps=5)
    assert len(many._repr_html_()) < 5000
    assert "980 more" in many._repr_html_()
    assert "<p0>" not in many._repr_html_()
    assert len(repr(many)) < 500
    assert repr(trace.events("a")) == "Events(100 spikes of 5 neurons, 0 to 9.9 ms)"
    assert repr(trace.state("a", "v")) == "States(a.v, 50 rows x 5 neurons, mV)"


def test_traces_from_arrays_are_sorted() -> None:
    trace = Trace.from_events({"a": ([5, 1], [0, 1], [0.5, 2.0])}, sizes={"a": 2}, dt=1e-3)
    assert trace.events("a").steps.tolist() == [1, 5]
    assert trace.events("a").values.tolist() == [2.0, 0.5]
    assert trace.meta.steps == 6
