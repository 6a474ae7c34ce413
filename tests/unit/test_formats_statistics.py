"""What formats lose, against published distributions and plain sums."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neuromorph.formats import Fixed, Float, Int, NumberFormat, Spark, spark_table, statistics

N = 400_000


def magnitudes(source: str) -> npt.NDArray[np.uint8]:
    """Levels 0..255 of random numbers, scaled as the case says."""
    rng = np.random.default_rng(7)
    name, how = source.split(", ")
    drawn: Any = {"normal": rng.standard_normal, "laplace": rng.laplace}[name](size=N)
    x = np.abs(drawn)
    if how.endswith("short"):
        scaled = x * (7.5 / np.quantile(x, float(how.split()[0]) / 100))
    else:
        scaled = x * (float(how) / x.max())
    return np.minimum(np.rint(scaled), 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("source", "bits", "lossy", "mean", "sqnr"),
    [
        ("laplace, 70 short", 5.20, 0.078, 0.42, 13.5),
        ("laplace, 80 short", 4.80, 0.035, 0.16, 15.5),
        ("normal, 80 short", 4.80, 0.0082, 0.020, 26.9),
    ],
)
def test_known_distributions(source: str, bits: float, lossy: float, mean: float, sqnr: float) -> None:
    """Independent figures for the code's own loss; draws differ."""
    found = statistics(Spark(sign="unsigned"), magnitudes(source))
    assert found.bits_per_value == pytest.approx(bits, abs=0.03)
    assert found.short_share == pytest.approx(2 - bits / 4, abs=0.0075)
    assert found.lossy_share == pytest.approx(lossy, rel=0.1)
    assert found.mean_error == pytest.approx(mean, rel=0.12)
    assert found.sqnr_db == pytest.approx(sqnr, abs=0.4)
    assert found.code_sqnr_db == found.sqnr_db
    assert found.rounding_sqnr_db == inf


def test_all_values_once() -> None:
    values = np.arange(256)
    found = statistics(Spark(sign="unsigned"), values)
    assert (found.count, found.short_share, found.lossy_share) == (256, 8 / 256, 0.5)
    assert (found.mean_error, found.max_error, found.bias) == (4.25, 16, 0)
    assert found.rms_error == pytest.approx(6.837, abs=5e-4)
    assert found.bits_per_value == 7.875
    assert found.payload_bytes == 252
    assert statistics(Spark(), values).bits_per_value == 8.875


@pytest.mark.parametrize("form", [Spark(), Spark("nearest"), Int(4), Int(8), Fixed(8, 4), Float(16)])
@pytest.mark.parametrize("axis", [None, 0])
def test_errors_are_sums_over_values(form: NumberFormat, axis: int | None) -> None:
    x = np.random.default_rng(0).laplace(size=(6, 500)).astype(np.float32)
    x[2] *= 5
    found = statistics(form, x, axis)
    encoded = form.encode(x, axis=axis)
    error = encoded.decode().astype(float) - x.astype(float)
    assert found.mean_error == pytest.approx(np.abs(error).mean())
    assert found.max_error == pytest.approx(np.abs(error).max())
    assert found.rms_error == pytest.approx(np.sqrt((error**2).mean()))
    assert found.bias == pytest.approx(error.mean())
    assert found.sqnr_db == pytest.approx(10 * np.log10((x.astype(float) ** 2).sum() / (error**2).sum()))
    assert found.payload_bytes == encoded.nbytes
    if isinstance(form, Spark):
        levels = np.rint(np.abs(x) / (encoded.scale if axis is None else encoded.scale[:, None])).astype(int)
        assert found.short_share == (levels < 8).mean()
        assert found.lossy_share == (spark_table(form.rounding)[levels] != levels).mean()
        rounded = np.sign(x) * levels * (encoded.scale if axis is None else encoded.scale[:, None])
        parts = [(x, rounded - x, found.rounding_sqnr_db), (rounded, encoded.decode() - rounded, found.code_sqnr_db)]
        for signal, noise, told in parts:
            ratio = (signal.astype(float) ** 2).sum() / (noise.astype(float) ** 2).sum()
            assert told == pytest.approx(10 * np.log10(ratio), rel=1e-3)
    else:
        assert (found.lossy_share, found.code_sqnr_db) == (0, inf)
        assert found.rounding_sqnr_db == found.sqnr_db


def test_nothing_and_zeros() -> None:
    empty = statistics(Spark(), np.empty((0, 3)))
    assert (empty.count, empty.bits_per_value, empty.payload_bytes, empty.sqnr_db) == (0, 0, 0, inf)
    zeros = statistics(Spark(), np.zeros(10))
    assert (zeros.short_share, zeros.max_error, zeros.sqnr_db) == (1, 0, inf)
    assert statistics(Fixed(8, 0), np.full(3, 0.25)).sqnr_db == pytest.approx(0)
