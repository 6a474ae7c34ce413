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
from neuromorph.formats import kept_scale
from neuromorph.network import Synapses
from neuromorph.network.quantise import narrowed, quantise, spark

BITS = st.sampled_from([4, 8, 16])


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
    assert q.weights.dtype == ("i2" if bits == 16 else "i1")
    assert q.stored == ("int4" if bits == 4 else None)
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


def published(value: int) -> int:
    """What SPARK makes of 0 to 255, by the cases of its paper."""
    b0, b3 = value >> 7, value >> 4 & 1
    if value < 8 or b0 == b3:
        return value
    return (value & 0b1110_1111) | 0b1111 if b3 else (value | 0b0001_0000) & 0b1111_0000


@given(arrays())
def test_spark_rounds_as_ints_of_511_steps_and_then_to_the_codes_numbers(w: npt.NDArray[Any]) -> None:
    q = spark(synapses(w))
    assert q.weights.dtype == np.int16
    assert q.stored == "spark"
    largest = float(np.abs(w).max())
    if largest == 0:
        assert q.weight_scale == 1.0
        assert not q.weights.any()
        return
    scale = q.weight_scale or 0.0
    if kept_scale(w) is not None:  # numbers of the code already, as of a few weights
        assert np.allclose(q.weights * scale, w.astype(np.float64), rtol=1e-3, atol=0)
        return
    if largest < 0.99 * np.finfo(w.dtype).max:
        assert scale == max(float(w.dtype.type(largest / 255)), float(np.finfo(w.dtype).smallest_subnormal))
    sizes = [min(255, round(abs(float(x)) / scale)) for x in w]
    assert q.weights.tolist() == [published(k) * (1 if x > 0 else -1) for k, x in zip(sizes, w, strict=True)]


def test_spark_has_every_number_of_the_table_and_keeps_those_that_it_has() -> None:
    w = np.arange(-255, 256).astype(np.float32)
    once = spark(synapses(w))
    assert once.weight_scale == 1.0
    assert once.weights.tolist() == [published(abs(k)) * (1 if k > 0 else -1) for k in range(-255, 256)]
    again = spark(synapses(once.weights.astype(np.float32)))
    assert (again.weights == once.weights).all()
    assert again.weight_scale == 1.0
    ints = spark(synapses(np.arange(-255, 256, dtype=np.int32)))
    assert (ints.weights == once.weights).all()
    assert ints.weight_scale is None


@given(
    st.lists(st.sampled_from(sorted({published(k) for k in range(256)})), min_size=1, max_size=40),
    st.floats(1e-6, 1e4),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 99),
)
def test_spark_keeps_numbers_that_it_has_by_any_scale(sizes: list[int], scale: float, kind: Any, seed: int) -> None:
    levels = np.array(sizes) * np.random.default_rng(seed).choice([-1, 1], len(sizes))
    w = levels.astype(kind) * kind(scale)
    q = spark(synapses(w))
    assert np.array_equal(q.weights.astype(kind) * kind(q.weight_scale or 0), w)
    assert np.abs(q.weights).max() <= max(np.abs(levels).max(), 0)  # the largest scale has the fewest long codes


def test_one_weight_for_all_needs_no_code() -> None:
    for how in ("int4", "spark"):
        q = narrowed(synapses(np.array(-0.3, np.float32)), how)
        assert q.stored is None
        assert q.weights * np.float32(q.weight_scale or 0) == np.float32(-0.3)
    assert spark(synapses(np.empty(0, np.float32))).weights.dtype == np.int16


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.array([1, -256], np.int32), r"int weights from -256 to 1 do not fit SPARK codes \(-255 to 255\)"),
        (np.array([1.0, np.nan]), "a weight is not finite"),
    ],
)
def test_errors_of_spark(weights: Any, message: str) -> None:
    with pytest.raises(NetworkError, match=f"^projection p: .*{message}"):
        spark(synapses(weights))
    with pytest.raises(NetworkError, match=r"quantised already \(scale 0.5\)"):
        spark(replace(synapses(weights), weight_scale=0.5))


@pytest.mark.parametrize(
    ("weights", "scale", "bits", "message"),
    [
        (np.ones(3, np.float32), None, 5, "weights of 5 bits; choose 4, 8 or 16"),
        (np.ones(3, np.int8), 0.5, 8, r"quantised already \(scale 0.5\)"),
        (np.array([1.0, np.nan]), None, 8, "a weight is not finite"),
        (np.array([1.0, np.inf]), None, 8, "a weight is not finite"),
        (np.array([1, 200], np.int32), None, 8, r"int weights from 1 to 200 do not fit 8 bits \(-128 to 127\)"),
        (np.array([-9, 7], np.int32), None, 4, r"int weights from -9 to 7 do not fit 4 bits \(-8 to 7\)"),
    ],
)
def test_errors(weights: Any, scale: Any, bits: int, message: str) -> None:
    with pytest.raises(NetworkError, match=f"^projection p: .*{message}"):
        quantise(replace(synapses(weights), weight_scale=scale), bits)
