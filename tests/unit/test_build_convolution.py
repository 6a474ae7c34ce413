"""Convolutions and pooling as synapses, against plain loops and SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate

from neuromorph.errors import NetworkError
from neuromorph.language import Event, Port, State, neuron
from neuromorph.network import AvgPool2D, Conv1D, Conv2D, Network, SumPool2D, Synapses, build
from neuromorph.units import ms

Floats = npt.NDArray[np.float64]


@neuron
class Unit:
    """Adds its input."""

    a = Port()
    v = State(0.0)
    v.jump = a
    spike = Event(when=v > 1)


def made(rule: Any, pre: Any, post: Any, **values: Any) -> Synapses:
    """The rule's synapses between two populations of these shapes."""
    net = Network()
    net.project(net.population(Unit, pre), net.population(Unit, post).a, rule, **values)
    assert net.projections[0].count.exact
    s = build(net, 1 * ms)[0]
    assert s.count == net.projections[0].count.mean
    return s


def as_matrix(s: Synapses) -> Floats:
    """Sum of weights of each pair; also checks that targets ascend in rows."""
    assert s.row_ptr is not None
    assert s.targets is not None
    weights = s.weights if s.weight_index is None else s.weights[s.weight_index]
    out = np.zeros((s.n_pre, s.n_post))
    rows = np.repeat(np.arange(s.n_pre), np.diff(s.row_ptr))
    targets = s.targets.astype(int)
    np.add.at(out, (rows, targets), np.broadcast_to(weights, rows.shape).astype(float))
    assert ((np.diff(targets) > 0) | (np.diff(rows) > 0)).all()
    return out


def loops(x: Floats, kernel: Floats, stride: Any, pad: Any, dilation: Any, groups: int) -> Floats:
    """Convolution of one image by its definition."""
    out_channels, per_group, kh, kw = kernel.shape
    c, h, w = x.shape
    oh = (h + 2 * pad[0] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    ow = (w + 2 * pad[1] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    out = np.zeros((out_channels, oh, ow))
    for o in range(out_channels):
        group = o // (out_channels // groups)
        for i in range(per_group):
            for y in range(oh):
                for xx in range(ow):
                    for m in range(kh):
                        for n in range(kw):
                            a = y * stride[0] + m * dilation[0] - pad[0]
                            b = xx * stride[1] + n * dilation[1] - pad[1]
                            if 0 <= a < h and 0 <= b < w:
                                out[o, y, xx] += kernel[o, i, m, n] * x[group * (c // groups) + i, a, b]
    return out


@st.composite
def cases(draw: st.DrawFn) -> tuple[Any, ...]:
    """A convolution that fits."""
    groups = draw(st.integers(1, 2))
    per_group, out_group = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    taps = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    pad = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    least = [max(1, d * (k - 1) + 1 - 2 * p) for d, k, p in zip(dilation, taps, pad, strict=True)]
    h, w = (n + draw(st.integers(0, 4)) for n in least)
    return (groups * per_group, h, w), (groups * out_group, per_group, *taps), stride, pad, dilation, groups


@settings(max_examples=60, deadline=None)
@given(cases())
def test_conv2d_is_its_definition(case: tuple[Any, ...]) -> None:
    shape, kernel_shape, stride, pad, dilation, groups = case
    rng = np.random.default_rng(1)
    x, kernel = rng.integers(-4, 5, shape).astype(float), rng.integers(-4, 5, kernel_shape).astype(np.float32)
    expected = loops(x, kernel.astype(float), stride, pad, dilation, groups)
    s = made(Conv2D(kernel, stride, pad, dilation, groups), shape, expected.shape)
    assert s.weights.shape == (kernel.size,)
    assert (x.ravel() @ as_matrix(s) == expected.ravel()).all()


@pytest.mark.parametrize(("padding", "mode"), [("valid", "valid"), ("same", "same"), (0, "valid"), (2, "same")])
def test_conv2d_agrees_with_scipy(padding: Any, mode: str) -> None:
    rng = np.random.default_rng(1)
    x, kernel = rng.normal(size=(3, 12, 14)), rng.normal(size=(4, 3, 5, 5))
    expected = np.array([sum(correlate(x[i], k[i], mode) for i in range(3)) for k in kernel])
    s = made(Conv2D(kernel, padding=padding), x.shape, expected.shape)
    assert s.nbytes <= 4 * s.count + s.weights.nbytes + 8 * (x.size + 1) + 1
    assert np.allclose(x.ravel() @ as_matrix(s), expected.ravel(), atol=1e-5)


def test_conv2d_same_with_an_even_kernel_pads_more_after() -> None:
    m = as_matrix(made(Conv2D([[[[1.0, 2.0]]]], padding="same"), (1, 1, 4), (1, 1, 4)))
    assert (m == np.diag([1.0] * 4) + np.diag([2.0] * 3, -1)).all()


@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 0, 1), (2, 3, 1), (1, "same", 2), (3, 1, 2)])
def test_conv1d_is_its_definition(stride: int, padding: Any, dilation: int) -> None:
    rng = np.random.default_rng(1)
    x, kernel = rng.normal(size=(4, 20)), rng.normal(size=(6, 2, 3)).astype(np.float32)
    pad = dilation if padding == "same" else padding
    expected = loops(x[:, None], kernel[:, :, None].astype(float), (1, stride), (0, pad), (1, dilation), 2)
    s = made(Conv1D(kernel, stride, padding, dilation, 2), x.shape, (6, expected.shape[2]))
    assert np.allclose(x.ravel() @ as_matrix(s), expected.ravel())


def test_conv1d_takes_a_plain_line() -> None:
    m = as_matrix(made(Conv1D(np.array([[[1.0, -1.0]]])), 5, 4))
    assert (m == np.eye(5, 4) - np.eye(5, 4, -1)).all()


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(1, 3), st.integers(3, 9), st.integers(3, 9)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.none() | st.integers(1, 3),
    st.integers(0, 1),
)
def test_pooling_is_its_definition(shape: Any, size: Any, stride: Any, pad: int) -> None:
    x = np.random.default_rng(1).integers(0, 9, shape).astype(float)
    c = shape[0]
    kernel = np.ones((c, 1, *size))
    strides = size if stride is None else (stride, stride)
    expected = loops(x, kernel, strides, (pad, pad), (1, 1), c)
    total = made(SumPool2D(size, stride, pad), shape, expected.shape)
    assert (x.ravel() @ as_matrix(total) == expected.ravel()).all()
    assert total.weight_index is None
    assert total.weights.shape == ()
    mean = made(AvgPool2D(size, stride, pad), shape, expected.shape, weight=3.0)
    assert np.allclose(x.ravel() @ as_matrix(mean), 3 * expected.ravel() / (size[0] * size[1]))


def test_a_large_kernel_needs_a_wide_index() -> None:
    kernel = np.arange(70_000, dtype=np.float32).reshape(70_000, 1, 1, 1)
    s = made(Conv2D(kernel), (1, 1, 2), (70_000, 1, 2))
    assert s.weight_index is not None
    assert s.targets is not None
    assert (s.weight_index.dtype, s.targets.dtype) == (np.uint32, np.uint32)
    assert (s.weights[s.weight_index][:70_000] == np.arange(70_000)).all()


@pytest.mark.parametrize(
    ("rule", "pre", "post", "message"),
    [
        (Conv2D(np.ones((4, 1, 3, 3))), (1, 8, 8), (4, 8, 8), r"makes shape \(4, 6, 6\).*make it \(4, 6, 6\)"),
        (Conv2D(np.ones((4, 2, 3, 3))), (1, 8, 8), (4, 6, 6), "takes 2 channels in 1 groups, pre has 1"),
        (Conv2D(np.ones((1, 1, 9, 9))), (8, 8), (1, 1), "9 x 9 window of Conv2D does not fit"),
        (Conv2D(np.ones((1, 1, 3, 3))), 64, 36, r"pre to have shape \(channels, height, width\).*not \(64,\)"),
        (Conv1D(np.ones((1, 1, 3))), (2, 8, 8), 6, r"Conv1D needs pre.*\(channels, length\)"),
        (SumPool2D(2), (1, 8, 8), (1, 8, 8), r"makes shape \(1, 4, 4\)"),
    ],
)
def test_shapes_are_checked(rule: Any, pre: Any, post: Any, message: str) -> None:
    net = Network()
    a, b = net.population(Unit, pre, name="pre"), net.population(Unit, post, name="post")
    with pytest.raises(NetworkError, match=rf"^projection pre -> post: .*{message}"):
        net.project(a, b.a, rule)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv2D(np.ones((3, 3))), r"shape \(3, 3\); give \(out channels"),
        (lambda: Conv2D(np.ones((3, 1, 2, 2)), groups=2), "groups=2 does not divide 3"),
        (lambda: Conv2D(np.ones((3, 1, 2, 2)), stride=0), "stride=0; give an int of at least 1"),
        (lambda: Conv2D(np.ones((3, 1, 2, 2)), padding=(1, 2, 3)), "padding=.*one for each axis"),
        (lambda: Conv2D(np.ones((3, 1, 2, 2)), padding="same", stride=2), "padding='same' needs stride 1"),
        (lambda: Conv1D(np.ones((3, 3))), r"shape \(3, 3\); give"),
        (lambda: SumPool2D(0), "size=0; give an int of at least 1"),
        (lambda: AvgPool2D((2, 2, 2)), "one for each axis"),
    ],
)
def test_parameters_are_checked(make: Any, message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        make()
