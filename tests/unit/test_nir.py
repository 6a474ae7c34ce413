"""NIR graphs: nodes without a state against plain loops, files of others against what others recorded, errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from nir_graphs import (
    DT,
    Graph,
    chain,
    dense,
    node,
    out,
    outputs,
    put,
    relay,
)

from neuromorph import CheckError, NetworkError, Reference, ms
from neuromorph.interchange import from_nir
from neuromorph.models import braille
from neuromorph.network import Conv1D, Conv2D, Sparse, SumPool2D

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
