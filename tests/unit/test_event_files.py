"""Streams of events: windows, frames, sources; and the files of N-MNIST and the Heidelberg data sets."""

from __future__ import annotations

from pathlib import Path

import event_writers as write
import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuromorph import EventSource, TraceError, ms, mV, us
from neuromorph.events import EventStream, joined, pool, read_nmnist, read_shd

SAMPLE = Path(__file__).parents[1] / "data" / "nir_cnn" / "sample_nmnist.bin"


def stream(events: list[write.Event], height: int = 4, width: int = 5, **window: int) -> EventStream:
    t, x, y, on = zip(*events, strict=True) if events else ((), (), (), ())
    arrays = [np.array(column, dtype) for column, dtype in zip((t, x, y, on), ("i8", "u2", "u2", bool), strict=True)]
    return EventStream(*arrays, height, width, **window)  # type: ignore[arg-type]


EVENTS = st.lists(
    st.tuples(st.integers(100, 999), st.integers(0, 4), st.integers(0, 3), st.booleans()), min_size=1, max_size=60
)


@given(EVENTS, st.sampled_from([7, 250, 1000]), st.booleans(), st.one_of(st.none(), st.integers(0, 9)))
def test_bins_hold_the_events_that_a_loop_counts(
    events: list[write.Event], micros: int, channels: bool, steps: int | None
) -> None:
    recorded = stream(events, start=100, stop=1000)
    if not channels:
        recorded = EventStream(recorded.t, recorded.x, recorded.y, None, 4, 5, 100, 1000)
    count = -(-(1000 - 100) // micros) if steps is None else steps
    expected = np.zeros((count, 1 + channels, 4, 5), int)
    for t, x, y, on in events:
        if (t - 100) // micros < count:
            expected[(t - 100) // micros, int(on and channels), y, x] += 1
    frames = recorded.bin(micros * us, steps)
    assert frames.dtype == np.int32
    assert np.array_equal(frames, expected)

    for counts in (True, False):
        source = recorded.to_source(micros * us, steps, counts=counts)
        other = EventSource.from_dense(np.minimum(expected.reshape(count, 20 * (1 + channels)), 10**9 if counts else 1))
        assert source.size == other.size == 20 * (1 + channels)
        for mine, theirs in zip(
            vars(source.event_list(1e-3)).values(), vars(other.event_list(1e-3)).values(), strict=True
        ):
            assert np.array_equal(mine, theirs) or (mine is None and theirs is None) or not other.count


def test_a_step_of_a_fraction_of_a_microsecond() -> None:
    recorded = stream([(k, 0, 0, True) for k in range(12)], start=0, stop=12)
    assert recorded.bin(2.5 * us).sum((1, 2, 3)).tolist() == [3, 2, 3, 2, 2]
    assert recorded.steps(0.5 * us) == 23


def test_a_window_is_what_lies_in_it() -> None:
    recorded = stream([(10, 0, 0, True), (30, 1, 1, False), (20, 2, 2, True), (40, 3, 3, True)])
    assert (recorded.start, recorded.stop, len(recorded)) == (10, 41, 4)
    part = recorded.between(20, 40)
    assert part.t.tolist() == [30, 20]
    assert part.x.tolist() == [1, 2]
    assert (part.start, part.stop) == (20, 40)
    assert part.bin(10 * us)[:, :, 1, 1].tolist() == [[0, 0], [1, 0]]
    assert repr(part) == "EventStream(2 events, 5 x 4 pixels, 2e-05 s)"
    empty = recorded.between(50, 60)
    assert empty.bin(5 * us).shape == (2, 2, 4, 5)
    assert empty.to_source(5 * us).count == 0
    whole = joined([part, empty, recorded.between(0, 20)])
    assert (whole.t.tolist(), whole.start, whole.stop) == ([30, 20, 10], 0, 60)


def test_errors_of_streams() -> None:
    for events, window, message in (
        ([(1, 5, 0, True)], {}, "x=5; the sensor has x from 0 to 4"),
        ([(1, 0, 9, True)], {}, "y=9; the sensor has y from 0 to 3"),
        ([(1, 0, 0, True)], {"start": 2, "stop": 9}, "not within the window of 2 to 9"),
        ([], {"start": 3, "stop": 2}, "window of 3 to 2"),
    ):
        with pytest.raises(TraceError, match=message):
            stream(events, **window)  # type: ignore[arg-type]
    with pytest.raises(TraceError, match="one length"):
        EventStream(np.zeros(2, int), np.zeros(3, np.uint16), np.zeros(2, np.uint16), None, 4, 5)
    one = stream([(1, 0, 0, True)])
    with pytest.raises(TraceError, match="above 0"):
        one.bin(0 * ms)
    with pytest.raises(TraceError, match="-1 steps"):
        one.bin(1 * ms, -1)
    with pytest.raises(ValueError, match="mV"):
        one.bin(1 * mV)
    with pytest.raises(TraceError, match="one sensor"):
        joined([one, stream([(1, 0, 0, True)], 8, 8)])
    with pytest.raises(TraceError, match="one sensor"):
        joined([])


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_pooling_counts_every_pixel_once(height: int, width: int, data: st.DataObject) -> None:
    size = (data.draw(st.integers(1, height)), data.draw(st.integers(1, width)))
    frames = np.random.default_rng(height * width).integers(-9, 9, (3, 2, height, width)).astype(np.int32)
    rows, columns = (
        [range(i * large // small, (i + 1) * large // small) for i in range(small)]
        for large, small in zip((height, width), size, strict=True)
    )
    for how, reduce in (("sum", np.sum), ("max", np.max)):
        expected = [[reduce(frames[:, :, r][:, :, :, c], axis=(2, 3)) for c in columns] for r in rows]
        pooled = pool(frames, size, how)  # type: ignore[arg-type]
        assert pooled.dtype == np.int32
        assert np.array_equal(pooled, np.moveaxis(np.array(expected), (0, 1), (2, 3)))


def test_errors_of_pooling() -> None:
    for frames, size, how, message in (
        (np.zeros((3, 4)), (4, 4), "sum", "at least so"),
        (np.zeros(3), (1, 1), "sum", "at least so"),
        (np.zeros((3, 4)), (0, 1), "sum", "at least so"),
        (np.zeros((3, 4)), (1, 1), "mean", "'sum' or 'max'"),
    ):
        with pytest.raises(TraceError, match=message):
            pool(frames, size, how)  # type: ignore[arg-type]


def test_nmnist_records_written_by_hand(tmp_path: Path) -> None:
    recorded = read_nmnist(write.nmnist(tmp_path / "a", [(1999, 3, 5, True), (0, 7, 240, False), (10, 3, 5, False)]))
    frames = recorded.bin(1 * ms)
    assert np.argwhere(frames).tolist() == [[1, 1, 5, 3], [8, 0, 5, 3]]  # the second is 2**13 us later
    assert (recorded.start, recorded.stop) == (0, 8203)


def test_a_real_nmnist_recording() -> None:
    recorded = read_nmnist(SAMPLE)
    assert len(recorded) == 4325
    assert recorded.shape == (2, 34, 34)
    frames = recorded.bin(1 * ms)
    assert frames.sum() == 4325
    assert np.array_equal(recorded.bin(1 * ms, 300), frames[:300])
    assert (np.diff(recorded.t) >= 0).all()
    assert 300_000 < recorded.stop < 320_000  # three saccades of about 100 ms


def test_errors_of_nmnist(tmp_path: Path) -> None:
    good = write.nmnist(tmp_path / "good", [(1999, 3, 5, True)]).read_bytes()
    for raw, message in (
        (good[:-1], "4 bytes; an N-MNIST recording has 5 for each event"),
        (b"", "0 bytes"),
        (bytes([34]) + good[1:], "x=34; the sensor has x from 0 to 33"),
    ):
        (tmp_path / "bad").write_bytes(raw)
        with pytest.raises(TraceError, match=f"bad: .*{message}"):
            read_nmnist(tmp_path / "bad")
    with pytest.raises(TraceError, match="none: cannot be opened"):
        read_nmnist(tmp_path / "none")


def test_heidelberg_recordings(tmp_path: Path) -> None:
    path = write.shd(tmp_path / "shd.h5", [([0.5, 0.25], [699, 0], 2), ([], [], 0), ([0.001], [7], 1)])
    recordings = read_shd(path)
    assert recordings.labels.tolist() == [2, 0, 1]
    assert recordings.classes == ("zero", "one", "two")
    assert recordings.speakers is not None
    assert recordings.speakers.tolist() == [0, 1, 2]
    assert len(recordings) == 3
    for first in (recordings[0], next(iter(recordings))):
        assert first.shape == (1, 1, 700)
        assert first.t.tolist() == [500_000, 250_000]
        assert first.x.tolist() == [699, 0]
        assert first.start == 0
    assert [len(recording) for recording in recordings] == [2, 0, 1]
    assert recordings[-1].t.tolist() == [round(1e6 * float(np.float16(0.001)))]
    source = recordings[0].to_source(1 * ms)
    assert (source.size, source.count) == (700, 2)
    with pytest.raises(IndexError):
        recordings[3]


def test_errors_of_heidelberg_files(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"none\.h5: cannot be read as HDF5"):
        read_shd(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("no HDF5 at all")
    with pytest.raises(TraceError, match=r"text\.h5: cannot be read as HDF5"):
        read_shd(tmp_path / "text.h5")
    whole = write.shd(tmp_path / "whole.h5", [([0.5], [1], 0)]).read_bytes()
    (tmp_path / "cut.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TraceError, match=r"cut\.h5: cannot be read as HDF5"):
        read_shd(tmp_path / "cut.h5")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["labels"] = [1]
    with pytest.raises(TraceError, match="has no spikes/times, spikes/units; it has labels"):
        read_shd(tmp_path / "other.h5")
    for seconds, units, message in (([0.1], [700], "x=700"), ([-0.1], [3], "negative"), ([0.1], [1, 2], "one length")):
        damaged = read_shd(write.shd(tmp_path / "damaged.h5", [([0.5], [1], 0), (seconds, units, 0)]))
        with pytest.raises(TraceError, match=f"recording 1: .*{message}"):
            damaged[1]
    with h5py.File(tmp_path / "damaged.h5", "a") as file:
        del file["labels"]
        file["labels"] = [1, 2, 3]
    with pytest.raises(TraceError, match="one for each recording"):
        read_shd(tmp_path / "damaged.h5")
