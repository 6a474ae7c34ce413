"""NIR graphs of several layers: what meets when, loops, nesting, names."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from nir_graphs import (
    DT,
    SIZE,
    Drawn,
    Graph,
    chain,
    dense,
    graphs,
    node,
    out,
    outputs,
    put,
    relay,
    run,
)

from neuromorph import EventSource, NetworkError, Reference, ms, second, to_nir
from neuromorph.interchange import from_nir, latency
from neuromorph.network import OneToOne


def test_paths_of_different_length_meet_in_the_same_step() -> None:
    rng = np.random.default_rng(9)
    x = rng.integers(0, 2, (30, 4)).astype(float)
    w, b = rng.integers(-2, 3, (4, 4)).astype(float), rng.integers(-1, 2, 4).astype(float)
    graph = Graph(
        {
            "input": put(4), "shared": node("Affine", weight=w, bias=b), "a": relay(4), "b": relay(4), "join": relay(4),
            "skip": node("Scale", scale=np.full(4, 0.4)), "output": out(4), "early": out(4),
        },
        [("input", "shared"), ("shared", "a"), ("a", "b"), ("b", "skip"), ("skip", "join"), ("shared", "join"),
         ("a", "early"), ("join", "output"), ("b", "output")],
    )  # fmt: skip
    net = from_nir(graph, dt=DT * second, events=x)
    assert {p.name: latency(p) for p in net.populations} == {"input": 0, "a": 1, "b": 2, "join": 3, "output": 4}
    trace = run(net, 34)
    y = x @ w.T + b
    a = (y > 0.5).astype(float)
    join = (0.4 * a + y > 0.5).astype(float)
    np.testing.assert_array_equal(dense(net, trace, "a", 30), a)
    np.testing.assert_array_equal(dense(net, trace, "join", 30), join)
    np.testing.assert_array_equal(dense(net, trace, "output", 30), join + a)


@settings(max_examples=15, suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate))
@given(drawn=graphs(), seed=st.integers(0, 99))
def test_any_graph_gives_what_evaluating_it_node_by_node_gives_and_so_does_its_copy(drawn: Drawn, seed: int) -> None:
    pytest.importorskip("nir")
    x = (np.random.default_rng(seed).random((25, SIZE)) < 0.4).astype(float)
    wanted = drawn.evaluate(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = from_nir(drawn.graph, dt=DT * second, events=x, reset=drawn.reset)
        warnings.simplefilter("ignore")  # the package looks for the types of loops in vain
        last = net.populations[-1].name
        copy = from_nir(to_nir(net, dt=DT * second, reset=drawn.reset, outputs=[last]), events=x)
    for made in (net, copy):
        trace = run(made, 25 + max(latency(p) for p in made.populations))
        for name, values in wanted.items():
            np.testing.assert_allclose(dense(made, trace, name, 25), values, rtol=1e-6, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("own", [0, 1, 3])
def test_recurrence_arrives_one_step_late_or_as_its_delay_says(own: int) -> None:
    x = (np.random.default_rng(10).random((40, 1)) < 0.2).astype(float)
    graph = Graph(
        {"input": put(1), "c": relay(1), "wait": node("Delay", delay=np.array([own * DT])),
         "w": node("Linear", weight=np.array([[-1.0]])), "output": out(1)},
        [("input", "c"), ("c", "wait"), ("wait", "w"), ("w", "c"), ("c", "output")],
    )  # fmt: skip
    late, z = max(own, 1), np.zeros(40)
    for t in range(40):
        z[t] = x[t, 0] - (z[t - late] if t >= late else 0) > 0.5
    assert outputs(graph, x, "c").ravel().tolist() == z.tolist()


def test_events_may_arrive_in_the_next_step_along_every_connection() -> None:
    x = (np.random.default_rng(10).random((40, 1)) < 0.2).astype(float)
    graph = Graph(
        {"input": put(1), "a": relay(1), "b": relay(1), "output": out(1),
         "wait": node("Delay", delay=np.array([3 * DT]))},
        [("input", "a"), ("a", "b"), ("b", "wait"), ("wait", "a"), ("b", "output")],
    )  # fmt: skip
    a, b = np.zeros(40), np.zeros(40)
    for t in range(1, 40):
        a[t] = x[t - 1, 0] + (b[t - 3] if t >= 3 else 0) > 0.5
        b[t] = a[t - 1] > 0.5
    net = from_nir(graph, dt=DT * second, events=x, forward="next")
    assert [latency(p) for p in net.populations] == [0, 0, 0]
    trace = run(net, 40)
    assert dense(net, trace, "a", 40).ravel().tolist() == a.tolist()
    assert dense(net, trace, "b", 40).ravel().tolist() == b.tolist()


def test_a_loop_over_two_populations_is_told_of_unless_the_graph_delays_it() -> None:
    def graph(own: int) -> Graph:
        return Graph(
            {"input": put(1), "a": relay(1), "b": relay(1), "back": node("Delay", delay=np.array([own * DT]))},
            [("input", "a"), ("a", "b"), ("b", "back"), ("back", "a")],
        )

    with pytest.warns(UserWarning, match="from b to a close a loop .* arrive 1 steps later"):
        from_nir(graph(0), dt=DT * second)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = from_nir(graph(2), dt=DT * second, events=np.eye(8)[:, :1])
    assert dense(net, run(net, 10), "b", 8).ravel().tolist() == [1, 0, 1, 0, 1, 0, 1, 0]


@pytest.mark.parametrize("delays", [(2, 0), (0, 2), (1, 1), (3, 0)])
def test_a_loop_that_the_graph_delays_enough_is_exact_wherever_the_delay_is(delays: tuple[int, int]) -> None:
    there, back = delays
    x = (np.random.default_rng(4).random((40, 1)) < 0.2).astype(float)
    graph = Graph(
        {"input": put(1), "a": relay(1), "b": relay(1), "output": out(1),
         "there": node("Delay", delay=np.array([there * DT])), "back": node("Delay", delay=np.array([back * DT]))},
        [("input", "a"), ("a", "there"), ("there", "b"), ("b", "back"), ("back", "a"), ("b", "output")],
    )  # fmt: skip
    a, b = np.zeros(40), np.zeros(40)
    for t in range(40):
        for _ in range(2):  # one of the two may need the other's value of this step
            a[t] = x[t, 0] + (b[t - back] if t >= back else 0) > 0.5
            b[t] = t >= there and a[t - there] > 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net = from_nir(graph, dt=DT * second, events=x)
    trace = run(net, 44)
    assert dense(net, trace, "a", 40).ravel().tolist() == a.tolist()
    assert dense(net, trace, "b", 40).ravel().tolist() == b.tolist()


def test_several_inputs_and_outputs() -> None:
    graph = Graph(
        {"left": put(2), "right": put((1, 3)), "w": node("Linear", weight=np.ones((2, 3))), "c": relay(2),
         "one": out(2), "two": out(3), "three": out(2)},
        [("left", "c"), ("right", "w"), ("w", "c"), ("c", "one"), ("right", "two"), ("w", "three")],
    )  # fmt: skip
    net = from_nir(graph, dt=1 * ms, events={"left": np.eye(2), "right": EventSource(3)})
    assert [p.name for p in net.populations] == ["left", "right", "c", "three"]
    assert np.array_equal(dense(net, run(net, 3), "c", 2), np.eye(2))
    with pytest.raises(NetworkError, match="inputs left, right"):
        from_nir(graph, dt=1 * ms, events=np.eye(2))
    with pytest.raises(NetworkError, match="events for 'wrong'"):
        from_nir(graph, dt=1 * ms, events={"wrong": np.eye(2)})


def test_nested_graphs_are_flattened() -> None:
    inner = {
        "type": "NIRGraph",
        "nodes": {"input": put(2), "c": relay(2), "half": node("Scale", scale=np.full(2, 0.5)), "output": out(2)},
        "edges": [("input", "c"), ("c", "half"), ("half", "output")],
    }
    outer = Graph(
        {"input": put(2), "g": inner, "d": relay(2), "output": out(2)},
        [("input", "g"), ("g.c", "d"), ("g", "output"), ("d", "output")],
    )
    x = np.array([[1.0, 0], [1, 1], [0, 0]])
    net = from_nir(outer, dt=DT * second, events=x)
    assert [p.name for p in net.populations] == ["input", "g.c", "d", "output"]
    np.testing.assert_array_equal(dense(net, run(net, 6), "output", 3), 1.5 * x)


def test_without_events_an_input_can_be_set() -> None:
    net = from_nir(chain((2,), w=node("Scale", scale=np.array([1.0, 3]))), dt=1 * ms)
    program = Reference().compile(net, dt=1 * ms)
    assert program.run(4, progress=False).count("input") == 0
    program.set("input", value=np.array([0.0, 2.0]))
    events = program.run(4, progress=False).events("output")
    assert np.asarray(events.values)[np.asarray(events.ids) == 1].tolist() == [6, 6, 6]
    batch = program.run_batch({"input": {"value": np.array([[1.0, 0], [1, 1]])}}, 5, progress=False)
    assert batch.counts["input"].tolist() == [[5, 0], [5, 5]]


def test_populations_may_have_other_names() -> None:
    net = from_nir(chain((2,), c=relay(2)), dt=1 * ms, names={"c": "cells"})
    assert [p.name for p in net.populations] == ["input", "cells"]
    assert isinstance(net.projections[0].rule, OneToOne)
    with pytest.raises(NetworkError, match="no node 'd'"):
        from_nir(chain((2,), c=relay(2)), dt=1 * ms, names={"d": "cells"})
