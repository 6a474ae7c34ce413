"""The CPU engine beyond what every target does: threads, buffers, Ctrl-C, batches, set and the report."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from busy_network import busy, content
from strategies import Delta, Graded, Noisy, Whole

from neuromorph import (
    CPU,
    EventSource,
    FixedInDegree,
    FixedOutDegree,
    Network,
    OneToOne,
    Reference,
    TargetError,
    Trace,
    Uniform,
    ms,
    mV,
)
from neuromorph.engine import recording
from neuromorph.engine.batch import run as batch
from neuromorph.engine.cpu import CPUProgram
from neuromorph.engine.memory import thread_bounds
from neuromorph.progress import Silent


@pytest.fixture(scope="module")
def program() -> CPUProgram:
    return CPU(threads=1).compile(busy(), dt=1 * ms)


@pytest.fixture(scope="module")
def expected(program: CPUProgram) -> dict[str, bytes]:
    return content(program.run(50, progress=False, reset=True))


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_any_number_of_threads_gives_the_same_bits(threads: int, expected: dict[str, bytes]) -> None:
    program = CPU(threads=threads).compile(busy(), dt=1 * ms)
    assert content(program.run(50, progress=False)) == expected
    assert len(expected["delta ids"]) > 8000


def test_threads_take_neighbouring_neurons_and_all_of_them() -> None:
    for size in (1, 5, 64, 255, 256, 1000, 70_001):
        for segments in (1, 2, 3, 8):
            bounds = thread_bounds(size, segments)
            assert bounds[0] == 0
            assert bounds[-1] == size
            assert (np.diff(bounds) >= 0).all()
    assert thread_bounds(1000, 2).tolist() == [0, 512, 1000]


@pytest.mark.parametrize("threads", [1, 2])
def test_targets_beyond_16_bits_run_as_in_the_reference(threads: int) -> None:
    net = Network(seed=6)
    few = net.population(Noisy, 300, name="few")
    many = net.population(Graded(theta=0.02), 70_000, name="many")
    net.project(few, many.a, FixedOutDegree(200), weight=Uniform(0.5, 1.0), delay=2)
    net.project(many, few.x_in, FixedInDegree(100), weight=0.01)
    net.record(few, "x", every=5)
    program = CPU(threads=threads).compile(net, dt=1 * ms)
    assert "2 blocks of targets" in program.report().projections[0].storage
    trace = program.run(12, progress=False)
    assert content(trace) == content(Reference("float32").compile(net, dt=1 * ms).run(12, progress=False))
    assert len(trace.events("many")) > 1000


@pytest.mark.parametrize("threads", [1, 2])
def test_full_buffers_only_shorten_chunks(
    threads: int, expected: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "EVENTS", 1)  # three times the population is then the least
    monkeypatch.setattr(recording, "BYTES", 1)  # two rows of each state
    program = CPU(threads=threads).compile(busy(), dt=1 * ms)
    assert program._instance.recorder.limit(1000) == 2
    assert content(program.run(50, progress=False)) == expected


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Python's own handling of Ctrl-C, whatever runs the tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class PressesControlC(Silent):
    """Progress that sends this process an interrupt after so many units."""

    def __init__(self, after: int) -> None:
        self.left = after

    def advance(self, amount: int = 1) -> None:
        self.left -= amount
        if self.left <= 0:
            signal.raise_signal(signal.SIGINT)
            self.left = 1 << 60


@pytest.mark.usefixtures("interrupts")
@pytest.mark.parametrize("threads", [1, 2])
def test_control_c_keeps_the_trace_and_the_program(
    threads: int, expected: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "BYTES", 1)  # chunks of one step
    program = CPU(threads=threads).compile(busy(), dt=1 * ms)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="after 20 of 50 steps"):
        program.run(50, progress=PressesControlC(20), out=tmp_path / "trace.h5")
    assert signal.getsignal(signal.SIGINT) is before
    with Trace(tmp_path / "trace.h5") as trace:
        assert trace.complete
        assert trace.meta.steps == 20
        first = content(trace)
    assert program.last_trace is not None
    assert content(program.last_trace) == first
    rest = content(program.run(30, progress=False))
    for name in ("delta steps", "delta ids", "noisy ids", "delta v", "noisy x"):
        assert first[name] + rest[name] == expected[name]


def test_control_c_waits_for_the_chunk_where_others_handle_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def others(number: int, frame: object) -> None:
        raise AssertionError("not before the chunk is complete")

    monkeypatch.setattr(recording, "BYTES", 1)
    before = signal.signal(signal.SIGINT, others)
    try:
        with pytest.raises(KeyboardInterrupt, match="after 20 of 50 steps"):
            CPU().compile(busy(), dt=1 * ms).run(50, progress=PressesControlC(20))
        assert signal.getsignal(signal.SIGINT) is others
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_control_c_ends_a_batch(program: CPUProgram) -> None:
    inputs = {"noisy": {"x": np.zeros((5000, 1000))}}
    with pytest.raises(KeyboardInterrupt, match="of 5000 samples"):
        program.run_batch(inputs, 2, progress=PressesControlC(1))


def test_a_batch_is_the_same_for_any_threads_and_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    net = busy(100)
    rng = np.random.default_rng(0)
    theta = np.append(rng.uniform(1, 3, (22, 100)), rng.uniform(1, 3, (1, 100)), axis=0) * mV
    inputs = {"delta": {"theta": theta}, "noisy": {"x": rng.normal(0, 1, (23, 100))}}
    one = CPU(threads=1).compile(net, dt=1 * ms).run_batch(inputs, 12, progress=False)
    two = CPU(threads=2).compile(net, dt=1 * ms).run_batch(inputs, 12, progress=False)
    monkeypatch.setattr(batch, "GROUP_VALUES", 1000)  # five samples at a time
    grouped = CPU(threads=2).compile(net, dt=1 * ms).run_batch(inputs, 12, progress=False)
    for population in ("noisy", "delta"):
        np.testing.assert_array_equal(one.counts[population], two.counts[population])
        np.testing.assert_array_equal(one.counts[population], grouped.counts[population])
    assert len(np.unique(one.counts["delta"].sum(axis=1))) > 5


def test_set_compiles_only_when_a_shared_parameter_becomes_individual() -> None:
    net = Network()
    source = net.population(EventSource(2, steps=[0, 1, 2], indices=[0, 1, 0]), name="in")
    out = net.population(Delta, 2, name="out")
    net.project(source, out, OneToOne(), weight=6 * mV)
    net.record(out, "v")
    program = CPU(threads=1).compile(net, dt=1 * ms)
    kernel = program.compiled.steps[1]
    program.run(1, progress=False)
    program.set("out", tau=40 * ms)
    assert program.compiled.steps[1] is kernel
    program.run(1, progress=False)
    program.set("out", theta=[8, 12] * mV)
    assert program.compiled.steps[1] is not kernel
    got = program.run(2, progress=False)

    reference = Reference("float32").compile(net, dt=1 * ms)
    reference.run(1, progress=False)
    reference.set("out", tau=40 * ms)
    reference.run(1, progress=False)
    reference.set("out", theta=[8, 12] * mV)
    assert content(got) == content(reference.run(2, progress=False))
    assert len(got.events("out")) == 1


def test_what_compiles_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from neuromorph.native import kernel

    class Listens(Silent):
        stages: list[str] = []  # noqa: RUF012

        def stage(self, text: str, total: int | None = None) -> None:
            self.stages.append(text)

    monkeypatch.setattr(kernel, "_kernels", {})
    net = Network(name="shown")
    net.population(Whole, 3, name="hidden")
    CPU().compile(net, dt=1 * ms, progress=Listens())
    assert any("hidden" in text and "compiling" in text for text in Listens.stages)


def test_the_report_counts_what_is_there(program: CPUProgram) -> None:
    program.run(10, progress=False, reset=True)
    report = program.report()
    assert report.neurons == 2000
    assert report.synapses == sum(s.count for s in program.compiled.projections)
    drawn, shared = report.projections
    assert drawn.synapses == 20_000
    assert drawn.arrays == {"rows": 4004, "targets": 40_000, "weights": 80_000, "delays": 20_000}
    assert shared.arrays["weights"] == 4
    assert shared.storage.startswith("lists of uint16 targets, one float32 weights, one delay (0.0")
    assert report.nbytes == sum(p.nbytes for p in report.projections) + sum(
        p.state_bytes + p.ring_bytes for p in report.populations
    )
    assert report.populations[1].ring_bytes == 16 * 1024 * 4  # 9 steps of delay: 16 slots; 1,000 neurons: 1,024 wide
    assert report.steps >= 10
    assert (report.steps_per_second or 0) > 0
    for text in (str(report), report._repr_html_()):
        assert "noisy -&gt; delta" in text or "noisy -> delta" in text
        assert "steps/s" in text
    assert "kernel(step, offset, item)" in program.source()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"dtype": "float16"}, "dtype"), ({"threads": 0}, "threads"), ({"weights": "int5"}, "weights")],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TargetError, match=message):
        CPU(**options)


def test_a_network_that_grew_after_it_was_compiled_runs_as_compiled() -> None:
    net = Network(name="growing")
    net.population(Delta, 3, name="first")
    program = CPU().compile(net, dt=1 * ms)
    before = net.hash
    net.population(Delta, 2, name="second")
    trace = program.run(3, progress=False)
    assert trace.populations == ("first",)
    assert trace.provenance["hash"] == before != net.hash
