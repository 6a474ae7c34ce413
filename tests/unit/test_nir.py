"""NIR graphs against plain loops, and the files that others wrote against what others recorded."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from nir_graphs import DT, SIZE, Cell, Drawn, Graph, chain, graphs, node, out, parameters, put, relay

from neuromorph import CheckError, EventSource, Network, NetworkError, Reference, ms, second, to_nir
from neuromorph.interchange import from_nir, latency
from neuromorph.interchange.nir.firing import RESETS
from neuromorph.models import braille
from neuromorph.network import Conv1D, Conv2D, OneToOne, Sparse, SumPool2D

DATA = Path(__file__).parents[1] / "data"


def write(path: Path, graph: Graph) -> Path:
    """The file that the nir package would write."""

    def fill(group: h5py.Group, values: dict[str, Any]) -> None:
        for name, value in values.items():
            if isinstance(value, dict):
                fill(group.create_group(name), value)
            elif isinstance(value, str):
                group.create_dataset(name, data=value, dtype=h5py.string_dtype())
            elif name == "edges":
                group.create_dataset(name, data=np.array(value, dtype=object), dtype=h5py.string_dtype())
            else:
                group.create_dataset(name, data=value)

    with h5py.File(path, "w") as file:
        file.create_dataset("version", data="1.0.8", dtype=h5py.string_dtype())
        fill(file.create_group("node"), graph.to_dict())
    return path


def run(net: Network, steps: int, *states: tuple[str, str]) -> Any:
    for population, state in states:
        net.record(net[population], state)
    return Reference(dtype="float64").compile(net, dt=DT * second).run(steps, progress=False)


def dense(net: Network, trace: Any, name: str, steps: int) -> np.ndarray:
    """Values of a population's events (steps, n), its latency taken off."""
    events, late = trace.events(name), latency(net[name])
    result = np.zeros((steps + late, net[name].size))
    values = np.ones(len(events.steps)) if events.values is None else np.asarray(events.values)
    inside = np.asarray(events.steps) < len(result)
    result[events.steps[inside], events.ids[inside]] = values[inside]
    return result[late:]


def outputs(graph: Any, x: np.ndarray, population: str = "output", **options: Any) -> np.ndarray:
    """What an output of the graph emits for the input ``x`` (steps, channels...)."""
    net = from_nir(graph, dt=DT * second, events=x, **options)
    return dense(net, run(net, len(x) + latency(net[population])), population, len(x))


# --- nodes without a state --------------------------------------------------------------------------------------------


def correlate(x: np.ndarray, w: np.ndarray, stride: Any, pads: Any, dilation: Any, groups: int) -> np.ndarray:
    """Two-dimensional cross-correlation by loops; ``pads`` is ((top, bottom), (left, right))."""
    x = np.pad(x, ((0, 0), *pads))
    per_group, out_group = w.shape[1], w.shape[0] // groups
    height = (x.shape[1] - dilation[0] * (w.shape[2] - 1) - 1) // stride[0] + 1
    width = (x.shape[2] - dilation[1] * (w.shape[3] - 1) - 1) // stride[1] + 1
    y = np.zeros((w.shape[0], height, width))
    for o in range(w.shape[0]):
        inputs = x[o // out_group * per_group :][:per_group]
        for i, row, column in np.ndindex(per_group, height, width):
            patch = inputs[
                i,
                row * stride[0] : row * stride[0] + dilation[0] * (w.shape[2] - 1) + 1 : dilation[0],
                column * stride[1] : column * stride[1] + dilation[1] * (w.shape[3] - 1) + 1 : dilation[1],
            ]
            y[o, row, column] += (patch * w[o, i]).sum()
    return y


@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups", "pads"),
    [
        (1, 0, 1, 1, ((0, 0), (0, 0))),
        (2, (1, 2), 1, 1, ((1, 1), (2, 2))),
        ((1, 2), 1, (2, 1), 2, ((1, 1), (1, 1))),
        (1, "same", 1, 1, ((1, 1), (0, 1))),
        (1, "same", (1, 2), 2, ((1, 1), (1, 1))),
        ((3, 2), "valid", 1, 4, ((0, 0), (0, 0))),
    ],
)
def test_convolution_keeps_its_kernel(stride: Any, padding: Any, dilation: Any, groups: int, pads: Any) -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(-2, 3, (3, 4, 7, 8)).astype(float)
    w, b = rng.integers(-4, 5, (8, 4 // groups, 3, 2)).astype(float), rng.integers(1, 9, 8).astype(float)
    given = [np.array(v) if isinstance(v, tuple) else v for v in (stride, padding, dilation)]
    conv = node(
        "Conv2d", input_shape=np.array([7, 8]), weight=w, stride=given[0], padding=given[1], dilation=given[2],
        groups=groups, bias=b,
    )  # fmt: skip
    graph = chain((4, 7, 8), conv=conv)
    pair = [v if isinstance(v, tuple) else (v, v) for v in (stride, dilation)]
    wanted = [correlate(frame, w, pair[0], pads, pair[1], groups) + b[:, None, None] for frame in x]
    np.testing.assert_array_equal(outputs(graph, x), np.reshape(wanted, (3, -1)))
    (projection,) = from_nir(graph, dt=1 * ms).projections
    assert isinstance(projection.rule, Conv2D)
    assert projection.rule.kernel_size == w.size


@pytest.mark.parametrize(("stride", "padding", "pads"), [(1, 0, (0, 0)), (2, 1, (1, 1)), (1, "same", (1, 2))])
def test_convolution_in_one_dimension(stride: int, padding: Any, pads: tuple[int, int]) -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(-2, 3, (2, 4, 9)).astype(float)
    w, b = rng.integers(-4, 5, (6, 2, 4)).astype(float), np.arange(6.0)
    conv = node("Conv1d", input_shape=9, weight=w, stride=stride, padding=padding, dilation=1, groups=2, bias=b)
    net = from_nir(chain((4, 9), conv=conv), dt=1 * ms)
    assert isinstance(net.projections[0].rule, Conv1D)
    wanted = [
        correlate(f[:, None], w[:, :, None], (1, stride), ((0, 0), pads), (1, 1), 2)[:, 0] + b[:, None] for f in x
    ]
    np.testing.assert_array_equal(outputs(chain((4, 9), conv=conv), x), np.reshape(wanted, (2, -1)))


@pytest.mark.parametrize("kind", ["SumPool2d", "AvgPool2d"])
@pytest.mark.parametrize(("size", "stride", "padding"), [((2, 2), (2, 2), (0, 0)), ((3, 2), (1, 2), (1, 0))])
def test_pooling(kind: str, size: tuple[int, int], stride: tuple[int, int], padding: tuple[int, int]) -> None:
    x = np.random.default_rng(3).integers(-3, 4, (2, 3, 6, 5)).astype(float)
    pool = node(kind, kernel_size=np.array(size), stride=np.array(stride), padding=np.array(padding))
    ones = np.ones((3, 1, *size)) / (np.prod(size) if kind == "AvgPool2d" else 1)
    pads = tuple((p, p) for p in padding)
    wanted = [correlate(frame, ones, stride, pads, (1, 1), 3) for frame in x]
    np.testing.assert_allclose(outputs(chain((3, 6, 5), pool=pool), x), np.reshape(wanted, (2, -1)), atol=1e-6)


def conv(rng: np.random.Generator, out_channels: int, channels: int, padding: int, **values: Any) -> dict[str, Any]:
    w = rng.integers(-3, 4, (out_channels, channels, 3, 3)).astype(float)
    bias = rng.integers(-3, 4, out_channels).astype(float)
    plain = {"input_shape": None, "stride": 1, "padding": padding, "dilation": 1, "groups": 1}
    return node("Conv2d", weight=w, bias=bias, **(plain | values))


@pytest.mark.parametrize(("height", "padding", "shared"), [(6, 1, True), (7, 0, True), (7, 1, False)])
def test_pooling_before_a_convolution_becomes_one_convolution(height: int, padding: int, shared: bool) -> None:
    # With 7 rows the pooling leaves one out, which the padding of the convolution would meet: then the pooled layer
    # becomes a population.
    rng = np.random.default_rng(4)
    x = rng.integers(-2, 3, (2, 2, height, 8)).astype(float)
    pool = node("SumPool2d", kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.array([0, 0]))
    layer = conv(rng, 3, 2, padding)
    net = from_nir(chain((2, height, 8), pool=pool, conv=layer), dt=1 * ms)
    assert [type(p.rule) for p in net.projections] == ([Conv2D] if shared else [SumPool2D, Conv2D])
    pads = ((padding, padding),) * 2
    zeros = ((0, 0), (0, 0))
    pooled = [correlate(f, np.ones((2, 1, 2, 2)), (2, 2), zeros, (1, 1), 2) for f in x]
    wanted = [correlate(f, layer["weight"], (1, 1), pads, (1, 1), 1) + layer["bias"][:, None, None] for f in pooled]
    got = outputs(chain((2, height, 8), pool=pool, conv=layer), x)
    np.testing.assert_array_equal(got, np.reshape(wanted, (2, -1)))


@pytest.mark.parametrize("forward", ["same", "next"])
def test_a_chain_of_maps_is_cut_where_its_product_would_be_larger(forward: str) -> None:
    rng = np.random.default_rng(5)
    x = rng.integers(-2, 3, (4, 2, 5, 5)).astype(float)
    layer, w, b = conv(rng, 3, 2, 1, stride=2), rng.integers(-2, 3, (6, 27)).astype(float), np.arange(6.0)
    scale = np.array([1.0, 2, 3, -1, 0, 5])
    graph = chain(
        (2, 5, 5),
        conv=layer,
        flat=node("Flatten", start_dim=0, end_dim=-1),
        twice=node("Scale", scale=np.full((27,), 2.0)),
        dense=node("Affine", weight=w, bias=b),
        scale=node("Scale", scale=scale),
        last=node("Linear", weight=np.eye(6)[::-1]),
    )
    wanted = [
        (scale * (w @ (2 * (correlate(f, layer["weight"], (2, 2), ((1, 1),) * 2, (1, 1), 1)
                            + layer["bias"][:, None, None]).ravel()) + b))[::-1]
        for f in x
    ]  # fmt: skip
    net = from_nir(graph, dt=1 * ms, forward=forward)
    if forward == "same":
        assert [(p.name, p.post.name) for p in net.projections] == [
            ("conv+twice", "twice"),
            ("dense+scale+last", "output"),
        ]
        np.testing.assert_allclose(outputs(graph, x), wanted, rtol=1e-6)
    else:  # no room for a population between: the maps are multiplied, and a constant acts from the first step
        assert [p.name for p in net.projections] == ["conv+twice+dense+scale+last"]
        silent = outputs(graph, 0 * x)[:1]
        np.testing.assert_allclose(outputs(graph, x, forward="next"), [*silent, *wanted[:-1]], rtol=1e-6, atol=1e-6)


def test_delays_are_rounded_to_steps_and_may_differ_between_elements() -> None:
    x = np.random.default_rng(6).integers(1, 5, (12, 3)).astype(float)
    w = np.arange(6.0).reshape(2, 3)
    steps = np.array([0, 2, 5])
    graph = chain(
        (3,),
        wait=node("Delay", delay=steps * DT * 1.04),
        dense=node("Linear", weight=w),
        more=node("Delay", delay=np.array([1, 3]) * DT),
    )
    late = np.zeros((12, 3))
    for k, n in enumerate(steps):
        late[n:, k] = x[: 12 - n, k]
    y, wanted = late @ w.T, np.zeros((12, 2))
    wanted[1:, 0], wanted[3:, 1] = y[:-1, 0], y[:-3, 1]
    np.testing.assert_array_equal(outputs(graph, x), wanted)
    alone = chain((3,), wait=node("Delay", delay=steps * DT))
    np.testing.assert_array_equal(outputs(alone, x), late)


def test_matrices_for_each_block_of_a_signal_stay_blocks() -> None:
    rng = np.random.default_rng(15)
    x, w, b = (
        rng.integers(-2, 3, (4, 2, 3)).astype(float),
        rng.integers(-4, 5, (2, 5, 3)).astype(float),
        np.arange(10.0),
    )
    graph = chain((2, 3), w=node("Affine", weight=w, bias=b.reshape(2, 5)))
    (projection,) = from_nir(graph, dt=1 * ms).projections
    assert projection.count.mean == w.size
    wanted = np.einsum("boi,tbi->tbo", w, x).reshape(4, 10) + b
    np.testing.assert_array_equal(outputs(graph, x), wanted)
    with pytest.raises(CheckError, match=r"weight has shape \(2, 5, 3\), expected \(2, outputs, 2 inputs\)"):
        from_nir(chain((4,), w=node("Affine", weight=w, bias=b)), dt=1 * ms)


# --- neurons ----------------------------------------------------------------------------------------------------------

N = 5


def loop(kind: str, p: dict[str, np.ndarray], x: np.ndarray, reset: str) -> tuple[np.ndarray, np.ndarray]:
    """Voltages and outputs of NIR's neurons."""
    cell = Cell(kind, p, reset)
    events, voltages = [], []
    for arriving in x:
        events.append(cell.step(arriving))
        voltages.append(cell.v)
    return np.array(voltages), np.array(events)


FIRING = [(kind, reset) for kind in ("IF", "LIF", "CubaLIF") for reset in RESETS]


@pytest.mark.parametrize(("kind", "reset"), [("I", "zero"), ("LI", "zero"), ("CubaLI", "zero"), *FIRING])
def test_neurons_follow_their_equations(kind: str, reset: str) -> None:
    rng = np.random.default_rng(7)
    x = (rng.random((60, 3)) < 0.4).astype(float)
    strength = 1.5 if kind == "IF" else 4.5
    w, b, p = rng.uniform(0, strength, (N, 3)).astype(np.float32), rng.uniform(0, 0.2, N), parameters(rng, kind, N)
    graph = chain((3,), dense=node("Affine", weight=w, bias=b), cells=node(kind, **p))
    net = from_nir(graph, dt=DT * second, events=x, reset=reset)
    trace = run(net, 61, ("cells", "v"))
    voltages, events = loop(kind, p, x @ w.T + b, reset)
    np.testing.assert_allclose(trace.state("cells", "v").data[1:], voltages, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(dense(net, trace, "cells", 60), events, rtol=1e-6)
    if "v_threshold" in p:
        assert 20 < (events > 0).sum() < 280
        assert reset in ("zero", "multiple") or (voltages > p["v_threshold"]).any()
        assert reset == "multiple" or events.max() == 1


def test_reset_of_snntorch_is_the_loop_that_snntorch_runs() -> None:
    # The loop as its library writes it: reset from the voltage before, taken off before the test and given back after.
    x = np.random.default_rng(12).choice([0.0, 0.4, 1.7], (40, 1))
    v, spikes = 0.0, []
    for (arriving,) in x:
        reset = float(v > 1.0)
        v = 0.8 * v + arriving - reset
        spikes.append(float(v > 1.0))
        v = v - (spikes[-1] - reset)
    cells = node("LIF", tau=np.array([5 * DT]), r=np.array([5.0]), v_leak=np.zeros(1), v_threshold=np.ones(1))
    got = outputs(chain((1,), cells=cells), x, "cells", reset="snntorch")
    assert got.ravel().tolist() == spikes
    assert spikes != outputs(chain((1,), cells=cells), x, "cells", reset="subtract").ravel().tolist()


def snntorch_delayed(x: np.ndarray, alpha: float | None, beta: float, zero: bool) -> list[float]:
    """Spikes of snnTorch's neurons with ``reset_delay=True``: the reset is of the voltage before the step."""
    syn, mem, spikes = 0.0, 0.0, []
    for (arriving,) in x:
        reset = float(mem > 1.0)
        syn = arriving if alpha is None else alpha * syn + arriving
        mem = beta * mem + syn
        mem = mem - reset * mem if zero else mem - reset
        spikes.append(float(mem > 1.0))
    return spikes


@pytest.mark.parametrize("kind", ["LIF", "CubaLIF"])
@pytest.mark.parametrize("zero", [False, True])
def test_delayed_resets_are_the_loops_that_snntorch_runs(kind: str, zero: bool) -> None:
    x, one = np.random.default_rng(12).choice([0.0, 0.4, 1.7], (40, 1)), np.ones(1)
    if kind == "LIF":
        cells = node("LIF", tau=5 * DT * one, r=5 * one, v_leak=0 * one, v_threshold=one)
        wanted = snntorch_delayed(x, None, 0.8, zero)
    else:
        cells = node(
            "CubaLIF", tau_syn=4 * DT * one, w_in=4 * one, tau_mem=5 * DT * one, r=5 * one, v_leak=0 * one,
            v_threshold=one,
        )  # fmt: skip
        x = x / 3
        wanted = snntorch_delayed(x, 0.75, 0.8, zero)
    reset = "snntorch_delay_zero" if zero else "snntorch_delay"
    got = outputs(chain((1,), cells=cells), x, "cells", reset=reset).ravel().tolist()
    assert got == wanted
    assert 3 < sum(wanted) < 38
    assert got != outputs(chain((1,), cells=cells), x, "cells", reset="zero").ravel().tolist()


def test_several_spikes_in_a_step_are_one_event_of_that_value() -> None:
    cells = node("IF", r=np.full(2, 1 / DT), v_threshold=np.array([1.0, 0.5]))
    x = np.array([[1.0, 0.5], [3.5, 1.3], [0.6, 0.1]])
    got = outputs(chain((2,), cells=cells), x, "cells", reset="multiple")
    assert got.tolist() == [[1, 1], [3, 2], [1, 0]]  # also where v equals the threshold


@pytest.mark.parametrize("kind", ["LI", "LIF", "CubaLIF"])
def test_rockpools_step_is_the_loop_that_rockpool_runs(kind: str) -> None:
    x, tau, tau_syn = np.random.default_rng(3).choice([0.0, 0.3, 2.1], (50, 1)), 5.0, 3.0
    alpha, beta = np.exp(-1 / tau), np.exp(-1 / tau_syn)
    values = {"r": np.array([tau * alpha]), "v_leak": np.zeros(1)}  # as Rockpool writes them
    if kind == "CubaLIF":
        values |= {"tau_syn": np.array([tau_syn * DT]), "tau_mem": np.array([tau * DT])}
    else:
        values |= {"tau": np.array([tau * DT])}
    if kind != "LI":
        values |= {"v_threshold": np.ones(1)}
    isyn, v, wanted = 0.0, 0.0, []
    for (arriving,) in x:
        if kind == "LI":
            v = (v + arriving) * alpha
            wanted.append(v)
            continue
        isyn = (isyn + arriving) * beta if kind == "CubaLIF" else arriving
        v = v * alpha + isyn
        count = np.floor(v) if v >= 1 else 0.0
        v -= count
        wanted.append(count)
    got = outputs(chain((1,), c=node(kind, **values)), x, "c", method="rockpool", reset="multiple")
    np.testing.assert_allclose(got.ravel(), wanted, rtol=1e-6)
    assert max(wanted) >= 1 + (kind != "LI")
    with pytest.raises(CheckError, match="v_leak is not 0; neurons of Rockpool leak to 0"):
        outputs(chain((1,), c=node(kind, **values | {"v_leak": np.ones(1)})), x, "c", method="rockpool")


def test_exact_integration_of_a_leaky_and_a_current_based_neuron() -> None:
    x, tau, tau_syn = np.eye(30)[:, :1], 7 * DT, 3 * DT
    leaky = node("LI", tau=np.array([tau]), r=np.array([2.0]), v_leak=np.zeros(1))
    t = np.arange(30)
    expected = 2 * (1 - np.exp(-DT / tau)) * np.exp(-t * DT / tau)
    np.testing.assert_allclose(outputs(chain((1,), c=leaky), x, "c", method="exact").ravel(), expected, rtol=1e-6)
    cuba = node("CubaLI", tau_syn=np.array([tau_syn]), tau_mem=np.array([tau]), r=np.ones(1), v_leak=np.zeros(1))
    i, v, fine = 0.0, 0.0, []
    for k in range(30 * 4000):
        h = DT / 4000
        i, v = i + h / tau_syn * (float(k < 4000) - i), v + h / tau * (i - v)
        if k % 4000 == 3999:
            fine.append(v)
    np.testing.assert_allclose(outputs(chain((1,), c=cuba), x, "c", method="exact").ravel(), fine, rtol=2e-3)


def test_threshold_is_strict_and_sees_the_bias() -> None:
    x = np.array([[1.0, 1.0], [0.5, 2.0], [0.0, 1.5]])
    graph = chain(
        (2,),
        shift=node("Affine", weight=np.eye(2), bias=np.array([0.5, -0.5])),
        z=node("Threshold", threshold=np.ones(2)),
    )
    np.testing.assert_array_equal(outputs(graph, x, "z"), (x + np.array([0.5, -0.5]) > 1).astype(float))


def test_times_may_be_in_steps() -> None:
    x = np.random.default_rng(8).random((20, 1))
    cells = node("IF", r=np.ones(1), v_threshold=np.ones(1))
    v, wanted = 0.0, []
    for (arriving,) in x:
        v += arriving
        wanted.append([float(v > 1)])
        v = 0.0 if v > 1 else v
    assert outputs(chain((1,), c=cells), x, "c", time_unit=DT * second).tolist() == wanted
    assert not outputs(chain((1,), c=cells), x, "c").any()


# --- graphs -----------------------------------------------------------------------------------------------------------


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


@settings(max_examples=25, suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate))
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


# --- errors -----------------------------------------------------------------------------------------------------------


def test_everything_that_cannot_be_represented_is_listed_at_once() -> None:
    graph = Graph(
        {"input": put(2), "x": node("Quantum"), "y": node("Hebbian"), "output": out(2)},
        [("input", "x"), ("x", "y"), ("y", "output"), ("x", "gone"), ("output", "lost")],
    )
    with pytest.raises(CheckError) as caught:
        from_nir(graph, dt=1 * ms)
    text = "\n".join(caught.value.problems)
    for part in ("node x (Quantum)", "node y (Hebbian)", "no node gone", "no node lost"):
        assert part in text
    graph = Graph(
        {"input": put(2), "w": node("Linear", weight=np.ones((3, 4))), "c": relay(3), "d": node("LIF", r=np.ones(3)),
         "pool": node("SumPool2d", kernel_size=2, stride=2, padding=0)},
        [("input", "w"), ("input", "c"), ("input", "d"), ("input", "pool")],
    )  # fmt: skip
    with pytest.raises(CheckError) as caught:
        from_nir(graph, dt=1 * ms)
    text = "\n".join(caught.value.problems)
    assert "node w (Linear): weight has shape (3, 4), expected (outputs, 2 inputs)" in text
    assert "node c (Threshold) has shape (3,); what reaches it from input has shape (2,)" in text
    assert "node pool (SumPool2d) cannot take a signal of shape (2,)" in text


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (node("LIF", r=np.ones(2)), "has no tau"),
        (node("LI", tau=np.zeros(2), r=np.ones(2), v_leak=np.ones(2)), "expected a time above 0"),
        (node("IF", r=np.ones(3), v_threshold=np.ones(2)), r"v_threshold has shape \(2,\), expected \(3,\)"),
    ],
)
def test_values_that_make_no_sense_are_refused(cells: dict[str, Any], message: str) -> None:
    size = max(np.size(v) for v in cells.values())
    with pytest.raises(CheckError, match=message):
        from_nir(chain((size,), c=cells), dt=1 * ms)


def test_loops_without_a_neuron_are_refused() -> None:
    graph = Graph(
        {"input": put(1), "a": node("Scale", scale=np.ones(1)), "b": node("Scale", scale=np.ones(1)), "output": out(1)},
        [("input", "a"), ("a", "b"), ("b", "a"), ("b", "output")],
    )
    with pytest.raises(CheckError, match="loop of nodes without a neuron"):
        from_nir(graph, dt=1 * ms)


def test_a_linear_node_that_nothing_reaches_gets_an_input() -> None:
    nodes = {"input": put(2), "w": node("Linear", weight=np.ones((2, 3))), "c": relay(2), "output": out(2)}
    with pytest.warns(UserWarning, match="nothing reaches w; each gets an input"):
        net = from_nir(Graph(nodes, [("input", "c"), ("w", "c"), ("c", "output")]), dt=1 * ms)
    assert [(p.name, p.size) for p in net.populations] == [("input", 2), ("input_w", 3), ("c", 2)]


def test_nodes_that_nothing_reaches_are_refused_where_their_size_is_not_known() -> None:
    pool = node("SumPool2d", kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.array([0, 0]))
    graph = Graph({"input": put(1), "c": relay(1), "w": pool}, [("input", "c"), ("w", "c")])
    with pytest.raises(CheckError, match=r"node w \(SumPool2d\): nothing reaches it"):
        from_nir(graph, dt=1 * ms)


def test_options_and_files_that_are_wrong(tmp_path: Path) -> None:
    graph = chain((2,), c=relay(2))
    with pytest.raises(NetworkError, match="holds no time step; give"):
        from_nir(graph)
    with pytest.raises(NetworkError, match="forward='later'; give one of same, next"):
        from_nir(graph, dt=1 * ms, forward="later")
    with pytest.raises(NetworkError, match="expected a path or a"):
        from_nir(3, dt=1 * ms)
    with pytest.raises(NetworkError, match="reset='soft'"):
        from_nir(graph, dt=1 * ms, reset="soft")
    with pytest.raises(NetworkError, match=r"method='rk4'; give one of auto, .* rockpool"):
        from_nir(graph, dt=1 * ms, method="rk4")
    with pytest.raises(NetworkError, match="part of a step of forward Euler; give method='euler', not 'exact'"):
        from_nir(graph, dt=1 * ms, method="exact", reset="snntorch_delay")
    with pytest.raises(NetworkError, match=r"shape \(3,\) a step, expected \(2,\)"):
        from_nir(graph, dt=1 * ms, events=np.ones((4, 3)))
    with pytest.raises(NetworkError, match="no such file"):
        from_nir(tmp_path / "none.nir", dt=1 * ms)
    (tmp_path / "text.nir").write_text("hello")
    with pytest.raises(NetworkError, match="not a NIR file"):
        from_nir(tmp_path / "text.nir", dt=1 * ms)
    with h5py.File(tmp_path / "empty.nir", "w"):
        pass
    with pytest.raises(NetworkError, match="no NIR graph"):
        from_nir(tmp_path / "empty.nir", dt=1 * ms)


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_is_read_as_the_graph_in_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    layer = conv(rng, 3, 2, 1) | {"padding": "same", "input_shape": np.array([4, 4])}
    cells = node("LIF", tau=np.full((3, 4, 4), 5 * DT), r=np.ones((3, 4, 4)), v_leak=np.zeros((3, 4, 4)),
                 v_threshold=rng.random((3, 4, 4)))  # fmt: skip
    graph = chain((2, 4, 4), conv=layer, cells=cells)
    from_file = from_nir(write(tmp_path / "memory.nir", graph), dt=1 * ms)
    from_memory = from_nir(graph, dt=1 * ms)
    assert [p.neuron for p in from_file.populations] == [p.neuron for p in from_memory.populations]
    assert from_file.text().split("\n")[1:] == from_memory.text().split("\n")[1:]


def test_graphs_of_the_nir_package() -> None:
    nir = pytest.importorskip("nir")
    graph = nir.read(DATA / "nir_lif" / "lif_norse.nir")
    x = np.random.default_rng(13).integers(0, 3, (200, 1))
    direct = outputs(DATA / "nir_lif" / "lif_norse.nir", x, "1")
    assert direct.sum() > 20
    assert np.array_equal(outputs(graph, x, "1"), direct)


def test_lif_of_norse() -> None:
    table = np.loadtxt(DATA / "nir_lif" / "lif_norse.csv", delimiter=",")
    net = from_nir(DATA / "nir_lif" / "lif_norse.nir", dt=0.1 * ms, events=table[:, :1])
    net.record(net["1"], "v")
    trace = Reference().compile(net, dt=0.1 * ms).run(1001, progress=False)
    np.testing.assert_allclose(trace.state("1", "v").data[1:, 0], table[:, 1], rtol=0, atol=1e-6)
    assert (np.asarray(trace.events("1").steps) - 1).tolist() == [460, 510, 710, 760]


def test_lif_of_rockpool() -> None:
    table = np.loadtxt(DATA / "nir_lif" / "lif_rockpool.csv", delimiter=",")
    options = {"dt": 0.1 * ms, "events": table[:, :1], "method": "rockpool", "reset": "multiple"}
    net = from_nir(DATA / "nir_lif" / "lif_rockpool.nir", **options)
    name = net.populations[1].name
    net.record(net[name], "v")
    trace = Reference().compile(net, dt=0.1 * ms).run(1001, progress=False)
    np.testing.assert_allclose(trace.state(name, "v").data[1:, 0], table[:, 1], rtol=0, atol=1e-6)
    assert (np.asarray(trace.events(name).steps) - 1).tolist() == np.flatnonzero(table[:, 2]).tolist()


def test_nested_braille_fires_as_the_flat_one() -> None:
    path, recorded = DATA / "nir_braille" / "braille_noDelay_bias_zero_subgraph.nir", braille.recorded_activity()
    with pytest.warns(UserWarning, match="its edges name 'lif', which it has not"):
        net = from_nir(path, dt=braille.DT, events=braille.sample())
    trace = Reference().compile(net, dt=braille.DT).run(len(recorded) + 2, progress=False)
    assert np.array_equal(dense(net, trace, "lif1.lif1", 257)[:256], recorded)
    counts = dense(net, trace, "lif2", 256).sum(axis=0)
    assert counts.tolist() == [10, 160, 112, 113, 103, 68, 121]


def test_pooling_alone_keeps_its_rule() -> None:
    pool = node("SumPool2d", kernel_size=np.array([2, 2]), stride=np.array([2, 2]), padding=np.array([0, 0]))
    flat = node("Flatten", start_dim=0, end_dim=-1)
    net = from_nir(chain((2, 4, 4), pool=pool, flat=flat, c=relay(8)), dt=1 * ms)
    assert isinstance(net.projections[0].rule, SumPool2D)


def test_a_kernel_stays_shared_under_a_flat_layer_and_becomes_a_matrix_over_one() -> None:
    rng = np.random.default_rng(14)
    layer = conv(rng, 3, 2, 1) | {"input_shape": np.array([4, 4])}
    x = rng.integers(-1, 2, (3, 2, 4, 4)).astype(float)
    wanted = [correlate(f, layer["weight"], (1, 1), ((1, 1),) * 2, (1, 1), 1) + layer["bias"][:, None, None] for f in x]
    flat = node("Flatten", start_dim=0, end_dim=-1)
    cells = node("Threshold", threshold=np.full(48, 0.5))
    shared, matrix = chain((2, 4, 4), conv=layer, flat=flat, cells=cells), chain((32,), conv=layer, cells=cells)
    for graph, rule in ((shared, Conv2D), (matrix, Sparse)):
        assert isinstance(from_nir(graph, dt=1 * ms).projections[0].rule, rule)
        np.testing.assert_array_equal(outputs(graph, x, "cells"), np.reshape(wanted, (3, -1)) > 0.5)
