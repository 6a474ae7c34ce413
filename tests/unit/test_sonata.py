"""Our files in other people's readers, other people's files in ours."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from neuromorph.errors import TraceError
from neuromorph.trace import FileSink, RunMeta, Trace, open_trace
from neuromorph.trace.reader import NO_POPULATION

DATA = Path(__file__).parent.parent / "data" / "sonata"


@pytest.mark.parametrize(
    ("name", "population", "count"),
    [
        ("9_cells_spikes.h5", "cortex", 78),
        ("300_cells_spikes.h5", "internal", 13_010),
        ("legacy_gids_external_spike_trains.h5", NO_POPULATION, 4_334),
    ],
)
def test_real_files_read_as_bmtk_reads_them(name: str, population: str, count: int) -> None:
    from bmtk.utils.reports.spike_trains import SpikeTrains

    with open_trace(DATA / name) as trace:
        assert trace.populations == (population,)
        assert trace.count(population) == count
        assert not trace.stated
        with pytest.raises(TraceError, match="says nothing about the run"):
            _ = trace.meta
        events = trace.events(population)
        assert len(events) == count
        assert (np.diff(events.times) >= 0).all()
        assert events.steps is None
        theirs = SpikeTrains.from_sonata(str(DATA / name))
        neurons = np.unique(events.ids)
        assert sorted(theirs.node_ids(population=population)) == neurons.tolist()
        for neuron in neurons[::7]:
            times = np.sort(theirs.get_times(node_id=int(neuron), population=population))
            np.testing.assert_array_equal(trace.events(population, ids=[neuron]).times, times)
        assert trace.sizes == {population: neurons.max() + 1}
        assert trace.stop > events.times[-1]
        assert population.strip("<>") in trace._repr_html_()


def test_step_of_a_foreign_file_can_be_given() -> None:
    with Trace(DATA / "9_cells_spikes.h5", dt=1e-4) as trace:
        events = trace.events("cortex")
        assert events.steps is not None
        np.testing.assert_allclose(events.steps * 0.1, events.times, atol=0.05)


def write_spikes(path: Path, group: str, times: object, ids: object, **attrs: object) -> None:
    """A foreign spike file as attributes say: sorting, units, dtypes."""
    with h5py.File(path, "w") as file:
        spikes = file.require_group(group)
        spikes["timestamps"] = np.asarray(times, attrs.get("time_type", np.float64))
        spikes["gids" if attrs.get("gids") else "node_ids"] = np.asarray(ids, attrs.get("id_type", np.uint64))
        if "units" in attrs:
            spikes["timestamps"].attrs["units"] = attrs["units"]
        if "sorting" in attrs:
            kind = h5py.enum_dtype({"none": 0, "by_id": 1, "by_time": 2}, basetype=np.uint8)
            sorting = attrs["sorting"]
            spikes.attrs.create("sorting", sorting, dtype=kind if isinstance(sorting, int) else None)


@pytest.mark.parametrize("units", ["ms", b"ms", "s", b"seconds", None])
@pytest.mark.parametrize("sorting", [None, "by_id", b"none", "by_time", 0, 1])
@pytest.mark.parametrize("types", [(np.float64, np.uint64), (np.float32, np.int32), (np.float64, np.uint16)])
def test_every_spelling_gives_the_same_sorted_events(
    tmp_path: Path, units: object, sorting: object, types: tuple
) -> None:
    attrs: dict[str, object] = {"time_type": types[0], "id_type": types[1]}
    if units is not None:
        attrs["units"] = units
    if sorting is not None:
        attrs["sorting"] = sorting  # also a false one: the times are not in order
    in_seconds = units in ("s", b"seconds")
    times = np.array([5.0, 1.0, 3.0, 1.0])
    write_spikes(tmp_path / "a.h5", "spikes/p", times / (1e3 if in_seconds else 1), [7, 2, 7, 1], **attrs)
    with Trace(tmp_path / "a.h5") as trace:
        events = trace.events("p")
        np.testing.assert_allclose(events.times, [1, 1, 3, 5], rtol=1e-6)
        assert events.ids.tolist() == [2, 1, 7, 7]
        assert trace.sizes == {"p": 8}
        assert trace.events("p", start=1, stop=3.0).ids.tolist() == [2, 1] if types[0] is np.float64 else True
        assert [len(part) for part in trace.stream("p", block=3)] == [3, 1]


def test_odd_files(tmp_path: Path) -> None:
    write_spikes(tmp_path / "empty.h5", "spikes/p", [], [])
    with Trace(tmp_path / "empty.h5") as trace:
        assert len(trace.events("p")) == 0
        assert trace.sizes == {"p": 0}
        assert trace.stop == 0
    write_spikes(tmp_path / "gids.h5", "spikes/p", [1.0], [3], gids=True)
    assert Trace(tmp_path / "gids.h5").events("p").ids.tolist() == [3]
    write_spikes(tmp_path / "unit.h5", "spikes/p", [1.0], [3], units="fortnights")
    with pytest.raises(TraceError, match="fortnights"):
        Trace(tmp_path / "unit.h5").events("p")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(TraceError, match="neither a trace nor"):
        Trace(tmp_path / "other.h5")
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(TraceError, match="not an HDF5 file"):
        Trace(tmp_path / "text.h5")
    with pytest.raises(TraceError, match="no such file"):
        Trace(tmp_path / "none.h5")


def test_foreign_reports_with_several_elements_and_in_the_old_layout(tmp_path: Path) -> None:
    data = np.arange(12, dtype=np.float32).reshape(3, 4)
    for name, root, nodes, pointer in [
        ("new.h5", "report/p", "node_ids", "index_pointers"),
        ("old.h5", "/", "gids", "index_pointer"),
    ]:
        with h5py.File(tmp_path / name, "w") as file:
            group = file.require_group(root)
            group["data"] = data
            group["data"].attrs["units"] = b"mV"
            group[f"mapping/{nodes}"] = np.array([4, 9], np.uint32)
            group[f"mapping/{pointer}"] = np.array([0, 1, 4], np.uint32)
            group["mapping/time"] = np.array([10.0, 11.5, 0.5])
        with Trace(tmp_path / name) as trace:
            ((population, variable),) = trace.recorded_states
            states = trace.state(population, variable)
            assert states.ids.tolist() == [4, 9, 9, 9]
            np.testing.assert_array_equal(states.data, data)
            np.testing.assert_allclose(states.times, [10, 10.5, 11])
            assert states.unit == "mV"
            assert trace.state(population, variable, ids=[4], start=10.5).data.tolist() == [[4], [8]]


DT = 1e-4


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trace with everything: spikes, graded events, a silent population, two states of one population, int states."""
    path = tmp_path_factory.mktemp("ours") / "trace.h5"
    rng = np.random.default_rng(3)
    states = {("exc", "v"): ("mV", 1e-3, 1), ("exc", "i"): ("nA", 1e-9, 7), ("out", "c"): ("", 1.0, 2)}
    sizes = {"exc": 30, "out": 3, "silent": 5}
    with FileSink(path, flush_seconds=0) as sink:
        sink.open(RunMeta("net", DT, 707, 1, sizes, states))
        for step in range(707):
            ids = np.flatnonzero(rng.random(30) < 0.2)
            sink.events("exc", np.full(ids.size, step), ids)
            if step % 3 == 0:
                sink.events("out", [step], [step % 2], np.array([step / 8], np.float32))
            sink.states("exc", "v", step, 1, rng.normal(size=(1, 30)).astype(np.float32))
            if step % 7 == 0:
                sink.states("exc", "i", step, 7, rng.normal(size=(1, 30)))
            if step % 2 == 0:
                sink.states("out", "c", step, 2, rng.integers(-9, 9, (1, 3)).astype(np.int32))
    return path


def test_libsonata_reads_our_spikes(ours: Path) -> None:
    import libsonata

    reader = libsonata.SpikeReader(str(ours))
    with Trace(ours) as trace:
        assert sorted(reader.get_population_names()) == sorted(trace.recorded_events)
        for name in trace.recorded_events:
            theirs = reader[name]
            assert theirs.sorting == "by_time"
            events = trace.events(name)
            pairs = theirs.get()
            np.testing.assert_array_equal([n for n, _ in pairs], events.ids)
            np.testing.assert_array_equal([t for _, t in pairs], events.times)
        some = reader["exc"].get(libsonata.Selection([4, 7]), 10.0, 20.0)
        # libsonata includes the end
        np.testing.assert_array_equal([n for n, _ in some], trace.events("exc", [4, 7], 10.0, 20.05).ids)


def test_libsonata_reads_our_reports(ours: Path) -> None:
    import libsonata

    with Trace(ours) as trace:
        for reader in (libsonata.ElementReportReader(str(ours)), libsonata.SomaReportReader(str(ours))):
            assert sorted(reader.get_population_names()) == ["exc", "exc.i", "out"]
            for report, (population, variable) in {
                "exc": ("exc", "v"),
                "exc.i": ("exc", "i"),
                "out": ("out", "c"),
            }.items():
                states = trace.state(population, variable)
                theirs = reader[report].get()
                np.testing.assert_array_equal(theirs.data, states.data.astype(np.float32))
                np.testing.assert_allclose(theirs.times, states.times, atol=1e-9)
                assert reader[report].data_units == states.unit
                assert reader[report].time_units == "ms"


def test_bmtk_reads_our_spikes(ours: Path) -> None:
    from bmtk.utils.reports.spike_trains import SpikeTrains

    theirs = SpikeTrains.from_sonata(str(ours))
    with Trace(ours) as trace:
        assert sorted(theirs.populations) == ["exc", "out", "silent"]
        for name in ("exc", "out"):
            assert theirs.n_spikes(population=name) == trace.count(name)
            for neuron in range(3):
                np.testing.assert_array_equal(
                    np.sort(theirs.get_times(node_id=neuron, population=name)), trace.events(name, [neuron]).times
                )


def test_bmtk_reads_our_reports(ours: Path) -> None:
    from bmtk.utils.reports import CompartmentReport

    theirs = CompartmentReport(str(ours), mode="r")
    with Trace(ours) as trace:
        for report, (population, variable) in {"exc": ("exc", "v"), "exc.i": ("exc", "i"), "out": ("out", "c")}.items():
            states = trace.state(population, variable)
            np.testing.assert_array_equal(theirs.data(population=report), states.data.astype(np.float32))
            one = theirs.data(node_id=2, population=report)
            np.testing.assert_array_equal(np.ravel(one), states.data[:, 2].astype(np.float32))
            assert theirs.units(population=report) == states.unit
            assert theirs.variable(population=report) == variable


def test_compressed_files_are_smaller_and_bmtk_reads_them(ours: Path, tmp_path: Path) -> None:
    from bmtk.utils.reports.spike_trains import SpikeTrains

    with Trace(ours) as trace:
        trace.save(tmp_path / "small.h5", compress=True)
        with Trace(tmp_path / "small.h5") as small:
            for population, variable in trace.recorded_states:
                np.testing.assert_array_equal(
                    small.state(population, variable).data, trace.state(population, variable).data
                )
            np.testing.assert_array_equal(small.events("out").values, trace.events("out").values)
        assert SpikeTrains.from_sonata(str(tmp_path / "small.h5")).n_spikes(population="exc") == trace.count("exc")
    assert (tmp_path / "small.h5").stat().st_size < ours.stat().st_size / 2


def test_the_file_says_what_sonata_asks_for(ours: Path) -> None:
    with h5py.File(ours, "r") as file:
        assert file.attrs["magic"] == 0x0A7A
        assert file.attrs["version"].tolist() == [0, 1]
        exc = file["spikes/exc"]
        assert h5py.check_enum_dtype(exc.attrs.get_id("sorting").dtype) == {"none": 0, "by_id": 1, "by_time": 2}
        assert exc.attrs["sorting"] == 2
        assert exc["timestamps"].dtype == np.float64
        assert exc["node_ids"].dtype == np.uint64
        assert "values" not in exc
        assert file["spikes/out/values"].dtype == np.float32
        assert exc["node_ids"].compression is None
        mapping = file["report/exc/mapping"]
        assert mapping["index_pointer"] == mapping["index_pointers"]
        assert file["report/exc/data"].dtype == np.float32
        assert file["report/exc.i/exact"].dtype == np.float64
