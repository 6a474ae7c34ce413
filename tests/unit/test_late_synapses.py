"""Synapses that act at the end of a step: when and in which order, what they add and draw, on both engines."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuromorph import (
    CPU,
    AllToAll,
    EventSource,
    LanguageError,
    Network,
    NetworkError,
    OneToOne,
    Port,
    PostState,
    PostView,
    PreState,
    PreView,
    Reference,
    Sparse,
    State,
    UnitError,
    Weight,
    event_value,
    ms,
    mV,
    neuron,
    normal,
    synapse,
    uniform,
)
from neuromorph import Event as NeuronEvent
from neuromorph.language import Output, Pathway


@neuron
class Cell:
    """Leaky, with graded events and two ports."""

    a, b = Port(), Port()
    v = State(0.0)
    v.jump = a + b
    v.dot = -v / (10 * ms)
    near = 1 / (1 + v * v)
    spike = NeuronEvent(when=v > 1.0, value=0.5 + near)
    v.reset = 0.0


@neuron
class Tally:
    """Sums what arrives, and fires where it is told to."""

    x, y, go = Port(), Port(), Port()
    s, t = State(0.0), State(0.0)
    s.next = x
    t.next = y
    fire = NeuronEvent(when=go > 0.5)


@synapse(late=True)
class Everything:
    """Every kind of state, view, output and pathway."""

    u, x, w, n = State(0.5), State(1.0), State(1.0), State(0.0)
    y, z = PostState(0.0), PreState(0.1)
    out, slow = Output("a"), Output("b")
    again, back = Pathway("pre"), Pathway("post")

    x.dot = (1 - x) / (20 * ms) + 0.001 * PreView("near") / ms
    slow.every = 0.01 * w * (PreView("v") - PostView("v"))
    out.on_pre = 0.3 * w * u * x * uniform() * event_value + 0.01 * PreView("v") + 0.02 * PostView("near")
    x.on_pre = x * (1 - u)
    z.on_pre = z + 1
    y.on_post = y + 1
    again[n] = n + 1 + normal()
    again[out] = 0.01 * n + 0.01 * y
    back[w] = w * 0.9 + 0.01 * PreView("v")
    back[slow] = 0.03 * w + 0.001 * z


def everything() -> Network:
    net = Network(seed=3)
    random = np.random.default_rng(1)
    steps, ids = np.nonzero(random.random((60, 3)) < 0.2)
    source = net.population(EventSource(3, steps=steps, indices=ids), name="source")
    cells = net.population(Cell, 70, name="cells")
    net.project(source, cells.a, AllToAll(), weight=0.6, delay=3)
    ends = random.integers(0, 70, (2, 400))
    made = net.project(
        cells,
        cells.a,
        Sparse(tuple(ends)),
        synapse=Everything(w=random.uniform(0, 0.5, 400)),
        delay=2,
        delays={"again": random.integers(1, 4, 400), "back": random.integers(1, 5, 400) * ms},
        name="late",
    )
    net.record(cells, "v")
    net.record(made, "x", every=2)
    net.record(made, "z")
    return net


def results(program: Any) -> list[Any]:
    trace = program.last_trace
    events, synapses = trace.events("cells"), program.synapses("late")
    rows = [np.asarray(trace.state(*which).data) for which in (("cells", "v"), ("late", "x"), ("late", "z"))]
    return [np.asarray(events.steps), np.asarray(events.ids), *rows, *(synapses[n] for n in Everything.rules("on_pre"))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_engines_agree_bit_for_bit_whatever_the_threads_and_after_a_pause(dtype: Any, tmp_path: Path) -> None:
    reference = Reference(dtype=dtype).compile(everything(), dt=1 * ms, progress=False)
    reference.run(60, progress=False)
    expected = results(reference)
    assert len(expected[0]) > 20
    for threads in (1, 2):
        program = CPU(dtype=dtype, threads=threads).compile(everything(), dt=1 * ms, progress=False)
        program.run(60, progress=False)
        for found, wanted in zip(results(program), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)
    saved = Reference(dtype=dtype).compile(everything(), dt=1 * ms, progress=False)
    saved.run(31, progress=False)
    kept = tmp_path / "kept.h5"
    saved.checkpoint(kept)
    for target in (Reference(dtype=dtype), CPU(dtype=dtype, threads=2)):
        again = target.compile(everything(), dt=1 * ms, progress=False)
        again.restore(kept)
        again.run(29, progress=False)
        np.testing.assert_array_equal(again.synapses("late")["w"], reference.synapses("late")["w"])
        np.testing.assert_array_equal(again.synapses("late")["n"], reference.synapses("late")["n"])


def test_when_events_act_and_when_what_they_add_arrives() -> None:
    @synapse(late=True)
    class Order:
        x = State(0.0)
        to_x, to_y = Output("x"), Output("y")
        second, later = Pathway("pre"), Pathway("post")
        x.on_pre = x + 1
        to_x.on_pre = x + 1  # before the event: 0, 101, ...
        second[x] = 10 * x
        x.on_post = x + 100
        later[to_y] = x

    net = Network()
    pre = net.population(EventSource(1, steps=[2], indices=[0]))
    teacher = net.population(EventSource(1, steps=[3], indices=[0]))
    post = net.population(Tally, 1, name="post")
    net.project(teacher, post.go, OneToOne(), weight=1.0, delay=1)  # fires in step 4
    net.project(pre, post.x, OneToOne(), synapse=Order, delay=3, delays={"later": 2}, name="late")
    net.record(post, "s", "t")
    net.record(net.projections[-1], "x")
    for target in (Reference(), CPU()):
        program = target.compile(net, dt=1 * ms, progress=False)
        trace = program.run(9, progress=False)
        s, t = (np.asarray(trace.state("post", name).data)[:, 0].tolist() for name in "st")
        x = np.asarray(trace.state("late", "x").data)[:, 0].tolist()
        # the event of step 2 acts at the end of step 4: + 1, then times 10, then that of the target: + 100
        assert x == [0, 0, 0, 0, 110, 110, 110, 110, 110]
        assert s == [0, 0, 0, 0, 0, 1, 0, 0, 0]
        assert t == [0, 0, 0, 0, 0, 0, 110, 0, 0]


def test_a_model_survives_pickle_and_says_what_it_is() -> None:
    assert pickle.loads(pickle.dumps(Everything)) == Everything
    text = Everything.text()
    assert "late" in text.splitlines()
    assert "output out: a" in text
    assert "path back: post" in text
    lines = Everything.equations()
    assert any(line.startswith("b <- b + 0.01 * w") for line in lines), lines
    assert any("(event of the target, back)" in line for line in lines)
    assert "Everything" in Everything._repr_html_()


def test_what_cannot_be() -> None:
    net = Network()
    pre = net.population(EventSource(4))
    post = net.population(Cell, 4)

    @synapse(late=True)
    class Volts:
        w = State(1 * mV)
        out = Output()
        out.on_pre = w

    with pytest.raises(UnitError, match=r"port 'a' takes .*, output 'out' of Volts is voltage"):
        net.project(pre, post.a, OneToOne(), synapse=Volts)
    for delays, says in (
        ({"agian": 1}, "no pathway 'agian'"),
        ({"on_pre": 1}, "the delay of on_pre is delay="),
        ({"again": 1.5}, "expected a time or a whole number of steps"),
    ):
        with pytest.raises((NetworkError, UnitError), match=says):
            net.project(post, post.a, OneToOne(), synapse=Everything, delays=delays)
    net.project(post, post.a, OneToOne(), synapse=Everything(w=np.ones(3)), name="short")
    with pytest.raises(NetworkError, match=r"Everything.w has 3 values; give one, or one for each of its 4 synapses"):
        Reference().compile(net, dt=1 * ms, progress=False)
    with pytest.raises(LanguageError, match=r"has no \.jump"):

        @synapse
        class Wrong:
            w = Weight()
            out = Output()
            out.jump = w


@neuron
class Quiet:
    """Sends nothing."""

    a = Port()
    v = State(0.0)
    v.jump = a


@synapse(late=True)
class Decaying:
    """Has a variable of its own, which nothing but time changes."""

    w = State(0.0)
    w.dot = -w / (10 * ms)


@pytest.mark.parametrize("target", [Reference, CPU])
def test_synapses_of_neurons_without_events_may_move_by_themselves(target: Any) -> None:
    net = Network()
    cells = net.population(Quiet, 3, name="cells")
    net.project(cells, cells, OneToOne(), synapse=Decaying(w=np.array([0.0, 1.0, 2.0])), name="own")
    program = target(dtype="float64").compile(net, dt=1 * ms, progress=False)
    program.run(10, progress=False)
    np.testing.assert_allclose(program.synapses("own")["w"], np.arange(3) * np.exp(-1), rtol=1e-12)
    with pytest.raises(NetworkError, match="Quiet has no Event, so it sends nothing"):
        net.project(cells, cells, OneToOne(), weight=1.0)
