"""Batched products: exact where bits suffice, the plain rule everywhere, and noise that is what cells would give."""

import dataclasses
import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuromorph.errors import MappingError
from neuromorph.mapping.crossbar.converters.converters import IDEAL, AdcRange, Dac, adc_range
from neuromorph.mapping.crossbar.reads.array import Tiles, product, tiles

Floats = npt.NDArray[np.float64]


def sliced(weights: npt.NDArray[np.int64], bits: int, cell_bits: int) -> tuple[Floats, list[int]]:
    """Levels of pairs of cells, digit by digit of the magnitude, and what each column counts."""
    digits = -(-bits // cell_bits)
    levels, combine = [], []
    for k, sign in itertools.product(range(digits), (1, -1)):
        magnitude = np.where(sign * weights > 0, abs(weights), 0)
        levels.append(magnitude >> (k * cell_bits) & (2**cell_bits - 1))
        combine.append(sign * 2 ** (k * cell_bits))
    return np.stack(levels, axis=2).reshape(len(weights), -1).astype(float), combine


def rule(x: npt.NDArray[np.int64], matrix: Tiles, phase_bits: int, phases: int, split: bool) -> Floats:
    """The product of codes, one conversion after another; Python's numbers and rounding."""
    columns = matrix.held.shape[1]
    out = np.zeros((len(x), columns))
    for b, j, t in itertools.product(range(len(x)), range(columns), range(len(matrix.ptr) - 1)):
        rows = range(matrix.ptr[t], matrix.ptr[t + 1])
        lo, step = matrix.lo[t, j], matrix.step[t, j]
        for sign, phase in itertools.product((1, -1) if split else (0,), range(phases)):
            total, driven = 0.0, False
            for i in rows:
                code = int(x[b, i])
                digit = (abs(code) >> phase * phase_bits) & (2**phase_bits - 1)
                if sign:
                    digit = digit if sign * code > 0 else 0
                elif code < 0:
                    digit = -digit
                driven = driven or digit != 0
                total += digit * float(matrix.held[i, j])
            if not driven:
                continue
            total = total * (1 + matrix.gain[t, j]) + matrix.offset[t, j] * step
            value = lo + min(max(round((total - lo) / step), 0), matrix.top) * step if step else total
            out[b, j] += (sign or 1) * 2 ** (phase * phase_bits) * value
    return np.asarray(out.reshape(len(x), -1, matrix.combine.size) @ matrix.combine)


@pytest.mark.parametrize(("cell_bits", "phase_bits"), [(1, 1), (2, 1), (1, 3), (3, 3), (2, 2)])
@pytest.mark.parametrize("adc_bits", [2, 3, 4, 5, 6, None])
@pytest.mark.parametrize("rows", [1, 2])
def test_slicing_exhaustively(cell_bits: int, phase_bits: int, adc_bits: int | None, rows: int) -> None:
    """Pairs of 4-bit weights by pairs of 3-bit inputs: the rule always, and the exact product where bits suffice."""
    weights = np.array(list(itertools.product(range(-7, 8), repeat=2))).T
    x = np.array(list(itertools.product(range(8), repeat=2)))
    held, combine = sliced(weights, 3, cell_bits)
    most = rows * (2**cell_bits - 1) * (2**phase_bits - 1)
    adc = adc_range(0, most, adc_bits)
    matrix = tiles(held, rows, adc=adc, combine=combine)
    found = product(x, matrix, Dac(bits=3, phase_bits=phase_bits))
    phases = -(-3 // phase_bits)
    driven = sum(
        int(((x[:, t : t + rows] >> p * phase_bits) & (2**phase_bits - 1)).any(axis=1).sum())
        for t in range(0, 2, rows)
        for p in range(phases)
    )
    assert found.conversions == driven * held.shape[1]
    assert found.saturated == 0
    if adc_bits is None or 2**adc_bits > most:
        np.testing.assert_array_equal(found.values, x @ weights)
    else:
        some = np.arange(0, 225, 7)
        columns = (some[:, None] * len(combine) + np.arange(len(combine))).ravel()
        part = tiles(held[:, columns], rows, adc=adc, combine=combine)
        expected = rule(x[::3], part, phase_bits, phases, split=False)
        np.testing.assert_allclose(found.values[::3, some], expected, rtol=0, atol=1e-9 * adc.step)
        assert (found.values != x @ weights).any()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 9),
    st.integers(1, 6),
    st.integers(1, 9),
    st.integers(1, 5),
    st.integers(1, 4),
    st.booleans(),
    st.integers(2, 9),
)
def test_any_product_follows_the_rule(
    seed: int, inputs: int, weights: int, rows: int, bits: int, phase_bits: int, split: bool, adc_bits: int
) -> None:
    """Errors of converters, saturation, signed and split inputs, tiles that do not divide the matrix."""
    rng = np.random.default_rng(seed)
    held = rng.normal(0, 3, (inputs, 2 * weights))
    x = rng.integers(-(2**bits) + 1, 2**bits, (4, inputs)) * (rng.random((4, inputs)) < 0.5)
    count = -(-inputs // rows)
    adc = [adc_range(-a, b, adc_bits, whole=False) for a, b in rng.uniform(1, 12, (count, 2))]
    errors = rng.normal(0, 1, (2, count, 2 * weights)) * np.array([0.7, 0.05])[:, None, None]
    matrix = tiles(held, rows, adc=adc, offset=errors[0], gain=errors[1], combine=(1.0, -1.0))
    dac = Dac(0.25, bits, phase_bits, "split" if split else "signed")
    expected = 0.25 * rule(x, matrix, phase_bits, dac.phases, split)
    np.testing.assert_allclose(product(x * 0.25, matrix, dac).values, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("rows", [None, 1, 64, 100, 1000])
def test_ideal_tiles_are_the_plain_product(dtype: npt.DTypeLike, rows: int | None) -> None:
    rng = np.random.default_rng(1)
    held = rng.integers(-15, 16, (300, 70)).astype(dtype)
    x = rng.integers(-255, 256, (17, 300))
    found = product(x, tiles(held, rows))
    assert found.values.dtype == dtype
    np.testing.assert_array_equal(found.values, x @ held.astype(np.int64))
    floats = rng.normal(size=(17, 300)).astype(dtype)
    np.testing.assert_allclose(product(floats, tiles(held, rows)).values, floats @ held, rtol=1e-4, atol=1e-2)


def test_values_become_codes_within_their_range() -> None:
    held = np.eye(3)
    x = [[0.5, -0.5, 9.0], [1.5, -9.0, 2.6]]
    values = {
        negative: product(x, tiles(held), Dac(1.0, 2, None, negative)).values.tolist()
        for negative in ("clipped", "signed", "split")
    }
    assert values["clipped"] == [[0, 0, 3], [2, 0, 3]]
    assert values["signed"] == values["split"] == [[0, 0, 3], [2, -3, 3]]


def test_saturated_sums_are_counted() -> None:
    matrix = tiles(np.ones((2, 3)), adc=AdcRange(0.0, 1.0, 3))
    found = product([[1, 1], [2, 2], [-1, 0], [0, 0]], matrix)
    assert found.values.tolist() == [[2] * 3, [3] * 3, [0] * 3, [0] * 3]
    assert (found.saturated, found.conversions) == (6, 9)


def test_a_tile_that_is_not_driven_adds_nothing() -> None:
    matrix = tiles(np.ones((4, 2)), 2, adc=adc_range(0, 8, 4), offset=[[3.0] * 2, [0.0] * 2], sigma=5.0)
    x = np.array([[0, 0, 1, 1], [0, 0, 0, 0]])
    quiet = dataclasses.replace(matrix, sigma=0.0)
    assert product(x, quiet).values.tolist() == [[2, 2], [0, 0]]
    assert product(x, quiet).conversions == 2
    assert product(x[1:], matrix).values.tolist() == [[0, 0]]
    loud = product(x[:, ::-1], quiet).values
    assert loud[0].tolist() == [5, 5]


@pytest.mark.parametrize("own", [False, True])
def test_noise_is_that_of_cells_drawn_one_by_one(own: bool) -> None:
    """Mean, deviation and independence of columns, tiles, samples, steps and phases."""
    rng = np.random.default_rng(5)
    rows, columns = 12, 70
    held = rng.normal(size=(rows, columns))
    sigma = rng.uniform(0.1, 0.9, (rows, columns)) if own else 0.3
    x = rng.integers(-3, 4, rows)
    expected = np.sqrt((np.square(x)[:, None] * np.square(np.broadcast_to(sigma, held.shape))).sum(axis=0))
    matrix = tiles(held, 5, sigma=sigma)
    batch = np.tile(x, (4000, 1))
    noise = product(batch, matrix, seed=3).values - x @ held
    cells = x @ (held + sigma * rng.normal(size=(4000, rows, columns))) - x @ held
    for sample in (noise, cells):  # the second line says that the test itself is right
        assert abs(sample.mean(axis=0) / expected).max() < 5 / np.sqrt(4000)
        assert abs(sample.std(axis=0) / expected - 1).max() < 5 / np.sqrt(8000)
        correlation = np.corrcoef(sample.T) - np.eye(columns)
        assert abs(correlation).max() < 5.5 / np.sqrt(4000)
    other = [product(batch, matrix, seed=3, step=1).values, product(batch, matrix, seed=4).values]
    for again in (np.roll(noise, 1, axis=0), *(values - x @ held for values in other)):
        assert abs((noise * again).mean()) < 5 * (expected**2).mean() / np.sqrt(noise.size)


def test_noise_of_digits_and_tiles_is_independent() -> None:
    """Two phases and two tiles of equal content: deviations add as those of independent numbers."""
    matrix = tiles(np.zeros((2, 64)), 1, sigma=1.0)
    found = product(np.full((2000, 2), 3.0), matrix, Dac(1.0, 2, 1), seed=1).values
    assert found.std() == pytest.approx(np.sqrt(2 * (1 + 4)), rel=0.02)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99), st.integers(0, 12), st.booleans())
def test_a_batch_may_be_cut_anywhere(seed: int, cut: int, own: bool) -> None:
    rng = np.random.default_rng(seed)
    held = rng.integers(-8, 9, (40, 33)).astype(np.float64)
    x = rng.integers(-3, 4, (12, 40))
    sigma = rng.integers(0, 3, held.shape) / 2 if own else 0.5
    matrix = tiles(held, 16, sigma=sigma, adc=adc_range(-200, 200, 8))
    whole = product(x, matrix, Dac(1.0, 2, 1), seed=seed, step=7)
    parts = [product(x[s], matrix, Dac(1.0, 2, 1), seed=seed, step=7, sample=n)
             for s, n in ((slice(cut), 0), (slice(cut, None), cut))]  # fmt: skip
    np.testing.assert_array_equal(np.concatenate([p.values for p in parts]), whole.values)
    assert sum(p.conversions for p in parts) == whole.conversions
    assert sum(p.saturated for p in parts) == whole.saturated


def test_a_number_and_a_matrix_of_it_are_the_same_noise() -> None:
    rng = np.random.default_rng(2)
    held, x = rng.normal(size=(50, 20)), rng.normal(size=(9, 50))
    one = product(x, tiles(held, 20, sigma=0.4), seed=8).values
    many = product(x, tiles(held, 20, sigma=np.full(held.shape, 0.4)), seed=8).values
    np.testing.assert_allclose(one, many, rtol=0, atol=1e-12)
    assert abs(one - x @ held).max() > 0.1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"held": np.ones(3)}, r"got shape \(3,\)"),
        ({"held": np.ones((2, 3)), "combine": (1, -1)}, r"columns of a weight \(2\), got shape \(2, 3\)"),
        ({"held": np.ones((2, 3)), "rows": 0}, "at least 1 row in a tile, got 0"),
        ({"held": np.ones((2, 3)), "sigma": -1.0}, "sigma must be at least 0"),
        ({"held": np.ones((2, 3)), "sigma": np.ones((3, 2))}, "one for each of 2 x 3 cells, got shape"),
        ({"held": np.ones((2, 3)), "adc": [IDEAL, IDEAL]}, "one range or one for each of 1 tiles"),
        ({"held": np.ones((2, 3)), "rows": 1, "adc": [IDEAL, AdcRange(0, 1, 3)]}, r"largest codes \[0, 3\]"),
        ({"held": np.ones((2, 3)), "offset": np.ones((2, 2))}, r"\(tiles, columns\) = \(1, 3\)"),
    ],
)
def test_tiles_that_cannot_be_are_refused(arguments: dict[str, npt.ArrayLike], says: str) -> None:
    with pytest.raises(MappingError, match=says):
        tiles(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("x", "dac", "says"),
    [
        (np.ones((4, 3)), Dac(), r"expected inputs of shape \(batch, 2\), got \(4, 3\)"),
        (np.ones((4, 2)), Dac(0.0, 8), "finite scale above 0"),
        (np.ones((4, 2)), Dac(1.0, 0), "at least 1 bit"),
        (np.ones((4, 2)), Dac(1.0, 8, 0), "of a phase 0"),
    ],
)
def test_inputs_that_cannot_be_are_refused(x: Floats, dac: Dac, says: str) -> None:
    with pytest.raises(MappingError, match=says):
        product(x, tiles(np.ones((2, 2))), dac)


@pytest.mark.parametrize("place", [{"step": -1}, {"step": 2**32}, {"sample": -1}, {"sample": 2**32 - 1}])
def test_random_numbers_have_places_of_32_bits(place: dict[str, int]) -> None:
    with pytest.raises(MappingError, match=r"at least 0 and below 2\^32"):
        product(np.ones((4, 2)), tiles(np.ones((2, 2))), **place)
