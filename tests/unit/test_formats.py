"""Number formats as a family: scales, signs, channels, random access and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuromorph.errors import FormatError
from neuromorph.formats import TILE, Encoded, Fixed, Float, Int, NumberFormat, Spark, spark_length, spark_table
from neuromorph.formats.scales import absmax_scale
from neuromorph.network import Synapses
from neuromorph.network.quantise import quantise

FORMATS: list[NumberFormat] = [
    Spark(),
    Spark("nearest"),
    Spark(sign="twos_complement"),
    Int(4),
    Int(8),
    Int(11),
    Int(16),
    Int(32),
    Fixed(8, 3),
    Fixed(16, 20),
    Float(32),
    Float(16),
]
WIDE: list[NumberFormat] = [Spark(scale=0.5), Spark(sign="twos_complement", scale=0.5), Int(6, scale=0.5)]


@st.composite
def tensors(draw: st.DrawFn, kinds: tuple[str, ...] = ("f4", "f8")) -> npt.NDArray[Any]:
    """Floats of any shape and size."""
    kind = draw(st.sampled_from(kinds))
    width = 8 * int(kind[1])
    floats: Any = st.floats(width=width, allow_nan=False, allow_infinity=False)  # type: ignore[call-overload]
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5))
    return draw(hnp.arrays(kind, shape, elements=floats))


def plain_levels(values: npt.NDArray[Any], scale: npt.NDArray[np.float64], axis: int | None, top: int) -> Any:
    """The documented rule in NumPy."""
    shape = [1] * values.ndim
    if axis is not None:
        shape[axis] = -1
    return np.clip(np.rint(values.astype(np.float64) / scale.reshape(shape if axis is not None else ())), -top, top)


@given(tensors(), st.sampled_from(["paper", "nearest"]), st.integers(-1, 2))
@settings(max_examples=60)
def test_spark_is_the_documented_function(values: npt.NDArray[Any], rounding: Any, axis: int) -> None:
    chosen = axis if 0 <= axis < values.ndim else None
    encoded = Spark(rounding).encode(values, axis=chosen)
    levels = plain_levels(values, encoded.scale, chosen, 255)
    if not values.ndim:
        assert levels == np.sign(values)
    expected = np.sign(levels) * spark_table(rounding)[np.abs(levels).astype(int)]
    assert (encoded.levels() == expected).all()
    found = encoded.decode()
    assert found.dtype == values.dtype
    assert found.shape == values.shape
    shape = [-1 if k == chosen else 1 for k in range(values.ndim)] if chosen is not None else ()
    assert (found == expected.astype(values.dtype) * encoded.scale.astype(values.dtype).reshape(shape)).all()
    assert np.isfinite(found).all()
    assert encoded.bits == values.size + spark_length()[np.abs(expected).astype(int)].sum()


@given(tensors(), st.sampled_from(FORMATS))
@settings(max_examples=60)
def test_encoding_again_changes_nothing(values: npt.NDArray[Any], form: NumberFormat) -> None:
    if isinstance(form, Float):
        values = np.clip(values, -6e4, 6e4)
    first = form.encode(values)
    again = form.encode(first.levels()) if not isinstance(form, Fixed | Float) else form.encode(first.decode())
    assert again.payload.tolist() == first.payload.tolist()
    assert (again.levels() == first.levels()).all()
    assert [p.tolist() for p in again.planes] == [p.tolist() for p in first.planes]
    assert first.nbytes * 8 - first.bits in range(first.tiles * 8 + 8)


@given(tensors(), st.sampled_from([8, 16]))
@settings(max_examples=60)
def test_ints_are_those_of_the_cpu(values: npt.NDArray[Any], bits: int) -> None:
    flat = values.reshape(-1)
    n = max(flat.size, 1)
    delays = np.array(1, np.uint8)
    kept = quantise(Synapses("p", 0, 0, 1, 0, n, 1, np.arange(n + 1), np.zeros(n, np.uint16), flat, None, delays), bits)
    encoded = Int(bits).encode(flat)
    assert encoded.levels().tolist() == kept.weights.tolist()
    assert float(encoded.scale) == kept.weight_scale


def test_signs_in_twos_complement() -> None:
    levels = np.arange(-128, 128).astype(np.int8)
    found = Spark(sign="twos_complement").encode(levels)
    assert found.dtype == np.int8
    assert (found.decode() == spark_table()[levels.view(np.uint8)].view(np.int8)).all()
    assert (np.sign(found.decode()) == np.sign(levels)).all()
    assert found.bits == 8 * 256 - 4 * 8


def test_ints_are_levels() -> None:
    levels = np.arange(-255, 256)
    encoded = Spark().encode(levels)
    assert encoded.scale == 1
    assert encoded.dtype == np.int16
    assert (encoded.decode() == np.sign(levels) * spark_table()[np.abs(levels)]).all()
    assert Spark(sign="unsigned").encode([[True, False]]).decode().tolist() == [[1, 0]]
    assert Int(4).encode(np.arange(-8, 8)).decode().tolist() == list(range(-8, 8))
    assert Fixed(8, 4).encode([1, 2, -9]).decode().tolist() == [1.0, 2.0, -8.0]
    for form in WIDE:
        assert form.encode([3, -2, 200]).decode()[:2].tolist() == [3.0, -2.0]


def test_a_given_scale_limits_what_is_beyond() -> None:
    assert Spark(scale=0.5).encode([1.0, -1000.0]).decode().tolist() == [1.0, -127.5]
    assert Int(4, scale=1.0).encode([-8.0, 7.4]).decode().tolist() == [-7.0, 7.0]
    assert Fixed(4, 0).encode([-9.0, 9.0, 2.5]).decode().tolist() == [-8.0, 7.0, 2.0]
    assert Spark(scale=[1, 2]).encode([[3.0, 3.0], [6.0, 6.0]], axis=0).levels().tolist() == [[3, 3], [3, 3]]


def test_the_largest_magnitude_is_kept() -> None:
    x = np.array([0.1, -3.7, 2.0], np.float32)
    assert Spark().encode(x).decode()[1] == pytest.approx(-3.7, rel=1e-6)
    assert absmax_scale(0.0, 255, np.float32) == 1
    assert absmax_scale(1e-45, 255, np.float32) == np.float32(1e-45)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_random_access_reads_what_decoding_gives(form: NumberFormat) -> None:
    x = np.random.default_rng(3).standard_normal((7, 5, 611)).astype(np.float32)
    for axis in (None, 1, -1):
        encoded = form.encode(x, axis=axis)
        flat = encoded.decode().reshape(-1)
        assert encoded.tiles == 6
        for k in range(encoded.tiles):
            assert (encoded.tile(k) == flat[k * TILE : (k + 1) * TILE]).all()
        for begin, end in ((0, 0), (0, 1), (5, 4100), (4096, 8192), (4095, 8193), (x.size - 3, None), (-9, -2)):
            assert (encoded[begin:end] == flat[begin:end]).all()


def test_arrays_that_do_not_lie_in_order() -> None:
    x = np.random.default_rng(0).standard_normal((40, 30))
    for form in FORMATS:
        strided = form.encode(x.T[::2], axis=0).decode()
        assert (strided == form.encode(x.T[::2].copy(), axis=0).decode()).all()
        assert (form.encode(x.astype(">f8")).decode() == form.encode(x).decode()).all()


def test_what_cannot_be_stored() -> None:
    cases: list[tuple[NumberFormat, Any, str]] = [
        (Spark(), [1.0, np.nan], "not finite"),
        (Int(8), [np.inf], "not finite"),
        (Fixed(8, 2), [np.nan], "not finite"),
        (Float(16), [1e6], "not finite, or beyond 65504"),
        (Spark(), [256], "ints from 256 to 256 are not levels -255 to 255"),
        (Spark(sign="twos_complement"), [128], "not levels -128 to 127"),
        (Spark(sign="unsigned"), [-1], "not levels 0 to 255"),
        (Spark(sign="unsigned"), [-0.5], "need sign='plane'"),
        (Int(4), [8], "do not fit"),
        (Int(8), ["a"], "values of type"),
        (Int(8), [1j], "values of type complex128"),
        (Spark(scale=1e-60), np.ones(2, np.float32), "zero or infinite as float32"),
    ]
    for form, values, words in cases:
        with pytest.raises(FormatError, match=words):
            form.encode(values)
    with pytest.raises(FormatError, match="no axis 2 in an array of 2 axes"):
        Spark().encode(np.ones((2, 2)), axis=2)
    with pytest.raises(FormatError, match="3 scales for 2 scales"):
        Spark(scale=(1, 2, 3)).encode(np.ones((2, 2)), axis=0)
    with pytest.raises(FormatError, match="no axis was named"):
        Spark(scale=(1, 2)).encode(np.ones((2, 2)))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Spark("up"), "no rounding 'up'"),
        (lambda: Spark(sign="zigzag"), "no sign 'zigzag'"),
        (lambda: Spark(scale="max"), "no scale 'max'"),
        (lambda: Spark(scale=0), "not a positive number"),
        (lambda: Spark(scale=[1, -1]), "not a positive number"),
        (lambda: Int(1), "1 bits; choose 2 to 32"),
        (lambda: Fixed(33, 0), "33 bits"),
        (lambda: Fixed(8, 65), "65 bits after the point"),
        (lambda: Float(64), "64 bits; choose 16 or 32"),
    ],
)
def test_formats_that_are_none(make: Any, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        make()


def test_places_that_are_none() -> None:
    encoded = Spark().encode(np.ones(10))
    with pytest.raises(FormatError, match="no tile 1 of 1"):
        encoded.tile(1)
    with pytest.raises(FormatError, match="no slice"):
        encoded[3]  # type: ignore[index]
    with pytest.raises(FormatError, match="steps of 2"):
        encoded[::2]
    with pytest.raises(FormatError, match="do not hold 10 values"):
        Encoded(Int(8), (10,), np.dtype("i1"), np.ones(()), None, np.zeros(9, np.uint8), (), np.array([0, 10]))
    short = Encoded(Int(8), (10,), np.dtype("i1"), np.ones(()), None, np.zeros(9, np.uint8), (), np.array([0, 9]))
    with pytest.raises(FormatError, match="have not the bytes"):
        short.decode()
