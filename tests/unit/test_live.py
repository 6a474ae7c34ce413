"""Live stepping: a network that is given its events step by step does what it does with the same events replayed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import DT, Delta, Graded

from neuromorph import (
    CPU,
    CheckpointError,
    EventSource,
    FixedProbability,
    Live,
    Lookup,
    Network,
    NetworkError,
    OneToOne,
    Reference,
    TargetError,
    Uniform,
    mV,
)
from neuromorph.engine import Target
from neuromorph.mapping.spinnaker2 import SpiNNaker2

STEPS = 30
RNG = np.random.default_rng(0)
GRADED = np.where(RNG.random((STEPS, 30)) < 0.3, RNG.uniform(0.2, 1.5, (STEPS, 30)), 0.0)
SPIKES = RNG.random((STEPS, 20)) < 0.2
TARGETS = [CPU(threads=1), CPU(threads=3), CPU(weights="int8"), CPU("float64"), Reference("float32"), SpiNNaker2()]


def network(live: bool) -> Network:
    net = Network(seed=1)
    x = net.population(Live(30, graded=True) if live else EventSource.from_dense(GRADED), name="x")
    s = net.population(Live(20) if live else EventSource.from_dense(SPIKES), name="s")
    units = net.population(Graded(theta=0.1), 50, name="units")
    cells = net.population(Delta(), 40, name="cells")
    net.project(x, units.a, FixedProbability(0.3), weight=Uniform(0.1, 1.0))
    net.project(units, units.g, FixedProbability(0.1), weight=0.3, delay=3)
    net.project(s, cells, FixedProbability(0.3), weight=8 * mV, delay=2)
    net.record(units, "c", "gate")
    return net


def events(step: int, listed: bool) -> dict[str, Any]:
    """What both sources emit in a step, as arrays or as lists."""
    x, s = GRADED[step], SPIKES[step]
    if not listed:
        return {"x": x, "s": s}
    return {"x": (np.flatnonzero(x), x[x != 0]), "s": (np.flatnonzero(s),)}


@pytest.mark.parametrize("target", TARGETS, ids=repr)
def test_events_given_live_do_what_the_same_events_do_replayed(target: Target) -> None:
    replayed = target.compile(network(False), dt=DT)
    trace = replayed.run(STEPS, progress=False)
    program = target.compile(network(True), dt=DT)
    live = program.live(outputs=["units", program.network["cells"], "x"])
    seen: dict[str, list[Any]] = {name: [] for name in live}
    for step in range(STEPS):
        out = live.step(events(step, listed=step % 3 == 1))
        for name, parts in seen.items():
            parts.append([None if part is None else part.copy() for part in out[name]])
        assert live.state("units", "gate").shape == (50,)
    for name, parts in seen.items():
        expected = trace.events(name)
        assert len(expected) > 50
        np.testing.assert_array_equal(np.concatenate([p[0] for p in parts]), expected.steps)
        np.testing.assert_array_equal(np.concatenate([p[1] for p in parts]), expected.ids)
        if expected.values is not None:
            np.testing.assert_array_equal(np.concatenate([p[2] for p in parts]), expected.values)
    np.testing.assert_array_equal(live.state("units", "c"), trace.state("units", "c").data[-1])
    assert program.step == STEPS
    after, expected = program.run(10, progress=False), replayed.run(10, progress=False)  # both sources are silent now
    np.testing.assert_array_equal(after.state("units", "c").data, expected.state("units", "c").data)
    assert after.meta.first_step == STEPS
    assert not len(after.events("x"))


def reader(ids: Any) -> Network:
    net = Network(seed=1)
    words = net.population(Lookup(GRADED, ids), name="words")
    units = net.population(Graded(theta=0.1), 50, name="units")
    net.project(words, units.a, FixedProbability(0.3), weight=Uniform(0.1, 1.0))
    return net


@pytest.mark.parametrize("target", TARGETS, ids=repr)
def test_ids_given_live_do_what_the_same_ids_do_replayed(target: Target) -> None:
    ids = np.random.default_rng(2).integers(-1, STEPS, 20)
    trace = target.compile(reader(ids), dt=DT).run(22, progress=False)
    program = target.compile(reader(None), dt=DT)
    live = program.live(outputs=["words", "units"])
    seen: dict[str, list[Any]] = {"words": [], "units": []}
    for step in range(22):
        out = live.step({"words": ids[step]} if step < 20 else None)
        for name, parts in seen.items():
            if len(out[name].steps):
                parts.append([part.copy() for part in out[name]])
    for name, parts in seen.items():
        expected = trace.events(name)
        assert len(expected) > 50
        for number, wanted in enumerate((expected.steps, expected.ids, expected.values)):
            np.testing.assert_array_equal(np.concatenate([p[number] for p in parts]), wanted)
    with pytest.raises(TargetError, match="live source words: given 30; give the id of a row, 0 to 29, -1 for none"):
        live.step({"words": 30})
    with pytest.raises(TargetError, match="give the id of a row"):
        live.step({"words": GRADED[0]})
    assert not len(program.run(3, progress=False).events("words"))


@pytest.mark.parametrize("target", [CPU(threads=1), CPU(threads=2), Reference("float32")], ids=repr)
@settings(max_examples=10, deadline=None)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_several_steps_at_once_have_the_inputs_first(target: Target, lengths: list[int]) -> None:
    one, many = (target.compile(network(True), dt=DT).live(outputs=["units"]) for _ in range(2))
    for k, length in enumerate(lengths):
        got = many.step(events(k, listed=False), steps=length)["units"]
        parts = []
        for n in range(length):
            out = one.step(events(k, listed=False) if n == 0 else None)["units"]
            parts.append([part.copy() for part in out])
        for each, together in zip(zip(*parts, strict=True), got, strict=True):
            np.testing.assert_array_equal(np.concatenate(each), together)


@pytest.mark.parametrize("target", TARGETS[:2] + TARGETS[4:], ids=repr)
def test_a_program_goes_back_and_on_while_it_is_live(target: Target) -> None:
    program = target.compile(network(True), dt=DT)
    live = program.live(outputs=["units"])

    def some(first: int) -> bytes:
        parts = []
        for step in range(first, first + 8):
            out = live.step(events(step, listed=False))["units"]
            parts.append(out.indices.tobytes() + out.values.tobytes())
        return b"|".join(parts)

    start = some(0)
    saved, future = program.state(), some(8)
    program.restore(saved)
    assert program.step == 8
    assert some(8) == future
    program.reset()
    live.step()  # nothing is left of what was given for later steps
    program.reset()
    assert some(0) == start
    program.set("units", theta=np.full(50, 0.1))  # a value for each now: other memory
    assert some(8) == future
    program.run(3, progress=False)
    assert program.step == 19


def test_a_live_source_is_silent_in_other_runs() -> None:
    for target in (CPU(threads=1), Reference("float32"), SpiNNaker2()):
        trace = target.compile(network(True), dt=DT).run(5, progress=False)
        assert not len(trace.events("x"))
        assert not len(trace.events("cells"))


@pytest.mark.parametrize("target", [CPU(threads=1), Reference("float32")], ids=repr)
@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"y": 1}, "'y' is no live source of network network; its live sources are x, s"),
        ({"units": np.zeros(50)}, "no live source"),
        ({"x": np.zeros(29)}, r"live source x: given an array of shape \(29,\)"),
        ({"x": np.array(["a"] * 30)}, "live source x: given an array"),
        ({"x": ([1, 2],)}, r"give \(indices, values\)"),
        ({"x": ([1, 2], [0.5])}, "of one length"),
        ({"x": ([1.5], [0.5])}, "the indices ints"),
        ({"s": ([1], [1.0])}, r"give \(indices,\)"),
        ({"s": ([3, 2],)}, "indices must ascend"),
        ({"s": ([2, 2],)}, "indices must ascend"),
        ({"s": ([19, 20],)}, "from 0 to 19"),
        ({"s": ([-1],)}, "from 0 to 19"),
        ({"s": ()}, r"give \(indices,\)"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(target: Target, inputs: dict[str, Any], message: str) -> None:
    program = target.compile(network(True), dt=DT)
    live = program.live(outputs=["s", "x"])
    with pytest.raises(TargetError, match=message):
        live.step({"x": GRADED[0], **inputs} if "x" not in inputs else inputs)
    assert program.step == 0
    out = live.step()
    assert not len(out["x"].indices)
    assert not len(out["s"].indices)


def test_what_is_not_there_cannot_be_looked_at() -> None:
    for target in (CPU(threads=1), Reference("float32")):
        program = target.compile(network(True), dt=DT)
        live = program.live(outputs=["cells"])
        assert list(live) == ["cells"]
        live.step()
        with pytest.raises(KeyError, match="name populations in live"):
            live["units"]
        with pytest.raises(TargetError, match="no state 'w' to look at; it has v"):
            live.state("cells", "w")
        with pytest.raises(TargetError, match="no state 'v'"):
            live.state("x", "v")
        with pytest.raises(NetworkError, match="no population 'w'"):
            program.live(outputs=["w"])


def test_a_network_without_live_sources_can_be_stepped_too() -> None:
    net = Network()
    source = net.population(EventSource(2, steps=[1, 2], indices=[0, 1]), name="source")
    cells = net.population(Delta, 2, name="cells")
    net.project(source, cells, OneToOne(), weight=20 * mV)
    live = CPU(threads=1).compile(net, dt=DT).live(outputs=[cells])
    fired = [live.step()["cells"].indices.tolist() for _ in range(4)]
    assert fired == [[], [], [0], [1]]
    with pytest.raises(TargetError, match="it has none: give a population Live"):
        live.step({"source": [1, 0]})


def test_live_sources_describe_themselves() -> None:
    net = network(True)
    assert "Live(size=20, graded=False)" in net.text()
    assert net.hash != network(False).hash
    assert repr(Live(3, graded=True)) == "Live(3, graded=True)"
    with pytest.raises(NetworkError, match="Live: size is 0"):
        Live(0)
    with pytest.raises(NetworkError, match="its Live has 3 neurons"):
        net.population(Live(3), 4, name="wrong")
    saved = CPU().compile(net, dt=DT).state()
    with pytest.raises(CheckpointError, match="another network"):
        CPU().compile(network(False), dt=DT).restore(saved)
