"""Codes of operands: stated tails and measured tensors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuromorph.errors import MappingError
from neuromorph.formats import spark_length
from neuromorph.mapping.systolic.layers import gemm
from neuromorph.mapping.systolic.measured import measured
from neuromorph.mapping.systolic.tails import Tail, long_tailed, paper_like
from neuromorph.mapping.systolic.values import Codes, Distribution

TAILS: tuple[Tail, ...] = ("normal", "laplace", "student")


@given(st.sampled_from(TAILS), st.floats(0.05, 0.99), st.integers(1, 255))
def test_a_long_tail_has_the_stated_share_of_small_magnitudes(tail: Tail, small: float, below: int) -> None:
    codes = long_tailed(small, below, tail)
    assert codes.share[:below].sum() == pytest.approx(small, abs=1e-9)
    assert codes.share.sum() == pytest.approx(1.0)


@pytest.mark.parametrize("tail", TAILS)
def test_a_long_tail_is_the_histogram_of_drawn_values(tail: Tail) -> None:
    rng = np.random.default_rng(1)
    draw = {"normal": rng.standard_normal, "laplace": rng.laplace, "student": lambda size: rng.standard_t(3, size)}[
        tail
    ]
    values = np.abs(draw(size=400_000))
    scale = np.quantile(values, 0.8) / 7.5
    drawn = np.bincount(np.minimum(np.rint(values / scale), 255).astype(int), minlength=256) / values.size
    assert np.abs(np.cumsum(drawn) - np.cumsum(long_tailed(0.8, tail=tail).share)).max() < 0.004


def test_bits_of_the_paper_follow_from_its_long_share() -> None:
    bert = paper_like(0.0775, "bits printed")
    for codes in bert.of(gemm("layer", 2, 3, 4)):
        assert codes.mean(spark_length()) == pytest.approx(4.31)
    assert (bert.activations.signed, bert.weights.signed) == (False, True)
    assert "assumed" in bert.source


@pytest.mark.parametrize(
    ("small", "below", "tail", "says"),
    [(0.0, 8, "laplace", "between 0 and 1"), (0.5, 256, "laplace", "between"), (0.5, 8, "cauchy", "there is normal")],
)
def test_tails_that_cannot_be(small: float, below: int, tail: str, says: str) -> None:
    with pytest.raises(MappingError, match=says):
        long_tailed(small, below, tail)  # type: ignore[arg-type]


@given(st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=60), st.integers(1, 5))
def test_measured_magnitudes_are_on_255_levels(values: list[float], width: int) -> None:
    array = np.resize(np.array(values), (width, len(values)))
    codes = measured(array, axis=0)
    assert codes.lines is not None
    assert codes.lines.shape == array.T.shape
    largest = np.abs(array).max()
    expected = np.rint(np.abs(array.T) / (largest / 255 if largest else 1.0))
    assert np.array_equal(codes.lines, expected)
    assert np.allclose(codes.share * array.size, np.bincount(codes.lines.ravel(), minlength=256))
    assert codes.signed == bool((array < 0).any())


def test_small_integers_are_their_own_magnitudes() -> None:
    lines = measured(np.array([[0, 1, -3], [1, 0, 7]])).lines
    assert lines is not None
    assert lines.tolist() == [[0, 1, 3], [1, 0, 7]]
    assert measured(np.array([0, 1000])).share[255] == 0.5, "larger ones are scaled"
    assert measured([0.0, 5e-324]).share[0] == 1.0, "too small for 255 levels"
    assert measured(np.array([-128, 127], np.int8)).lines.tolist() == [[128, 127]]  # type: ignore[union-attr]


def test_a_scale_for_each_line() -> None:
    lines = measured(np.array([[1.0, 0.5], [100.0, 25.0], [0.0, 0.0]]), per_line=True).lines
    assert lines is not None
    assert lines.tolist() == [[255, 128], [255, 64], [0, 0]]


@pytest.mark.parametrize("values", [[], [np.nan], [np.inf], ["a"], [1j]])
def test_what_has_no_magnitudes(values: list[object]) -> None:
    with pytest.raises(MappingError, match="expected"):
        measured(np.array(values))


def test_real_codes_are_drawn_in_their_order() -> None:
    lines = np.arange(12, dtype=np.uint8).reshape(3, 4)
    codes = Codes(np.bincount(lines.ravel(), minlength=256) / 12, True, lines)
    for seed in range(8):
        drawn = codes.draw(7, 9, np.random.default_rng(seed)).astype(int)
        assert set(((drawn[:, 1:] - drawn[:, :-1]) % 4).ravel()) == {1}
        assert set(((drawn[1:] - drawn[:-1]) % 12).ravel()) == {4}


def test_independent_codes_are_drawn_by_their_shares() -> None:
    codes = long_tailed(0.6)
    drawn = codes.draw(500, 400, np.random.default_rng(2))
    assert drawn.dtype == np.uint8
    assert np.abs(np.bincount(drawn.ravel(), minlength=256) / drawn.size - codes.share).max() < 0.005


def test_layers_of_their_own_and_attention() -> None:
    a, w, mine = long_tailed(0.5, signed=False), long_tailed(0.6), long_tailed(0.7)
    values = Distribution("test", a, w, "made up", {"own": (mine, w)})
    assert values.of(gemm("own", 1, 1, 1)) == (mine, w)
    assert values.of(gemm("x", 1, 1, 1)) == (a, w)
    assert values.of(gemm("x", 1, 1, 1, second="activations")) == (a, a)


@pytest.mark.parametrize("share", [np.ones(256), np.ones(10) / 10, -np.ones(256) / 256])
def test_shares_that_cannot_be(share: np.ndarray) -> None:
    with pytest.raises(MappingError, match="with the sum 1"):
        Codes(share)
