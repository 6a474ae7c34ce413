"""Windows of steps, threads that meet once in each, and runs that end anywhere: the same bits as step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import DT, STEPS, Delta, Graded, Noisy, networks

from neuromorph import (
    CPU,
    EventSource,
    FixedInDegree,
    FixedProbability,
    Integers,
    Network,
    Reference,
    Trace,
    Uniform,
    ms,
    mV,
)
from neuromorph.engine import pace, recording, schedule
from neuromorph.engine.cpu import CPUProgram
from neuromorph.engine.instance import NEXT, Work
from neuromorph.engine.schedule import MAX_WINDOW

THREADS = (1, 2, 3, 5)


def content(traces: list[Trace]) -> dict[str, bytes]:
    """What runs that follow one another recorded, joined, as bytes."""
    parts: dict[str, list[bytes]] = {}

    def add(name: str, array: object) -> None:
        parts.setdefault(name, []).append(np.ascontiguousarray(array).tobytes())

    for trace in traces:
        for population in trace.meta.recorded or ():
            events = trace.events(population)
            add(f"{population} steps", events.steps)
            add(f"{population} ids", events.ids)
            add(f"{population} values", () if events.values is None else events.values)
        for population, variable in trace.meta.states:
            add(f"{population} {variable}", trace.state(population, variable).data)
    return {name: b"".join(part) for name, part in parts.items()}


def runs(program: CPUProgram, lengths: list[int]) -> dict[str, bytes]:
    return content([program.run(length, progress=False) for length in lengths])


@st.composite
def cut_runs(draw: st.DrawFn) -> list[int]:
    """Lengths of runs that add up to ``STEPS``."""
    cuts = sorted(draw(st.lists(st.integers(0, STEPS), max_size=6)))
    return np.diff([0, *cuts, STEPS]).tolist()


def check(net: Network, threads: int, lengths: list[int], least: int) -> None:
    """Compare such runs with one run of the reference."""
    expected = content([Reference("float32").compile(net, dt=DT).run(STEPS, progress=False)])
    program = CPU(threads=threads).compile(net, dt=DT)
    assert program.compiled.window >= least
    assert runs(program, lengths) == expected


@given(least=st.sampled_from([1, 2, 3, 5]), lengths=cut_runs(), threads=st.sampled_from(THREADS), data=st.data())
@settings(max_examples=5)
def test_runs_cut_anywhere_on_any_number_of_threads_are_the_reference(
    least: int, lengths: list[int], threads: int, data: st.DataObject
) -> None:
    check(data.draw(networks(max_populations=2, max_projections=4, min_delay=least)), threads, lengths, least)


@st.composite
def delays(draw: st.DrawFn, least: int) -> Any:
    return draw(st.sampled_from([least, least + 4, Integers(least, least + 9), MAX_WINDOW + 3]))


@given(least=st.integers(1, 8), lengths=cut_runs(), threads=st.sampled_from(THREADS), data=st.data())
@settings(max_examples=25)
def test_any_mixture_of_delays_runs_as_in_the_reference(
    least: int, lengths: list[int], threads: int, data: st.DataObject
) -> None:
    sizes = st.integers(1, 64)  # of one stride: what changes between examples is not compiled anew
    net = Network(seed=data.draw(st.integers(0, 99)), name="mixed")
    noisy, graded = net.population(Noisy, data.draw(sizes)), net.population(Graded, data.draw(sizes))
    for pre, port in ((noisy, graded.a), (noisy, noisy.x_in), (graded, graded.g), (graded, noisy.x_in)):
        net.project(pre, port, FixedProbability(0.3), weight=Uniform(-0.5, 1.0), delay=data.draw(delays(least)))
    check(net, threads, lengths, least)


def loop(delay: int) -> Network:
    """Noisy neurons that excite leaky ones and back, with two delays of which the shorter is ``delay`` steps."""
    net = Network(seed=3, name="loop")
    noisy = net.population(Noisy(chance=0.2), 300, name="noisy")
    delta = net.population(Delta(theta=2 * mV), 200, name="delta")
    net.project(noisy, delta, FixedInDegree(20), weight=0.3 * mV, delay=delay)
    net.project(delta, delta, FixedProbability(0.1), weight=-0.1 * mV, delay=delay + 3)
    net.project(delta, noisy, FixedProbability(0.05), weight=0.1, delay=2 * delay)
    net.record(delta, "v", every=3)
    return net


@pytest.mark.parametrize("delay", [1, 4, MAX_WINDOW + 4])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_run_step_by_step_is_one_long_run(delay: int, threads: int) -> None:
    net = loop(delay)
    expected = content([Reference("float32").compile(net, dt=DT).run(60, progress=False)])
    program = CPU(threads=threads).compile(net, dt=DT)
    assert program.compiled.window == min(delay, MAX_WINDOW)
    program.run(60, progress=False)
    program.reset()
    assert runs(program, [1] * 60) == expected
    assert len(expected["delta ids"]) > 2000


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_full_buffer_ends_all_threads_at_one_step(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    net = loop(5)
    expected = content([Reference("float32").compile(net, dt=DT).run(200, progress=False)])
    monkeypatch.setattr(recording, "EVENTS", 1)
    program = CPU(threads=threads).compile(net, dt=DT)
    run, ends = program._instance.run, []

    def watched(first: int, last: int, offset: int, work: Work) -> int:
        ends.append({run(first, last, offset, work), *(int(item[NEXT]) for item in work.items)})
        return min(ends[-1])

    monkeypatch.setattr(program._instance, "run", watched)
    assert runs(program, [200]) == expected
    assert len(ends) > 5  # of 3 that progress alone would make
    assert all(len(end) == 1 for end in ends)


def test_the_window_is_the_shortest_delay_of_any_synapse() -> None:
    net = Network()
    a = net.population(EventSource(3), name="a")
    b, c = net.population(Delta, 4, name="b"), net.population(Delta, 5, name="c")
    net.project(b, c, FixedProbability(0.0), weight=1 * mV, delay=1)  # without synapses: does not count
    assert CPU(threads=1).compile(net, dt=1 * ms).compiled.window == MAX_WINDOW
    net.project(a, b, FixedInDegree(3), weight=1 * mV, delay=3 + np.arange(4))
    assert CPU(threads=1).compile(net, dt=1 * ms).compiled.window == 3


def test_windows_are_as_long_as_the_sums_stay_in_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = CPU(threads=1).compile(loop(5), dt=1 * ms).compiled
    assert [schedule.window_of(compiled, threads) for threads in (1, 2, 3)] == [5, 5, 5]
    row = 4 * sum(layout.stride for layout in compiled.layouts if layout is not None)  # each has one float port
    monkeypatch.setattr(schedule, "WINDOW_BYTES", row)
    assert [schedule.window_of(compiled, threads) for threads in (1, 2, 3)] == [1, 2, 3]
    monkeypatch.setattr(schedule, "WINDOW_BYTES", 1)
    assert [schedule.window_of(compiled, threads) for threads in (1, 2, 3)] == [1, 1, 1]


@pytest.mark.parametrize("delay", [1, 5])
def test_results_do_not_depend_on_the_numbers_tried(monkeypatch: pytest.MonkeyPatch, delay: int) -> None:
    net = loop(delay)
    expected = content([Reference("float32").compile(net, dt=1 * ms).run(300, progress=False)])
    monkeypatch.setattr(pace, "available_cores", lambda: 8)
    monkeypatch.setattr(pace, "TRIAL_SECONDS", 1e-9)  # every chunk is a trial
    monkeypatch.setattr(pace, "MEETING_SECONDS", 0.0)
    program = CPU().compile(net, dt=1 * ms)
    assert program.compiled.window == delay
    tried = []
    traces = []
    for length in [0, 7, 1, 16, 30, 46, *[10] * 20]:
        tried.append(program.threads)
        traces.append(program.run(length, progress=False))
    assert content(traces) == expected
    assert set(tried) == {1, 4, 8}
    assert set(program.report().measured) == {1, 4, 8}
    assert "us/step" in str(program.report())
    program.set("delta", theta=np.linspace(1, 3, 200) * mV)  # compiled anew, for each neuron has its own
    assert set(program.report().measured) == {1, 4, 8}


def test_events_that_threads_listed_become_one_segment() -> None:
    program = CPU(threads=3).compile(loop(5), dt=1 * ms)
    program.run(43, progress=False)
    memory = program._instance.memories[1]
    bounds, counts, fired = memory.bounds(3), memory.counts.copy(), memory.fired.copy()
    memory.join_segments(3)
    assert counts[1:].sum() > 0
    for row in range(memory.event_mask + 1):
        parts = [fired[row, start : start + n] for start, n in zip(bounds[:-1], counts[:, row], strict=True)]
        listed = np.concatenate(parts)
        assert memory.counts[:, row].tolist() == [len(listed), 0, 0]
        np.testing.assert_array_equal(memory.fired[row, : len(listed)], listed)
