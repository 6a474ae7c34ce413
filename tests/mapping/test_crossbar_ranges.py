"""Histograms of what converters see, ranges chosen from them, and calibration of whole networks."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from neuromorph import ms
from neuromorph.errors import MappingError
from neuromorph.mapping.crossbar import Crossbar, Effects, Ranges, calibrate, load_machine
from neuromorph.mapping.crossbar.converters.choose import Chosen, choose_ranges, judge, share_steps
from neuromorph.mapping.crossbar.converters.histogram import Histograms
from neuromorph.mapping.crossbar.reads.array import product, tiles
from neuromorph.models.multiply_accumulate import Rectifier
from neuromorph.models.recurrent import Linear
from neuromorph.network import Dense, Live, Network

Floats = npt.NDArray[np.float64]


def histograms(values: npt.ArrayLike, bins: int = 4096) -> Histograms:
    """Of each column."""
    columns = np.asarray(values, np.float64)
    made = Histograms.empty(columns.shape[-1], bins)
    made.add(columns)
    return made


def converted(values: Floats, chosen: Chosen, k: int = 0) -> Floats:
    """What converter k makes of values, in plain NumPy."""
    codes = np.clip(np.rint((values - chosen.lo[k]) / chosen.step[k]), 0, chosen.top)
    made: Floats = chosen.lo[k] + codes * chosen.step[k]
    return made


numbers = st.floats(-1e9, 1e9).filter(lambda v: v == 0.0 or abs(v) > 1e-9)


@given(arrays(np.float64, st.integers(1, 60), elements=numbers), st.integers(0, 2**32))
def test_histograms_hold_every_value_in_any_order(values: Floats, seed: int) -> None:
    seen = histograms(values[:, None], 64)
    again = histograms(np.random.default_rng(seed).permutation(values)[:, None], 64)
    np.testing.assert_array_equal(seen.counts, again.counts)
    np.testing.assert_array_equal(seen.state, again.state)
    np.testing.assert_allclose(seen.sums, again.sums, rtol=1e-12, atol=1e-6)
    width = seen.state[0, 0]
    some = values[values != 0.0]
    assert seen.number[0] == len(values)
    assert seen.zeros[0] == (values == 0.0).sum()
    assert (seen.low[0], seen.high[0]) == (min(values.min(), 0.0), max(values.max(), 0.0))
    assert bool(seen.whole[0]) == bool((values == np.rint(values)).all())
    if len(some):
        where = np.floor(some / width).astype(int) + 32
        np.testing.assert_array_equal(seen.counts[0], np.bincount(where, minlength=64))
        assert math.frexp(width)[0] == 0.5  # a power of two
        assert np.abs(some).max() >= 16 * width  # no wider than needed


@given(arrays(np.float64, (20, 3), elements=numbers), st.lists(st.integers(0, 1), min_size=3, max_size=3))
def test_merged_histograms_are_those_of_all_values(values: Floats, group: list[int]) -> None:
    merged = histograms(values, 64).merged(group, 2)
    for g in range(2):
        mine = values[:, np.array(group) == g]
        alone = histograms(mine.reshape(-1, 1), 64) if mine.size else Histograms.empty(1, 64)
        np.testing.assert_array_equal(merged.counts[g], alone.counts[0])
        np.testing.assert_array_equal(merged.state[g], alone.state[0])
        np.testing.assert_allclose(merged.sums[g], alone.sums[0], rtol=1e-12, atol=1e-6)


def test_many_histograms_have_fewer_bins() -> None:
    assert Histograms.empty(100).bins == 4096
    assert Histograms.empty(10_000).bins == 1024


def test_histograms_refuse() -> None:
    with pytest.raises(MappingError, match="power of two"):
        Histograms.empty(1, 100)
    with pytest.raises(MappingError, match="not finite"):
        histograms([[np.nan]])
    with pytest.raises(MappingError, match="last size"):
        Histograms.empty(2).add([1.0])


@given(
    arrays(np.float64, st.integers(1, 40), elements=st.floats(-1e3, 1e3).map(lambda v: round(v, 2))),
    st.integers(2, 10),
    st.booleans(),
)
def test_max_holds_all_and_zero_is_a_code(values: Floats, bits: int, symmetric: bool) -> None:
    chosen = choose_ranges(histograms(values[:, None]), bits, "max", symmetric=symmetric)
    assert chosen.step[0] > 0
    assert converted(np.zeros(1), chosen)[0] == 0.0
    assert np.abs(converted(values, chosen) - values).max() <= 0.5 * chosen.step[0] * (1 + 1e-9)
    assert judge(histograms(values[:, None]), chosen).saturated[0] == 0
    if symmetric:
        assert chosen.top * chosen.step[0] == -2 * chosen.lo[0]


@given(arrays(np.int64, st.integers(1, 40), elements=st.integers(-90, 90)))
def test_whole_sums_that_fit_come_out_exactly(values: npt.NDArray[np.int64]) -> None:
    for method in ("max", "mse"):
        chosen = choose_ranges(histograms(values[:, None]), 8, method)  # type: ignore[arg-type]
        assert chosen.step[0] == 1.0
        np.testing.assert_array_equal(converted(values.astype(float), chosen), values)
        assert judge(histograms(values[:, None]), chosen).mse[0] == 0.0


def shapes(rng: np.random.Generator, n: int) -> dict[str, Floats]:
    """Sums as they occur: of both signs, of one, with heavy tails, mostly 0, and whole."""
    return {
        "normal": rng.normal(0, 3, n),
        "one-sided": np.maximum(rng.normal(0, 3, n), 0),
        "shifted": rng.normal(-40, 15, n),
        "heavy": rng.standard_t(3, n) * 10,
        "sparse": rng.normal(0, 5, n) * (rng.random(n) < 0.05),
        "whole": np.rint(rng.normal(0, 400, n)),
    }


@pytest.mark.parametrize("bits", [3, 4, 6, 8])
def test_least_error_is_found(bits: int) -> None:
    """Not more than a few percent above the best of a fine grid of both ends, and never above the full range."""
    values = np.stack(list(shapes(np.random.default_rng(2), 4000).values()), axis=1)
    seen = histograms(values)
    found, full = choose_ranges(seen, bits, "mse"), choose_ranges(seen, bits, "max")
    for k in range(values.shape[1]):
        error = ((converted(values[:, k], found, k) - values[:, k]) ** 2).mean()
        assert error <= ((converted(values[:, k], full, k) - values[:, k]) ** 2).mean() * (1 + 1e-9)
        best = np.inf
        for a in np.linspace(0.02, 1, 25):
            for b in np.linspace(0.02, 1, 25):
                low, high = a * min(values[:, k].min(), 0.0), b * max(values[:, k].max(), 0.0)
                step = max((high - low) / (2**bits - 1), 1.0 if seen.whole[k] else 0.0)
                grid = Chosen(np.array([-np.rint(-low / step) * step]), np.array([step]), 2**bits - 1)
                best = min(best, ((converted(values[:, k], grid) - values[:, k]) ** 2).mean())
        assert error <= 1.05 * best, k


def test_quality_is_what_converters_do() -> None:
    values = np.stack(list(shapes(np.random.default_rng(5), 5000).values()), axis=1)
    seen = histograms(values)
    chosen = choose_ranges(seen, 5, "percentile", share=0.02)
    quality = judge(seen, chosen)
    for k in range(values.shape[1]):
        error = ((converted(values[:, k], chosen, k) - values[:, k]) ** 2).mean()
        np.testing.assert_allclose(quality.mse[k], error, rtol=0.03)
        np.testing.assert_allclose(quality.variance[k], values[:, k].var(), rtol=1e-3)
        codes = np.rint((values[:, k] - chosen.lo[k]) / chosen.step[k])
        beyond = ((codes < 0) | (codes > chosen.top)).sum()
        assert abs(quality.saturated[k] - beyond) <= 0.001 * len(values)
        np.testing.assert_allclose(quality.csnr_db[k], 10 * np.log10(values[:, k].var() / error), atol=0.15)


def test_percentiles_leave_out_what_they_say() -> None:
    values = np.concatenate([np.arange(-500, 501), np.zeros(9000)])[:, None]
    low, high = histograms(values).between(0.02)
    assert abs(low[0] + 490) <= 2  # zeros, which are most, do not count
    assert abs(high[0] - 490) <= 2
    low, high = histograms(values).between(0.0)
    assert (low[0], high[0]) == (-500, 500)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"method": "best"}, "no method 'best'"),
        ({"share": 1.0}, "share is 1.0"),
        ({"bits": 0}, "bits is 0"),
        ({"bits": 1}, "three codes"),
    ],
)
def test_choices_that_cannot_be(options: dict[str, Any], told: str) -> None:
    with pytest.raises(MappingError, match=told):
        choose_ranges(histograms([[-1.0], [1.0]]), **{"bits": 4, **options})


def test_steps_of_digits_differ_by_powers_of_two() -> None:
    rng = np.random.default_rng(7)
    spread = np.array([30.0, 41.0, 7.0, 100.0, 3.0, 55.0])
    values = np.abs(rng.normal(0, spread, (3000, 6))) + 0.25
    seen = histograms(values)
    alone = choose_ranges(seen, 4, "mse")
    digit, owner = np.arange(6) % 3, np.arange(6) // 3
    shared = share_steps(seen, alone, digit, owner, [1.0, 4.0, 16.0])
    for o in range(2):
        ratios = np.log2(shared.step[owner == o] / shared.step[owner == o][0])
        np.testing.assert_allclose(ratios, np.rint(ratios), atol=1e-12)
    zero = -shared.lo / shared.step
    np.testing.assert_allclose(zero, np.rint(zero), atol=1e-9)
    weight = np.array([1.0, 4.0, 16.0])[digit] ** 2
    assert (weight * judge(seen, shared).mse).sum() < 3.0 * (weight * judge(seen, alone).mse).sum()


def test_ranges_of_tiles_of_a_batched_product() -> None:
    rng = np.random.default_rng(3)
    held, x = rng.normal(0, 1, (60, 16)), rng.standard_t(4, (500, 60))
    sums = np.stack([x[:, at : at + 20] @ held[at : at + 20] for at in (0, 20, 40)], axis=-1)
    sums[..., 1] *= 5  # one tile brings more than the others
    held[20:40] *= 5
    seen = histograms(sums.reshape(-1, 3))
    exact = x @ held
    errors = {}
    for method in ("max", "mse"):
        chosen = choose_ranges(seen, 5, method)  # type: ignore[arg-type]
        made = product(x, tiles(held, 20, adc=chosen.adcs))
        errors[method] = float(((made.values - exact) ** 2).mean())
        np.testing.assert_allclose(errors[method], judge(seen, chosen).mse.sum(), rtol=0.05)
        assert abs(made.saturated - judge(seen, chosen).saturated.sum()) < 0.001 * made.conversions
    assert errors["mse"] < 0.7 * errors["max"]


def layers(rng: np.random.Generator, name: str = "layers", sizes: tuple[int, ...] = (40, 12, 4)) -> Network:
    net = Network(name=name)
    before = net.population(Live(sizes[0], graded=True), name="inputs")
    for k, size in enumerate(sizes[1:], start=1):
        kind = Linear if k == len(sizes) - 1 else Rectifier
        after = net.population(kind(b=0.0, start=k), size, name=f"layer{k}")
        net.project(before, after.a, Dense(rng.normal(0, 0.4, (before.size, size)).astype(np.float32)))
        before = after
    return net


def driver(x: npt.NDArray[np.float32]) -> Callable[[Any], Any]:
    def run(program: Any) -> Any:
        return program.run_batch({"inputs": x[:, None, :]}, 4, progress=False)

    return run


_DRAWN = np.random.default_rng(0)
INPUTS = (_DRAWN.exponential(0.2, (200, 40)) * (_DRAWN.random((200, 40)) < 0.3)).clip(0, 1).astype(np.float32)


def small(**changes: Any) -> Any:
    """A machine of small arrays with 4-bit converters, digits of 2 bits and 4-bit inputs."""
    machine = load_machine("isaac", rows=16, columns=32, weight_bits=5, input_bits=4, encoding="differential")
    return replace(machine, adc=replace(machine.adc, bits=4), dac=replace(machine.dac, bits=4, kind="level"), **changes)


def errors(target: Crossbar, net: Network, tmp: Path) -> float:
    """Mean squared difference of the last layer from that on an ideal machine."""

    def outputs(which: Crossbar, name: str) -> Floats:
        program = which.compile(net, 1 * ms, progress=False)
        batch = program.run_batch({"inputs": INPUTS[:, None, :]}, 4, out=tmp / name, progress=False)
        events = batch.trace.events("layer2")
        out = np.zeros((len(INPUTS), 4, 4))
        out[events.steps // 4, events.steps % 4, events.ids] = events.values
        return out[:, 2]

    made: float = float(((outputs(target, "a.h5") - outputs(Crossbar("ideal"), "b.h5")) ** 2).mean())
    return made


def test_calibration_of_a_network(tmp_path: Path) -> None:
    net = layers(np.random.default_rng(1))
    target = Crossbar(small())
    found: dict[str, Ranges] = {}
    for method, per in (("max", "matrix"), ("mse", "matrix"), ("mse", "block")):
        found[f"{method} {per}"] = calibrate(target, net, 1 * ms, driver(INPUTS), method=method, per=per)  # type: ignore[arg-type]
    by_matrix, by_block = found["mse matrix"], found["mse block"]
    assert found["max matrix"].clipped.max() == 0.0
    np.testing.assert_allclose(by_matrix.input_scale[0], INPUTS.max() / 15, rtol=0.3)
    assert len(by_matrix.block_matrix) > len(by_matrix.matrices)  # blocks share what their matrix has
    assert all(len(np.unique(by_matrix.step[by_matrix.block_matrix == m], axis=0)) == 1 for m in range(2))
    assert by_block.mse.mean() <= by_matrix.mse.mean() * 1.001
    assert found["max matrix"].csnr_db.mean() + 2 < by_matrix.csnr_db.mean() < by_block.csnr_db.mean()
    full = errors(replace(target, ranges=found["max matrix"]), net, tmp_path)
    least = errors(replace(target, ranges=by_block), net, tmp_path)
    assert least < 0.8 * full
    assert len(by_matrix.describe().splitlines()) == 1 + 2 * small().slices
    by_block.save(tmp_path / "ranges.json")
    again = Ranges.load(tmp_path / "ranges.json")
    for name in Ranges.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(again, name), getattr(by_block, name))


def test_codes_combine_by_shifts_where_asked_for() -> None:
    net = layers(np.random.default_rng(1))
    found = calibrate(Crossbar(small()), net, 1 * ms, driver(INPUTS), shifts=True)
    ratios = np.log2(found.step / found.step[:, :1])
    np.testing.assert_allclose(ratios, np.rint(ratios), atol=1e-12)


def test_ranges_of_something_else_are_refused(tmp_path: Path) -> None:
    net = layers(np.random.default_rng(1))
    target = Crossbar(small())
    ranges = calibrate(target, net, 1 * ms, driver(INPUTS), per="block")

    def told(which: Crossbar, network: Network, what: str) -> None:
        with pytest.raises(MappingError, match=what):
            replace(which, ranges=ranges).compile(network, 1 * ms, progress=False)

    told(target, layers(np.random.default_rng(1), "others"), "network 'layers' and cannot serve network 'others'")
    told(target, layers(np.random.default_rng(1), sizes=(40, 12, 5, 4)), "3; they differ in")
    told(Crossbar(small(name="smaller")), net, "machine 'isaac' and cannot serve machine 'smaller'")
    told(Crossbar(small(columns=16)), net, "found per block for")
    (tmp_path / "no.json").write_text("{}")
    with pytest.raises(MappingError, match="lacks the format"):
        Ranges.load(tmp_path / "no.json")
    (tmp_path / "no.json").write_text("no")
    with pytest.raises(MappingError, match="holds no ranges"):
        Ranges.load(tmp_path / "no.json")


def test_what_cannot_be_calibrated_is_told_before_anything_runs() -> None:
    net = layers(np.random.default_rng(1))

    def never(program: Any) -> None:
        raise AssertionError("it ran")

    for target, options, told in (
        (Crossbar("ideal"), {}, "ideal"),
        (Crossbar("isaac", effects=Effects()), {}, "ideal"),
        (Crossbar("isaac"), {"method": "least"}, "no method"),
        (Crossbar("isaac"), {"per": "tile"}, "per is 'tile'"),
        (Crossbar("wtm2101"), {"per": "block"}, "one gain"),
    ):
        with pytest.raises(MappingError, match=told):
            calibrate(target, net, 1 * ms, never, **options)  # type: ignore[arg-type]


def test_wtm2101_gets_gains_and_whole_inputs_keep_their_codes() -> None:
    net = layers(np.random.default_rng(1))
    x = np.random.default_rng(4).integers(0, 200, (10, 40)).astype(np.float32)
    found = calibrate(Crossbar("wtm2101"), net, 1 * ms, driver(x))
    assert found.input_scale[0] == 1.0
    assert set(np.unique(found.step)) <= {1024.0, 2048.0, 4096.0, 8192.0}
    np.testing.assert_array_equal(found.lo, -128 * found.step)
    assert found.input_scale[1] != 1.0
