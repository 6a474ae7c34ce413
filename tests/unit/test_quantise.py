"""Quantised weights are the documented function of the weights, for every input."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuromorph.errors import NetworkError
from neuromorph.network import Synapses
from neuromorph.network.quantise import quantise

BITS = st.sampled_from([8, 16])


def synapses(weights: npt.NDArray[Any]) -> Synapses:
    """A projection onto one neuron with these weights."""
    n = max(weights.size, 1)
    delays = np.array(1, np.uint8)
    return Synapses("p", 0, 0, 1, 0, n, 1, np.arange(n + 1), np.zeros(n, np.uint16), weights, None, delays)


def floats(width: int) -> Any:
    """Finite floats of every size, subnormal ones too."""
    return st.floats(width=width, allow_nan=False, allow_infinity=False)  # type: ignore[call-overload]


@st.composite
def arrays(draw: st.DrawFn) -> npt.NDArray[Any]:
    """Float weights of any size."""
    width = draw(st.sampled_from([32, 64]))
    return draw(hnp.arrays(f"f{width // 8}", st.integers(1, 30), elements=floats(width)))


@given(arrays(), BITS)
def test_weights_are_within_half_a_scale(w: npt.NDArray[Any], bits: int) -> None:
    top = 2 ** (bits - 1) - 1
    q = quantise(synapses(w), bits)
    assert q.weights.dtype == f"i{bits // 8}"
    assert q.weights.shape == w.shape
    assert q.weight_scale is not None
    assert q.weight_scale > 0
    assert np.abs(q.weights.astype(int)).max() <= top
    assert (q.weights[w == 0] == 0).all()
    error = np.abs(w.astype(np.float64) - q.weights.astype(np.float64) * q.weight_scale)
    tiny = np.finfo(w.dtype).smallest_subnormal
    assert (error <= 0.5 * q.weight_scale * (1 + top * 2 * float(np.finfo(w.dtype).eps)) + top * float(tiny)).all()


@given(arrays(), BITS)
def test_the_documented_formula(w: npt.NDArray[Any], bits: int) -> None:
    top = 2 ** (bits - 1) - 1
    largest = float(np.abs(w).max())
    q = quantise(synapses(w), bits)
    if largest == 0:
        assert q.weight_scale == 1.0
        assert not q.weights.any()
        return
    scale = max(float(w.dtype.type(largest / top)), float(np.finfo(w.dtype).smallest_subnormal))
    if largest < 0.99 * np.finfo(w.dtype).max:
        assert q.weight_scale == scale
    scale = q.weight_scale or 0.0
    assert np.isfinite(w.dtype.type(top) * w.dtype.type(scale))
    assert w.dtype.type(scale) == scale, "the program's float type holds it exactly"
    expected = [max(-top, min(top, round(float(x) / scale))) for x in w]
    assert q.weights.tolist() == expected


@given(arrays(), BITS)
def test_opposite_weights_stay_opposite(w: npt.NDArray[Any], bits: int) -> None:
    a, b = quantise(synapses(w), bits), quantise(synapses(-w), bits)
    assert a.weight_scale == b.weight_scale
    assert (a.weights == -b.weights).all()


@given(st.sampled_from([32, 64]).flatmap(lambda k: hnp.arrays(f"f{k // 8}", (), elements=floats(k))), BITS)
def test_one_weight_for_all_is_exact(w: npt.NDArray[Any], bits: int) -> None:
    q = quantise(synapses(w), bits)
    assert q.weight_scale is not None
    assert q.weights.shape == ()
    assert w.dtype.type(q.weights) * w.dtype.type(q.weight_scale) == w


@given(hnp.arrays("i4", st.integers(0, 20), elements=st.integers(-128, 127)))
def test_ints_are_stored_narrower_without_change(w: npt.NDArray[Any]) -> None:
    q = quantise(synapses(w), 8)
    assert q.weights.dtype == np.int8
    assert (q.weights == w).all()
    assert q.weight_scale is None


def test_integers_times_a_scale_come_back_exactly() -> None:
    w = (np.arange(-127, 128) * 0.5).astype(np.float32)
    q = quantise(synapses(w), 8)
    assert q.weights.tolist() == list(range(-127, 128))
    assert q.weight_scale == 0.5


def test_no_synapses() -> None:
    assert quantise(synapses(np.empty(0, np.float32)), 8).weights.dtype == np.int8


def test_the_rest_is_untouched() -> None:
    before = synapses(np.ones(5, np.float32))
    after = quantise(before, 16)
    assert replace(after, weights=before.weights, weight_scale=None) == before


@pytest.mark.parametrize(
    ("weights", "scale", "bits", "message"),
    [
        (np.ones(3, np.float32), None, 4, "weights of 4 bits; choose 8 or 16"),
        (np.ones(3, np.int8), 0.5, 8, r"quantised already \(scale 0.5\)"),
        (np.array([1.0, np.nan]), None, 8, "a weight is not finite"),
        (np.array([1.0, np.inf]), None, 8, "a weight is not finite"),
        (np.array([1, 200], np.int32), None, 8, r"int weights from 1 to 200 do not fit 8 bits \(-128 to 127\)"),
    ],
)
def test_errors(weights: Any, scale: Any, bits: int, message: str) -> None:
    with pytest.raises(NetworkError, match=f"^projection p: .*{message}"):
        quantise(replace(synapses(weights), weight_scale=scale), bits)
