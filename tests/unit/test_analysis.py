"""Statistics against closed forms and against Elephant; pictures and exports."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest

from neuromorph.errors import TraceError
from neuromorph.trace import MemorySink, RunMeta, Trace, export, plots
from neuromorph.trace import analysis as an
from neuromorph.units import ms, second

matplotlib.use("Agg")

DT = 1e-3


def trace_of(steps: Any, ids: Any, n: int, duration: int) -> Trace:
    return Trace.from_events({"a": (steps, ids)}, sizes={"a": n}, dt=DT, steps=duration)


@pytest.fixture(scope="module")
def regular() -> Trace:
    """Neuron k fires every 10 (k + 1) ms from 0 on, neuron 3 never; 1.2 s."""
    steps = [np.arange(0, 1200, 10 * (k + 1)) for k in range(3)]
    ids = [np.full(s.size, k) for k, s in enumerate(steps)]
    return trace_of(np.concatenate(steps), np.concatenate(ids), 4, 1200)


@pytest.fixture(scope="module")
def poisson() -> Trace:
    """50 independent Poisson trains of 20 Hz over 100 s, in steps of 0.1 ms."""
    rng = np.random.default_rng(11)
    fired = np.sort(rng.integers(0, 50 * 10**6, 100_000))
    events = {"a": (fired // 50, fired % 50)}
    return Trace.from_events(events, sizes={"a": 50}, dt=1e-4, steps=10**6)


def test_regular_trains(regular: Trace) -> None:
    np.testing.assert_array_equal(an.counts(regular, "a"), [120, 60, 40, 0])
    np.testing.assert_allclose(an.rates(regular, "a"), [100, 50, 100 / 3, 0])
    np.testing.assert_allclose(an.rates(regular, "a", ids=[2, 0], start=600 * ms, stop=1.2 * second), [100 / 3, 100])
    for statistic in (an.cv, an.cv2, an.lv):
        np.testing.assert_allclose(statistic(regular, "a"), [0, 0, 0, np.nan], atol=1e-9)
    np.testing.assert_allclose(an.fano_factor(regular, "a", 60), [0, 0, 0, np.nan])
    gaps = an.isi(regular, "a", ids=[2, 3, 1])
    assert set(gaps.lengths[gaps.rows == 0]) == {30.0}
    assert (gaps.rows == 1).sum() == 0
    assert set(gaps.lengths[gaps.rows == 2]) == {20.0}


def test_poisson_trains(poisson: Trace) -> None:
    # 2000 intervals each: the standard error of CV is about 1 / sqrt(2000); means over 50 neurons
    assert an.rates(poisson, "a").mean() == pytest.approx(20, abs=1e-9)
    assert an.cv(poisson, "a").mean() == pytest.approx(1, abs=0.01)
    assert an.cv2(poisson, "a").mean() == pytest.approx(1, abs=0.01)
    assert an.lv(poisson, "a").mean() == pytest.approx(1, abs=0.01)
    assert an.fano_factor(poisson, "a", 100 * ms).mean() == pytest.approx(1, abs=0.03)
    assert an.synchrony(poisson, "a", 10) == pytest.approx(1 / np.sqrt(50), rel=0.05)
    matrix = an.correlation(poisson, "a", 10, ids=np.arange(20))
    np.testing.assert_allclose(np.diag(matrix), 1)
    assert np.abs(matrix - np.eye(20)).max() < 0.06


def test_binning(regular: Trace) -> None:
    number = an.binned(regular, "a", 100)
    assert number.shape == (12, 4)
    assert number[:, 0].tolist() == [10] * 12
    assert number.sum(axis=0).tolist() == [120, 60, 40, 0]
    # a rest that fills no bin is left out; bins begin at the start that is asked for
    assert an.binned(regular, "a", 500, start=100).shape == (2, 4)
    assert an.binned(regular, "a", 500, start=100).sum(axis=0).tolist() == [100, 50, 33, 0]
    fine = Trace.from_events({"a": (np.arange(1000), np.zeros(1000, int))}, sizes={"a": 1}, dt=1e-4)
    assert an.binned(fine, "a", 0.3)[:, 0].tolist() == [3] * 333  # 0.1 * 3 > 0.3 as floats
    times, rate = an.population_rate(regular, "a", 120)
    assert times.tolist() == [120.0 * k for k in range(10)]
    np.testing.assert_allclose(rate, (12 + 6 + 4) / 4 / 0.12)
    for wrong, words in ((0, "positive width"), (-1, "positive width"), (5000, "does not fill one bin")):
        with pytest.raises(TraceError, match=words):
            an.binned(regular, "a", wrong)
    with pytest.raises(TraceError, match="empty stretch"):
        an.rates(regular, "a", start=10, stop=10)
    with pytest.raises(TraceError, match="each neuron once"):
        an.counts(regular, "a", ids=[1, 1])


def test_correlation_and_synchrony_of_made_up_trains() -> None:
    rng = np.random.default_rng(0)
    steps = np.flatnonzero(rng.random(2000) < 0.1)
    both = trace_of(np.concatenate([steps, steps]), np.repeat([0, 1], steps.size), 3, 2000)
    matrix = an.correlation(both, "a", 5)
    assert matrix[0, 1] == pytest.approx(1)
    assert np.isnan(matrix[2]).all()
    assert an.synchrony(trace_of(np.concatenate([steps] * 2), np.repeat([0, 1], steps.size), 2, 2000), "a", 5) == (
        pytest.approx(1)
    )
    odd = trace_of(np.arange(2000), np.arange(2000) % 2, 2, 2000)
    assert an.correlation(odd, "a", 1)[0, 1] == pytest.approx(-1)
    assert an.chi(np.array([[0.0, 1.0], [1.0, 0.0]])) == 0
    assert np.isnan(an.chi(np.ones((5, 3))))


def test_psth() -> None:
    # one neuron of two fires 3 ms after each trigger; the windows overlap
    triggers = np.arange(20, 200, 10)
    trace = trace_of(triggers + 3, np.zeros(triggers.size, int), 2, 300)
    times, rate = an.psth(trace, "a", triggers, 1, before=5, after=12)
    assert times.tolist() == list(range(-5, 12))
    # one spike for each trigger, shared by two neurons, in 1 ms
    np.testing.assert_allclose(rate[8], 500)
    # the response to the next trigger falls beyond 12 ms, that to the one before at -7: neither is in the window
    np.testing.assert_allclose(np.delete(rate, 8), 0)
    times, rate = an.psth(trace, "a", triggers, 1, before=0, after=14)
    np.testing.assert_allclose(rate[13], 500 * (triggers.size - 1) / triggers.size)


def test_statistics_agree_with_elephant(poisson: Trace) -> None:
    pq = pytest.importorskip("quantities")
    from elephant import statistics
    from elephant.conversion import BinnedSpikeTrain
    from elephant.spike_train_correlation import correlation_coefficient

    ids = np.arange(8)
    stop = 20_000.0
    block = poisson.to_neo("a", ids=ids, stop=stop)
    trains = block.segments[0].spiketrains
    assert [len(train) for train in trains] == an.counts(poisson, "a", ids=ids, stop=stop).tolist()
    np.testing.assert_allclose(
        [statistics.mean_firing_rate(train).rescale("Hz").item() for train in trains],
        an.rates(poisson, "a", ids=ids, stop=stop),
    )
    gaps = [statistics.isi(train).rescale("ms").magnitude for train in trains]
    ours = an.isi(poisson, "a", ids=ids, stop=stop)
    np.testing.assert_allclose(np.concatenate(gaps), ours.lengths, atol=1e-9)
    np.testing.assert_allclose([statistics.cv(g) for g in gaps], an.cv(poisson, "a", ids=ids, stop=stop))
    np.testing.assert_allclose([statistics.cv2(g) for g in gaps], an.cv2(poisson, "a", ids=ids, stop=stop))
    np.testing.assert_allclose([statistics.lv(g) for g in gaps], an.lv(poisson, "a", ids=ids, stop=stop))
    binned = BinnedSpikeTrain(list(trains), bin_size=10 * pq.ms)
    np.testing.assert_array_equal(binned.to_array().T, an.binned(poisson, "a", 10, ids=ids, stop=stop))
    np.testing.assert_allclose(
        correlation_coefficient(binned), an.correlation(poisson, "a", 10, ids=ids, stop=stop), atol=1e-12
    )
    windows = [
        poisson.to_neo("a", ids=[3], start=low, stop=low + 500).segments[0].spiketrains[0]
        for low in np.arange(0, stop, 500)
    ]
    assert an.fano_factor(poisson, "a", 500, ids=[3], stop=stop)[0] == pytest.approx(statistics.fanofactor(windows))


@pytest.fixture(scope="module")
def mixed() -> Trace:
    sink = MemorySink()
    states = {("a", "v"): ("mV", 1e-3, 2), ("a", "x"): ("", 1.0, 1), ("a", "g"): ("furlong", 1.0, 1)}
    sink.open(RunMeta("net", 1e-4, 10, 1, {"a": 3, "b": 2}, states))
    sink.events("a", [1, 4, 4], [2, 0, 2])
    sink.events("b", [0, 9], [1, 1], np.array([0.5, 2], np.float32))
    sink.states("a", "v", 0, 2, np.arange(15.0).reshape(5, 3) * 1e-3)
    sink.states("a", "x", 0, 1, np.zeros((10, 3)))
    sink.states("a", "g", 0, 1, np.zeros((10, 3)))
    sink.close()
    return sink.trace()


def test_to_neo(mixed: Trace) -> None:
    segment = mixed.to_neo().segments[0]
    trains = segment.spiketrains
    assert [(t.annotations["population"], t.annotations["neuron"], t.times.magnitude.tolist()) for t in trains] == [
        ("a", 0, [0.4]), ("a", 1, []), ("a", 2, [0.1, 0.4]), ("b", 0, []), ("b", 1, [0.0, 0.9]),
    ]  # fmt: skip
    assert segment.spiketrains[4].array_annotations["value"].tolist() == [0.5, 2.0]
    assert segment.spiketrains[0].t_stop.rescale("ms").item() == 1.0
    v, x, g = segment.analogsignals
    assert v.units.dimensionality.string == "mV"
    assert g.annotations["unit"] == "furlong"
    assert x.units.dimensionality.string == "dimensionless"
    np.testing.assert_allclose(v.times.rescale("ms").magnitude, [0, 0.2, 0.4, 0.6, 0.8])
    np.testing.assert_allclose(v.magnitude, np.arange(15).reshape(5, 3))


def test_to_pandas(mixed: Trace) -> None:
    frame = mixed.to_pandas()
    assert frame.columns.tolist() == ["population", "neuron", "time_ms", "step", "value"]
    assert frame["population"].tolist() == ["b", "a", "a", "a", "b"]
    assert frame["step"].tolist() == [0, 1, 4, 4, 9]
    assert frame["value"].tolist() == [0.5, 1, 1, 1, 2]
    assert mixed.to_pandas("a").columns.tolist() == ["neuron", "time_ms", "step"]
    assert mixed.to_pandas("b", stop=0.5).shape == (1, 4)
    states = export.state_frame(mixed, "a", "v", ids=[2])
    assert states.index.name == "time_ms"
    assert states[2].tolist() == [2, 5, 8, 11, 14]


def test_to_npz(mixed: Trace, tmp_path: Path) -> None:
    export.to_npz(mixed, tmp_path / "a.npz", "a")
    export.to_npz(mixed, tmp_path / "all.npz")
    with np.load(tmp_path / "a.npz") as file:
        assert {name: file[name].tolist() for name in file} == {"i": [2, 0, 2], "t": [0.1, 0.4, 0.4]}
    with np.load(tmp_path / "all.npz") as file:
        assert sorted(file) == ["a.i", "a.t", "b.i", "b.t", "b.value"]
    with pytest.raises(TraceError, match="cannot be written"):
        export.to_npz(mixed, tmp_path / "none" / "a.npz")


@pytest.mark.parametrize(
    ("missing", "extra", "call"),
    [
        ("neo", "neo", lambda trace: trace.to_neo()),
        ("pandas", "pandas", lambda trace: trace.to_pandas()),
        ("matplotlib.pyplot", "plot", plots.raster),
    ],
)
def test_missing_packages_are_named(
    mixed: Trace, monkeypatch: pytest.MonkeyPatch, missing: str, extra: str, call: Callable[[Trace], object]
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(TraceError, match=rf"pip install 'neuromorph\[{extra}\]'"):
        call(mixed)


def test_rasters_show_every_event_or_say_what_they_leave_out(mixed: Trace, poisson: Trace) -> None:
    ax = plots.raster(mixed)
    shown = np.concatenate([np.asarray(c.get_offsets()) for c in ax.collections])
    assert sorted(shown[:, 0].tolist()) == [0.0, 0.1, 0.4, 0.4, 0.9]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b"]
    assert ax.get_xlim() == (0, 1)
    many = plots.raster(poisson, max_rows=10)
    assert "10 of 50" in many.get_ylabel()
    (marks,) = many.collections
    assert len(np.unique(np.asarray(marks.get_offsets())[:, 1])) == 10
    assert marks.get_rasterized()
    part = plots.raster(poisson, "a", ids=[40, 3], start=0, stop=100)
    (marks,) = part.collections
    assert len(marks.get_offsets()) == an.counts(poisson, "a", ids=[3, 40], stop=100).sum()
    matplotlib.pyplot.close("all")


def test_other_pictures(mixed: Trace, poisson: Trace) -> None:
    assert "20 Hz" not in plots.rate(poisson, bin=100 * ms).get_ylabel()
    assert plots.rate(mixed).get_xlim() == (0, 1)
    assert "mean CV 1.0" in plots.isi(poisson).get_legend().get_texts()[0].get_text()
    ax = plots.states(mixed, "a", "v")
    assert ax.get_ylabel() == "a.v (mV)"
    assert len(ax.lines) == 3
    sink = MemorySink()
    sink.open(RunMeta("net", 1e-3, 50_000, 1, {"a": 1}, {("a", "v"): ("", 1.0, 1)}))
    curve = np.zeros((50_000, 1))
    curve[31_111] = 5  # a peak of one row must be seen
    sink.states("a", "v", 0, 1, curve)
    sink.close()
    (band,) = plots.states(sink.trace(), "a", "v").collections
    assert band.get_paths()[0].vertices[:, 1].max() == 5
    matplotlib.pyplot.close("all")
    empty = trace_of([], [], 0, 10)
    for draw in (plots.raster, plots.rate, plots.isi):
        draw(empty)
    matplotlib.pyplot.close("all")
