"""The layout of DVS128 Gesture."""

from __future__ import annotations

from pathlib import Path

import event_writers as write
import numpy as np
import pytest

from neuromorph import TraceError, ms
from neuromorph.events import GESTURES, aedat_chunks, dvs_gestures, pool, read_dvs_gesture


def packets(stop: int, seed: int) -> list[bytes]:
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, stop, 400))
    events = [(int(at), int(rng.integers(128)), int(rng.integers(128)), bool(rng.integers(2))) for at in t]
    return [write.aedat3_packet(events[first : first + 50]) for first in range(0, 400, 50)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write.dvs_gesture(
        tmp_path / "DvsGesture",
        {
            "user01_led": ("train", [(1, 10_000, 90_000), (11, 90_000, 200_000)], packets(250_000, 0)),
            "user02_lab": ("train", [(3, 0, 100_000)], packets(100_001, 1)),
            "user24_natural": ("test", [(2, 5_000, 80_000)], packets(90_000, 2)),
        },
    )


def test_gestures_and_their_events(folder: Path) -> None:
    train = dvs_gestures(folder, "train")
    assert [(g.recording.name, g.label, g.start, g.stop) for g in train] == [
        ("user01_led.aedat", 0, 10_000, 90_000),
        ("user01_led.aedat", 10, 90_000, 200_000),
        ("user02_lab.aedat", 2, 0, 100_000),
    ]
    assert [GESTURES[g.label] for g in dvs_gestures(folder, "test")] == ["right hand wave"]
    found = list(read_dvs_gesture(folder, "train"))
    assert tuple(gesture for _, gesture in found) == train
    for seed, (events, gesture) in zip((0, 0, 1), found, strict=True):
        raw = b"".join(packets({0: 250_000, 1: 100_001}[seed], seed))
        times = np.concatenate([np.frombuffer(raw, "<i4", 100, at + 28)[1::2] for at in range(0, len(raw), 428)])
        assert events.t.tolist() == [t for t in times.tolist() if gesture.start <= t < gesture.stop]
        assert (events.start, events.stop) == (gesture.start, gesture.stop)
        frames = events.bin(25 * ms)
        assert len(frames) == -(-(gesture.stop - gesture.start) // 25_000)
        assert pool(frames, (32, 32), "max").shape == (len(frames), 2, 32, 32)


def test_nothing_is_read_beyond_the_last_gesture(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aedat_chunks, "__defaults__", (None, 50))
    path = folder / "user01_led.aedat"
    whole = [len(events) for events, _ in read_dvs_gesture(folder, "train")]
    path.write_bytes(path.read_bytes()[:-10])  # the last packet is cut off, after every gesture
    assert [len(events) for events, _ in read_dvs_gesture(folder, "train")] == whole


def test_errors(folder: Path, tmp_path: Path) -> None:
    def problem(split: str = "train") -> str:
        with pytest.raises(TraceError) as caught:
            list(read_dvs_gesture(folder, split))  # type: ignore[arg-type]
        return str(caught.value)

    with pytest.raises(TraceError, match=r"trials_to_train.txt: no such file; give the folder of DVS128 Gesture"):
        dvs_gestures(tmp_path, "train")
    assert "give 'train' or 'test'" in problem("all")
    labels = folder / "user24_natural_labels.csv"
    for text, message in (
        ("class,start\n1,2\n", "it should be class,startTime_usec,endTime_usec"),
        ("class,startTime_usec,endTime_usec\n12,0,9\n", "line 2: class 12 from 0 to 9; classes are 1 to 11"),
        ("class,startTime_usec,endTime_usec\n1,0,9\n1,9,9\n", "line 3: class 1 from 9 to 9"),
        ("class,startTime_usec,endTime_usec\n1,a,9\n", "line 2: ['1', 'a', '9']; give three whole numbers"),
        ("class,startTime_usec,endTime_usec\n1,0,9\n1,900000,990000\n", "before a gesture from 900000 to 990000 us"),
    ):
        labels.write_text(text)
        assert message in problem("test")
    labels.unlink()
    assert "user24_natural_labels.csv: no such file" in problem("test")
    (folder / "user02_lab.aedat").unlink()
    assert "user02_lab.aedat: cannot be opened" in problem()
    (folder / "trials_to_test.txt").write_text("\n")
    assert "names no recordings" in problem("test")
